//! What comes: the jobs of the last minute, and for how long jobs have been coming.
//!
//! A planner that remembers nothing yet expects nothing; what it remembers is never needed for a sound plan.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use spillway_core::plan::{DemandKey, Plan};
use spillway_core::{HostId, PlanInput, PlanPolicy};

use crate::amount::{Amount, score_of};
use crate::demand::ClassSet;
use crate::variants::FirstWays;

/// What came in so many seconds may be expected in the next: about what comes while a host boots.
const SAMPLE_SECS: i64 = 60;

/// After a silence as long as this, what comes is a new stream.
const SILENCE_SECS: i64 = 900;

type Kind = (ClassSet, Amount);

/// Jobs of one shape that came lately.
#[derive(Debug, Clone, Default)]
struct Stream {
    /// When, and how many.
    arrivals: VecDeque<(i64, u64)>,
    /// How long one of the latest is expected to run.
    secs: u32,
}

/// Jobs that may be expected while a host boots.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) classes: ClassSet,
    pub(crate) need: Amount,
    pub(crate) count: f64,
    pub(crate) secs: u32,
}

/// What has come lately.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams {
    /// When the first job came after a silence, and when the last did.
    lively: Option<(i64, i64)>,
    of_kind: BTreeMap<Kind, Stream>,
    /// What was left waiting by the last plan of what had not been on a host before.
    left: BTreeMap<Kind, u64>,
}

fn kind(key: &DemandKey) -> Kind {
    (ClassSet::of(key), Amount::of(&key.need))
}

impl Streams {
    /// Takes note of what waits now and did not when the last plan was made.
    pub(crate) fn observe(&mut self, input: &PlanInput, policy: &PlanPolicy) {
        let now = input.now.as_second();
        for (kind, Count { n_fresh, secs, .. }) in counts(input, policy) {
            let before = self.left.get(&kind).copied().unwrap_or(0);
            let Some(n_new) = n_fresh.checked_sub(before).filter(|n| 0 < *n) else { continue };
            let since = self.lively.filter(|(_, last)| now - last <= SILENCE_SECS);
            self.lively = Some((since.map_or(now, |(since, _)| since), now));
            let stream = self.of_kind.entry(kind).or_default();
            stream.secs = secs;
            match stream.arrivals.back_mut() {
                Some((at, n)) if *at == now => *n += n_new,
                Some(_) | None => stream.arrivals.push_back((now, n_new)),
            }
        }
        for stream in self.of_kind.values_mut() {
            while stream.arrivals.front().is_some_and(|(at, _)| *at <= now - SAMPLE_SECS) {
                stream.arrivals.pop_front();
            }
        }
        self.of_kind.retain(|_, stream| !stream.arrivals.is_empty());
    }

    /// Takes note of what a plan starts at once: it no longer waits.
    pub(crate) fn answered(&mut self, input: &PlanInput, policy: &PlanPolicy, plan: &Plan) {
        let counts = counts(input, policy);
        let mut placed: BTreeMap<Kind, u64> = BTreeMap::new();
        let ready: BTreeSet<HostId> =
            input.hosts.iter().filter(|host| host.ready).map(|host| host.id).collect();
        let firsts = FirstWays::of(&input.demands);
        for placement in plan.placements.iter().filter(|p| ready.contains(&p.host)) {
            let key = firsts.key(&placement.key);
            *placed.entry(kind(&key)).or_default() += u64::from(placement.count);
        }
        let left = |(kind, count): (Kind, Count)| {
            let placed = placed.get(&kind).copied().unwrap_or(0);
            // Those that come again are first in line.
            (kind, count.n_fresh.saturating_sub(placed.saturating_sub(count.n_again)))
        };
        self.left = counts.into_iter().map(left).collect();
    }

    /// For how many seconds jobs have been coming. They may be expected to come for as long again: of a time that one
    /// knows nothing of but that it has lasted so far, that is as good a guess as any (J. R. Gott, Nature 363, 1993).
    pub(crate) fn age(&self, now: i64) -> f64 {
        let age = self.lively.map_or(0, |(since, _)| now - since);
        f64::from(u32::try_from(age).unwrap_or(0))
    }

    /// The jobs that came lately, as those to be expected next.
    pub(crate) fn expected(&self) -> Vec<Expected> {
        let of_kind = |((classes, need), stream): (&Kind, &Stream)| Expected {
            classes: *classes,
            need: *need,
            count: score_of(stream.arrivals.iter().map(|(_, n)| n).sum()),
            secs: stream.secs,
        };
        self.of_kind.iter().map(of_kind).collect()
    }
}

/// What waits of one kind.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// So many have not been on a host before.
    n_fresh: u64,
    /// So many have.
    n_again: u64,
    /// How long the longest of them are expected to run.
    secs: u32,
}

fn counts(input: &PlanInput, policy: &PlanPolicy) -> BTreeMap<Kind, Count> {
    let mut counts: BTreeMap<Kind, Count> = BTreeMap::new();
    let firsts = FirstWays::of(&input.demands);
    for demand in input.demands.iter().filter(|demand| firsts.has(&demand.key)) {
        let count = counts.entry(kind(&demand.key)).or_default();
        count.n_again += u64::from(demand.n_again);
        count.n_fresh += u64::from(demand.count.saturating_sub(demand.n_again));
        count.secs = count.secs.max(demand.key.expected_secs.unwrap_or(policy.prior_secs));
    }
    counts
}
