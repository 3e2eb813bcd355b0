//! What must hold after every step, checked against what is really so in the simulated cloud.
//!
//! | name | what |
//! | --- | --- |
//! | I1 | a job is added once, and its end is written once |
//! | I2 | at most one live task per job; another only after the first one's loss was declared |
//! | I3 | a message is deleted only after its job is durable or its order carried out; a dead letter is one that can be nothing else |
//! | I4 | every instance that is paid is in the ledger, or will soon be found |
//! | I5 | no host holds more than it registered |
//! | I6 | a job runs only on an architecture, in a market and with a kind of GPU that it allows |
//! | I7 | launches stay within the limits on hosts, vCPUs, price and EC2's vCPU quotas, within the caps of their pool, and within what was approved; no launch is bought twice |
//! | I8 | no task is given to a host that is not registered or drains; none is ended under a live task without need |
//! | I10 | failures of the infrastructure use up none of a job's attempts, and no attempt is left unused |
//! | V1 | what is started is exactly the alternative of the job that was written down, and holds what that needs |
//! | A1 | an array ends when all its children have, and never has more of them on hosts than it allows |
//! | D1 | a job runs only after all that it waits for has ended as it must |
//! | E1 | an event is deleted only after what it says is durable |
//! | G1 | a host is given up for gone only after EC2 has ended it, or has left it out of its lists |
//! | U1 | once a budget is spent nothing of its scope is started, and where it is everybody's nothing is bought, until its next period |
//! | Q1 | no queue or share holds more than its caps say, and no more of a consumable resource is held than there is |
//! | N1 | all nodes of a multi-node job are on hosts or none, each on its own; none starts before the main one runs or goes on after it |
//! | N2 | no nodes of an attempt run without the others for more than [`PARTIAL_MAX`], twice the start time-out and three looks, while somebody could end them |
//! | M1 | a host's bill in the ledger is no less than EC2's, and no less than what its attempts carry |
//! | C1 | in the end what every host's bill is divided into sums to it, and every attempt is on the books of a host |
//! | T1 | how an attempt ended in the ledger is how it ended in the cloud, and not before its task is STOPPED or its host ended |
//! | T2 | a child whose end was read in the report of its shared task is not started again if it ended well |
//! | W1 | what is done was written down before |
//! | B1 | no instance is paid for more than [`PURPOSELESS_MAX`] and twice the idle time-out without a task or a node that waits for its main one, while somebody could end it |
//! | S2 | in the end all is at rest: every job ended, queues empty, no host, no open launch, no task |
//!
//! All checks cost a few look-ups per change, so they are always on.

mod books;
mod budgets;
mod changes;
mod effects;
mod gangs;
mod queues;
mod spend;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use spillway_core::id::HostId;
use spillway_core::{
    AttemptOrd, Change, Effect, InstanceId, JobId, LaunchId, MicroUsd, Quota, Resources,
};
use spillway_engine::{EngineConfig, Step};

use crate::cloud::SimCloud;
use crate::ledger::{BadChange, MemoryLedger};
use crate::setting::Chance;
use crate::world::{Out, WorldConfig};
pub use gangs::PARTIAL_MAX;
pub use spend::PURPOSELESS_MAX;

/// More than this are counted, not kept.
const VIOLATIONS_KEPT_MAX: usize = 50;

/// Something that must never happen has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which invariant, such as `I2`.
    pub invariant: &'static str,
    /// In which event of the run, counted from 1.
    pub event: u64,
    /// When, in virtual time.
    pub at: Timestamp,
    /// What was seen, with ids.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at event {} ({}): {}", self.invariant, self.event, self.at, self.text)
    }
}

/// A job's attempt that is on a host, by the ledger.
#[derive(Debug, Clone, Copy)]
struct Live {
    ord: AttemptOrd,
    host: HostId,
    need: Resources,
    /// Somebody has asked for the job's end.
    is_terminated: bool,
    /// The attempt that leads the task, if others are in it too.
    led_by: Option<(JobId, AttemptOrd)>,
}

