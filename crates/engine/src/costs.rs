//! The cost ledger: every instance-second that is paid for, and what for. Reads what the ledger holds and changes nothing.
//!
//! A host's bill is divided into postings that sum to it, to the micro-dollar. What attempts held is theirs, by their share of the
//! host ([`spillway_core::cost::attempt_cost`]); the rest is boot, drain, idle or unused. It must never round a micro-dollar away or count one
//! twice.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use spillway_core::{Attempt, Host, HostId, HostState, Job, Market, MicroUsd, MicroUsdPerHour};

/// What a part of a host's bill was paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CostKind {
    /// Held by attempts that ended by themselves, well or not, or that still run.
    Work,
    /// Held by attempts that the infrastructure ended: their work was lost.
    Lost,
    /// Not held by anybody while others held a part of the host.
    Unused,
    /// Registered, and nobody on it.
    Idle,
    /// From the launch to the registration; all of a host that never registered.
    Boot,
    /// Nobody on it, and on its way out; what the first minute costs more than it was used is here too.
    Drain,
}

impl CostKind {
    /// All, in the order of a table.
    pub const ALL: [Self; 6] =
        [Self::Work, Self::Lost, Self::Unused, Self::Idle, Self::Boot, Self::Drain];
}

/// The place that an attempt holds or held on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held<K> {
    /// When it was given the place.
    pub from: Timestamp,
    /// When it gave it back; for one that runs, now.
    pub until: Timestamp,
    /// Its share of what the host cost meanwhile.
    pub cost: MicroUsd,
    /// Whether the infrastructure ended it.
    pub is_lost: bool,
    /// Who pays.
    pub owner: K,
}

/// The places that a job's attempts hold and held, with the host of each. A live one whose host is not known has none.
pub fn held<'h, K: Copy>(
    job: &Job,
    host: impl Fn(HostId) -> Option<&'h Host>,
    now: Timestamp,
    owner: K,
) -> Vec<(HostId, Held<K>)> {
    let ended = |attempt: &Attempt| {
        let is_lost =
            attempt.failure.is_some_and(spillway_core::FailureCategory::is_infrastructure);
        let (from, until) = (attempt.placed_at, attempt.stopped_at);
        (attempt.host, Held { from, until, cost: attempt.cost, is_lost, owner })
    };
    let mut places: Vec<_> = job.attempts.iter().map(ended).collect();
    let live = job.state.live_attempt().and_then(|live| Some((live, host(live.host)?)));
    if let Some((live, host)) = live {
        let (from, until) = (live.placed_at, now.max(live.placed_at));
        let time = until.duration_since(from);
        // Which of those that share a task it is makes a micro-dollar of difference at most, and only while it runs.
        let cost = job.cost_of(host.price, time, &host.capacity, 0);
        places.push((live.host, Held { from, until, cost, is_lost: false, owner }));
    }
    places
}

/// One line of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting<K> {
    /// What for.
    pub kind: CostKind,
    /// Who pays; none for what is nobody's.
    pub owner: Option<K>,
    /// The time that it is spread over.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// How much.
    pub cost: MicroUsd,
    /// What the same time costs On-Demand; the cost itself where that is not known.
    pub on_demand: MicroUsd,
    /// How much of the cost is not the instance's but its root volume's and public address's: a line of its own in AWS's bill.
    pub extras: MicroUsd,
}

impl<K: Copy> Posting<K> {
    /// The same, cut at these times, which are in order. The pieces sum to the whole.
    pub fn cut_at(&self, cuts: impl IntoIterator<Item = Timestamp>) -> Vec<Self> {
        let inside = cuts.into_iter().filter(|cut| self.from < *cut && *cut < self.until);
        let ends = inside.chain([self.until]);
        let (mut from, mut so_far) = (self.from, [MicroUsd::ZERO; 3]);
        let mut pieces = Vec::new();
        for until in ends {
            let then =
                [self.cost, self.on_demand, self.extras].map(|whole| self.up_to(whole, until));
            let [cost, on_demand, extras] =
                std::array::from_fn(|at| then[at].saturating_sub(so_far[at]));
            pieces.push(Self { from, until, cost, on_demand, extras, ..*self });
            (from, so_far) = (until, then);
        }
        pieces
    }

