//! What the ledger must hold before any effect is performed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::{InstanceType, PoolId};
use crate::definition::DefinitionRecord;
use crate::durations::Durations;
use crate::history::{History, KindHistory, SpotEvidence};
use crate::host::Host;
use crate::id::{JobId, LedgerId, Zone};
use crate::job::{Attempt, BodyHash, Job, JobState};
use crate::kind::KindId;
use crate::launch::Launch;
use crate::quantity::Resources;

/// A pool that is left alone for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cooldown {
    /// Until when.
    pub until: Timestamp,
    /// How often in a row it has failed; each time it is left alone longer.
    pub n_failed: u32,
}

/// One fact to write. All changes of a step are written together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A new job. Its id is not in the ledger yet.
    AddJob(Box<Job>),
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
    /// How many launches and jobs there have ever been: the next ones' numbers.
    Counters {
        /// Launches.
        n_launches: u64,
        /// Jobs.
        n_jobs: u64,
    },
}

/// What a dispatcher starts from: all that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerState {
    /// The ledger's own id.
    pub ledger: LedgerId,
    /// Jobs that have not ended.
    pub jobs: Vec<Job>,
    /// Jobs that have, for recognising a message that comes again.
    pub ended: BTreeMap<JobId, BodyHash>,
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
            hosts: Vec::new(),
            launches: Vec::new(),
            learned: BTreeMap::new(),
            cooling: BTreeMap::new(),
            history: History::default(),
            definitions: Vec::new(),
            n_launches: 0,
            n_jobs: 0,
        }
    }
}
