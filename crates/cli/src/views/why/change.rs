//! A change that would start a job now, in words and with its price.

use serde::Serialize;
use spillway_core::plan::{FilterKind, LimitKind};
use spillway_core::{CpuUnits, HostId, MicroUsdPerHour, PoolId, Quota};
use spillway_planner::explain::job::{Change, Onto, Way};

use crate::views::plan::limits::{more_or_less, sum_key};

/// A change.
#[derive(Debug, Serialize)]
pub struct ChangeView {
    /// The change and what comes of it, for people.
    pub text: String,
    /// What would have to be otherwise: a key of the configuration or of the job.
    pub what: &'static str,
    /// The pool of the new host; none where it would start on one we have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// What that host costs per hour.
    pub price_usd_per_hour: f64,
    /// What the cheapest host costs that can be bought for it as things are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of_usd_per_hour: Option<f64>,
}

impl ChangeView {
    pub(super) fn new(way: &Way, host: &impl Fn(HostId) -> String) -> Self {
        let pool = match &way.onto {
            Onto::Host(_) => None,
            Onto::Pool(pool) => Some(pool),
        };
        Self {
            text: format!("{}: {}", change_text(&way.change, pool), onto_text(way, host)),
            what: what(&way.change),
            pool: pool.map(ToString::to_string),
            price_usd_per_hour: way.price.as_usd_f64(),
            instead_of_usd_per_hour: way.instead_of.map(MicroUsdPerHour::as_usd_f64),
        }
    }
}

fn change_text(change: &Change, pool: Option<&PoolId>) -> String {
    match change {
        Change::LessMemory(by) => format!("ask for {by} less"),
        Change::LessCpu(by) => format!("ask for {by} vCPU less"),
        Change::Market(market) => format!("let it run on {market} hosts too"),
        Change::Arch(arch) => format!("let it run on {arch} too"),
        Change::GpuKind(kind) => format!("let it run on {kind} GPUs too"),
        Change::Raise { hosts, cpu, price, price_limit, quota } => {
            raise_text(*hosts, *cpu, (*price_limit, *price), *quota)
        }
        Change::HostVcpus(to) => format!("raise plan.max-host-vcpus to {to}"),
        Change::Allow(kind) => match pool {
            Some(pool) => format!("allow {} in {kind}", in_list(*kind, pool)),
            None => format!("widen {kind}"),
        },
    }
}

fn in_list(kind: FilterKind, pool: &PoolId) -> String {
    match kind {
        FilterKind::InstanceTypes => pool.instance_type.clone(),
        FilterKind::Zones => pool.zone.to_string(),
        FilterKind::Markets => pool.market.to_string(),
        FilterKind::Architectures => format!("the architecture of {}", pool.instance_type),
    }
}

fn raise_text(
    hosts: u32,
    cpu: CpuUnits,
    (price_limit, price): (LimitKind, MicroUsdPerHour),
    quota: Option<(Quota, CpuUnits)>,
) -> String {
    let mut raises = Vec::new();
    if 0 < hosts {
        raises.push(format!("{} by {hosts}", sum_key(LimitKind::Hosts)));
    }
    if cpu != CpuUnits::ZERO {
        raises.push(format!("{} by {cpu}", sum_key(LimitKind::Vcpus)));
    }
    if price != MicroUsdPerHour::ZERO {
        raises.push(format!("{} by {price}", sum_key(price_limit)));
    }
    if let Some((quota, cpu)) = quota {
        raises.push(format!("{} by {cpu}", sum_key(LimitKind::Quota(quota))));
    }
    format!("raise {}", raises.join(" and "))
}

fn onto_text(way: &Way, host: &impl Fn(HostId) -> String) -> String {
    match &way.onto {
        Onto::Host(id) => format!("it fits on {} at once, for no money more", host(*id)),
        Onto::Pool(pool) => {
            let than = way.instead_of.map_or_else(String::new, |now| {
                format!(", {} than the cheapest that does now", more_or_less(now, way.price))
            });
            format!("{pool} would do, at {}{than}", way.price)
        }
    }
}

const fn what(change: &Change) -> &'static str {
    match change {
        Change::LessMemory(_) => "job.memory",
        Change::LessCpu(_) => "job.vcpus",
        Change::Market(_) => "job.market",
        Change::Arch(_) => "job.arch",
        Change::GpuKind(_) => "job.gpu-kinds",
        Change::Raise { .. } => "limits",
        Change::HostVcpus(_) => "plan.max-host-vcpus",
        Change::Allow(FilterKind::InstanceTypes) => "offerings.instance-types",
        Change::Allow(FilterKind::Zones) => "offerings.zones",
        Change::Allow(FilterKind::Markets) => "offerings.markets",
        Change::Allow(FilterKind::Architectures) => "offerings.architectures",
    }
}
