//! What became of each offering: taken, or the one reason why not, with its number.
//!
//! Reasons are looked for in a fixed order, those that no price could change first; each offering has exactly one, so
//! that counts of reasons sum to the number of offerings.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use spillway_core::plan::{FilterKind, FilterSet, LimitKind};
use spillway_core::quantity::Dimension;
use spillway_core::{MicroUsdPerHour, Offering, Planned, PoolId};

use crate::amount::Amount;
use crate::demand::{Totals, Unplaced, class_of, merged};
use crate::explain::Question;
use crate::explain::prices::{Priced, money, score};
use crate::headroom::{CapSet, Left};
use crate::knapsack::Knapsack;
use crate::prune::{Offer, is_allowed_size};

/// What became of an offering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Bought: the first choice of launches.
    Taken {
        /// How many hosts.
        n_hosts: u32,
    },
    /// Named in a launch as a pool that would do instead.
    Alternative,
    /// A list of the configuration leaves it out.
    LeftOut(FilterKind),
    /// Larger than `plan.max-host-vcpus`.
    OverHostSize,
    /// Left alone after a lack of capacity.
    Cooling {
        /// Until when.
        until: Timestamp,
    },
    /// No job that needs a host may run on its architecture or market.
    NotAllowed,
    /// Every job that may run there needs more of something than it has.
    TooSmall(Dimension),
    /// A limit leaves no room for a single one.
    OverLimit(LimitKind),
    /// Another holds whatever of this demand it could hold, for no more money.
    Dominated {
        /// Which.
        by: PoolId,
    },
    /// It costs more than the best filling found for it is worth at the jobs' prices.
    TooDear {
        /// What that filling is worth.
        worth: MicroUsdPerHour,
    },
    /// As good as what was taken, within a hundredth of a per cent.
    AsGood,
}

/// An offering, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferingReport {
    /// Type, zone and market.
    pub pool: PoolId,
    /// What it costs.
    pub price: MicroUsdPerHour,
    /// What became of it.
    pub verdict: Verdict,
}

impl OfferingReport {
    /// How much dearer it is than what it could hold is worth, as a part of the latter; none where that was not asked.
    pub fn premium(&self) -> Option<f64> {
        match &self.verdict {
            Verdict::TooDear { worth } => Some(score(self.price) / score(*worth).max(1.0) - 1.0),
            Verdict::AsGood => Some(0.0),
            Verdict::Taken { .. }
            | Verdict::Alternative
            | Verdict::LeftOut(_)
            | Verdict::OverHostSize
            | Verdict::Cooling { .. }
            | Verdict::NotAllowed
            | Verdict::TooSmall(_)
            | Verdict::OverLimit(_)
            | Verdict::Dominated { .. } => None,
        }
    }
}

/// What became of everything on offer, in the order of the pools; nothing where no job needs a new host.
pub fn offerings(question: &Question, planned: &Planned) -> Vec<OfferingReport> {
    let groups = without_hosts(question, planned);
    let priced = Priced::new(&question.input, &question.policy, &groups);
    of_priced(question, planned, &groups, &priced)
}

/// The same at prices that are known.
pub(super) fn of_priced(
    question: &Question,
    planned: &Planned,
    groups: &[Unplaced],
    priced: &Priced,
) -> Vec<OfferingReport> {
    if groups.is_empty() {
        return Vec::new();
    }
    let judge = Judge::new(question, planned, groups, priced);
    let mut worths = Worths::new(priced);
    let mut reports = Vec::new();
    for (offering, left_out) in question.offered.iter() {
        let verdict = match judge.verdict(offering, left_out) {
            Some(verdict) => verdict,
            None => worths.verdict(offering),
        };
        let (pool, price) = (offering.pool.clone(), offering.price);
        reports.push(OfferingReport { pool, price, verdict });
    }
    reports
}

/// What goes on no host there is.
pub(super) fn without_hosts(question: &Question, planned: &Planned) -> Vec<Unplaced> {
    let mut groups = merged(&question.input.demands);
    for placement in &planned.plan.placements {
        if let Ok(at) = groups.binary_search_by(|group| group.key.cmp(&placement.key))
            && let Some(group) = groups.get_mut(at)
        {
            group.count = group.count.saturating_sub(placement.count);
        }
    }
    groups.retain(|group| 0 < group.count);
    groups
}

struct Judge<'a> {
    question: &'a Question,
    groups: &'a [Unplaced],
    priced: &'a Priced,
    taken: BTreeMap<&'a PoolId, u32>,
    alternatives: BTreeSet<&'a PoolId>,
    /// What is left of the limits when nothing is bought yet.
    headroom: Left,
}

impl<'a> Judge<'a> {
    fn new(
        question: &'a Question,
        planned: &'a Planned,
        groups: &'a [Unplaced],
        priced: &'a Priced,
    ) -> Self {
        let mut taken: BTreeMap<&PoolId, u32> = BTreeMap::new();
        let mut alternatives = BTreeSet::new();
        for launch in &planned.plan.launches {
            let mut choices = launch.choices.iter();
            if let Some(first) = choices.next() {
                let n_hosts = taken.entry(&first.pool).or_default();
                *n_hosts = n_hosts.saturating_add(launch.count);
            }
            alternatives.extend(choices.map(|choice| &choice.pool));
        }
        let headroom = Left::of(&question.input.headroom);
        Self { question, groups, priced, taken, alternatives, headroom }
    }

