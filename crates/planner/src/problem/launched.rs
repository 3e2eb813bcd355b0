//! What a plan's new hosts were bought for, as a problem file: whoever doubts the plan's bound can have it proven.

use std::collections::BTreeMap;

use spillway_core::plan::DemandKey;
use spillway_core::{Arch, CpuUnits, MarketRule, PlanInput, PlanPolicy, Planned};

use super::{JobLine, Offer, Problem};
use crate::prune::{buyable, cooling_flags};

impl Problem {
    /// The jobs that the launches of a plan hold first, and every offering that could have been bought: not cooling down, no
    /// larger than hosts may be. No set of hosts that holds these jobs costs less than a bound of this problem, so the launches do not either.
    ///
    /// Where the file cannot say all, it asks for less, and a bound stays one: kinds of GPUs are left out, jobs for Spot alone may run
    /// On-Demand, limits and the mix of pools do not count, and vCPUs of jobs are rounded down to thousandths, those of hosts up.
    pub fn of_launches(input: &PlanInput, policy: &PlanPolicy, planned: &Planned) -> Self {
        let mut counts: BTreeMap<DemandKey, u32> = BTreeMap::new();
        for launch in &planned.plan.launches {
            for (key, each) in &launch.contents {
                let count = counts.entry(*key).or_default();
                *count = count.saturating_add(each.saturating_mul(launch.count));
            }
        }
        let all = input.catalog.offerings();
        let may_be_bought = buyable(input, &cooling_flags(input), policy);
        let offers = may_be_bought.iter().filter_map(|offer| {
            let offering = all.get(offer.at)?;
            Some(Offer {
                instance_type: offering.pool.instance_type.clone(),
                market: offering.pool.market.to_string(),
                az: offering.pool.zone.to_string(),
                vcpus: vcpus(thousandths(offering.capacity.cpu, UNITS - 1)),
                memory_mib: offering.capacity.memory.get(),
                gpus: offering.capacity.gpus,
                arch: offering.arch.to_string(),
                usd_per_hour: offering.price.as_usd_f64(),
            })
        });
        let line = |(key, count): (DemandKey, u32)| JobLine {
            count,
            vcpus: vcpus(thousandths(key.need.cpu, 0)),
            memory_mib: key.need.memory.get(),
            gpus: key.need.gpus,
            arch: key.arch.map_or_else(|| "any".to_owned(), |arch: Arch| arch.to_string()),
            spot_ok: key.market != MarketRule::OnDemand,
        };
        Self { offers: offers.collect(), jobs: counts.into_iter().map(line).collect() }
    }
}

/// CPU units in a vCPU.
const UNITS: u64 = 1024;

/// Thousandths of a vCPU, rounded down after `more` parts of one have been added.
fn thousandths(cpu: CpuUnits, more: u64) -> u64 {
    (u64::from(cpu.get()) * 1000 + more) / UNITS
}

fn vcpus(thousandths: u64) -> f64 {
    crate::amount::score_of(thousandths) / 1000.0
}
