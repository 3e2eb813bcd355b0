//! What the ledger must hold before any effect is performed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::array::ArrayRecord;
use crate::breaker::{Breaker, BreakerId};
use crate::burst::Burst;
use crate::catalog::{InstanceType, PoolId};
use crate::definition::DefinitionRecord;
use crate::durations::Durations;
use crate::heard::Heard;
use crate::history::{History, KindHistory, SpotEvidence};
use crate::host::Host;
use crate::id::{JobId, LedgerId, QueueName, ShareId, Zone};
use crate::job::{Attempt, BodyHash, Job, JobState};
use crate::kind::KindId;
use crate::launch::Launch;
use crate::money::MicroUsd;
use crate::quantity::Resources;
use crate::schedule::ScheduleRecord;
use crate::scheduling::{Gate, Pausable, ShareUse};
use crate::spending::Payer;

/// A pool that is left alone for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cooldown {
    /// Until when.
    pub until: Timestamp,
    /// How often in a row it has failed; each time it is left alone longer.
    pub n_failed: u32,
}

/// One fact to write. All changes of a step are written together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Change {
    /// A new job. Its id is not in the ledger yet. One with an array stands for all its children.
    AddJob(Box<Job>),
    /// A child of an array gets a record of its own, because it has been given to a host. What it is, is its array's.
    AddChild {
        /// Which.
        id: JobId,
        /// Where it stands.
        state: JobState,
    },
    /// Children of an array end that never got a record of their own.
    EndChildren {
        /// The array.
        array: JobId,
        /// Which: runs of their ordinal numbers, from the first to the last of each.
        runs: Vec<(u32, u32)>,
        /// How they end; a terminal state.
        state: JobState,
    },
    /// A job has moved on.
    MoveJob {
        /// Which.
        id: JobId,
        /// Where it stands now.
        state: JobState,
        /// The attempt that ended with this move.
        ended: Option<Box<Attempt>>,
    },
    /// A host, new or changed.
    PutHost(Box<Host>),
    /// A launch, new or changed.
    PutLaunch(Box<Launch>),
    /// What ECS really registered on a type.
    Learn {
        /// The type.
        instance_type: InstanceType,
        /// What tasks can use on it.
        registered: Resources,
    },
    /// A pool is left alone, or not any more.
    Cool {
        /// The pool.
        pool: PoolId,
        /// Until when; none forgets its failures.
        cooldown: Option<Cooldown>,
    },
    /// What is known of a kind of jobs; none forgets it.
    PutKind {
        /// The kind.
        kind: KindId,
        /// How long its jobs took.
        history: Option<Box<KindHistory>>,
    },
    /// What was seen of a pool of Spot capacity.
    PutSpot {
        /// The type.
        instance_type: InstanceType,
        /// The zone.
        zone: Zone,
        /// What was seen.
        evidence: SpotEvidence,
    },
    /// How long hosts took to boot.
    PutBoots(Durations),
    /// A revision of a job definition, registered or deregistered.
    PutDefinition(Box<DefinitionRecord>),
    /// A schedule, new or changed.
    PutSchedule(Box<ScheduleRecord>),
    /// Something was paused or resumed.
    PutGate {
        /// What.
        target: Pausable,
        /// Which of the two, and when it was ordered.
        gate: Gate,
    },
    /// A breaker has opened, or has been probed; none closes it.
    PutBreaker {
        /// Which.
        target: BreakerId,
        /// How it stands.
        breaker: Option<Box<Breaker>>,
    },
    /// What is held until somebody approves it, and what is approved.
    PutBurst(Box<Burst>),
    /// What a share of a queue has used; none forgets it.
    PutShare {
        /// The queue.
        queue: QueueName,
        /// The share.
        share: ShareId,
        /// What it has used.
        used: Option<ShareUse>,
    },
    /// A message of the job queue was taken or refused. For the record alone.
    Heard(Box<Heard>),
    /// What has come up in a day (UTC) for somebody, as far as it is closed: of hosts that are gone, of attempts that have ended. None
    /// forgets it.
    PutSpending {
        /// The day.
        day: Date,
        /// For whom.
        payer: Payer,
        /// How much.
        spent: Option<MicroUsd>,
    },
    /// How many launches and jobs there have ever been: the next ones' numbers.
    Counters {
        /// Launches.
        n_launches: u64,
        /// Jobs.
        n_jobs: u64,
    },
}

