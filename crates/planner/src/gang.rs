//! Multi-node jobs: all nodes at once, each on a host of its own, or none.
//!
//! They are served before anything else, one after another in the order they are given, so that of two that need the same
//! room one has all of it. What they take, keep and buy is no longer there for the rest of the plan. Nothing is remembered:
//! what is kept for a job is found again by serving it first.

mod assign;

use std::collections::BTreeSet;
use std::sync::Arc;

use spillway_core::plan::{
    DemandKey, GangDemand, GangPlan, GangSeat, GangVerdict, Headroom, HostView, PlannedLaunch,
    WaitReason,
};
use spillway_core::{
    Busy, Catalog, CpuUnits, HostId, MicroUsdPerHour, PlanInput, PlanPolicy, Planned, Quota,
};

use crate::amount::{Amount, score_of, whole_of};
use crate::demand::{ClassSet, class_of};
use crate::gang::assign::{Assignment, FORBIDDEN, assign};
use crate::headroom::Left;
use crate::launch::{Wanted, launches_where};
use crate::prune::{Offer, buyable, cooling_flags};
use crate::solve::Shelf;
use crate::{mix, report, stock};

/// Stands for a cost that is only borne where nothing else does, as buying where a limit is near.
const LAST_RESORT: u64 = 1 << 50;

/// EC2 bills 60 s at least.
const BILLED_SECS_MIN: u32 = 60;

/// Plans for multi-node jobs, then by `rest` for all others with what is left.
pub(crate) fn plan(
    input: &PlanInput,
    policy: &PlanPolicy,
    rest: impl FnOnce(&PlanInput) -> Planned,
) -> Planned {
    if input.gangs.waiting.is_empty() {
        return rest(input);
    }
    let mut draft = Draft::new(input, policy);
    let mut gangs: Vec<GangPlan> = Vec::with_capacity(input.gangs.waiting.len());
    for gang in &input.gangs.waiting {
        gangs.push(draft.serve(gang));
    }
    let Draft { rest: left, wanted, bound, shelf, .. } = draft;
    let mut planned = rest(&left);
    // Only now is it known how much is left for alternatives.
    let mut headroom = input.headroom;
    for launch in &planned.plan.launches {
        take(&mut headroom, launch, &input.catalog);
    }
    let (of_gang, wanted): (Vec<usize>, Vec<Wanted>) = wanted.into_iter().unzip();
    let is_unmixed = policy.mix.is_none();
    let (by_price, catalog) = (&shelf.by_price, &input.catalog);
    let may_be = |_: usize, _: &Offer, _: &Offer, _: u32| is_unmixed;
    let launches = launches_where(wanted, by_price, catalog, policy, &headroom, may_be);
    for (gang, launch) in of_gang.into_iter().zip(launches) {
        gangs[gang].launches.push(launch);
    }
    planned.plan.gangs = gangs;
    planned.report.bound = planned.report.bound.saturating_add(MicroUsdPerHour::new(bound));
    planned
}

/// Nodes of one kind, in the solver's terms.
struct Kind {
    key: DemandKey,
    need: Amount,
    classes: ClassSet,
    secs: u32,
    count: u32,
    /// How many nodes the job has in all: one lost host takes the work of each.
    n_together: u32,
}

impl Kind {
    fn holds(&self, offer: &Offer) -> bool {
        self.classes.has(offer.class) && self.need.fits(&offer.capacity)
    }
}

/// Which hosts do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// Those that have room and are ready.
    Ready,
    /// Those that have room, or will have it when they have booted.
    Free,
    /// Those, too, that will have room when what runs there has ended.
    Later,
}

/// What is left while one job after another is served.
struct Draft<'a> {
    policy: &'a PlanPolicy,
    shelf: Shelf,
    is_cooling: Vec<bool>,
    rest: PlanInput,
    /// Hosts on which no other node may go in this plan.
    seated: BTreeSet<HostId>,
    /// How many jobs have been served.
    n_served: usize,
    /// What is bought, each with the place of the job it is for.
    wanted: Vec<(usize, Wanted)>,
    /// What the hosts that are bought cost at least.
    bound: u64,
}

