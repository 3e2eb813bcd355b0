//! What `spillway report` tells of a time: the numbers of all its pictures and tables. The page and JSON show this and nothing else.

pub mod chart;
pub mod html;
pub mod table;

use jiff::Timestamp;
use serde::Serialize;

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportView {
    /// What it is of: a ledger, or a simulated run.
    pub source: String,
    /// When it was made; what runs is counted until then.
    pub as_of: Timestamp,
    /// From when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// How long each bucket of time is.
    pub step_s: i64,
    /// The queue whose jobs are counted; all without one. Hosts are everybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The sums.
    pub summary: Vec<Fact>,
    /// Hosts over time.
    pub fleet: Vec<FleetPoint>,
    /// Hosts by type and market.
    pub types: Vec<TypeRow>,
    /// Jobs over time.
    pub jobs: Vec<JobsPoint>,
    /// What was paid over time, by what for.
    pub cost: Vec<CostPoint>,
    /// What was paid, by what for.
    pub kinds: Vec<KindRow>,
    /// For how long jobs waited.
    pub waits: Vec<WaitBin>,
    /// How much of what was registered was held, over time.
    pub packing: Vec<PackingPoint>,
    /// What the infrastructure ended, over time.
    pub interruptions: Vec<InterruptionPoint>,
    /// The same by type and zone.
    pub interrupted: Vec<InterruptedRow>,
    /// Why jobs failed, the most frequent first.
    pub failures: Vec<FailureRow>,
}

/// One number with its name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// A word for scripts.
    pub key: &'static str,
    /// A word for people.
    pub name: &'static str,
    /// How much; none where there is nothing to tell of.
    pub value: Option<f64>,
    /// In what.
    pub unit: table::Unit,
}

/// Hosts in a bucket of time, in the mean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetPoint {
    /// Its beginning.
    pub at: Timestamp,
    /// Spot hosts.
    pub spot_hosts: f64,
    /// On-Demand hosts.
    pub on_demand_hosts: f64,
    /// Their vCPUs.
    pub spot_vcpus: f64,
    /// Their vCPUs.
    pub on_demand_vcpus: f64,
}

/// Hosts of one type and market.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TypeRow {
    /// The type.
    pub instance_type: String,
    /// The market.
    pub market: String,
    /// How many there were in the time.
    pub hosts: u64,
    /// For how long, all together.
    pub host_hours: f64,
    /// Their vCPUs times hours.
    pub vcpu_hours: f64,
    /// What they cost.
    pub cost_usd: f64,
}

/// Jobs in a bucket of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobsPoint {
    /// Its beginning.
    pub at: Timestamp,
    /// That waited, in the mean: accepted, and on no host.
    pub waiting: f64,
    /// STARTING, in the mean.
    pub starting: f64,
    /// RUNNING, in the mean.
    pub running: f64,
    /// Accepted in it.
    pub accepted: u64,
    /// SUCCEEDED in it.
    pub succeeded: u64,
    /// FAILED in it.
    pub failed: u64,
}

/// What was paid in a bucket of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostPoint {
    /// Its beginning.
    pub at: Timestamp,
    /// For what attempts held that ended by themselves or run.
    pub work_usd: f64,
    /// For what the infrastructure ended.
    pub lost_usd: f64,
    /// For what nobody held beside others.
    pub unused_usd: f64,
    /// For hosts with nobody on them.
    pub idle_usd: f64,
    /// Until hosts registered.
    pub boot_usd: f64,
    /// For hosts on their way out.
    pub drain_usd: f64,
}

/// What was paid for one kind of thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindRow {
    /// What for.
    pub kind: &'static str,
    /// How much.
    pub cost_usd: f64,
    /// Of all.
    pub percent: f64,
}

/// Jobs that waited for about as long.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaitBin {
    /// At least so long.
    pub from_s: i64,
    /// And less than so long; none is no end.
    pub until_s: Option<i64>,
    /// How many.
    pub jobs: u64,
    /// Of all.
    pub percent: f64,
}

/// How much of what hosts had registered was held in a bucket of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PackingPoint {
    /// Its beginning.
    pub at: Timestamp,
    /// vCPUs that were registered, in the mean.
    pub vcpus: f64,
    /// vCPUs that attempts held, in the mean.
    pub vcpus_held: f64,
    /// That in percent; none without a host.
    pub vcpu_percent: Option<f64>,
    /// The same of memory.
    pub memory_percent: Option<f64>,
}

/// What the infrastructure ended in a bucket of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InterruptionPoint {
    /// Its beginning.
    pub at: Timestamp,
    /// Spot hosts that EC2 took back.
    pub hosts: u64,
    /// Attempts that were lost with a host, whatever ended it.
    pub attempts: u64,
}

/// Hosts of one type and zone that were Spot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InterruptedRow {
    /// The type.
    pub instance_type: String,
    /// The zone.
    pub zone: String,
    /// How many Spot hosts there were.
    pub hosts: u64,
    /// How many of them EC2 took back.
    pub interrupted: u64,
    /// What was paid for work that was lost on them.
    pub lost_usd: f64,
}

/// Jobs that failed for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureRow {
    /// In ECS's words, or ours.
    pub reason: String,
    /// The name of one of them.
    pub one_of_them: String,
    /// How many.
    pub jobs: u64,
}
