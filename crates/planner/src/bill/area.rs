//! What work costs at least, whenever and wherever it is done: a bound for those who learn of jobs only as they come.
//!
//! The argument is that of [`super::prices`] without the boot and the deadline. Under the prices `v_i` nothing that fits on a host at
//! once is worth more than the host costs. At every moment what a host runs fits on it at once, so over its life it does work worth at
//! most what it is billed; summed over all hosts, the bill is at least `sum v_i time_i`. Nothing is assumed of when jobs come, how
//! long they wait, or how long hosts live.

use std::collections::BTreeMap;

use spillway_core::Offering;
use spillway_core::plan::DemandKey;

use crate::amount::Amount;
use crate::bill::prices::Prices;
use crate::demand::{ClassSet, Shape, class_of};
use crate::headroom::CapSet;
use crate::prune::Offer;

/// A lower bound on what hosts out of `offerings` are billed that do this much work: the time for which jobs of each group run,
/// in any unit. In millionths of a dollar per hour, times that unit. Groups that fit nothing are left out.
pub fn area_bound(offerings: &[Offering], work: &[(DemandKey, u64)]) -> u64 {
    let offer = |(at, offering): (usize, &Offering)| Offer {
        capacity: Amount::of(&offering.capacity),
        price: offering.price.get(),
        class: class_of(offering.traits()),
        caps: CapSet::default(),
        at,
    };
    let mut offers: Vec<Offer> = offerings.iter().enumerate().map(offer).collect();
    offers.sort_by_key(|offer| (offer.price, offer.at));
    let mut times: BTreeMap<(ClassSet, Amount), u64> = BTreeMap::new();
    for (key, time) in work {
        let (classes, need) = (ClassSet::of(key), Amount::of(&key.need));
        let holds = |o: &Offer| classes.has(o.class) && need.fits(&o.capacity);
        if 0 < *time && offers.iter().any(holds) {
            let sum = times.entry((classes, need)).or_insert(0);
            *sum = sum.saturating_add(*time);
        }
    }
    if times.is_empty() {
        return 0;
    }
    let shape = |((classes, need), time): (&(ClassSet, Amount), &u64)| Shape {
        need: *need,
        classes: *classes,
        count: *time,
        groups: Vec::new(),
    };
    let shapes: Vec<Shape> = times.iter().map(shape).collect();
    let times: Vec<u64> = times.into_values().collect();
    Prices::of_area(&shapes, &offers, &times).bound
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use spillway_core::{
        Arch, Catalog, CpuUnits, GpuKinds, Hazard, Market, MarketRule, MiB, MicroUsdPerHour,
        PoolId, Resources,
    };

    use super::*;

    fn offering(name: &str, market: Market, vcpus: u32, gib: u32, price: u64) -> Offering {
        Offering {
            pool: PoolId {
                instance_type: name.to_owned(),
                zone: "us-east-1a".parse().unwrap(),
                market,
            },
            arch: Arch::X86_64,
            gpu: None,
            capacity: Resources::new(CpuUnits::from_vcpus(vcpus), MiB::from_gib(gib), 0),
            price: MicroUsdPerHour::new(price),
            hazard: Hazard::NEVER,
        }
    }

    fn key(vcpus: u32, gib: u32, market: MarketRule) -> DemandKey {
        DemandKey {
            need: Resources::new(CpuUnits::from_vcpus(vcpus), MiB::from_gib(gib), 0),
            arch: None,
            gpu_kinds: GpuKinds::ANY,
            market,
            expected_secs: None,
            patience_secs: 0,
            way: None,
        }
    }

    fn on_offer(offerings: Vec<Offering>) -> Vec<Offering> {
        Catalog::new(Timestamp::UNIX_EPOCH, offerings).offerings().to_vec()
    }

    #[test]
    fn work_that_fills_the_best_host_costs_what_the_host_does() {
        let offerings = on_offer(vec![
            offering("c5.large", Market::Spot, 2, 4, 100),
            offering("c5.xlarge", Market::Spot, 4, 8, 150),
        ]);

        let bound = area_bound(&offerings, &[(key(1, 2, MarketRule::Any), 400)]);

        assert_eq!(bound, 150 * 100, "four at once on the larger for a hundred");
    }

    #[test]
    fn what_may_not_be_interrupted_pays_the_dearer_price() {
        let offerings = on_offer(vec![
            offering("c5.large", Market::Spot, 2, 4, 30),
            offering("c5.large", Market::OnDemand, 2, 4, 100),
        ]);

        let spot = area_bound(&offerings, &[(key(2, 4, MarketRule::Any), 10)]);
        let on_demand = area_bound(&offerings, &[(key(2, 4, MarketRule::OnDemand), 10)]);

        assert_eq!((spot, on_demand), (300, 1000));
    }

    #[test]
    fn work_that_fits_nothing_and_no_work_prove_nothing() {
        let offerings = on_offer(vec![offering("c5.large", Market::Spot, 2, 4, 30)]);

        assert_eq!(area_bound(&offerings, &[(key(3, 1, MarketRule::Any), 10)]), 0);
        assert_eq!(area_bound(&offerings, &[(key(1, 1, MarketRule::Any), 0)]), 0);
        assert_eq!(area_bound(&[], &[(key(1, 1, MarketRule::Any), 10)]), 0);
    }
}
