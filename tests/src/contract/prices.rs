//! The contract of the price list.

use spillway_core::port::PriceFeed as _;
use spillway_core::{Catalog, CpuUnits, MiB, MicroUsdPerHour};

use super::World;

/// What can be bought in a world.
pub async fn catalog<W: World>(world: &W) -> Catalog {
    world.prices().catalog().await.expect("the catalog can be read")
}

/// Everything on offer has a price, and room for a task.
pub async fn every_offering_has_a_price_and_room<W: World>(world: &W) {
    let catalog = catalog(world).await;

    assert!(!catalog.offerings().is_empty());
    assert!(catalog.as_of.is_some());
    for offering in catalog.offerings() {
        assert!(offering.price > MicroUsdPerHour::ZERO, "{}", offering.pool);
        assert!(offering.capacity.cpu > CpuUnits::ZERO, "{}", offering.pool);
        assert!(offering.capacity.memory > MiB::ZERO, "{}", offering.pool);
    }
}

/// Both markets and more than one zone are there, and Spot is not dearer than On-Demand is everywhere.
pub async fn both_markets_are_on_offer_in_several_zones<W: World>(world: &W) {
    let catalog = catalog(world).await;

    let mut zones: Vec<&str> = catalog.offerings().iter().map(|o| o.pool.zone.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    let is_spot = |o: &&spillway_core::Offering| o.pool.market == spillway_core::Market::Spot;
    let (spot, on_demand): (Vec<_>, Vec<_>) = catalog.offerings().iter().partition(is_spot);

    assert!(zones.len() > 1, "{zones:?}");
    assert!(!spot.is_empty() && !on_demand.is_empty());
    let is_cheaper = |o: &&spillway_core::Offering| {
        catalog.on_demand_price(&o.pool.instance_type).is_some_and(|price| o.price < price)
    };
    assert!(spot.iter().any(is_cheaper), "no Spot price is below On-Demand");
}
