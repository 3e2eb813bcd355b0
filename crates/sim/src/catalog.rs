//! What the simulated EC2 sells: real instance types at real On-Demand prices of us-east-1, Spot prices derived.
//!
//! On-Demand prices are the public ones of July 2026. Inside a family they are the price of `large` times the size.
//! A Spot price is 30 to 40 % of On-Demand by type, up to 6 % more or less by zone: like the real ones in level and
//! spread, and the same in every run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use spillway_core::catalog::InstanceType;
use spillway_core::{
    Arch, Catalog, CpuUnits, Extras, GpuKind, Hazard, InstanceShape, Market, MiB, MicroUsdPerHour,
    Offering, PoolId, Resources, Zone, spot,
};

use crate::fnv::Fnv;
use crate::setting::matches;
use crate::world::WorldConfig;

/// The zones of the simulated region.
pub const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

/// Sizes of a general family: name, and how many times a `large` it is.
const SIZES: [(&str, u32); 6] = [
    ("large", 1),
    ("xlarge", 2),
    ("2xlarge", 4),
    ("4xlarge", 8),
    ("8xlarge", 16),
    ("16xlarge", 32),
];

/// A general family: name, architecture, GiB of a `large` (which has 2 vCPUs), its price in micro-dollars per hour.
const FAMILIES: [(&str, Arch, u32, u64); 24] = [
    ("c5", Arch::X86_64, 4, 85_000),
    ("m5", Arch::X86_64, 8, 96_000),
    ("r5", Arch::X86_64, 16, 126_000),
    ("c6i", Arch::X86_64, 4, 85_000),
    ("m6i", Arch::X86_64, 8, 96_000),
    ("r6i", Arch::X86_64, 16, 126_000),
    ("c6a", Arch::X86_64, 4, 76_500),
    ("m6a", Arch::X86_64, 8, 86_400),
    ("r6a", Arch::X86_64, 16, 113_400),
    ("c7i", Arch::X86_64, 4, 89_250),
    ("m7i", Arch::X86_64, 8, 100_800),
    ("r7i", Arch::X86_64, 16, 132_300),
    ("c7a", Arch::X86_64, 4, 102_640),
    ("m7a", Arch::X86_64, 8, 115_920),
    ("r7a", Arch::X86_64, 16, 152_150),
    ("c6g", Arch::Arm64, 4, 68_000),
    ("m6g", Arch::Arm64, 8, 77_000),
    ("r6g", Arch::Arm64, 16, 100_800),
    ("c7g", Arch::Arm64, 4, 72_500),
    ("m7g", Arch::Arm64, 8, 81_600),
    ("r7g", Arch::Arm64, 16, 107_100),
    ("c8g", Arch::Arm64, 4, 79_760),
    ("m8g", Arch::Arm64, 8, 89_760),
    ("r8g", Arch::Arm64, 16, 117_820),
];

/// Types with GPUs: name, vCPUs, GiB, GPUs and their kind, price in micro-dollars per hour.
const GPU_TYPES: [(&str, u32, u32, u32, GpuKind, u64); 7] = [
    ("g4dn.xlarge", 4, 16, 1, GpuKind::T4, 526_000),
    ("g4dn.2xlarge", 8, 32, 1, GpuKind::T4, 752_000),
    ("g4dn.4xlarge", 16, 64, 1, GpuKind::T4, 1_204_000),
    ("g4dn.12xlarge", 48, 192, 4, GpuKind::T4, 3_912_000),
    ("g5.xlarge", 4, 16, 1, GpuKind::A10G, 1_006_000),
    ("g5.2xlarge", 8, 32, 1, GpuKind::A10G, 1_212_000),
    ("g5.12xlarge", 48, 192, 4, GpuKind::A10G, 5_672_000),
];

/// c5 has other sizes than the later families (9xlarge, 18xlarge).
fn exists(family: &str, size: &str) -> bool {
    !(family == "c5" && matches!(size, "8xlarge" | "16xlarge"))
}

/// An instance type and its On-Demand price.
fn types() -> Vec<(InstanceShape, MicroUsdPerHour)> {
    let mut types = Vec::new();
    for (family, arch, gib, price) in FAMILIES {
        for (size, times) in SIZES {
            if exists(family, size) {
                let nominal =
                    Resources::new(CpuUnits::from_vcpus(2 * times), MiB::from_gib(gib * times), 0);
                let shape =
                    InstanceShape { name: format!("{family}.{size}"), arch, gpu: None, nominal };
                types.push((shape, MicroUsdPerHour::new(price * u64::from(times))));
            }
        }
    }
    for (name, vcpus, gib, gpus, kind, price) in GPU_TYPES {
        let nominal = Resources::new(CpuUnits::from_vcpus(vcpus), MiB::from_gib(gib), gpus);
        let shape =
            InstanceShape { name: name.to_owned(), arch: Arch::X86_64, gpu: Some(kind), nominal };
        types.push((shape, MicroUsdPerHour::new(price)));
    }
    types
}

/// The Spot price of a type in a zone, from its On-Demand price.
fn spot_price(name: &str, zone: &str, on_demand: MicroUsdPerHour) -> MicroUsdPerHour {
    let of_type = 300 + Fnv::of(&name) % 101;
    let of_zone = 940 + Fnv::of(&format_args!("{zone}/{name}")) % 121;
    MicroUsdPerHour::new(on_demand.get() * of_type * of_zone / 1_000_000)
}

