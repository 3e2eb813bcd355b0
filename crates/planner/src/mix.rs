//! Keeps a plan within the rules of the mix: shares of markets, pools and zones in the fleet's vCPUs.
//!
//! A share depends on all that is bought, so it cannot be counted down like a limit. The plan is made without the rules
//! first, then, if it breaks the shares of the markets, once more within what they come to for a fleet of that size. Its hosts
//! are then bought one after another, each as planned or else on the cheapest pool that holds the same and is within
//! the rules; what has none waits. Without rules nothing is done.

mod fleet;

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::plan::{DemandKey, LimitKind, WaitReason, Waiting};
use spillway_core::{
    CpuUnits, Market, MicroUsdPerHour, MixRule, Offering, PlanInput, PlanPolicy, Planned, PoolId,
    Zone,
};

use crate::amount::Amount;
use crate::bound::{UnitPrices, one_job_bound};
use crate::demand::{ClassSet, Unplaced, shapes};
use crate::headroom::Left;
use crate::launch::{Wanted, launches_where};
use crate::mix::fleet::{Ceilings, Fleet};
use crate::prune::{Offer, buyable, cooling_flags, undominated};
use crate::solve::Shelf;
use crate::stock;

/// A fleet that comes out smaller has smaller shares; then it is put together anew. In the end the fleet there is counts.
const ROUNDS_MAX: usize = 6;

/// What `solve` plans, within the rules.
pub(crate) fn plan(
    input: &PlanInput,
    policy: &PlanPolicy,
    mut solve: impl FnMut(&PlanInput) -> Planned,
) -> Planned {
    let planned = solve(input);
    let is_limited = |line: &Waiting| matches!(line.reason, WaitReason::LimitReached { .. });
    let is_any_limited = planned.report.waiting.iter().any(is_limited);
    if policy.mix.is_none() || (planned.plan.launches.is_empty() && !is_any_limited) {
        return planned;
    }
    let fleet = Fleet::of(input);
    let steered = within_markets(input, policy, &fleet, &planned);
    let planned = steered.map_or(planned, |steered| solve(&steered));
    let shelf = stock(input, buyable(input, &cooling_flags(input), policy));
    Mixer { input, policy, shelf, fleet }.mixed(planned)
}

/// The rule that one more host of an offering would break.
pub(crate) fn broken(
    input: &PlanInput,
    policy: &PlanPolicy,
    offering: &Offering,
) -> Option<MixRule> {
    if policy.mix.is_none() {
        return None;
    }
    Fleet::of(input).breaks(&policy.mix, &offering.pool, offering.capacity.cpu.get().into())
}

/// The same question with limits on both markets, if the answer passes what their shares come to.
fn within_markets(
    input: &PlanInput,
    policy: &PlanPolicy,
    fleet: &Fleet,
    planned: &Planned,
) -> Option<PlanInput> {
    let mut after = fleet.clone();
    for launch in &planned.plan.launches {
        if let Some(first) = launch.choices.first() {
            let each = u64::from(launch.capacity.cpu.get());
            after.add(&first.pool, each.saturating_mul(launch.count.into()));
        }
    }
    let rules = &policy.mix;
    let ceilings = Ceilings::of(rules, after.total());
    let base = u64::from(rules.on_demand_base.get());
    let spot_max = ceilings.spot.min(after.total().saturating_sub(base.max(fleet.on_demand)));
    let is_base_short = after.on_demand < base && fleet.spot < after.spot;
    if after.spot <= ceilings.spot && after.on_demand <= ceilings.on_demand && !is_base_short {
        return None;
    }
    let left = |most: u64, had: u64| {
        let left = u32::try_from(most.saturating_sub(had)).unwrap_or(u32::MAX);
        Some(CpuUnits::new(left))
    };
    let mut steered = input.clone();
    steered.headroom.on_demand = left(ceilings.on_demand, fleet.on_demand);
    steered.headroom.spot = left(spot_max, fleet.spot);
    Some(steered)
}

/// So many equal hosts that are wanted, and where they were planned.
struct Bundle {
    planned: Offer,
    contents: Vec<(DemandKey, u32)>,
    load: Amount,
    classes: ClassSet,
    count: u32,
}

