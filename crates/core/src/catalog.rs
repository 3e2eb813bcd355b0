//! What can be bought: instance types, and their price in each zone and market.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::gpu::GpuKind;
use crate::id::Zone;
use crate::market::{Arch, HostTraits, Market};
use crate::money::MicroUsdPerHour;
use crate::quantity::{MiB, Resources};

/// The name of an EC2 instance type, such as `c7g.xlarge`.
pub type InstanceType = String;

/// A capacity pool of EC2: one instance type in one zone, bought in one market. Capacity, prices, interruptions
/// and "insufficient capacity" are all facts about a pool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PoolId {
    /// The instance type.
    pub instance_type: InstanceType,
    /// The availability zone.
    pub zone: Zone,
    /// On-Demand or Spot.
    pub market: Market,
}

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.instance_type, self.zone, self.market)
    }
}

/// What EC2 says an instance type is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceShape {
    /// The type's name.
    pub name: InstanceType,
    /// Its architecture.
    pub arch: Arch,
    /// vCPU, *nominal* memory, GPUs.
    pub nominal: Resources,
    /// The kind of its GPUs; none without any, or if it is not known.
    pub gpu: Option<GpuKind>,
}

impl InstanceShape {
    /// What ECS can be expected to register on this type before one has been seen.
    ///
    /// The agent registers `MemTotal`, which is less than EC2's figure: 1.5 to 3.5 % on Xen, more on Nitro. Karpenter's
    /// prior is 7.5 % (its `vmMemoryOverheadPercent`), and 64 MiB more on arm64; the same here. CPU is exact.
    pub fn expected_registered(&self) -> Resources {
        let nominal = self.nominal.memory.get();
        let arm_extra = match self.arch {
            Arch::X86_64 => 0,
            Arch::Arm64 => 64,
        };
        let lost = u64::from(nominal) * 75 / 1000 + arm_extra;
        let left = u64::from(nominal).saturating_sub(lost);
        let memory = MiB::new(u32::try_from(left).unwrap_or(u32::MAX));
        Resources { memory, ..self.nominal }
    }
}

/// One thing that can be bought.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Offering {
    /// Type, zone and market.
    pub pool: PoolId,
    /// The type's architecture.
    pub arch: Arch,
    /// The kind of its GPUs; none without any, or if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuKind>,
    /// What tasks can use on it, as ECS registers it (learned), or as it is expected to.
    pub capacity: Resources,
    /// What a host of it costs while it runs: its instance, and what it has beside it ([`Extras`]).
    pub price: MicroUsdPerHour,
    /// How often EC2 takes such a host back; never for On-Demand.
    #[serde(default)]
    pub hazard: Hazard,
}

impl Offering {
    /// What jobs may insist on.
    pub const fn traits(&self) -> HostTraits {
        HostTraits { arch: self.arch, market: self.pool.market, gpu: self.gpu }
    }

    fn memory(&self) -> u64 {
        self.capacity.memory.get().into()
    }

    /// What tells the machine images of hosts apart.
    const fn image(&self) -> (Arch, bool) {
        (self.arch, 0 < self.capacity.gpus)
    }
}

/// How often a host of a pool is interrupted, as a rate: a whole number of interruptions in a million hours of one host.
///
/// The Spot Advisor's buckets are parts of instances interrupted in a month of some 730 hours: "under 5 %" is about 35 to
/// 70, "over 20 %" 300 and more.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Hazard(u32);

impl Hazard {
    /// Never.
    pub const NEVER: Self = Self(0);

    /// So many in a million host-hours.
    pub const fn per_million_hours(n: u32) -> Self {
        Self(n)
    }

    /// In a million host-hours.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// What a host costs beside its instance, an hour: its root volume and, where its subnet gives one, a public IPv4 address.
///
/// EC2 bills both like the instance, by the second from launch to termination and for 60 s at least (Amazon EBS pricing, "gp3";
/// Amazon VPC pricing, "Public IPv4 address"), so that one price an hour has them all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Extras {
    /// In a zone that is not named.
    #[serde(default)]
    pub elsewhere: MicroUsdPerHour,
    /// In single zones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub in_zone: BTreeMap<Zone, MicroUsdPerHour>,
}