    /// The part of `whole` that has come up by `at`.
    fn up_to(&self, whole: MicroUsd, at: Timestamp) -> MicroUsd {
        let micros = |time: SignedDuration| u128::try_from(time.as_micros()).unwrap_or(0);
        let all = micros(self.until.duration_since(self.from));
        if self.until <= at || all == 0 {
            return whole;
        }
        let part = u128::from(whole.get()) * micros(at.duration_since(self.from)) / all;
        MicroUsd::new(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

/// A host's bill at `now`, divided. The sum of the postings is [`Host::bill`].
///
/// Where attempts held more than was paid for (they were given up only after their host had ended), the last of them are cut
/// short.
pub fn postings<K: Copy>(host: &Host, held: &[Held<K>], now: Timestamp) -> Vec<Posting<K>> {
    let total = host.bill(now);
    let Some(launched_at) = host.instance().map(|instance| instance.launched_at) else {
        return Vec::new();
    };
    let end = if let HostState::Gone { at, .. } = &host.state { *at } else { now };
    let mut books = Books { host, left: total, postings: Vec::new() };
    let Some(registered_at) = host.registered_at else {
        books.post(CostKind::Boot, None, (launched_at, end), total);
        return books.postings;
    };
    let boot = host.price.cost_of(registered_at.duration_since(launched_at));
    books.post(CostKind::Boot, None, (launched_at, registered_at), boot);
    let mut held: Vec<&Held<K>> = held.iter().collect();
    held.sort_by_key(|place| (place.from, place.until));
    let mut carried = MicroUsd::ZERO;
    for place in &held {
        let kind = if place.is_lost { CostKind::Lost } else { CostKind::Work };
        carried += books.post(kind, Some(place.owner), (place.from, place.until), place.cost);
    }
    let rest = Rest::of(&held, registered_at, end, host.drained_at);
    let shared = host.price.cost_of(rest.shared).saturating_sub(carried);
    books.post(CostKind::Unused, None, (registered_at, end), shared);
    books.post(CostKind::Idle, None, (registered_at, end), host.price.cost_of(rest.idle));
    books.post(CostKind::Drain, None, (host.drained_at.unwrap_or(end), end), total);
    books.postings
}

struct Books<'a, K> {
    host: &'a Host,
    left: MicroUsd,
    postings: Vec<Posting<K>>,
}

impl<K> Books<'_, K> {
    /// Posts so much, or what is left. Tells how much that was.
    fn post(
        &mut self,
        kind: CostKind,
        owner: Option<K>,
        (from, until): (Timestamp, Timestamp),
        cost: MicroUsd,
    ) -> MicroUsd {
        let cost = cost.min(self.left);
        self.left = self.left.saturating_sub(cost);
        if cost != MicroUsd::ZERO {
            let (on_demand, extras) = (on_demand(self.host, cost), extras(self.host, cost));
            let until = until.max(from);
            self.postings.push(Posting { kind, owner, from, until, cost, on_demand, extras });
        }
        cost
    }
}

/// What would have been paid On-Demand for what cost so much.
fn on_demand(host: &Host, cost: MicroUsd) -> MicroUsd {
    let known = host.on_demand_price.filter(|_| host.pool.market == Market::Spot);
    known.map_or(cost, |price| at_price(host, cost, price))
}

/// How much of what cost so much was for what the host has beside its instance.
fn extras(host: &Host, cost: MicroUsd) -> MicroUsd {
    if host.extras.is_zero() { MicroUsd::ZERO } else { at_price(host, cost, host.extras) }
}

/// What costs so much at the host's price, at another one; the same for a host without a price.
fn at_price(host: &Host, cost: MicroUsd, price: MicroUsdPerHour) -> MicroUsd {
    let micro = u128::from(cost.get()) * u128::from(price.get());
    let micro = micro.checked_div(host.price.get().into()).unwrap_or(cost.get().into());
    MicroUsd::new(u64::try_from(micro).unwrap_or(u64::MAX))
}

/// How long a registered host was held by somebody, and how long by nobody before it was given back.
struct Rest {
    shared: SignedDuration,
    idle: SignedDuration,
}

impl Rest {
    /// `held` in order of their beginnings.
    fn of<K>(
        held: &[&Held<K>],
        registered_at: Timestamp,
        end: Timestamp,
        drained_at: Option<Timestamp>,
    ) -> Self {
        let idle_until = drained_at.unwrap_or(end).min(end);
        let (mut shared, mut idle) = (SignedDuration::ZERO, SignedDuration::ZERO);
        let mut seen = registered_at;
        for place in held {
            let (from, until) = (place.from.max(seen), place.until.min(end));
            if until <= from {
                continue;
            }
            idle += from.min(idle_until).duration_since(seen).max(SignedDuration::ZERO);
            shared += until.duration_since(from);
            seen = until;
        }
        idle += idle_until.duration_since(seen).max(SignedDuration::ZERO);
        Self { shared, idle }
    }
}

#[cfg(test)]
mod tests;
