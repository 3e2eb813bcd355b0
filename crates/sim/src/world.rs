//! What kind of cloud is simulated: how slow, how scarce, how faulty. Resolved before it starts.

mod faults;

use jiff::SignedDuration;
use serde::Serialize;
use spillway_core::{Extras, Hazard, InstanceShape, Market, MiB, Offering, PoolId, Resources};

use crate::dice::Dice;
use crate::setting::{Chance, Spread, matches};
pub use faults::{FaultClass, Faults, Out, Outage};

/// Some pools. What is not said matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PoolPattern {
    /// Instance type; a trailing `*` matches the rest.
    pub instance_type: Option<String>,
    /// Availability zone.
    pub zone: Option<String>,
    /// Market.
    pub market: Option<Market>,
}

impl PoolPattern {
    /// Whether the pool is one of these.
    pub fn matches(&self, pool: &PoolId) -> bool {
        self.instance_type.as_ref().is_none_or(|p| matches(p, &pool.instance_type))
            && self.zone.as_ref().is_none_or(|p| matches(p, pool.zone.as_str()))
            && self.market.is_none_or(|m| m == pool.market)
    }
}

/// What is special about some pools. The first rule that matches a pool counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PoolRule {
    /// Which.
    pub pools: PoolPattern,
    /// How many instances each of them has; none is no limit.
    pub capacity: Option<u32>,
    /// Times, from the start, between which each of them has nothing to give.
    pub dry: Vec<(SignedDuration, SignedDuration)>,
    /// Whether the zone does not have the type at all, though the price list names it.
    pub unsupported: bool,
    /// How often an hour an instance of them is reclaimed, instead of [`WorldConfig::interruptions`].
    pub interruptions: Option<Chance>,
}

/// Spot instances of some pools are reclaimed at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reclaim {
    /// When, from the start.
    pub at: SignedDuration,
    /// Which pools.
    pub pools: PoolPattern,
    /// Which part of their instances.
    pub part: Chance,
}

/// The whole world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorldConfig {
    /// Its luck.
    pub seed: u64,
    /// From the launch of an instance to its registration in the cluster.
    pub boot: Spread,
    /// How long the first pull of an image on a host takes.
    pub pull: Spread,
    /// From a pulled image to a running container.
    pub start: Spread,
    /// From a container's exit to its task being STOPPED.
    pub stop: Spread,
    /// How long a container takes to end on SIGTERM.
    pub sigterm: Spread,
    /// After which SIGKILL follows SIGTERM.
    pub stop_timeout: SignedDuration,
    /// From the end of an instance to it being shown as terminated.
    pub shutdown: Spread,
    /// Which part of its memory a host does not register, in thousandths, both ends included.
    pub overhead_permille: (u32, u32),
    /// How long an event takes to the event queue.
    pub event_latency: Spread,
    /// How long the answer to a call takes.
    pub call_latency: Spread,
    /// How long a new instance is missing from lists.
    pub list_lag: Spread,
    /// After which a message that was received and not deleted comes again.
    pub visibility_timeout: SignedDuration,
    /// How long before its end a Spot instance is told.
    pub notice: SignedDuration,
    /// How often an hour a Spot instance is reclaimed on average.
    pub interruptions: Chance,
    /// How long an agent stays away when it goes.
    pub agent_absence: Spread,
    /// The account's limit of On-Demand vCPUs.
    pub on_demand_vcpus_max: Option<u32>,
    /// The account's limit of Spot vCPUs.
    pub spot_vcpus_max: Option<u32>,
    /// Instance types that are sold, as patterns; empty is all.
    pub instance_types: Vec<String>,
    /// What is sold instead of the built-in list, if anything is named. Their capacity is what a host registers, exactly.
    pub offers: Vec<Offering>,
    /// What a host costs beside its instance. The prices of `offers` are those of instances alone.
    pub extras: Extras,
    /// What is special about some pools.
    pub pools: Vec<PoolRule>,
    /// Reclaims of many instances at once.
    pub reclaims: Vec<Reclaim>,
    /// Which part of AWS's own token buckets each API has, in percent.
    pub api_percent: u32,
    /// What is out, and when.
    pub outages: Vec<Outage>,
    /// What goes wrong by chance.
    pub faults: Faults,
}