/// What a host that is not gone counts against the limits.
#[derive(Debug, Clone, Copy)]
struct Open {
    cpu: u64,
    price: u64,
    quota: Option<Quota>,
}

/// What the attempts on a host have cost, and by how much a wrong clock may have made that more.
#[derive(Debug, Clone, Copy, Default)]
struct Carried {
    cost: MicroUsd,
    error: MicroUsd,
}

/// Whether a change gives a job to a host.
fn places(change: &Change) -> bool {
    change.of_job().is_some_and(|(_, state)| state.live_attempt().is_some())
}

/// The checker, and what it remembers between steps.
#[derive(Debug)]
pub struct Invariants {
    config: EngineConfig,
    open_jobs: BTreeSet<JobId>,
    live: BTreeMap<JobId, Live>,
    on_host: BTreeMap<HostId, BTreeMap<JobId, Resources>>,
    open_hosts: BTreeMap<HostId, Open>,
    open_launches: BTreeSet<LaunchId>,
    /// Instances that were taken for gone, since when. Lists that leave one out may do so for as long again from there.
    given_up: BTreeMap<InstanceId, Timestamp>,
    /// What the attempts carry that have ended on each host.
    carried: BTreeMap<HostId, Carried>,
    /// The quotas that the step in hand buys from.
    bought: BTreeSet<Quota>,
    /// Instances that were held for a node of a multi-node job, with or without a task, until when.
    held_until: BTreeMap<InstanceId, Timestamp>,
    /// Multi-node jobs of which only some nodes run, since when.
    partial_gangs: BTreeMap<JobId, Timestamp>,
    /// Sums over `open_hosts`.
    cpu: u64,
    of_quota: BTreeMap<Quota, u64>,
    price: u64,
    /// When nobody could end an instance.
    blind: Vec<(Timestamp, Timestamp)>,
    /// By how much two readings of the dispatcher's clock may differ from the truth.
    clock_error: SignedDuration,
    /// Whether the dispatcher's clock leaps, so that what is new may seem long ago.
    clock_leaps: bool,
    last_end: Option<Timestamp>,
    n_doubled_tasks: u64,
    n_violations: BTreeMap<&'static str, u64>,
    violations: Vec<Violation>,
}

/// Where a check stands in the run.
#[derive(Debug, Clone, Copy)]
struct Moment {
    event: u64,
    now: Timestamp,
}

impl Invariants {
    /// A checker for an empty ledger in this world, which begins now.
    pub fn new(config: EngineConfig, world: &WorldConfig, now: Timestamp) -> Self {
        let faults = &world.faults;
        let leaps = faults.clock_leaps != Chance::NEVER;
        let is_wrong = leaps || faults.clock_skews != Chance::NEVER;
        let stops_us = |out: &Out| match out {
            // Without its cluster nobody can see whether a task whose last event was lost still runs, and none is ended unseen.
            Out::Credentials | Out::Call(_) | Out::Cluster | Out::Ledger | Out::Zone(_) => true,
            Out::JobQueue | Out::Spot | Out::Ami(_) | Out::Image(_) => false,
        };
        let outages = world.outages.iter().filter(|outage| stops_us(&outage.what));
        let blind = outages.map(|o| (now + o.from, now + o.from + o.lasts)).collect();
        Self {
            blind,
            // Once it is ahead by as much as AWS lets it be, and once behind.
            clock_error: SignedDuration::from_mins(if is_wrong { 10 } else { 0 }),
            clock_leaps: leaps,
            config,
            open_jobs: BTreeSet::new(),
            live: BTreeMap::new(),
            on_host: BTreeMap::new(),
            open_hosts: BTreeMap::new(),
            of_quota: BTreeMap::new(),
            open_launches: BTreeSet::new(),
            given_up: BTreeMap::new(),
            carried: BTreeMap::new(),
            bought: BTreeSet::new(),
            held_until: BTreeMap::new(),
            partial_gangs: BTreeMap::new(),
            cpu: 0,
            price: 0,
            last_end: None,
            n_doubled_tasks: 0,
            n_violations: BTreeMap::new(),
            violations: Vec::new(),
        }
    }

