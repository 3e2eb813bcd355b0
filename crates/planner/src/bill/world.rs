//! The problem in the solver's terms: shapes, durations, offerings; and what is still to be done.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::amount::Amount;
use crate::bill::host::Run;
use crate::bill::problem::{BillError, TimedProblem};
use crate::demand::{ClassSet, Shape, class_of};
use crate::headroom::CapSet;
use crate::prune::Offer;

/// The rules of time, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) boot: u32,
    pub(crate) billed_min: u32,
    /// No job ends later.
    pub(crate) deadline: u32,
}

/// A line of the file by index, and how many of its jobs.
pub(crate) type Line = (usize, u32);

/// Jobs of one shape that run equally long, and the lines of the file they come from.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) secs: u32,
    pub(crate) count: u32,
    /// The last second, counted as all others here, at which one may start on a host there is. On a new one it may
    /// always start when that is up.
    pub(crate) latest: u32,
    /// What a second of waiting costs, as a part of what a second of the job is worth.
    pub(crate) haste: f64,
    pub(crate) lines: Vec<Line>,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    /// Counts are jobs. They have no groups of the planner's own kind.
    pub(crate) shapes: Vec<Shape>,
    /// For each shape its groups, those that run longest first.
    pub(crate) groups: Vec<Vec<Group>>,
    /// Cheapest first.
    pub(crate) offers: Vec<Offer>,
    /// For each of them, by its `at`, the index into where they come from.
    pub(crate) file_indices: Vec<usize>,
    /// How often a host of an offering is lost, by the offering's `at`: interruptions in a million hours. Those that
    /// are not listed never are.
    pub(crate) hazards: Vec<u32>,
    pub(crate) clock: Clock,
    /// Which groups are the same jobs, if any are.
    pub(crate) ways: Option<Arc<Ways>>,
}

/// A group by its shape and its place in that.
pub(crate) type Place = (usize, usize);

/// Groups that are the same jobs, each in another way: whoever takes a job of one takes it of all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    sets: Vec<Vec<Place>>,
    /// The set of each group that is in one.
    set_of: BTreeMap<Place, usize>,
}

impl Ways {
    /// None if there are no sets. Of each set the first place is the cheapest.
    pub(crate) fn of(sets: Vec<Vec<Place>>) -> Option<Arc<Self>> {
        let mut set_of = BTreeMap::new();
        for (ord, set) in sets.iter().enumerate() {
            set_of.extend(set.iter().map(|place| (*place, ord)));
        }
        (!sets.is_empty()).then(|| Arc::new(Self { sets, set_of }))
    }

    /// All ways of the jobs of a group, the cheapest first; none if they have but one.
    pub(crate) fn of_place(&self, place: Place) -> Option<&[Place]> {
        self.set_of.get(&place).and_then(|set| self.sets.get(*set)).map(Vec::as_slice)
    }

    /// The other ways of the jobs of a group.
    fn others(&self, place: Place) -> impl Iterator<Item = Place> {
        self.of_place(place).into_iter().flatten().copied().filter(move |other| *other != place)
    }

    /// All of them.
    pub(crate) fn sets(&self) -> &[Vec<Place>] {
        &self.sets
    }
}

/// How many jobs of each group have no place yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backlog {
    of_group: Vec<Vec<u32>>,
    of_shape: Vec<u64>,
    ways: Option<Arc<Ways>>,
}

impl Backlog {
    pub(crate) fn left(&self, shape: usize, rank: usize) -> u32 {
        self.of_group[shape][rank]
    }

    pub(crate) fn groups(&self, shape: usize) -> &[u32] {
        &self.of_group[shape]
    }

    pub(crate) fn has(&self, shape: usize) -> bool {
        0 < self.of_shape[shape]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.of_shape.iter().all(|n| *n == 0)
    }

    pub(crate) fn take(&mut self, shape: usize, rank: usize, count: u32) {
        debug_assert!(count <= self.of_group[shape][rank], "only what is left can be taken");
        self.of_group[shape][rank] -= count;
        self.of_shape[shape] -= u64::from(count);
        if let Some(ways) = self.ways.clone() {
            for (shape, rank) in ways.others((shape, rank)) {
                self.of_group[shape][rank] -= count;
                self.of_shape[shape] -= u64::from(count);
            }
        }
    }