impl<'a> Draft<'a> {
    fn new(input: &PlanInput, policy: &'a PlanPolicy) -> Self {
        let mut rest = input.clone();
        rest.gangs.waiting.clear();
        rest.hosts.sort_by_key(|host| host.id);
        let is_cooling = cooling_flags(input);
        let shelf = stock(input, buyable(input, &is_cooling, policy));
        let (seated, wanted) = (BTreeSet::new(), Vec::new());
        Self { policy, shelf, is_cooling, rest, seated, n_served: 0, wanted, bound: 0 }
    }

    fn serve(&mut self, gang: &GangDemand) -> GangPlan {
        let plan = self.served(gang);
        self.n_served += 1;
        plan
    }

    fn served(&mut self, gang: &GangDemand) -> GangPlan {
        let kinds = kinds(gang, self.policy);
        let nothing = |verdict| {
            let (seats, launches) = (Vec::new(), Vec::new());
            GangPlan { job: gang.job, verdict, seats, launches }
        };
        if gang.hold_secs == 0 {
            let prices = vec![FORBIDDEN; kinds.len()];
            let made = self.assigned(&kinds, Room::Ready, &prices);
            return match made {
                Some(made) => self.taken(gang, &kinds, &made, Vec::new()),
                None => nothing(GangVerdict::Paused),
            };
        }
        let prices: Vec<u64> = kinds.iter().map(|kind| self.price(kind)).collect();
        let last_resort: Vec<u64> =
            prices.iter().map(|price| price.saturating_add(LAST_RESORT)).collect();
        // The cheapest; if a limit forbids that, with as few new hosts as can be.
        for prices in [&prices, &last_resort] {
            if let Some(made) = self.assigned(&kinds, Room::Free, prices)
                && let Some(wanted) = self.bought(&kinds, &made)
            {
                return self.taken(gang, &kinds, &made, wanted);
            }
        }
        // Room on hosts that are not free yet is kept; what must be bought beside it is bought when they are.
        if let Some(made) = self.assigned(&kinds, Room::Later, &last_resort)
            && self.bought(&kinds, &made).is_some()
        {
            // To keep it for longer than may be would only keep others from it.
            let (_, in_secs) = self.seats(&kinds, &made);
            if gang.hold_secs < in_secs {
                return nothing(GangVerdict::Wait { reason: WaitReason::RoomExpected { in_secs } });
            }
            return self.kept(gang, &kinds, &made);
        }
        nothing(GangVerdict::Wait { reason: self.reason(&kinds) })
    }

    fn assigned(&self, kinds: &[Kind], room: Room, prices: &[u64]) -> Option<Assignment> {
        let counts: Vec<u32> = kinds.iter().map(|kind| kind.count).collect();
        let of_kind = |kind: &Kind| {
            let cost = |host: &HostView| self.cost(kind, host, room).unwrap_or(FORBIDDEN);
            self.rest.hosts.iter().map(cost).collect()
        };
        let costs: Vec<Vec<u64>> = kinds.iter().map(of_kind).collect();
        assign(&counts, &costs, prices)
    }

    /// What a node on this host costs beyond what is paid for it anyway, in millionths of a dollar per hour times seconds.
    /// For room that is not there yet, how long that takes.
    fn cost(&self, kind: &Kind, host: &HostView, room: Room) -> Option<u64> {
        let is_taken = self.seated.contains(&host.id)
            || (room != Room::Later && self.rest.gangs.hosts.contains(&host.id));
        let is_late = room == Room::Ready && !host.ready;
        if is_taken || is_late || !kind.classes.has(class_of(host.traits())) {
            return None;
        }
        let start = room_at(kind, host)?;
        if room == Room::Later {
            return Some(start.into());
        }
        if host.ready_in_secs < start {
            return None;
        }
        let paid_until = host.busy.iter().map(|busy| busy.ends_in_secs).max().unwrap_or(0);
        let longer = start.saturating_add(kind.secs).saturating_sub(paid_until);
        // Later is worse, if only by a little.
        Some(
            host.price
                .get()
                .saturating_mul(longer.into())
                .saturating_add(start.into())
                .min(LAST_RESORT - 1),
        )
    }