/// Everything that is sold: shapes, and a price for each pool.
#[derive(Debug, Clone)]
pub(crate) struct PriceList {
    pub(crate) shapes: BTreeMap<InstanceType, InstanceShape>,
    pub(crate) prices: BTreeMap<PoolId, MicroUsdPerHour>,
    hazards: BTreeMap<PoolId, Hazard>,
    extras: Extras,
    /// Whether what hosts will register is known.
    is_exact: bool,
}

impl PriceList {
    /// What is sold in this world.
    pub(crate) fn new(world: &WorldConfig) -> Self {
        let mut list = Self {
            shapes: BTreeMap::new(),
            prices: BTreeMap::new(),
            hazards: BTreeMap::new(),
            extras: world.extras.clone(),
            is_exact: !world.offers.is_empty(),
        };
        for offer in &world.offers {
            let name = offer.pool.instance_type.clone();
            let shape =
                InstanceShape { name, arch: offer.arch, gpu: offer.gpu, nominal: offer.capacity };
            list.add(shape, offer.pool.clone(), offer.price, world);
        }
        if list.is_exact {
            return list;
        }
        let zones: Vec<Zone> = ZONES.iter().filter_map(|z| z.parse().ok()).collect();
        let patterns = &world.instance_types;
        for (shape, on_demand) in types() {
            let wanted = patterns.is_empty() || patterns.iter().any(|p| matches(p, &shape.name));
            for zone in zones.iter().filter(|_| wanted) {
                let pool = |market| PoolId {
                    instance_type: shape.name.clone(),
                    zone: zone.clone(),
                    market,
                };
                let spot = spot_price(&shape.name, zone.as_str(), on_demand);
                list.add(shape.clone(), pool(Market::OnDemand), on_demand, world);
                list.add(shape.clone(), pool(Market::Spot), spot, world);
            }
        }
        list
    }

    fn add(
        &mut self,
        shape: InstanceShape,
        pool: PoolId,
        price: MicroUsdPerHour,
        world: &WorldConfig,
    ) {
        self.hazards.insert(pool.clone(), world.hazard(&pool));
        self.prices.insert(pool, price);
        self.shapes.insert(shape.name.clone(), shape);
    }

    /// The catalog as EC2 would give it at `now`: memory as it is expected to be registered.
    pub(crate) fn catalog(&self, now: Timestamp) -> Catalog {
        let offering = |(pool, price): (&PoolId, &MicroUsdPerHour)| {
            let shape = self.shapes.get(&pool.instance_type)?;
            let capacity = if self.is_exact { shape.nominal } else { shape.expected_registered() };
            Some(Offering {
                pool: pool.clone(),
                arch: shape.arch,
                gpu: shape.gpu,
                capacity,
                price: *price,
                hazard: self.hazards.get(pool).copied().unwrap_or_default(),
            })
        };
        let catalog = Catalog::new(now, self.prices.iter().filter_map(offering).collect());
        catalog.with_extras(self.extras.clone())
    }

    /// What a host of this pool costs, if that is sold.
    pub(crate) fn price(&self, pool: &PoolId) -> Option<MicroUsdPerHour> {
        self.prices.get(pool).map(|price| price.saturating_add(self.extras.of(&pool.zone)))
    }
}

/// The built-in catalog, as of `now`.
pub fn built_in(now: Timestamp) -> Catalog {
    let catalog = PriceList::new(&WorldConfig::default()).catalog(now);
    catalog.with_hazards(|pool, _| spot::heard_of(&pool.instance_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(catalog: &Catalog, instance_type: &str, zone: &str, market: Market) -> u64 {
        let pool =
            PoolId { instance_type: instance_type.into(), zone: zone.parse().unwrap(), market };
        catalog.get(&pool).unwrap().price.get()
    }

    #[test]
    fn on_demand_prices_are_the_public_ones() {
        let catalog = built_in(Timestamp::UNIX_EPOCH);

        for (name, wanted) in [
            ("m5.16xlarge", 3_072_000),
            ("c7a.16xlarge", 3_284_480),
            ("r8g.16xlarge", 3_770_240),
            ("c6a.2xlarge", 306_000),
            ("g5.xlarge", 1_006_000),
        ] {
            assert_eq!(price(&catalog, name, "us-east-1b", Market::OnDemand), wanted, "{name}");
        }
    }

    #[test]
    fn spot_costs_about_a_third_and_differs_between_zones() {
        let catalog = built_in(Timestamp::UNIX_EPOCH);

        for offering in catalog.offerings() {
            if offering.pool.market == Market::Spot {
                let on_demand =
                    catalog.on_demand_price(&offering.pool.instance_type).unwrap().get();
                let permille = offering.price.get() * 1000 / on_demand;
                assert!((280..=425).contains(&permille), "{}: {permille}", offering.pool);
            }
        }
        let a = price(&catalog, "c7g.large", "us-east-1a", Market::Spot);
        let b = price(&catalog, "c7g.large", "us-east-1b", Market::Spot);
        assert_ne!(a, b);
    }

    #[test]
    fn types_can_be_left_out() {
        let instance_types = vec!["c7g.*".to_owned(), "m5.large".to_owned()];
        let list = PriceList::new(&WorldConfig { instance_types, ..WorldConfig::default() });

        assert_eq!(list.shapes.len(), 7);
        assert_eq!(list.prices.len(), 7 * 3 * 2);
    }
}
