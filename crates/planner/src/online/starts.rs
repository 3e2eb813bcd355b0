//! How many of the jobs that wait are worth a host now: no more than can be started on it soon.
//!
//! ECS starts a limited number of tasks in a second. What there is room for, and what comes free, takes its part of the starts
//! before a new host does. So nothing is bought while that lasts for as long as a new host boots, or until all have been started;
//! then for half as long again as one boots. What nothing there is could hold has its part of the starts on new hosts.
//! Where jobs are shorter, the time that one takes its place is what counts: at `r` starts a second and `d` seconds no more than
//! `r d` jobs ever run at once (J. D. C. Little, Operations Research 9, 1961). Hosts whose jobs outlast what was expected have
//! less that comes free: a wrong expectation delays and never starves.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use spillway_core::plan::{DemandKey, Report, WaitReason, Waiting};
use spillway_core::{HostTraits, PlanInput, PlanPolicy, Resources};

use crate::variants::FirstWays;

/// Beside the time for which it runs, a job's place is taken from the start call to the news of its end: so many seconds.
const CALL_SECS: u32 = 15;

/// Nothing is placed that could be started only later than this: until then there is another plan, and hosts that are not
/// needed stand idle and are given back.
const AHEAD_SECS: u128 = 4;

/// What is planned for, and what is left out of it.
pub(super) struct Startable<'a> {
    /// The question without what is left out.
    pub(super) input: Cow<'a, PlanInput>,
    per_sec: u32,
    withheld: BTreeMap<DemandKey, u32>,
}

impl<'a> Startable<'a> {
    /// Takes as large a part of every group as can be started.
    pub(super) fn of(input: &'a PlanInput, policy: &PlanPolicy) -> Self {
        let per_sec = policy.task_starts_per_sec.map_or(0, std::num::NonZeroU32::get);
        let whole = Self { input: Cow::Borrowed(input), per_sec, withheld: BTreeMap::new() };
        let firsts = FirstWays::of(&input.demands);
        let counted = || input.demands.iter().filter(|demand| firsts.has(&demand.key));
        let n_jobs: u128 = counted().map(|demand| u128::from(demand.count)).sum();
        let rate = u128::from(per_sec);
        if per_sec == 0 || n_jobs <= rate * AHEAD_SECS {
            return whole;
        }
        // As far ahead as new hosts are planned for, or until all have been started if that is sooner.
        let secs = horizon_secs(input, policy).min(n_jobs.div_ceil(rate));
        let n_started = n_jobs.min(rate * secs);
        let places = Places::of(input, secs);
        // Jobs are served if they are in any of their ways.
        let served = input.demands.iter().filter(|demand| places.serve(&demand.key));
        let served: BTreeSet<DemandKey> = served.map(|demand| firsts.key(&demand.key)).collect();
        let is_served = |key: &DemandKey| served.contains(&firsts.key(key));
        let of_served = counted().filter(|demand| is_served(&demand.key));
        let n_served: u128 = of_served.map(|demand| u128::from(demand.count)).sum();
        let started_of = |part: u128| (n_started * part).div_ceil(n_jobs);
        let n_startable = places.n_startable(started_of(n_served), rate);
        if n_served <= n_startable && n_jobs <= n_started {
            return whole;
        }
        let mut input = input.clone();
        let mut withheld: BTreeMap<DemandKey, u32> = BTreeMap::new();
        for demand in &mut input.demands {
            let all = u128::from(demand.count);
            // What nothing there is could serve has its part of the starts on new hosts.
            let part = if is_served(&demand.key) {
                (all * n_startable).div_ceil(n_served.max(1))
            } else {
                started_of(all)
            };
            let count = u32::try_from(part).unwrap_or(u32::MAX).min(demand.count);
            let left_out = demand.count - count;
            demand.count = count;
            demand.n_again = demand.n_again.min(count);
            if 0 < left_out && firsts.has(&demand.key) {
                let of_key = withheld.entry(demand.key).or_default();
                *of_key = of_key.saturating_add(left_out);
            }
        }
        Self { input: Cow::Owned(input), per_sec, withheld }
    }

    /// Whether something is left out.
    pub(super) fn is_part(&self) -> bool {
        !self.withheld.is_empty()
    }