    /// What the cheapest host costs that could be bought for a node.
    fn price(&self, kind: &Kind) -> u64 {
        let offers = self.shelf.by_price.iter().filter(|offer| kind.holds(offer));
        offers.map(|offer| self.cost_of(kind, offer)).min().unwrap_or(FORBIDDEN)
    }

    /// For its boot and the node's run, with what interruptions are expected to destroy of that.
    fn cost_of(&self, kind: &Kind, offer: &Offer) -> u64 {
        let secs = self.policy.boot_secs.saturating_add(kind.secs).max(BILLED_SECS_MIN);
        let hazard = self.rest.catalog.offerings().get(offer.at).map_or(0, |o| o.hazard.get());
        let cost = offer.price.saturating_mul(secs.into());
        let of_all = hazard.saturating_mul(kind.n_together);
        let lost = lost_part(of_all, kind.secs, self.policy.boot_secs);
        let with_loss = whole_of(score_of(cost) * (1.0 + lost));
        u64::try_from(with_loss).unwrap_or(u64::MAX).min(LAST_RESORT - 1)
    }

    /// The hosts that an assignment buys, each for one node, cheapest first as far as limits and rules allow. None if they do
    /// not allow all of them.
    fn bought(&self, kinds: &[Kind], made: &Assignment) -> Option<Vec<Wanted>> {
        let mut left = Left::of(&self.rest.headroom);
        let mut with_bought = (!self.policy.mix.is_none()).then(|| self.rest.clone());
        let mut wanted: Vec<Wanted> = Vec::new();
        for (kind, count) in kinds.iter().zip(&made.bought) {
            let mut offers: Vec<(u64, Offer)> = Vec::new();
            if 0 < *count {
                let holding = self.shelf.by_price.iter().filter(|offer| kind.holds(offer));
                offers.extend(holding.map(|offer| (self.cost_of(kind, offer), *offer)));
                offers.sort_by_key(|(cost, offer)| (*cost, offer.at));
            }
            for _ in 0..*count {
                let is_allowed = |offer: &Offer| {
                    let offering = self.rest.catalog.offerings().get(offer.at);
                    let keeps_rules = |input: &PlanInput| {
                        offering.is_some_and(|o| mix::broken(input, self.policy, o).is_none())
                    };
                    0 < left.times(offer) && with_bought.as_ref().is_none_or(keeps_rules)
                };
                let (_, offer) = *offers.iter().find(|(_, offer)| is_allowed(offer))?;
                left.take(&offer, 1);
                if let Some(input) = &mut with_bought {
                    count_in(input, &offer, 1);
                }
                match wanted.last_mut() {
                    Some(last) if last.offer == offer && last.contents == [(kind.key, 1)] => {
                        last.count = last.count.saturating_add(1);
                    }
                    Some(_) | None => wanted.push(Wanted {
                        offer,
                        count: 1,
                        load: kind.need,
                        contents: vec![(kind.key, 1)],
                    }),
                }
            }
        }
        Some(wanted)
    }

    /// All nodes have room, or get it as soon as hosts have booted.
    fn taken(
        &mut self,
        gang: &GangDemand,
        kinds: &[Kind],
        made: &Assignment,
        wanted: Vec<Wanted>,
    ) -> GangPlan {
        let boot = if wanted.is_empty() { 0 } else { self.policy.boot_secs };
        let (seats, starts_in) = self.seats(kinds, made);
        let in_secs = starts_in.max(boot);
        let is_ready = |seat: &GangSeat| {
            let host = self.rest.hosts.iter().find(|host| host.id == seat.host);
            host.is_some_and(|host| host.ready)
        };
        let verdict = if wanted.is_empty() && seats.iter().all(is_ready) {
            GangVerdict::Start
        } else {
            GangVerdict::Hold { in_secs: in_secs.max(1) }
        };
        self.buy(wanted);
        self.take_rooms(kinds, made, in_secs);
        GangPlan { job: gang.job, verdict, seats, launches: Vec::new() }
    }

