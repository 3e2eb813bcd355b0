//! The plainest prices: one for a vCPU, a GiB and a GPU of each kind of host, from the planner's linear program, in the
//! units of a certificate.

use spillway_core::plan::DemandKey;
use spillway_core::{Arch, Market, MarketRule, Resources};

use crate::amount::Amount;
use crate::bound::{N_BLOCKS, UnitPrices, block_of, block_sets};
use crate::demand::{ClassSet, Shape, class_of};
use crate::prune::Offer;
use crate::solve::frontier;
use crate::verify::{Amounts, Host, Jobs, KindPrices, Terms};

/// Unit prices at which no host is cheaper than its own capacity; none where amounts leave the planner's range.
pub(super) fn unit_prices(terms: &Terms) -> Option<Vec<KindPrices>> {
    let mut offers = Vec::with_capacity(terms.hosts.len());
    for (at, host) in terms.hosts.iter().enumerate() {
        let capacity = amount(&host.room)?;
        offers.push(Offer { capacity, price: host.price, class: class(host), at });
    }
    offers.sort_unstable_by_key(|offer| (offer.price, offer.at));
    let mut shapes = Vec::with_capacity(terms.jobs.len());
    for jobs in &terms.jobs {
        let each = if terms.times.is_some() { jobs.secs } else { 1 };
        let count = jobs.count.saturating_mul(each);
        let (need, classes) = (amount(&jobs.need)?, classes(jobs));
        shapes.push(Shape { need, classes, count, groups: Vec::new() });
    }
    let counts: Vec<u64> = shapes.iter().map(|shape| shape.count).collect();
    let frontier = frontier(&offers);
    let sets = block_sets(&shapes, &frontier);
    let prices = UnitPrices::solve(&shapes, &counts, &sets, &frontier, &offers);
    let mut kinds = Vec::new();
    for block in 0..N_BLOCKS {
        let mut of_block = offers.iter().filter(|offer| block_of(offer) == block);
        let Some(host) = of_block.next().and_then(|offer| terms.hosts.get(offer.at)) else {
            continue;
        };
        let unit_prices = prices.in_picos(block, [1000, 1024, 1])?;
        let (arm64, spot, gpus) = (host.is_arm, host.is_spot, 0 < host.room[2]);
        kinds.push(KindPrices { arm64, spot, gpus, unit_prices });
    }
    Some(kinds)
}

fn amount(amounts: &Amounts) -> Option<Amount> {
    let [cpu, memory, gpus] = amounts.map(|n| u32::try_from(n).ok());
    Some(Amount([cpu?, memory?, gpus?]))
}

fn class(host: &Host) -> usize {
    let arch = if host.is_arm { Arch::Arm64 } else { Arch::X86_64 };
    let market = if host.is_spot { Market::Spot } else { Market::OnDemand };
    class_of(arch, market)
}

fn classes(jobs: &Jobs) -> ClassSet {
    let [on_x86, on_arm] = jobs.on_arch;
    let arch = match (on_x86, on_arm) {
        (true, false) => Some(Arch::X86_64),
        (false, true) => Some(Arch::Arm64),
        (true, true) | (false, false) => None,
    };
    let market = if jobs.spot_ok { MarketRule::Any } else { MarketRule::OnDemand };
    ClassSet::of(&DemandKey { need: Resources::default(), arch, market, expected_secs: None })
}
