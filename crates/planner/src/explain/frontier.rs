//! The frontier: what the work that waits is billed if it may start later.
//!
//! Each line is a whole schedule, made by the bill planner, in which every job starts within a given time, or all end by a
//! given time. It is for what goes on no host there is now, buys all hosts at once, and takes every job to run as long
//! as is expected. Interruptions are no part of it.

use spillway_core::plan::{DemandKey, LimitKind};
use spillway_core::{CpuUnits, MicroUsdPerHour, Planned, PoolId, Quota};

use crate::bill::schedule::{Rules, schedule};
use crate::demand::{Unplaced, merged};
use crate::explain::Question;
use crate::variants::as_planned;

pub use crate::bill::schedule::{Schedule, Unschedulable};

/// How long jobs wait for room after the hosts are up, in the lines that are looked at.
pub const WAITS_SECS: [u32; 8] = [0, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600];

/// EC2 bills at least a minute of a host.
const BILLED_SECS_MIN: u32 = 60;

/// A line of the frontier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// How long jobs were allowed to wait after the hosts are up; none where only the end was given.
    pub wait_secs: Option<u32>,
    /// The schedule.
    pub schedule: Schedule,
    /// Limits that leave no room for it.
    pub over: Vec<LimitKind>,
}

/// What is planned for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Work {
    jobs: Vec<Unplaced>,
    /// Jobs that go on hosts there are now.
    pub n_placed: u64,
    /// Jobs whose duration nobody knows: they are taken to run as long as the policy says.
    pub n_unknown: u64,
    /// Jobs that fit nothing that can be bought now.
    pub n_without: u64,
}

impl Work {
    /// How many jobs are planned for.
    pub fn n_jobs(&self) -> u64 {
        self.jobs.iter().map(|group| u64::from(group.count)).sum()
    }

    /// The work of a question that its plan puts on no host there is.
    pub fn of(question: &Question, planned: &Planned) -> Self {
        let demands = as_planned(&question.input.demands, planned);
        let mut work = Self { jobs: merged(&demands), ..Self::default() };
        for placement in &planned.plan.placements {
            let at = work.jobs.binary_search_by(|group| group.key.cmp(&placement.key));
            if let Some(group) = at.ok().and_then(|at| work.jobs.get_mut(at)) {
                group.count = group.count.saturating_sub(placement.count);
                work.n_placed = work.n_placed.saturating_add(placement.count.into());
            }
        }
        let mut kept = Vec::with_capacity(work.jobs.len());
        for group in work.jobs {
            let n = u64::from(group.count);
            if n == 0 {
                continue;
            }
            if crate::explain::groups::cheapest(question, &group.key).is_none() {
                work.n_without = work.n_without.saturating_add(n);
                continue;
            }
            if group.key.expected_secs.is_none() {
                work.n_unknown = work.n_unknown.saturating_add(n);
            }
            kept.push(group);
        }
        Self { jobs: kept, ..work }
    }

    /// How long all of it takes, one job after the other.
    fn secs_in_a_row(&self, question: &Question) -> u64 {
        let of =
            |group: &Unplaced| u64::from(secs_of(&group.key, question)) * u64::from(group.count);
        self.jobs.iter().map(of).fold(0, u64::saturating_add)
    }

    fn longest(&self, question: &Question) -> u32 {
        let of = |group: &Unplaced| secs_of(&group.key, question);
        self.jobs.iter().map(of).max().unwrap_or(0)
    }
}

fn secs_of(key: &DemandKey, question: &Question) -> u32 {
    key.expected_secs.unwrap_or(question.policy.prior_secs)
}

/// Schedules that no other one of them beats in both the last start and the bill, the soonest first; those that a limit
/// leaves no room for are among them and say so.
pub fn frontier(question: &Question, work: &Work) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let all_in_a_row = work.secs_in_a_row(question);
    for wait_secs in WAITS_SECS {
        let Ok(point) = at_wait(question, work, wait_secs) else { break };
        points.push(point);
        // One host could have begun the last job by now: more patience changes nothing.
        if all_in_a_row <= u64::from(wait_secs) {
            break;
        }
    }
    pareto(points)
}

fn pareto(points: Vec<Point>) -> Vec<Point> {
    let mut points = points;
    points.sort_by_key(|p| (p.schedule.last_start_secs, p.schedule.bill));
    let mut kept: Vec<Point> = Vec::new();
    for point in points {
        let least = kept.iter().map(|p| p.schedule.bill).min();
        if least.is_none_or(|least| point.schedule.bill < least) {
            kept.push(point);
        }
    }
    kept
}

fn at_wait(question: &Question, work: &Work, wait_secs: u32) -> Result<Point, Unschedulable> {
    let start_by = question.policy.boot_secs.saturating_add(wait_secs);
    let deadline = start_by.saturating_add(work.longest(question));
    point(question, work, Some(wait_secs), start_by, deadline)
}

/// The cheapest schedule that ends everything by `deadline_secs` from now.
///
/// # Errors
/// The job that cannot end by then, however soon it starts.
pub fn by_deadline(
    question: &Question,
    work: &Work,
    deadline_secs: u32,
) -> Result<Point, Unschedulable> {
    point(question, work, None, u32::MAX, deadline_secs)
}

fn point(
    question: &Question,
    work: &Work,
    wait_secs: Option<u32>,
    start_by: u32,
    deadline: u32,
) -> Result<Point, Unschedulable> {
    let rules = Rules {
        boot: question.policy.boot_secs,
        billed_min: BILLED_SECS_MIN,
        start_by,
        deadline,
        host_cpu_max: question.policy.host_cpu_max,
    };
    let of = |group: &Unplaced| (group.key, secs_of(&group.key, question), group.count);
    let jobs: Vec<(DemandKey, u32, u32)> = work.jobs.iter().map(of).collect();
    let is_cooling = |pool: &PoolId| crate::explain::groups::is_cooling(&question.input, pool);
    let schedule = schedule(&jobs, &question.input.catalog, &is_cooling, &rules)?;
    let over = over(question, &schedule);
    Ok(Point { wait_secs, schedule, over })
}

fn over(question: &Question, schedule: &Schedule) -> Vec<LimitKind> {
    let headroom = question.input.headroom;
    let is_over = [
        (LimitKind::Hosts, headroom.hosts.is_some_and(|left| left < schedule.n_hosts)),
        (
            LimitKind::Vcpus,
            headroom.cpu.is_some_and(|left: CpuUnits| u64::from(left.get()) < schedule.cpu_units),
        ),
        (
            headroom.price_limit(),
            headroom.price.is_some_and(|left: MicroUsdPerHour| left < schedule.price),
        ),
    ];
    let sums = is_over.into_iter().filter(|(_, over)| *over).map(|(kind, _)| kind);
    let quotas = headroom.quotas.iter().filter(|(quota, left)| {
        let counted = schedule.pools.iter().filter(|(pool, _)| Quota::of(pool) == Some(*quota));
        let cpu = |(pool, n): (&PoolId, &u32)| {
            let offering = question.input.catalog.get(pool);
            offering.map_or(0, |o| u64::from(o.capacity.cpu.get()) * u64::from(*n))
        };
        u64::from(left.get()) < counted.map(cpu).sum()
    });
    sums.chain(quotas.map(|(quota, _)| LimitKind::Quota(quota))).collect()
}