    /// Room is kept until there is enough. What else it takes is bought then.
    fn kept(&mut self, gang: &GangDemand, kinds: &[Kind], made: &Assignment) -> GangPlan {
        let (seats, in_secs) = self.seats(kinds, made);
        let in_secs = in_secs.max(1);
        self.take_rooms(kinds, made, in_secs);
        let verdict = GangVerdict::Hold { in_secs };
        GangPlan { job: gang.job, verdict, seats, launches: Vec::new() }
    }

    /// The seats of an assignment, and in how many seconds the last of them is expected to be free.
    fn seats(&self, kinds: &[Kind], made: &Assignment) -> (Vec<GangSeat>, u32) {
        let (mut seats, mut in_secs) = (Vec::new(), 0);
        for (host, kind) in self.rest.hosts.iter().zip(&made.on_host) {
            if let Some(kind) = kind.and_then(|kind| kinds.get(kind)) {
                seats.push(GangSeat { host: host.id, key: kind.key });
                in_secs = room_at(kind, host).map_or(in_secs, |at| at.max(in_secs));
            }
        }
        seats.sort_unstable_by_key(|seat| (seat.key, seat.host));
        (seats, in_secs)
    }

    /// What is on seats, now or later, is not there for others; and their hosts are not idle.
    fn take_rooms(&mut self, kinds: &[Kind], made: &Assignment, in_secs: u32) {
        for (host, kind) in self.rest.hosts.iter_mut().zip(&made.on_host) {
            let Some(kind) = kind.and_then(|kind| kinds.get(kind)) else { continue };
            let left = host.free.saturating_sub(&kind.key.need);
            let taken = host.free.saturating_sub(&left);
            host.free = left;
            let ends_in_secs = in_secs.saturating_add(kind.secs);
            host.busy.push(Busy { ends_in_secs, need: taken, count: 1 });
            host.busy.sort_unstable();
            self.seated.insert(host.id);
        }
    }

    /// Counts off what is bought, as it is planned.
    fn buy(&mut self, wanted: Vec<Wanted>) {
        for host in wanted {
            let holding = self.shelf.by_price.iter().filter(|offer| {
                host.load.fits(&offer.capacity)
                    && host.contents.iter().all(|(key, _)| ClassSet::of(key).has(offer.class))
            });
            let least = holding.map(|offer| offer.price).min().unwrap_or(0);
            self.bound = self.bound.saturating_add(least.saturating_mul(host.count.into()));
            let catalog = Arc::clone(&self.rest.catalog);
            if let Some(offering) = catalog.offerings().get(host.offer.at) {
                let (cpu, price) = (offering.capacity.cpu, offering.price);
                reduce(&mut self.rest.headroom, host.count, cpu, price);
                let of_all = CpuUnits::new(cpu.get().saturating_mul(host.count));
                self.rest.headroom.quotas.take(&offering.pool, of_all);
                count_in(&mut self.rest, &host.offer, host.count);
            }
            self.wanted.push((self.n_served, host));
        }
    }

    /// Why there is no room and none can be bought: of the first kind of which that is so.
    fn reason(&self, kinds: &[Kind]) -> WaitReason {
        let left = Left::of(&self.rest.headroom);
        let unbuyable = kinds.iter().find(|kind| self.price(kind) == FORBIDDEN);
        match (unbuyable, kinds.first()) {
            (Some(kind), _) => {
                report::unbuyable(&kind.key, &self.rest, self.policy, &self.is_cooling)
            }
            (None, Some(_)) => {
                // The limit that is in the way of the last node is the one that counts.
                let mut left = left;
                for kind in kinds {
                    for _ in 0..kind.count {
                        let mut holding = self.shelf.by_price.iter().filter(|o| kind.holds(o));
                        match holding.find(|offer| 0 < left.times(offer)) {
                            Some(offer) => left.take(offer, 1),
                            None => return report::limited(&kind.key, &self.shelf.all, &left),
                        }
                    }
                }
                let last = kinds.last().map(|kind| kind.key);
                last.map_or(WaitReason::NoCatalog, |key| {
                    report::limited(&key, &self.shelf.all, &left)
                })
            }
            (None, None) => WaitReason::NoCatalog,
        }
    }
}