    /// The verdict on an offering, unless it depends on what the jobs are worth.
    fn verdict(&self, offering: &Offering, left_out: FilterSet) -> Option<Verdict> {
        if let Some(n_hosts) = self.taken.get(&offering.pool) {
            return Some(Verdict::Taken { n_hosts: *n_hosts });
        }
        if self.alternatives.contains(&offering.pool) {
            return Some(Verdict::Alternative);
        }
        if let Some(kind) = left_out.first() {
            return Some(Verdict::LeftOut(kind));
        }
        let capacity = Amount::of(&offering.capacity);
        if !is_allowed_size(&capacity, &self.question.policy) {
            return Some(Verdict::OverHostSize);
        }
        let input = &self.question.input;
        let until = input.cooling.get(&offering.pool).filter(|until| input.now < **until);
        if let Some(until) = until {
            return Some(Verdict::Cooling { until: *until });
        }
        self.too_small(offering).or_else(|| self.dominated(offering, &capacity))
    }

    /// Whether no job may run there, or none fits; then what most of them lack.
    fn too_small(&self, offering: &Offering) -> Option<Verdict> {
        let mut lacking: BTreeMap<Dimension, u64> = BTreeMap::new();
        for group in self.groups {
            if !group.key.allows(offering.traits()) {
                continue;
            }
            let dimension = group.key.need.exceeds(&offering.capacity)?;
            let n_jobs = lacking.entry(dimension).or_default();
            *n_jobs = n_jobs.saturating_add(u64::from(group.count));
        }
        let most =
            lacking.into_iter().max_by_key(|(dimension, n)| (*n, std::cmp::Reverse(*dimension)));
        Some(most.map_or(Verdict::NotAllowed, |(dimension, _)| Verdict::TooSmall(dimension)))
    }

    fn dominated(&self, offering: &Offering, capacity: &Amount) -> Option<Verdict> {
        let class = class_of(offering.traits());
        let price = offering.price.get();
        let caps = CapSet::of(&offering.pool, &self.question.input.headroom);
        let offer = Offer { capacity: *capacity, price, class, caps, at: 0 };
        if self.headroom.times(&offer) == 0 {
            return Some(Verdict::OverLimit(self.headroom.binding([&offer].into_iter())));
        }
        let shapes = &self.priced.shapes;
        let totals = Totals::of(shapes, self.priced.counts());
        let clipped = capacity.clipped_to(&totals.on(class));
        let catalog = self.question.input.catalog.offerings();
        for other in self.priced.offers.iter().take_while(|other| other.price <= price) {
            let Some(by) = catalog.get(other.at) else { continue };
            if by.pool == offering.pool {
                return None;
            }
            let is_counted_alike = other.caps.is_within(caps);
            if is_counted_alike
                && totals.may_stand_in(other.class, class)
                && clipped.fits(&other.capacity)
            {
                return Some(Verdict::Dominated { by: by.pool.clone() });
            }
        }
        None
    }
}

/// Filling is a heuristic with two ways; the better one counts.
const SIZE_BONUSES: [f64; 2] = [0.25, 1.0];

/// What the best fillings are worth that were found, by class and capacity: zones of a type share theirs.
struct Worths<'a> {
    priced: &'a Priced,
    knapsacks: [Knapsack<'a>; 2],
    counts: Vec<u64>,
    known: BTreeMap<(usize, Amount), f64>,
}

impl<'a> Worths<'a> {
    fn new(priced: &'a Priced) -> Self {
        let knapsacks =
            SIZE_BONUSES.map(|bonus| Knapsack::new(&priced.shapes, priced.worth.clone(), bonus));
        Self { priced, knapsacks, counts: priced.counts(), known: BTreeMap::new() }
    }

    fn of(&mut self, offer: &Offer) -> f64 {
        if let Some(worth) = self.known.get(&(offer.class, offer.capacity)) {
            return *worth;
        }
        let mut best: f64 = 0.0;
        let known = self
            .priced
            .offers
            .iter()
            .position(|other| (other.class, other.capacity) == (offer.class, offer.capacity));
        let weights = known.and_then(|at| self.priced.weights.get(at)).unwrap_or(&[1.0; 3]);
        for knapsack in &mut self.knapsacks {
            let (_, worth) = knapsack.fill(offer, &self.counts, weights);
            best = best.max(worth);
        }
        self.known.insert((offer.class, offer.capacity), best);
        best
    }

    fn verdict(&mut self, offering: &Offering) -> Verdict {
        /// Less than this part is rounding.
        const AS_GOOD: f64 = 0.9999;
        let offer = Offer {
            capacity: Amount::of(&offering.capacity),
            price: offering.price.get(),
            class: class_of(offering.traits()),
            caps: CapSet::default(),
            at: 0,
        };
        let worth = self.of(&offer);
        if score(offering.price) * AS_GOOD <= worth {
            Verdict::AsGood
        } else {
            Verdict::TooDear { worth: money(worth) }
        }
    }
}