impl Extras {
    /// The same in all zones.
    pub const fn everywhere(price: MicroUsdPerHour) -> Self {
        Self { elsewhere: price, in_zone: BTreeMap::new() }
    }

    /// In this zone.
    pub fn of(&self, zone: &Zone) -> MicroUsdPerHour {
        self.in_zone.get(zone).copied().unwrap_or(self.elsewhere)
    }

    /// What they are in these zones, for people, those that cost alike together: `$0.0082/h in us-east-1a, us-east-1b; $0.0032/h in
    /// us-east-1c`. None where they cost nothing.
    pub fn told<'a>(&self, zones: impl IntoIterator<Item = &'a Zone>) -> Option<String> {
        let mut by_price: BTreeMap<MicroUsdPerHour, BTreeSet<&str>> = BTreeMap::new();
        for zone in zones {
            by_price.entry(self.of(zone)).or_default().insert(zone.as_str());
        }
        by_price.remove(&MicroUsdPerHour::ZERO);
        let alike = |(price, zones): (&MicroUsdPerHour, &BTreeSet<&str>)| {
            format!("{price} in {}", zones.iter().copied().collect::<Vec<_>>().join(", "))
        };
        let told: Vec<String> = by_price.iter().rev().map(alike).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// Whether there are none anywhere.
    pub fn are_none(&self) -> bool {
        let is_none = |price: &MicroUsdPerHour| *price == MicroUsdPerHour::ZERO;
        is_none(&self.elsewhere) && self.in_zone.values().all(is_none)
    }
}

/// Everything on offer at one moment, in the order of [`PoolId`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Catalog {
    /// When the prices were read; none for a catalog that never was.
    pub as_of: Option<Timestamp>,
    offerings: Vec<Offering>,
    #[serde(default, skip_serializing_if = "Extras::are_none")]
    extras: Extras,
}

impl Catalog {
    /// A catalog of `offerings`; of several with the same pool the cheapest is kept.
    pub fn new(as_of: Timestamp, mut offerings: Vec<Offering>) -> Self {
        offerings.sort_by(|a, b| a.pool.cmp(&b.pool).then(a.price.cmp(&b.price)));
        offerings.dedup_by(|later, first| later.pool == first.pool);
        Self { as_of: Some(as_of), offerings, extras: Extras::default() }
    }

    /// The same with `extras` in every price. To be said once, of prices that are those of instances alone.
    #[must_use]
    pub fn with_extras(mut self, extras: Extras) -> Self {
        for offering in &mut self.offerings {
            offering.price = offering.price.saturating_add(extras.of(&offering.pool.zone));
        }
        self.extras = extras;
        self
    }

    /// What the prices hold beside those of instances.
    pub const fn extras(&self) -> &Extras {
        &self.extras
    }

    /// All offerings, in the order of [`PoolId`].
    pub fn offerings(&self) -> &[Offering] {
        &self.offerings
    }

    /// The offering of this pool.
    pub fn get(&self, pool: &PoolId) -> Option<&Offering> {
        let at = self.offerings.binary_search_by(|o| o.pool.cmp(pool)).ok()?;
        self.offerings.get(at)
    }

    /// The cheapest On-Demand price of a type in any zone: what a Spot host is compared with.
    pub fn on_demand_price(&self, instance_type: &str) -> Option<MicroUsdPerHour> {
        let of_type = self.offerings.iter().filter(|o| o.pool.instance_type == instance_type);
        of_type.filter(|o| o.pool.market == Market::OnDemand).map(|o| o.price).min()
    }