    pub(crate) fn give_back(&mut self, run: &Run) {
        self.of_group[run.shape][run.rank] += run.count;
        self.of_shape[run.shape] += u64::from(run.count);
        if let Some(ways) = self.ways.clone() {
            for (shape, rank) in ways.others((run.shape, run.rank)) {
                self.of_group[shape][rank] += run.count;
                self.of_shape[shape] += u64::from(run.count);
            }
        }
    }

    /// How many times all of these are left; as often as can be counted if they are nothing.
    pub(crate) fn times(&self, runs: &[Run]) -> u32 {
        let first = |run: &Run| {
            let place = (run.shape, run.rank);
            self.ways
                .as_ref()
                .and_then(|ways| ways.of_place(place)?.first().copied())
                .unwrap_or(place)
        };
        let mut groups: Vec<(Place, u32)> =
            runs.iter().map(|run| (first(run), run.count)).collect();
        groups.sort_unstable();
        let mut times = u32::MAX;
        for of_group in groups.chunk_by(|a, b| a.0 == b.0) {
            let n = of_group.iter().fold(0_u32, |sum, (_, n)| sum.saturating_add(*n));
            if let Some(((shape, rank), _)) = of_group.first() {
                times = times.min(self.left(*shape, *rank) / n.max(1));
            }
        }
        times
    }
}

impl World {
    pub(crate) fn new(problem: &TimedProblem) -> Result<Self, BillError> {
        let rules = problem.time;
        let clock = Clock {
            boot: seconds(rules.boot_s, || "time.boot_s".to_owned())?,
            billed_min: seconds(rules.min_billed_s, || "time.min_billed_s".to_owned())?,
            deadline: seconds(rules.deadline_s, || "time.deadline_s".to_owned())?,
        };
        let (offers, file_indices) = offers(problem)?;
        let mut grouped: BTreeMap<(ClassSet, Amount), BTreeMap<u32, Vec<Line>>> = BTreeMap::new();
        for (index, job) in problem.jobs.iter().enumerate() {
            let secs = seconds(job.duration_s, || format!("jobs[{index}].duration_s"))?;
            let key = job.to_line().to_exact_key(index)?;
            if job.count == 0 {
                continue;
            }
            let need = Amount::of(&key.need);
            let classes = ClassSet::of(&key);
            let holds = |o: &Offer| classes.has(o.class) && need.fits(&o.capacity);
            if !offers.iter().any(holds) {
                return Err(BillError::FitsNothing { index });
            }
            let end_s = u64::from(clock.boot) + u64::from(secs);
            if u64::from(clock.deadline) < end_s {
                return Err(BillError::TooLong { index, end_s, deadline_s: clock.deadline });
            }
            let of_shape = grouped.entry((classes, need)).or_default();
            of_shape.entry(secs).or_default().push((index, job.count));
        }
        let (mut shapes, mut groups) = (Vec::new(), Vec::new());
        for ((classes, need), by_secs) in grouped {
            let mut of_shape: Vec<Group> = Vec::with_capacity(by_secs.len());
            for (secs, lines) in by_secs.into_iter().rev() {
                of_shape.extend(counted(secs, lines));
            }
            let count = of_shape.iter().map(|group| u64::from(group.count)).sum();
            shapes.push(Shape { need, classes, count, groups: Vec::new() });
            groups.push(of_shape);
        }
        Ok(Self { shapes, groups, offers, file_indices, hazards: Vec::new(), clock, ways: None })
    }

    pub(crate) fn backlog(&self) -> Backlog {
        let counts = |groups: &Vec<Group>| groups.iter().map(|group| group.count).collect();
        Backlog {
            of_group: self.groups.iter().map(counts).collect(),
            of_shape: self.shapes.iter().map(|shape| shape.count).collect(),
            ways: self.ways.clone(),
        }
    }

    /// A backlog of nothing.
    pub(crate) fn nothing_left(&self) -> Backlog {
        Backlog {
            of_group: self.groups.iter().map(|groups| vec![0; groups.len()]).collect(),
            of_shape: vec![0; self.shapes.len()],
            ways: self.ways.clone(),
        }
    }

    pub(crate) fn secs(&self, shape: usize, rank: usize) -> u32 {
        self.groups[shape][rank].secs
    }

