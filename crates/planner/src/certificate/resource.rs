//! The plainest prices: one for a vCPU, a GiB and a GPU of each host, from the planner's linear program, in the units of
//! a certificate.

use std::collections::BTreeMap;

use spillway_core::plan::DemandKey;
use spillway_core::{Arch, GpuKinds, HostTraits, Market, MarketRule, Resources};

use crate::amount::Amount;
use crate::bound::UnitPrices;
use crate::certificate::hosts_to_prove;
use crate::demand::{ClassSet, Shape, class_of};
use crate::headroom::CapSet;
use crate::prune::Offer;
use crate::verify::{Amounts, Host, HostPrices, Jobs, Shapes, Terms};

/// For every host that no other, no dearer one stands in for, unit prices at which it is not cheaper than its own
/// capacity; none where amounts leave the planner's range.
pub(super) fn unit_prices(terms: &Terms) -> Option<Vec<HostPrices>> {
    let mut offers = Vec::new();
    for (at, host) in hosts_to_prove(terms, &Shapes::of(terms, &vec![0; terms.jobs.len()])) {
        let capacity = amount(&host.room)?;
        offers.push(Offer {
            capacity,
            price: host.price,
            class: class(host),
            caps: CapSet::default(),
            at,
        });
    }
    let mut demand: BTreeMap<(ClassSet, Amount), (u64, u64)> = BTreeMap::new();
    for jobs in terms.jobs.iter().filter(|jobs| 0 < jobs.count) {
        let each = if terms.times.is_some() { jobs.secs } else { 1 };
        let (count, work) = demand.entry((classes(jobs), amount(&jobs.need)?)).or_default();
        *count = count.saturating_add(jobs.count);
        *work = work.saturating_add(jobs.count.saturating_mul(each));
    }
    let (mut shapes, mut counts, mut work) = (Vec::new(), Vec::new(), Vec::new());
    for ((classes, need), (count, of_shape)) in demand {
        shapes.push(Shape { need, classes, count, groups: Vec::new() });
        counts.push(count);
        work.push(of_shape);
    }
    // Jobs that take no time are worth nothing, and hosts have room for them all the same: so the verifier counts.
    let prices = UnitPrices::of_work(&shapes, &counts, &work, &offers);
    let prices = prices.in_picos([1000, 1024, 1])?;
    let of_offer = |(offer, unit_prices): (&Offer, _)| HostPrices { offer: offer.at, unit_prices };
    let mut hosts: Vec<HostPrices> = offers.iter().zip(prices).map(of_offer).collect();
    hosts.sort_by_key(|host| host.offer);
    Some(hosts)
}

fn amount(amounts: &Amounts) -> Option<Amount> {
    let [cpu, memory, gpus] = amounts.map(|n| u32::try_from(n).ok());
    Some(Amount([cpu?, memory?, gpus?]))
}

fn class(host: &Host) -> usize {
    let arch = if host.is_arm { Arch::Arm64 } else { Arch::X86_64 };
    let market = if host.is_spot { Market::Spot } else { Market::OnDemand };
    class_of(HostTraits { arch, market, gpu: None })
}

fn classes(jobs: &Jobs) -> ClassSet {
    let [on_x86, on_arm] = jobs.on_arch;
    let arch = match (on_x86, on_arm) {
        (true, false) => Some(Arch::X86_64),
        (false, true) => Some(Arch::Arm64),
        (true, true) | (false, false) => None,
    };
    let market = if jobs.spot_ok { MarketRule::Any } else { MarketRule::OnDemand };
    let need = Resources::default();
    ClassSet::of(&DemandKey {
        need,
        arch,
        gpu_kinds: GpuKinds::ANY,
        market,
        expected_secs: None,
        patience_secs: 0,
        way: None,
    })
}