impl Bundle {
    fn of(planned: Offer, contents: Vec<(DemandKey, u32)>, count: u32) -> Self {
        let (mut load, mut classes) = (Amount::default(), ClassSet::ALL);
        for (key, n) in &contents {
            load = load.plus(&Amount::of(&key.need), *n);
            classes = classes.and(ClassSet::of(key));
        }
        Self { planned, contents, load, classes, count }
    }

    fn fits(&self, offer: &Offer) -> bool {
        self.classes.has(offer.class) && self.load.fits(&offer.capacity)
    }
}

/// What goes on one host.
type Contents = Vec<(DemandKey, u32)>;

/// Hosts put together so far.
struct Draft {
    fleet: Fleet,
    left: Left,
    /// By offering and contents, so that equal ones are one launch.
    bought: BTreeMap<(usize, Contents), Wanted>,
}

struct Mixer<'a> {
    input: &'a PlanInput,
    policy: &'a PlanPolicy,
    shelf: Shelf,
    fleet: Fleet,
}

impl Mixer<'_> {
    fn pool(&self, offer: &Offer) -> Option<&PoolId> {
        self.input.catalog.offerings().get(offer.at).map(|offering| &offering.pool)
    }

    fn mixed(&self, mut planned: Planned) -> Planned {
        let bundles = self.bundles(&planned);
        let (mut draft, homeless) = self.put_together(&bundles);
        let mut waiting: BTreeMap<DemandKey, u32> = BTreeMap::new();
        self.house(&mut draft, homeless, &mut waiting);
        let is_less_held = !waiting.is_empty();
        planned.report.waiting.retain(|line| {
            let is_left = match line.reason {
                WaitReason::LimitReached { .. } => true,
                // What was to have the room may have been bought otherwise.
                WaitReason::RoomExpected { .. } => !self.may_have_room(&draft, &line.key),
                WaitReason::TooLarge(_)
                | WaitReason::CoolingDown { .. }
                | WaitReason::StartRate { .. }
                | WaitReason::NoCatalog => false,
            };
            let is_joined = is_left || waiting.contains_key(&line.key);
            if is_joined {
                let n = waiting.entry(line.key).or_default();
                *n = n.saturating_add(line.count);
            }
            !is_joined
        });
        self.scrape_together(&mut draft, &mut waiting);
        for (key, count) in waiting.into_iter().filter(|(_, count)| 0 < *count) {
            let reason = WaitReason::LimitReached { limit: self.binding(&draft, &key) };
            planned.report.waiting.push(Waiting { key, count, reason });
        }
        planned.report.waiting.sort_by_key(|line| line.key);
        if is_less_held {
            planned.report.bound = MicroUsdPerHour::new(self.bound(&draft));
        }
        planned.plan.launches = self.launches(draft);
        planned
    }

    /// The plan's hosts, On-Demand ones first: there is no Spot before there is a base.
    fn bundles(&self, planned: &Planned) -> Vec<Bundle> {
        let catalog = self.input.catalog.offerings();
        let mut bundles = Vec::with_capacity(planned.plan.launches.len());
        for launch in &planned.plan.launches {
            let of_pool = |offer: &&Offer| {
                let pool = catalog.get(offer.at).map(|offering| &offering.pool);
                pool.is_some() && pool == launch.choices.first().map(|choice| &choice.pool)
            };
            if let Some(offer) = self.shelf.all.iter().find(of_pool) {
                bundles.push(Bundle::of(*offer, launch.contents.clone(), launch.count));
            }
        }
        let is_spot = |bundle: &Bundle| {
            self.pool(&bundle.planned).is_some_and(|pool| pool.market == Market::Spot)
        };
        bundles.sort_by_key(is_spot);
        bundles
    }

    /// Buys as much as a fleet of that size may have, and tells which hosts have no place.
    fn put_together<'b>(&self, bundles: &'b [Bundle]) -> (Draft, Vec<(&'b Bundle, u32)>) {
        let cpu = |b: &Bundle| u64::from(b.planned.capacity.0[0]).saturating_mul(b.count.into());
        let mut total = bundles.iter().map(cpu).fold(self.fleet.total(), u64::saturating_add);
        let mut round = 0;
        loop {
            let ceilings = Ceilings::of(&self.policy.mix, total);
            let mut draft = Draft {
                fleet: self.fleet.clone(),
                left: Left::of(&self.input.headroom),
                bought: BTreeMap::new(),
            };
            let mut homeless = Vec::new();
            for bundle in bundles {
                let left = self.place(&mut draft, bundle, &ceilings);
                if 0 < left {
                    homeless.push((bundle, left));
                }
            }
            if total <= draft.fleet.total() {
                return (draft, homeless);
            }
            round += 1;
            let is_last = ROUNDS_MAX <= round;
            total = if is_last { self.fleet.total() } else { draft.fleet.total() };
        }
    }

    /// Buys hosts for a bundle within ceilings; gives how many are left over.
    fn place(&self, draft: &mut Draft, bundle: &Bundle, ceilings: &Ceilings) -> u32 {
        let mut count = bundle.count;
        let is_planned_on =
            |market| self.pool(&bundle.planned).is_some_and(|pool| pool.market == market);
        let is_moved_to_base =
            |pool: &PoolId| pool.market == Market::OnDemand && is_planned_on(Market::Spot);
        let others = self.shelf.by_price.iter().filter(|offer| bundle.fits(offer));
        let candidates: Vec<&Offer> = [&bundle.planned].into_iter().chain(others).collect();
        let mut is_placed = true;
        while 0 < count && is_placed {
            is_placed = false;
            for offer in &candidates {
                let Some(pool) = self.pool(offer) else { continue };
                let cpu = u64::from(offer.capacity.0[0]);
                let mut n = count.min(draft.left.times(offer));
                if 0 < n {
                    n = n.min(ceilings.times(&draft.fleet, pool, cpu));
                }
                let base = ceilings.times_to_base(&draft.fleet, cpu);
                if 0 < base && is_moved_to_base(pool) {
                    n = n.min(base);
                }
                if 0 < n {
                    draft.buy(offer, pool, bundle, n);
                    count -= n;
                    is_placed = true;
                    break;
                }
            }
        }
        count
    }

    /// Buys hosts one by one for what has no place, as long as the rules allow one more; the rest of the work waits.
    fn house(
        &self,
        draft: &mut Draft,
        mut homeless: Vec<(&Bundle, u32)>,
        waiting: &mut BTreeMap<DemandKey, u32>,
    ) {
        let mut is_placed = true;
        while is_placed {
            is_placed = false;
            for (bundle, count) in &mut homeless {
                while 0 < *count
                    && let Some(offer) = self.cheapest(draft, |offer| bundle.fits(offer))
                    && let Some(pool) = self.pool(&offer)
                {
                    draft.buy(&offer, pool, bundle, 1);
                    *count -= 1;
                    is_placed = true;
                }
            }
        }
        for (bundle, count) in homeless {
            for (key, each) in bundle.contents.iter().filter(|_| 0 < count) {
                let n = waiting.entry(*key).or_default();
                *n = n.saturating_add(each.saturating_mul(count));
            }
        }
    }

    /// Whether a job could run on a host there is or is bought, once that has less to do.
    fn may_have_room(&self, draft: &Draft, key: &DemandKey) -> bool {
        let one = Bundle::of(Offer::NOTHING, vec![(*key, 1)], 1);
        let on_host = self.input.hosts.iter().any(|host| {
            let all = host.busy.iter().fold(Amount::of(&host.free), |all, busy| {
                all.plus(&Amount::of(&busy.need), busy.count)
            });
            key.allows(host.traits()) && one.load.fits(&all)
        });
        on_host || draft.bought.values().any(|host| one.fits(&host.offer))
    }

    /// Buys whatever a rule allows for what waits by itself, on the cheapest host that holds one.
    fn scrape_together(&self, draft: &mut Draft, waiting: &mut BTreeMap<DemandKey, u32>) {
        let mut is_placed = true;
        while is_placed {
            is_placed = false;
            for (key, count) in waiting.iter_mut() {
                let one = |n| Bundle::of(Offer::NOTHING, vec![(*key, n)], 1);
                while 0 < *count
                    && let Some(offer) = self.cheapest(draft, |offer| one(1).fits(offer))
                    && let Some(pool) = self.pool(&offer)
                {
                    let n = Amount::of(&key.need).times_in(&offer.capacity).min(*count);
                    draft.buy(&offer, pool, &one(n), 1);
                    *count -= n;
                    is_placed = true;
                }
            }
        }
    }

    /// The cheapest host that may be bought as things are.
    fn cheapest(&self, draft: &Draft, fits: impl Fn(&Offer) -> bool) -> Option<Offer> {
        let may_buy = |offer: &&Offer| {
            0 < draft.left.times(offer) && fits(offer) && self.broken(draft, offer).is_none()
        };
        self.shelf.by_price.iter().find(may_buy).copied()
    }

    fn broken(&self, draft: &Draft, offer: &Offer) -> Option<MixRule> {
        let pool = self.pool(offer)?;
        draft.fleet.breaks(&self.policy.mix, pool, offer.capacity.0[0].into())
    }

    /// What keeps a job from every host: a rule, where that is all that does, or a limit.
    fn binding(&self, draft: &Draft, key: &DemandKey) -> LimitKind {
        let one = Bundle::of(Offer::NOTHING, vec![(*key, 1)], 1);
        let mut holding = self.shelf.by_price.iter().filter(|offer| one.fits(offer));
        let mut by_rule = holding.clone().filter(|offer| 0 < draft.left.times(offer));
        let rule = by_rule.find_map(|offer| self.broken(draft, offer));
        rule.map_or_else(|| draft.left.binding(&mut holding), LimitKind::Mix)
    }

    /// What hosts cost per hour at least that hold the same.
    fn bound(&self, draft: &Draft) -> u64 {
        let mut held: BTreeMap<DemandKey, u32> = BTreeMap::new();
        for host in draft.bought.values() {
            for (key, n) in &host.contents {
                let of_key = held.entry(*key).or_default();
                *of_key = of_key.saturating_add(n.saturating_mul(host.count));
            }
        }
        let groups: Vec<Unplaced> =
            held.into_iter().map(|(key, count)| Unplaced { key, count }).collect();
        let shapes = shapes(&groups);
        let counts: Vec<u64> = shapes.iter().map(|shape| shape.count).collect();
        if shapes.is_empty() {
            return 0;
        }
        let offers = undominated(&self.shelf.frontier, &shapes);
        let by_units = UnitPrices::solve(&shapes, &counts, &offers).bound(&shapes, &counts);
        by_units.max(one_job_bound(&shapes, &counts, &self.shelf.frontier))
    }

    /// Launches whose alternatives have as many vCPUs, so that all shares are as planned, and leave pools and zones within
    /// theirs even if every launch is served by the same one.
    fn launches(&self, draft: Draft) -> Vec<spillway_core::plan::PlannedLaunch> {
        let ceilings = Ceilings::of(&self.policy.mix, draft.fleet.total());
        let mut fleet = draft.fleet;
        let mut launch = (usize::MAX, BTreeSet::<Zone>::new());
        let may_be = |ord: usize, planned: &Offer, other: &Offer, count: u32| {
            let (Some(pool), Some(first)) = (self.pool(other), self.pool(planned)) else {
                return false;
            };
            if launch.0 != ord {
                launch = (ord, BTreeSet::from([first.zone.clone()]));
            }
            let cpu = u64::from(other.capacity.0[0]).saturating_mul(count.into());
            let is_counted = launch.1.contains(&pool.zone);
            let is_allowed = other.capacity.0[0] == planned.capacity.0[0]
                && ceilings.has_pool(&fleet, pool, cpu)
                && (is_counted || ceilings.has_zone(&fleet, &pool.zone, cpu));
            if is_allowed {
                fleet.reserve_pool(pool, cpu);
                if launch.1.insert(pool.zone.clone()) {
                    fleet.reserve_zone(&pool.zone, cpu);
                }
            }
            is_allowed
        };
        let (input, by_price) = (self.input, &self.shelf.by_price);
        let wanted = draft.bought.into_values().collect();
        launches_where(wanted, by_price, &input.catalog, self.policy, &input.headroom, may_be)
    }
}

impl Draft {
    fn buy(&mut self, offer: &Offer, pool: &PoolId, bundle: &Bundle, n: u32) {
        self.left.take(offer, n);
        self.fleet.add(pool, u64::from(offer.capacity.0[0]).saturating_mul(n.into()));
        let contents = bundle.contents.clone();
        let of_kind = (offer.at, contents.clone());
        let bought = self.bought.entry(of_kind).or_insert(Wanted {
            offer: *offer,
            count: 0,
            load: bundle.load,
            contents,
        });
        bought.count = bought.count.saturating_add(n);
    }
}