    /// The same catalog with the capacity of each type replaced by what ECS was seen to register.
    #[must_use]
    pub fn with_learned(mut self, learned: &BTreeMap<InstanceType, Resources>) -> Self {
        for offering in &mut self.offerings {
            if let Some(registered) = learned.get(&offering.pool.instance_type) {
                offering.capacity = *registered;
            }
        }
        self
    }

    /// The same with what registered hosts tell of the types that were not seen yet, where that is more than was expected of them.
    ///
    /// What the kernel and the agent keep is a part that is the same everywhere and one that grows with the memory, so
    /// that a larger type loses no larger part than a smaller one with the same architecture and image (ECS's own table
    /// of registered memory is 1.55 % and 15 to 80 MiB). A type is taken to keep the part of its expected memory that
    /// the worst of the seen ones kept that have an eighth to the whole of it. If it does not, the first host that registers
    /// says so. `self` is the catalog as it was before anything was learned.
    #[must_use]
    pub fn with_learned_of_others(mut self, learned: &BTreeMap<InstanceType, Resources>) -> Self {
        let mut seen: BTreeMap<(Arch, bool), Vec<(u64, u64)>> = BTreeMap::new();
        let mut last: Option<&InstanceType> = None;
        for offering in &self.offerings {
            let of_type = &offering.pool.instance_type;
            if last.replace(of_type) != Some(of_type)
                && let Some(registered) = learned.get(of_type)
            {
                let (expected, registered) = (offering.memory(), registered.memory.get().into());
                seen.entry(offering.image()).or_default().push((expected, registered));
            }
        }
        for offering in &mut self.offerings {
            let expected = offering.memory();
            let alike = seen.get(&offering.image()).into_iter().flatten();
            let alike =
                alike.filter(|(of_seen, _)| *of_seen <= expected && expected / 8 <= *of_seen);
            let worst = alike.min_by(|(expected, registered), (other, other_registered)| {
                (registered * other).cmp(&(other_registered * expected))
            });
            if let Some((of_seen, registered)) = worst {
                let memory = (expected * registered / of_seen.max(&1)).max(expected);
                offering.capacity.memory = MiB::new(u32::try_from(memory).unwrap_or(u32::MAX));
            }
        }
        self.with_learned(learned)
    }