fn kinds(gang: &GangDemand, policy: &PlanPolicy) -> Vec<Kind> {
    let mut nodes = gang.nodes.clone();
    nodes.sort_unstable();
    let kind = |(key, count): &(DemandKey, u32)| Kind {
        key: *key,
        need: Amount::of(&key.need),
        classes: ClassSet::of(key),
        secs: key.expected_secs.unwrap_or(policy.prior_secs).max(1),
        count: *count,
        n_together: gang.n_nodes(),
    };
    nodes.iter().map(kind).collect()
}

/// In how many seconds a host is expected to have room for a node, beside what it was bought for.
fn room_at(kind: &Kind, host: &HostView) -> Option<u32> {
    let mut free = Amount::of(&host.free);
    for (key, count) in &host.reserved {
        free = free.less(&Amount::of(&key.need), *count);
    }
    let mut at = host.ready_in_secs;
    let mut busy: Vec<&Busy> = host.busy.iter().collect();
    busy.sort_unstable();
    let mut busy = busy.into_iter();
    while !kind.need.fits(&free) {
        let ended = busy.next()?;
        free = free.plus(&Amount::of(&ended.need), ended.count);
        at = at.max(ended.ends_in_secs);
    }
    Some(at)
}

/// The part of a run that is expected to be lost and done again, with so many interruptions in a million hours; see
/// [`crate::bill::world::World::loss`].
fn lost_part(hazard: u32, secs: u32, boot: u32) -> f64 {
    const SECS_PER_MILLION_HOURS: f64 = 3.6e9;
    if hazard == 0 {
        return 0.0;
    }
    let (rate, secs) = (f64::from(hazard) / SECS_PER_MILLION_HOURS, f64::from(secs));
    let n_lost = (rate * secs).min(20.0).exp_m1();
    n_lost / (rate * secs) - 1.0 + n_lost * f64::from(boot) / secs
}

/// Counts hosts among those of the fleet, for the rules of the mix.
fn count_in(input: &mut PlanInput, offer: &Offer, n: u32) {
    let catalog = Arc::clone(&input.catalog);
    if let Some(offering) = catalog.offerings().get(offer.at) {
        let of_pool = input.fleet.entry(offering.pool.clone()).or_default();
        let cpu = offering.capacity.cpu.get().saturating_mul(n);
        *of_pool = CpuUnits::new(of_pool.get().saturating_add(cpu));
    }
}

/// Counts a launch off as if its largest and its dearest choice served it.
fn take(headroom: &mut Headroom, launch: &PlannedLaunch, catalog: &Catalog) {
    let offerings = || launch.choices.iter().filter_map(|choice| catalog.get(&choice.pool));
    let largest = offerings().map(|o| o.capacity.cpu).max().unwrap_or_default();
    let dearest = offerings().map(|o| o.price).max().unwrap_or_default();
    reduce(headroom, launch.count, largest, dearest);
    let mut counted = BTreeSet::new();
    for offering in offerings() {
        let quota = Quota::of(&offering.pool);
        if quota.is_some() && counted.insert(quota) {
            let of_quota = offerings().filter(|o| Quota::of(&o.pool) == quota);
            let most = of_quota.map(|o| o.capacity.cpu.get()).max().unwrap_or(0);
            headroom.quotas.take(&offering.pool, CpuUnits::new(most.saturating_mul(launch.count)));
        }
    }
}

fn reduce(headroom: &mut Headroom, count: u32, cpu: CpuUnits, price: MicroUsdPerHour) {
    let of_all = cpu.get().saturating_mul(count);
    let spent = price.checked_mul(count).unwrap_or(MicroUsdPerHour::new(u64::MAX)).get();
    headroom.hosts = headroom.hosts.map(|left| left.saturating_sub(count));
    headroom.cpu = headroom.cpu.map(|left| CpuUnits::new(left.get().saturating_sub(of_all)));
    headroom.price =
        headroom.price.map(|left| MicroUsdPerHour::new(left.get().saturating_sub(spent)));
}
