//! Types, zones and prices put together. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use spillway_core::catalog::{InstanceType, PoolId};
use spillway_core::{Catalog, Hazard, Market, MicroUsdPerHour, Offering, Zone, spot};

use super::types::{TypeInfo, ZonesByType};

/// What is paid in a market for a type, in one zone or in all (`None`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prices(BTreeMap<(Market, InstanceType, Option<Zone>), MicroUsdPerHour>);

impl Prices {
    pub(crate) fn insert(
        &mut self,
        market: Market,
        instance_type: &str,
        zone: Option<Zone>,
        price: MicroUsdPerHour,
    ) {
        self.0.insert((market, instance_type.to_owned(), zone), price);
    }

    /// Takes over all of `other`, which wins.
    pub(crate) fn extend(&mut self, other: Self) {
        for ((market, instance_type, zone), price) in other.0 {
            if zone.is_none() {
                // A price for all zones leaves no older one of a single zone behind.
                self.0.retain(|(m, t, _), _| *m != market || *t != instance_type);
            }
            self.0.insert((market, instance_type, zone), price);
        }
    }

    pub(crate) fn get(&self, pool: &PoolId) -> Option<MicroUsdPerHour> {
        let at = |zone: Option<Zone>| {
            self.0.get(&(pool.market, pool.instance_type.clone(), zone)).copied()
        };
        at(Some(pool.zone.clone())).or_else(|| at(None))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Everything that exists, is in a zone with a subnet, is sold in the market, and has a price there.
pub(super) fn catalog(
    as_of: Timestamp,
    types: &[TypeInfo],
    zones: &ZonesByType,
    prices: &Prices,
) -> Catalog {
    let mut offerings = Vec::new();
    for info in types {
        let Some(zones) = zones.get(&info.shape.name) else { continue };
        for zone in zones {
            for market in &info.markets {
                let instance_type = info.shape.name.clone();
                let pool = PoolId { instance_type, zone: zone.clone(), market: *market };
                if let Some(price) = prices.get(&pool) {
                    let capacity = info.shape.expected_registered();
                    let (arch, gpu) = (info.shape.arch, info.shape.gpu);
                    let hazard = match market {
                        Market::OnDemand => Hazard::NEVER,
                        Market::Spot => spot::heard_of(&info.shape.name),
                    };
                    offerings.push(Offering { pool, arch, gpu, capacity, price, hazard });
                }
            }
        }
    }
    Catalog::new(as_of, offerings)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use spillway_core::{Arch, CpuUnits, InstanceShape, MiB, Resources};

    use super::*;

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    fn info(name: &str, markets: &[Market]) -> TypeInfo {
        let nominal = Resources::new(CpuUnits::from_vcpus(2), MiB::from_gib(4), 0);
        TypeInfo {
            shape: InstanceShape { name: name.into(), arch: Arch::X86_64, gpu: None, nominal },
            markets: markets.to_vec(),
        }
    }

    fn cents(n: u64) -> MicroUsdPerHour {
        MicroUsdPerHour::new(n * 10_000)
    }

    #[test]
    fn only_what_exists_in_a_zone_and_has_a_price_is_on_offer() {
        let types = [
            info("a.large", &[Market::OnDemand, Market::Spot]),
            info("b.large", &[Market::OnDemand]),
        ];
        let in_zone_a = BTreeSet::from([zone("us-east-1a")]);
        let zones = ZonesByType::from([
            ("a.large".into(), in_zone_a.clone()),
            ("c.large".into(), in_zone_a),
        ]);
        let mut prices = Prices::default();
        prices.insert(Market::OnDemand, "a.large", None, cents(10));
        prices.insert(Market::OnDemand, "b.large", None, cents(10));
        prices.insert(Market::Spot, "a.large", Some(zone("us-east-1b")), cents(3));

        let catalog = catalog(Timestamp::UNIX_EPOCH, &types, &zones, &prices);

        let pools: Vec<_> = catalog.offerings().iter().map(|o| o.pool.to_string()).collect();
        assert_eq!(pools, ["a.large/us-east-1a/on-demand"]);
        assert_eq!(catalog.offerings()[0].capacity.memory, MiB::new(4096 - 307));
    }

    #[test]
    fn a_price_of_the_zone_counts_more_than_one_of_the_region() {
        let mut prices = Prices::default();
        prices.insert(Market::Spot, "a.large", None, cents(5));
        prices.insert(Market::Spot, "a.large", Some(zone("us-east-1a")), cents(3));
        let pool = |name| PoolId {
            instance_type: "a.large".into(),
            zone: zone(name),
            market: Market::Spot,
        };

        assert_eq!(prices.get(&pool("us-east-1a")), Some(cents(3)));
        assert_eq!(prices.get(&pool("us-east-1b")), Some(cents(5)));
    }

    #[test]
    fn an_operators_price_for_a_type_replaces_those_of_its_zones() {
        let mut prices = Prices::default();
        prices.insert(Market::Spot, "a.large", Some(zone("us-east-1a")), cents(3));
        let mut own = Prices::default();
        own.insert(Market::Spot, "a.large", None, cents(4));

        prices.extend(own);

        assert_eq!(prices.len(), 1);
    }
}
