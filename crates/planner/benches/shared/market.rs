//! What both benchmarks buy from, and how they draw: the same questions on every machine.

use jiff::Timestamp;
use spillway_core::{
    Arch, Catalog, CpuUnits, Hazard, Market, MiB, MicroUsdPerHour, Offering, PoolId, Resources,
};

/// A repeatable draw: the same questions on every machine.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        // Knuth's MMIX generator; the high half is random enough for a benchmark.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap() % n
    }
}

/// 40 families in 8 sizes, three zones, both markets: 1,920 offerings.
pub(crate) fn catalog() -> Catalog {
    let mut draw = Draw(7);
    let mut offerings = Vec::new();
    for family in 0..40_u32 {
        let gib_per_vcpu = [2, 4, 8][usize::try_from(family % 3).unwrap()];
        let arch = if family % 2 == 0 { Arch::X86_64 } else { Arch::Arm64 };
        let level = u64::from(38_000 + draw.below(12_000) + 4_000 * gib_per_vcpu);
        for vcpus in [1, 2, 4, 8, 16, 32, 48, 96] {
            let memory = MiB::new(vcpus * gib_per_vcpu * 1024 * 95 / 100);
            let capacity = Resources::new(CpuUnits::from_vcpus(vcpus), memory, 0);
            for zone in ["us-east-1a", "us-east-1b", "us-east-1c"] {
                let spot = level * u64::from(25 + draw.below(35)) / 100;
                for (market, price) in [(Market::OnDemand, level), (Market::Spot, spot)] {
                    let pool = PoolId {
                        instance_type: format!("f{family}.{vcpus}x"),
                        zone: zone.parse().unwrap(),
                        market,
                    };
                    let price = MicroUsdPerHour::new(price * u64::from(vcpus));
                    offerings.push(Offering {
                        pool,
                        arch,
                        gpu: None,
                        capacity,
                        price,
                        hazard: Hazard::NEVER,
                    });
                }
            }
        }
    }
    Catalog::new(Timestamp::UNIX_EPOCH, offerings)
}