impl Default for WorldConfig {
    /// A calm world with the usual latencies, plenty of capacity, and no Spot interruptions.
    fn default() -> Self {
        Self {
            seed: 0,
            boot: Spread::of_secs(45, 75),
            pull: Spread::of_secs(4, 20),
            start: Spread::of_millis(500, 2_000),
            stop: Spread::of_millis(200, 1_500),
            sigterm: Spread::of_millis(300, 3_000),
            stop_timeout: SignedDuration::from_secs(30),
            shutdown: Spread::of_secs(20, 45),
            overhead_permille: (20, 60),
            event_latency: Spread::of_millis(100, 1_500),
            call_latency: Spread::of_millis(20, 250),
            list_lag: Spread::of_millis(0, 3_000),
            visibility_timeout: SignedDuration::from_secs(60),
            notice: SignedDuration::from_secs(120),
            interruptions: Chance::NEVER,
            agent_absence: Spread::of_secs(20, 180),
            on_demand_vcpus_max: None,
            spot_vcpus_max: None,
            instance_types: Vec::new(),
            offers: Vec::new(),
            extras: Extras::default(),
            pools: Vec::new(),
            reclaims: Vec::new(),
            api_percent: 100,
            outages: Vec::new(),
            faults: Faults::default(),
        }
    }
}

impl WorldConfig {
    /// Whether something is out so long after the start.
    pub fn is_out(&self, since_start: SignedDuration, what: impl Fn(&Out) -> bool) -> bool {
        self.out_until(since_start, what).is_some()
    }

    /// When what is out so long after the start is there again, counted from the start.
    pub fn out_until(
        &self,
        since_start: SignedDuration,
        what: impl Fn(&Out) -> bool,
    ) -> Option<SignedDuration> {
        let is_now = |o: &&Outage| o.from <= since_start && since_start < o.from + o.lasts;
        let now = self.outages.iter().filter(is_now).filter(|outage| what(&outage.what));
        now.map(|outage| outage.from + outage.lasts).max()
    }

    /// The rule that counts for a pool.
    pub fn rule(&self, pool: &PoolId) -> Option<&PoolRule> {
        self.pools.iter().find(|rule| rule.pools.matches(pool))
    }

    /// What a host of this type registers in the cluster. The agent's loss is a fact of the type and its AMI, not of the machine.
    pub fn registered(&self, shape: &InstanceShape) -> Resources {
        if !self.offers.is_empty() {
            return shape.nominal;
        }
        let (low, high) = self.overhead_permille;
        let span = u64::from(high.saturating_sub(low)) + 1;
        let permille =
            u64::from(low) + Dice::new(self.seed).roll("overhead", &shape.name).below(span);
        let mib = u64::from(shape.nominal.memory.get());
        let memory = MiB::new(u32::try_from(mib - mib * permille.min(1000) / 1000).unwrap_or(0));
        Resources { memory, ..shape.nominal }
    }

    /// How often a host of this pool is interrupted: what the Spot Advisor would say if it were exact.
    pub fn hazard(&self, pool: &PoolId) -> Hazard {
        match pool.market {
            Market::OnDemand => Hazard::NEVER,
            Market::Spot => {
                let of_pool = self.rule(pool).and_then(|rule| rule.interruptions);
                Hazard::per_million_hours(of_pool.unwrap_or(self.interruptions).ppm())
            }
        }
    }

    /// The account's limit of vCPUs in a market.
    pub const fn vcpus_max(&self, market: Market) -> Option<u32> {
        match market {
            Market::OnDemand => self.on_demand_vcpus_max,
            Market::Spot => self.spot_vcpus_max,
        }
    }
}