    /// What was broken, oldest first; only the first ones are kept.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How many violations there were, by the invariant's name.
    pub const fn n_violations(&self) -> &BTreeMap<&'static str, u64> {
        &self.n_violations
    }

    /// How often a job had a second task while a first, declared lost, was still alive.
    pub const fn n_doubled_tasks(&self) -> u64 {
        self.n_doubled_tasks
    }

    /// When a job ended last.
    pub const fn last_end(&self) -> Option<Timestamp> {
        self.last_end
    }

    /// Whether every job has ended, every host is gone and every launch is settled.
    pub fn ledger_is_at_rest(&self) -> bool {
        self.open_jobs.is_empty() && self.open_hosts.is_empty() && self.open_launches.is_empty()
    }

    /// The ledger refused a step's changes.
    pub fn refused(&mut self, event: u64, now: Timestamp, bad: &BadChange) {
        self.violate("I1", Moment { event, now }, bad.to_string());
    }

    /// The run does not move on.
    pub fn stuck(&mut self, event: u64, now: Timestamp, text: String) {
        self.violate("S2", Moment { event, now }, text);
    }

    /// Checks one step after its changes have been written and before its effects are performed.
    pub fn check_step(
        &mut self,
        event: u64,
        now: Timestamp,
        step: &Step,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let moment = Moment { event, now };
        let mut is_buying = false;
        for change in &step.changes {
            is_buying |= self.check_change(moment, change, ledger, cloud);
        }
        if is_buying {
            self.check_limits(moment, ledger.the_burst());
            self.check_pools(moment, step, ledger);
        }
        if self.has_queue_rules() && step.changes.iter().any(places) {
            self.check_held(moment, ledger);
        }
        self.check_gangs(moment, step, ledger, cloud);
        for effect in &step.effects {
            self.check_effect(moment, effect, ledger, cloud);
        }
    }

    /// Nobody can end an instance between these times.
    pub fn blind(&mut self, from: Timestamp, to: Timestamp) {
        self.blind.push((from, to));
    }

    /// Checks an effect that is performed before its step is written.
    pub fn check_early(
        &mut self,
        event: u64,
        now: Timestamp,
        effect: &Effect,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        self.check_effect(Moment { event, now }, effect, ledger, cloud);
    }

    /// Checks that all is at rest.
    pub fn check_end(&mut self, event: u64, now: Timestamp, cloud: &SimCloud) {
        let moment = Moment { event, now };
        let named =
            |ids: &mut dyn Iterator<Item = String>| ids.take(3).collect::<Vec<_>>().join(", ");
        let alive: Vec<String> = cloud.ec2().alive().map(|i| i.id.to_string()).collect();
        let rests = [
            (
                "jobs have not ended",
                self.open_jobs.len(),
                named(&mut self.open_jobs.iter().map(ToString::to_string)),
            ),
            (
                "hosts are not gone",
                self.open_hosts.len(),
                named(&mut self.open_hosts.keys().map(ToString::to_string)),
            ),
            (
                "launches are open",
                self.open_launches.len(),
                named(&mut self.open_launches.iter().map(ToString::to_string)),
            ),
            ("instances are still paid", alive.len(), named(&mut alive.iter().cloned())),
            (
                "instances are stopped and keep their disks",
                usize::from(cloud.ec2().has_stopped()),
                String::new(),
            ),
            ("tasks are still alive", cloud.ecs().n_live(), String::new()),
            ("messages are in the job queue", cloud.job_queue().len(), String::new()),
        ];
        for (what, n, examples) in rests {
            if 0 < n {
                self.violate("S2", moment, format!("{n} {what} in the end {examples}"));
            }
        }
    }

    fn violate(&mut self, invariant: &'static str, moment: Moment, text: String) {
        *self.n_violations.entry(invariant).or_default() += 1;
        if self.violations.len() < VIOLATIONS_KEPT_MAX {
            let Moment { event, now } = moment;
            self.violations.push(Violation { invariant, event, at: now, text });
        }
    }
}