impl Change {
    /// The job, array, child or node that it adds or moves, and the state that it comes to. Children that end without a record
    /// are not told one by one.
    pub const fn of_job(&self) -> Option<(JobId, &JobState)> {
        match self {
            Self::AddJob(job) => Some((job.id, &job.state)),
            Self::AddChild { id, state } | Self::MoveJob { id, state, .. } => Some((*id, state)),
            Self::EndChildren { .. }
            | Self::PutHost(_)
            | Self::PutLaunch(_)
            | Self::Learn { .. }
            | Self::Cool { .. }
            | Self::PutKind { .. }
            | Self::PutSpot { .. }
            | Self::PutBoots(_)
            | Self::PutDefinition(_)
            | Self::PutSchedule(_)
            | Self::PutGate { .. }
            | Self::PutBreaker { .. }
            | Self::PutBurst(_)
            | Self::PutShare { .. }
            | Self::Heard(_)
            | Self::PutSpending { .. }
            | Self::Counters { .. } => None,
        }
    }
}

/// What is remembered of a job that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedJob {
    /// Tells a repeated message from a clash.
    pub body_hash: BodyHash,
    /// Whether it succeeded.
    pub succeeded: bool,
}

impl EndedJob {
    /// Of a job in a terminal state; none in any other.
    pub const fn of(body_hash: BodyHash, state: &JobState) -> Option<Self> {
        match state {
            JobState::Succeeded { .. } => Some(Self { body_hash, succeeded: true }),
            JobState::Failed { .. } => Some(Self { body_hash, succeeded: false }),
            JobState::Submitted
            | JobState::Pending
            | JobState::Runnable { .. }
            | JobState::Starting { .. }
            | JobState::Running { .. } => None,
        }
    }
}

/// What a dispatcher starts from: all that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerState {
    /// The ledger's own id.
    pub ledger: LedgerId,
    /// Jobs that have not ended; of arrays' children those with a record of their own.
    pub jobs: Vec<Job>,
    /// Jobs that have, but for children of arrays: for recognising a message that comes again, and for jobs that wait for them.
    pub ended: BTreeMap<JobId, EndedJob>,
    /// What became of the children of every array there ever was.
    pub arrays: BTreeMap<JobId, ArrayRecord>,
    /// Hosts that are not gone.
    pub hosts: Vec<Host>,
    /// Launches that are not settled.
    pub launches: Vec<Launch>,
    /// What was learnt about types.
    pub learned: BTreeMap<InstanceType, Resources>,
    /// Pools that have failed.
    pub cooling: BTreeMap<PoolId, Cooldown>,
    /// What to estimate from.
    pub history: History,
    /// All revisions of job definitions.
    pub definitions: Vec<DefinitionRecord>,
    /// All schedules, those that were deleted too.
    pub schedules: Vec<ScheduleRecord>,
    /// What has ever been paused or resumed.
    pub gates: BTreeMap<Pausable, Gate>,
    /// What is left alone after failures.
    pub breakers: BTreeMap<BreakerId, Breaker>,
    /// What is held until somebody approves it, and what is approved.
    pub burst: Burst,
    /// What the shares of queues have used.
    pub shares: BTreeMap<(QueueName, ShareId), ShareUse>,
    /// What has come up in each of the last days, as far as it is closed.
    pub spending: BTreeMap<(Date, Payer), MicroUsd>,
    /// How many launches there have ever been.
    pub n_launches: u64,
    /// How many jobs there have ever been.
    pub n_jobs: u64,
}

impl LedgerState {
    /// An empty ledger.
    pub fn new(ledger: LedgerId) -> Self {
        Self {
            ledger,
            jobs: Vec::new(),
            ended: BTreeMap::new(),
            arrays: BTreeMap::new(),
            hosts: Vec::new(),
            launches: Vec::new(),
            learned: BTreeMap::new(),
            cooling: BTreeMap::new(),
            history: History::default(),
            definitions: Vec::new(),
            schedules: Vec::new(),
            gates: BTreeMap::new(),
            breakers: BTreeMap::new(),
            burst: Burst::default(),
            shares: BTreeMap::new(),
            spending: BTreeMap::new(),
            n_launches: 0,
            n_jobs: 0,
        }
    }
}
