//! What `spillway top` shows: the state of a deployment at one moment, as numbers. What is drawn and what JSON says is this and
//! nothing else.

pub mod draw;
pub mod grid;

use jiff::Timestamp;
use serde::Serialize;
use spillway_core::host::HostStatus;
use spillway_core::{HostId, Market, MicroUsd, MicroUsdPerHour};

use super::budget::BudgetRow;
use super::burst::BurstView;
use super::job::StatusCount;
use super::usd;

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopView {
    /// When it was read.
    pub as_of: Timestamp,
    /// The ledger it was read from.
    pub ledger: String,
    /// How many jobs are in each state; of arrays, their children.
    pub jobs: Vec<StatusCount>,
    /// The same by queue.
    pub queues: Vec<QueueRow>,
    /// Why jobs wait.
    pub waiting: Vec<ReasonRow>,
    /// What hosts there are, by type, zone and market.
    pub fleet: Vec<FleetRow>,
    /// The hosts one by one, with what is used of each.
    pub hosts: Vec<HostUseRow>,
    /// Of hosts that take tasks or run some, all together.
    pub packing: Packing,
    /// What it costs.
    pub money: Money,
    /// How the budgets stand.
    pub budgets: Vec<BudgetRow>,
    /// What awaits approval; none if nothing has to be approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<BurstView>,
    /// What happened last, newest first.
    pub events: Vec<EventRow>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueRow {
    /// Its name.
    pub queue: String,
    /// Whether it is paused.
    pub paused: bool,
    /// How many jobs are in each state, in the order of their way.
    pub jobs: Vec<StatusCount>,
}

/// A reason to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonRow {
    /// The word of `spillway why`.
    pub code: String,
    /// What it means, where it can be said of all of them.
    pub reason: String,
    /// How many jobs.
    pub jobs: u64,
}

/// Hosts of one type in one zone and market.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetRow {
    /// The type.
    pub instance_type: String,
    /// The zone.
    pub zone: String,
    /// The market.
    pub market: Market,
    /// How many there are.
    pub hosts: u64,
    /// How many of them are asked for or boot.
    pub booting: u64,
    /// How many of them take no more work.
    pub leaving: u64,
    /// What they are used.
    #[serde(flatten)]
    pub packing: Packing,
    /// What they cost per hour together.
    #[serde(serialize_with = "price_as_usd")]
    pub price_usd_per_hour: MicroUsdPerHour,
}

/// How much is used of what hosts registered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Packing {
    /// vCPUs that attempts hold.
    pub vcpus_used: f64,
    /// vCPUs that are registered.
    pub vcpus: f64,
    /// Memory that attempts hold.
    pub memory_used_mib: u64,
    /// Memory that is registered.
    pub memory_mib: u64,
}

impl Packing {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.vcpus_used += other.vcpus_used;
        self.vcpus += other.vcpus;
        self.memory_used_mib += other.memory_used_mib;
        self.memory_mib += other.memory_mib;
    }
}

/// One host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostUseRow {
    /// Spillway's id of it.
    pub id: HostId,
    /// EC2's, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Its type.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// Its market.
    pub market: Market,
    /// Where it stands.
    pub status: HostStatus,
    /// How many attempts are on it.
    pub jobs: u64,
    /// What is used of it.
    #[serde(flatten)]
    pub packing: Packing,
    /// What it costs per hour.
    #[serde(serialize_with = "price_as_usd")]
    pub price_usd_per_hour: MicroUsdPerHour,
}

/// What it costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Money {
    /// What all hosts cost per hour now.
    #[serde(serialize_with = "price_as_usd")]
    pub price_usd_per_hour: MicroUsdPerHour,
    /// What the planner proves and would do; none where prices are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven: Option<Proven>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not_proven: Option<String>,
    /// What all hosts have cost since midnight, UTC.
    #[serde(serialize_with = "amount_as_usd")]
    pub spent_today_usd: MicroUsd,
    /// The midnight it is counted from.
    pub today_since: Timestamp,
}

/// What the planner says at the prices of now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proven {
    /// Which prices.
    pub prices: String,
    /// No hosts that hold what is on hosts now cost less per hour.
    #[serde(serialize_with = "price_as_usd")]
    pub bound_usd_per_hour: MicroUsdPerHour,
    /// What the next plan buys for those that wait, per hour.
    #[serde(serialize_with = "price_as_usd")]
    pub next_usd_per_hour: MicroUsdPerHour,
    /// No new hosts that hold the same cost less per hour.
    #[serde(serialize_with = "price_as_usd")]
    pub next_bound_usd_per_hour: MicroUsdPerHour,
}

/// What an event is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A job, an array or a child of one.
    Job,
    /// A host.
    Host,
    /// A call that buys hosts.
    Launch,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// When.
    pub at: Timestamp,
    /// To what.
    pub subject: Subject,
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Its state now, and why.
    pub event: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn price_as_usd<S: serde::Serializer>(
    price: &MicroUsdPerHour,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(price.as_usd_f64())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn amount_as_usd<S: serde::Serializer>(
    amount: &MicroUsd,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(usd(*amount))
}