    /// The same catalog with the hazard of every Spot offering replaced by what `hazard` makes of its pool and of what was
    /// heard of it beforehand.
    #[must_use]
    pub fn with_hazards(mut self, hazard: impl Fn(&PoolId, Hazard) -> Hazard) -> Self {
        for offering in &mut self.offerings {
            offering.hazard = match offering.pool.market {
                Market::Spot => hazard(&offering.pool, offering.hazard),
                Market::OnDemand => Hazard::NEVER,
            };
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::CpuUnits;

    fn offering(instance_type: &str, market: Market, price: u64) -> Offering {
        Offering {
            pool: PoolId {
                instance_type: instance_type.into(),
                zone: "us-east-1a".parse().unwrap(),
                market,
            },
            arch: Arch::X86_64,
            gpu: None,
            capacity: Resources::new(CpuUnits::from_vcpus(2), MiB::from_gib(4), 0),
            price: MicroUsdPerHour::new(price),
            hazard: Hazard::NEVER,
        }
    }

    /// What is expected to be usable on three types, in MiB, once hosts of some have registered with so much.
    fn expected_after(registered: &[(&str, u32)]) -> Vec<u32> {
        let of = |(instance_type, mib): (&str, u32)| {
            let capacity = Resources::new(CpuUnits::from_vcpus(2), MiB::new(mib), 0);
            Offering { capacity, ..offering(instance_type, Market::Spot, 30) }
        };
        let types = [("a.large", 1_000), ("b.xlarge", 2_000), ("c.8xlarge", 64_000)];
        let catalog = Catalog::new(Timestamp::UNIX_EPOCH, types.into_iter().map(of).collect());
        let learned = registered.iter().map(|(instance_type, mib)| {
            let resources = Resources::new(CpuUnits::from_vcpus(2), MiB::new(*mib), 0);
            ((*instance_type).to_owned(), resources)
        });
        let catalog = catalog.with_learned_of_others(&learned.collect());
        catalog.offerings().iter().map(|o| o.capacity.memory.get()).collect()
    }

    #[test]
    fn what_a_smaller_type_registers_tells_of_one_up_to_eight_times_as_large() {
        assert_eq!(expected_after(&[]), [1_000, 2_000, 64_000]);
        assert_eq!(expected_after(&[("a.large", 1_030)]), [1_030, 2_060, 64_000]);
    }

    #[test]
    fn what_was_seen_of_a_type_itself_counts_and_a_larger_one_tells_nothing_of_a_smaller() {
        assert_eq!(expected_after(&[("b.xlarge", 1_990)]), [1_000, 1_990, 64_000]);
        assert_eq!(expected_after(&[("c.8xlarge", 66_000)]), [1_000, 2_000, 66_000]);
    }

    #[test]
    fn a_type_that_registers_less_than_expected_takes_nothing_from_others() {
        assert_eq!(expected_after(&[("a.large", 900)]), [900, 2_000, 64_000]);
    }

    #[test]
    fn the_cheapest_of_a_pool_given_twice_is_kept() {
        let offers = vec![
            offering("c5.large", Market::Spot, 40),
            offering("c5.large", Market::Spot, 30),
            offering("c5.large", Market::OnDemand, 85),
        ];

        let catalog = Catalog::new(Timestamp::UNIX_EPOCH, offers);

        assert_eq!(catalog.offerings().len(), 2);
        assert_eq!(
            catalog.get(&offering("c5.large", Market::Spot, 0).pool).unwrap().price.get(),
            30
        );
        assert_eq!(catalog.on_demand_price("c5.large"), Some(MicroUsdPerHour::new(85)));
    }

    #[test]
    fn what_a_host_has_beside_its_instance_is_in_the_price_of_each_market() {
        let offers = vec![
            offering("c5.large", Market::Spot, 30),
            offering("c5.large", Market::OnDemand, 85),
        ];
        let catalog = Catalog::new(Timestamp::UNIX_EPOCH, offers);
        let here: Zone = "us-east-1a".parse().unwrap();
        let in_zone = BTreeMap::from([(here, MicroUsdPerHour::new(8))]);

        let extras = Extras { elsewhere: MicroUsdPerHour::new(3), in_zone };
        let catalog = catalog.with_extras(extras.clone());

        let prices: Vec<u64> = catalog.offerings().iter().map(|o| o.price.get()).collect();
        assert_eq!(prices, [93, 38]);
        assert_eq!(catalog.on_demand_price("c5.large"), Some(MicroUsdPerHour::new(93)));
        assert_eq!(catalog.extras(), &extras);
        assert_eq!(extras.of(&"us-east-1b".parse().unwrap()).get(), 3);
        assert!(Extras::default().are_none() && !extras.are_none());
    }

    #[test]
    fn zones_whose_hosts_cost_alike_are_told_together() {
        let zones: Vec<Zone> =
            ["c", "a", "b", "c"].map(|end| format!("us-east-1{end}").parse().unwrap()).into();
        let in_zone = BTreeMap::from([(zones[1].clone(), MicroUsdPerHour::new(8_288))]);
        let extras = Extras { elsewhere: MicroUsdPerHour::new(3_288), in_zone };

        let told = "$0.0082/h in us-east-1a; $0.0032/h in us-east-1b, us-east-1c";
        assert_eq!(extras.told(&zones).as_deref(), Some(told));
        assert_eq!(Extras::default().told(&zones), None);
    }

    #[test]
    fn less_memory_is_expected_than_ec2_names() {
        let shape = InstanceShape {
            name: "m7g.large".into(),
            arch: Arch::Arm64,
            nominal: Resources::new(CpuUnits::from_vcpus(2), MiB::from_gib(8), 0),
            gpu: None,
        };

        assert_eq!(shape.expected_registered().memory, MiB::new(8192 - 614 - 64));
    }
}
