//! What comes: how often jobs of each shape have come lately, and so how many may be expected.
//!
//! This is all that is remembered between plans. A planner that remembers nothing yet expects nothing and gives no host
//! back; it is never needed for a sound plan.

use std::collections::{BTreeMap, VecDeque};

use spillway_core::plan::{DemandKey, Plan};
use spillway_core::{HostId, PlanInput};

use crate::amount::{Amount, score_of};
use crate::demand::ClassSet;

/// Arrivals longer ago say nothing of what comes next.
const REMEMBERED_SECS: i64 = 900;

/// So many arrivals at least, each of any number of jobs, before a stream is one.
const ARRIVALS_MIN: usize = 3;

/// Streams that are remembered: more shapes than that are a mix that is new each time.
const STREAMS_MAX: usize = 4096;

type Kind = (ClassSet, Amount);

/// Arrivals of one shape: when, and how many.
#[derive(Debug, Clone, Default)]
struct Stream {
    arrivals: VecDeque<(i64, u64)>,
}

impl Stream {
    /// How many are to be expected within a second.
    fn rate(&self, now: i64) -> f64 {
        let (Some((first, n_first)), Some((last, _))) =
            (self.arrivals.front().copied(), self.arrivals.back().copied())
        else {
            return 0.0;
        };
        if self.arrivals.len() < ARRIVALS_MIN || last <= first {
            return 0.0;
        }
        let secs = |secs: i64| f64::from(u32::try_from(secs).unwrap_or(u32::MAX));
        let n: u64 = self.arrivals.iter().map(|(_, n)| n).sum::<u64>() - n_first;
        let n_gaps = u32::try_from(self.arrivals.len() - 1).unwrap_or(u32::MAX);
        let gap = secs(last - first) / f64::from(n_gaps);
        // The longer nothing has come, the likelier it is over.
        let silence = (secs(now - last) / gap - 1.0).max(0.0);
        score_of(n) / secs(last - first) * (-silence).exp()
    }
}

/// What has come lately.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams {
    since: Option<i64>,
    of_kind: BTreeMap<Kind, Stream>,
    /// What was left waiting by the last plan.
    left: BTreeMap<Kind, u64>,
}

fn kind(key: &DemandKey) -> Kind {
    (ClassSet::of(key), Amount::of(&key.need))
}

impl Streams {
    /// Takes note of what waits now and did not when the last plan was made.
    pub(crate) fn observe(&mut self, input: &PlanInput) {
        let now = input.now.as_second();
        self.since = self.since.or(Some(now));
        for (kind, n) in counts(input) {
            let before = self.left.get(&kind).copied().unwrap_or(0);
            let Some(n_new) = n.checked_sub(before).filter(|n| 0 < *n) else { continue };
            let arrivals = &mut self.of_kind.entry(kind).or_default().arrivals;
            match arrivals.back_mut() {
                Some((at, n)) if *at == now => *n += n_new,
                Some(_) | None => arrivals.push_back((now, n_new)),
            }
        }
        for stream in self.of_kind.values_mut() {
            while stream.arrivals.front().is_some_and(|(at, _)| *at < now - REMEMBERED_SECS) {
                stream.arrivals.pop_front();
            }
        }
        self.of_kind.retain(|_, stream| !stream.arrivals.is_empty());
        while STREAMS_MAX < self.of_kind.len() {
            self.of_kind.pop_last();
        }
    }

    /// Takes note of what a plan starts at once: it no longer waits.
    pub(crate) fn answered(&mut self, input: &PlanInput, plan: &Plan) {
        self.left = counts(input);
        let ready: std::collections::BTreeSet<HostId> =
            input.hosts.iter().filter(|host| host.ready).map(|host| host.id).collect();
        for placement in plan.placements.iter().filter(|p| ready.contains(&p.host)) {
            if let Some(left) = self.left.get_mut(&kind(&placement.key)) {
                *left = left.saturating_sub(placement.count.into());
            }
        }
    }

    /// Whether enough has been seen to say that nothing comes.
    pub(crate) fn knows(&self, now: i64, secs: u32) -> bool {
        self.since.is_some_and(|since| i64::from(secs) <= now - since)
    }

    /// How many jobs of each shape may be expected within so many seconds, largest first.
    pub(crate) fn expected(&self, now: i64, secs: u32) -> Vec<(ClassSet, Amount, f64)> {
        let mut expected: Vec<(ClassSet, Amount, f64)> = Vec::new();
        for ((classes, need), stream) in &self.of_kind {
            let n = stream.rate(now) * f64::from(secs);
            if 0.01 < n {
                expected.push((*classes, *need, n));
            }
        }
        expected.sort_by_key(|(_, need, _)| std::cmp::Reverse(crate::fill::size(need)));
        expected
    }
}

fn counts(input: &PlanInput) -> BTreeMap<Kind, u64> {
    let mut counts: BTreeMap<Kind, u64> = BTreeMap::new();
    for demand in &input.demands {
        *counts.entry(kind(&demand.key)).or_insert(0) += u64::from(demand.count);
    }
    counts
}