    /// Says of what was left out that it waits.
    pub(super) fn report_withheld(self, report: &mut Report) {
        let Self { input, per_sec, mut withheld } = self;
        let firsts = FirstWays::of(&input.demands);
        for waiting in &mut report.waiting {
            // The first of the group tell why it waits.
            let more = withheld.remove(&firsts.key(&waiting.key)).unwrap_or(0);
            waiting.count = waiting.count.saturating_add(more);
        }
        for (key, count) in withheld {
            let reason = WaitReason::StartRate { per_sec };
            report.waiting.push(Waiting { key, count, reason });
        }
        report.waiting.sort_by_key(|waiting| waiting.key);
    }
}

/// Whether such a job may start on such a host, in what is free there.
fn is_for(key: &DemandKey, (traits, free): &(HostTraits, Resources)) -> bool {
    key.allows(*traits) && key.need.fits(free)
}

/// Where waiting jobs may start without a new host.
struct Places {
    /// Room on hosts that are ready, and on those that boot, by what they are; equal ones once.
    free: BTreeSet<(HostTraits, Resources)>,
    n_ready: u128,
    n_booting: u128,
    /// What comes free soon: by what the host is and what the job that ends there holds, how many.
    coming: BTreeMap<(HostTraits, Resources), u128>,
    n_coming: u128,
}

impl Places {
    /// What there is, and what is expected to come free within so many seconds.
    fn of(input: &PlanInput, secs: u128) -> Self {
        let mut coming: BTreeMap<(HostTraits, Resources), u128> = BTreeMap::new();
        for host in &input.hosts {
            for busy in host.busy.iter().filter(|busy| u128::from(busy.ends_in_secs) <= secs) {
                *coming.entry((host.traits(), busy.need)).or_default() += u128::from(busy.count);
            }
        }
        coming.retain(|place, _| input.demands.iter().any(|d| is_for(&d.key, place)));
        let (n_ready, n_booting) = room_for(input);
        let free = input.hosts.iter().map(|host| (host.traits(), host.free)).collect();
        let n_coming = coming.values().sum();
        Self { free, n_ready, n_booting, coming, n_coming }
    }

    /// Whether any of it is for such jobs.
    fn serve(&self, key: &DemandKey) -> bool {
        self.coming.keys().chain(&self.free).any(|place| is_for(key, place))
    }

    /// How many of the jobs that it serves are planned for, if `n_started` of them can be started soon, at so many a second.
    fn n_startable(&self, n_started: u128, rate: u128) -> u128 {
        let n_taken = self.n_ready + self.n_booting + self.n_coming;
        let is_enough = n_started * 2 <= n_taken * 3;
        let n_new = if is_enough { 0 } else { n_started.saturating_sub(n_taken) };
        self.n_ready.min(rate * AHEAD_SECS) + self.n_booting + n_new
    }
}

/// How many of what waits there is room for, on the hosts that are ready and on those that boot, if each takes what it holds
/// most of.
fn room_for(input: &PlanInput) -> (u128, u128) {
    let (mut n_ready, mut n_booting) = (0, 0);
    let mut known: BTreeMap<(HostTraits, Resources), u128> = BTreeMap::new();
    for host in &input.hosts {
        // Full hosts are alike, and there are many.
        let n = *known.entry((host.traits(), host.free)).or_insert_with(|| {
            let allowed = input.demands.iter().filter(|demand| demand.key.allows(host.traits()));
            let n = allowed.map(|d| d.key.need.times_in(&host.free).min(d.count)).max();
            u128::from(n.unwrap_or(0))
        });
        *(if host.ready { &mut n_ready } else { &mut n_booting }) += n;
    }
    (n_ready, n_booting)
}

/// How far ahead new hosts are planned for: half as long again as they boot, or as long as jobs take their places if that is
/// shorter. One whose duration is not known may be long.
fn horizon_secs(input: &PlanInput, policy: &PlanPolicy) -> u128 {
    let longest = policy.boot_secs.saturating_add(policy.boot_secs / 2).max(1);
    let (mut n_jobs, mut job_secs) = (0_u128, 0_u128);
    for demand in &input.demands {
        let secs = demand.key.expected_secs.map_or(longest, |secs| secs.saturating_add(CALL_SECS));
        n_jobs += u128::from(demand.count);
        job_secs += u128::from(demand.count) * u128::from(secs);
    }
    job_secs.checked_div(n_jobs).unwrap_or(0).min(longest.into())
}