    /// Interruptions in a million hours.
    pub(crate) fn hazard(&self, offer: &Offer) -> u32 {
        self.hazards.get(offer.at).copied().unwrap_or(0)
    }

    /// The part of a job's run that is expected to be lost on this offering and done again: with interruptions at the
    /// rate `h`, a job of length `d` that begins anew each time takes `(e^(h d) - 1) / h` in all, and each time a boot.
    pub(crate) fn loss(&self, offer: &Offer, secs: u32) -> f64 {
        const SECS_PER_MILLION_HOURS: f64 = 3.6e9;
        let hazard = self.hazard(offer);
        if hazard == 0 || secs == 0 {
            return 0.0;
        }
        let (rate, secs) = (f64::from(hazard) / SECS_PER_MILLION_HOURS, f64::from(secs));
        // Beyond e^20 it never ends, and nothing is gained by saying how much so.
        let n_lost = (rate * secs).min(20.0).exp_m1();
        n_lost / (rate * secs) - 1.0 + n_lost * f64::from(self.clock.boot) / secs
    }

    /// Whether a group is the cheapest way of its jobs, or the only one.
    pub(crate) fn is_first_way(&self, place: Place) -> bool {
        let set = self.ways.as_ref().and_then(|ways| ways.of_place(place));
        set.is_none_or(|set| set.first() == Some(&place))
    }

    /// Seconds of work of each shape, if each job is run the cheapest way.
    pub(crate) fn job_seconds(&self) -> Vec<u64> {
        let of_shape = |(shape, groups): (usize, &Vec<Group>)| {
            let ranked = groups.iter().enumerate();
            let counted = ranked.filter(|(rank, _)| self.is_first_way((shape, *rank)));
            counted.fold(0_u64, |sum, (_, group)| {
                sum.saturating_add(u64::from(group.count) * u64::from(group.secs))
            })
        };
        self.groups.iter().enumerate().map(of_shape).collect()
    }
}

/// Groups of at most 2^32 jobs each.
fn counted(secs: u32, lines: Vec<Line>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (line, count) in lines {
        match groups.last_mut().and_then(|group| Some((group.count.checked_add(count)?, group))) {
            Some((sum, group)) => {
                group.count = sum;
                group.lines.push((line, count));
            }
            None => {
                groups.push(Group {
                    secs,
                    count,
                    latest: u32::MAX,
                    haste: 0.0,
                    lines: vec![(line, count)],
                });
            }
        }
    }
    groups
}

/// CPU is counted in thousandths here, as the file has it: nothing is lost by rounding.
fn offers(problem: &TimedProblem) -> Result<(Vec<Offer>, Vec<usize>), BillError> {
    let mut seen = BTreeMap::new();
    let mut named = Vec::with_capacity(problem.offers.len());
    for (at, offer) in problem.offers.iter().enumerate() {
        let offering = offer.to_exact_offering(at)?;
        let capacity = Amount::of(&offering.capacity);
        let class = class_of(offering.traits());
        let pool = offering.pool;
        if seen.insert(pool.clone(), at).is_some() {
            return Err(crate::problem::ProblemError::RepeatedOffer { index: at, pool }.into());
        }
        named.push((
            pool,
            Offer { capacity, price: offering.price.get(), class, caps: CapSet::default(), at },
        ));
    }
    named.sort_by(|(pool, a), (other, b)| (a.price, pool).cmp(&(b.price, other)));
    let file_indices = named.iter().map(|(_, offer)| offer.at).collect();
    let offers = named.into_iter().enumerate().map(|(at, (_, offer))| Offer { at, ..offer });
    Ok((offers.collect(), file_indices))
}

fn seconds(value: f64, field: impl Fn() -> String) -> Result<u32, BillError> {
    const SECONDS_MAX: f64 = 2_147_483_648.0;
    let is_whole = value.is_finite() && value.fract().abs() < f64::EPSILON;
    let whole = u32::try_from(crate::amount::whole_of(value));
    match whole {
        Ok(whole) if is_whole && (0.0..=SECONDS_MAX).contains(&value) => Ok(whole),
        Ok(_) | Err(_) => Err(BillError::NotSeconds { field: field(), value }),
    }
}
