//! Whether a plan does what the problem asks, and what that costs.
//!
//! It looks at the hosts in the plan's order, then at the job lines in the problem's, and stops at the first thing
//! that is wrong. Sums are in 128 bits.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use super::given::{GivenHosts, GivenPlan};
use super::terms::{Host, Jobs, Terms, Times};

/// Time is counted in millionths of a second here: an outside plan may start jobs between seconds.
const MICROS: u128 = 1_000_000;

/// A plan that does what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feasible {
    /// What it costs: millionths of a dollar per hour; for a bill, times millionths of a second.
    pub cost: u128,
    /// Hosts.
    pub hosts: u128,
    /// Jobs.
    pub jobs: u128,
}

/// The first constraint of a problem that a plan violates.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct Violation {
    /// Where, as `instances[3] (c7g.large, spot, us-east-1a)`, or `jobs[17]`.
    pub place: String,
    /// What is wrong there.
    pub fault: Fault,
}

/// What a plan can do wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// No such offering.
    #[error("the problem offers no such host")]
    NotOffered,
    /// An offering that the problem names twice.
    #[error("the problem offers this host twice, so nobody can tell which one is meant")]
    OfferedTwice,
    /// No hosts.
    #[error("a count of 0")]
    NoHosts,
    /// No list of what is on the hosts.
    #[error("no \"{0}\": what is on these hosts is not said")]
    NoContents(&'static str),
    /// No such job line.
    #[error("it names jobs[{job}], the problem has {lines} job lines")]
    NoSuchJob {
        /// The index given.
        job: usize,
        /// How many there are.
        lines: usize,
    },
    /// No jobs.
    #[error("it names jobs[{job}] with a count of 0")]
    NoJobs {
        /// The job line.
        job: usize,
    },
    /// The wrong architecture.
    #[error("jobs[{job}] do not run on its architecture")]
    WrongArch {
        /// The job line.
        job: usize,
    },
    /// The wrong market.
    #[error("jobs[{job}] may not run on Spot")]
    WrongMarket {
        /// The job line.
        job: usize,
    },
    /// A start that is no time.
    #[error("jobs[{job}] start at {start_s} s, which is no time")]
    NoTime {
        /// The job line.
        job: usize,
        /// What is given.
        start_s: f64,
    },
    /// A job that starts before its host is up.
    #[error("jobs[{job}] start at {start_s} s, before it is up at {boot_s} s")]
    BeforeBoot {
        /// The job line.
        job: usize,
        /// When.
        start_s: f64,
        /// When it could.
        boot_s: u64,
    },
    /// A job that ends too late.
    #[error("jobs[{job}] end at {end_s} s, after the deadline of {deadline_s} s")]
    AfterDeadline {
        /// The job line.
        job: usize,
        /// When.
        end_s: f64,
        /// When they should.
        deadline_s: u64,
    },
    /// More than there is room for.
    #[error("{over}{}", at(*at_s))]
    OverCapacity {
        /// In which dimension, and by how much.
        over: Over,
        /// When, in a plan over time.
        at_s: Option<f64>,
    },
    /// Jobs that are on no host.
    #[error("{short} of its {asked} jobs are on no host")]
    Short {
        /// How many are missing.
        short: u128,
        /// How many there are.
        asked: u64,
    },
    /// More jobs than there are.
    #[error("{over} more than its {asked} jobs are on hosts")]
    TooMany {
        /// How many more.
        over: u128,
        /// How many there are.
        asked: u64,
    },
}

fn at(at_s: Option<f64>) -> String {
    at_s.map_or_else(String::new, |at_s| format!(" at {at_s} s"))
}

/// A dimension in which jobs need more than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// 0 vCPUs (in thousandths), 1 memory (MiB), 2 GPUs.
    pub dim: usize,
    /// What the jobs need.
    pub needed: u128,
    /// What there is.
    pub room: u64,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let room = u128::from(self.room);
        let over = self.needed.saturating_sub(room);
        let vcpus = |n: u128| {
            let text = format!("{}.{:03}", n / 1000, n % 1000);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match self.dim {
            0 => {
                let [needed, over, room] = [self.needed, over, room].map(vcpus);
                write!(f, "its jobs need {needed} vCPU, {over} more than its {room}")
            }
            1 => {
                let needed = self.needed;
                write!(f, "its jobs need {needed} MiB of memory, {over} more than its {room}")
            }
            _ => write!(f, "its jobs need {} GPUs, {over} more than its {room}", self.needed),
        }
    }
}

/// Whether a plan does what is asked.
///
/// # Errors
/// The first constraint it violates.
pub fn feasible(terms: &Terms, plan: &GivenPlan) -> Result<Feasible, Violation> {
    let mut offers: BTreeMap<[&str; 3], (&Host, bool)> = BTreeMap::new();
    for (host, names) in terms.hosts.iter().zip(&terms.names) {
        let entry = offers.entry(names.each_ref().map(String::as_str));
        entry.and_modify(|(_, is_twice)| *is_twice = true).or_insert((host, false));
    }
    let mut placed = vec![0_u128; terms.jobs.len()];
    let mut feasible = Feasible { cost: 0, hosts: 0, jobs: 0 };
    for (at, group) in plan.instances.iter().enumerate() {
        let GivenHosts { instance_type, market, az, .. } = group;
        let names = [instance_type.as_str(), market.as_str(), az.as_str()];
        let cost = match offers.get(&names) {
            None => Err(Fault::NotOffered),
            Some((_, true)) => Err(Fault::OfferedTwice),
            Some((host, false)) => group_cost(terms, host, group, &mut placed),
        };
        let place = || format!("instances[{at}] ({})", names.join(", "));
        let cost = cost.map_err(|fault| Violation { place: place(), fault })?;
        feasible.cost = feasible.cost.saturating_add(cost);
        feasible.hosts = feasible.hosts.saturating_add(group.count.into());
    }
    for (job, (jobs, placed)) in terms.jobs.iter().zip(placed).enumerate() {
        let asked = u128::from(jobs.count);
        let fault = match placed.cmp(&asked) {
            Ordering::Less => Fault::Short { short: asked - placed, asked: jobs.count },
            Ordering::Greater => Fault::TooMany { over: placed - asked, asked: jobs.count },
            Ordering::Equal => {
                feasible.jobs = feasible.jobs.saturating_add(placed);
                continue;
            }
        };
        return Err(Violation { place: format!("jobs[{job}]"), fault });
    }
    Ok(feasible)
}

/// What a group of hosts costs, if it is as it should be; counts its jobs.
fn group_cost(
    terms: &Terms,
    host: &Host,
    group: &GivenHosts,
    placed: &mut [u128],
) -> Result<u128, Fault> {
    if group.count == 0 {
        return Err(Fault::NoHosts);
    }
    let secs = match &terms.times {
        None => {
            let contents = group.jobs_per_instance.as_ref();
            let contents = contents.ok_or(Fault::NoContents("jobs_per_instance"))?;
            held(terms, host, group.count, contents, placed)?;
            1
        }
        Some(times) => {
            let runs = group.runs.as_ref().ok_or(Fault::NoContents("runs"))?;
            billed(terms, times, host, group.count, runs, placed)?
        }
    };
    Ok(u128::from(host.price).saturating_mul(group.count.into()).saturating_mul(secs))
}

fn held(
    terms: &Terms,
    host: &Host,
    count: u64,
    contents: &[(usize, u64)],
    placed: &mut [u128],
) -> Result<(), Fault> {
    let mut needed = [0_u128; 3];
    for (job, n) in contents {
        let jobs = allowed(terms, host, *job, *n)?;
        count_in(placed, *job, *n, count);
        for (sum, need) in needed.iter_mut().zip(jobs.need) {
            *sum = sum.saturating_add(u128::from(need).saturating_mul((*n).into()));
        }
    }
    over(&needed, host).map_or(Ok(()), |over| Err(Fault::OverCapacity { over, at_s: None }))
}

/// For how many millionths of a second a host is billed.
fn billed(
    terms: &Terms,
    times: &Times,
    host: &Host,
    count: u64,
    runs: &[(usize, u64, f64)],
    placed: &mut [u128],
) -> Result<u128, Fault> {
    // At one moment what ends is gone before what starts: both changes are one.
    let mut changes: BTreeMap<u128, [i128; 3]> = BTreeMap::new();
    let mut last_end: u128 = 0;
    for (job, n, start_s) in runs {
        let (job, start_s) = (*job, *start_s);
        let jobs = allowed(terms, host, job, *n)?;
        let start = micros(start_s).ok_or(Fault::NoTime { job, start_s })?;
        if start < u128::from(times.boot) * MICROS {
            return Err(Fault::BeforeBoot { job, start_s, boot_s: times.boot });
        }
        let end = start + u128::from(jobs.secs) * MICROS;
        if u128::from(times.deadline) * MICROS < end {
            let (end_s, deadline_s) = (seconds(end), times.deadline);
            return Err(Fault::AfterDeadline { job, end_s, deadline_s });
        }
        count_in(placed, job, *n, count);
        last_end = last_end.max(end);
        for (at, sign) in [(start, 1), (end, -1)] {
            let change = changes.entry(at).or_default();
            for (sum, need) in change.iter_mut().zip(jobs.need) {
                *sum = sum.saturating_add(sign * i128::from(need).saturating_mul((*n).into()));
            }
        }
    }
    let mut used = [0_i128; 3];
    for (at, change) in changes {
        for (used, change) in used.iter_mut().zip(change) {
            *used = used.saturating_add(change);
        }
        let needed = used.map(|n| u128::try_from(n).unwrap_or(0));
        if let Some(over) = over(&needed, host) {
            return Err(Fault::OverCapacity { over, at_s: Some(seconds(at)) });
        }
    }
    Ok(last_end.max(u128::from(times.billed_min) * MICROS))
}

/// The job line, if some of it may run on the host.
fn allowed<'a>(terms: &'a Terms, host: &Host, job: usize, n: u64) -> Result<&'a Jobs, Fault> {
    let lines = terms.jobs.len();
    let jobs = terms.jobs.get(job).ok_or(Fault::NoSuchJob { job, lines })?;
    if n == 0 {
        return Err(Fault::NoJobs { job });
    }
    if !jobs.on_arch[usize::from(host.is_arm)] {
        return Err(Fault::WrongArch { job });
    }
    if host.is_spot && !jobs.spot_ok {
        return Err(Fault::WrongMarket { job });
    }
    Ok(jobs)
}

fn count_in(placed: &mut [u128], job: usize, n: u64, count: u64) {
    if let Some(placed) = placed.get_mut(job) {
        *placed = placed.saturating_add(u128::from(n) * u128::from(count));
    }
}

/// The first dimension in which more is needed than there is.
fn over(needed: &[u128; 3], host: &Host) -> Option<Over> {
    let dims = needed.iter().zip(host.room).enumerate();
    let mut over = dims.filter(|(_, (needed, room))| u128::from(*room) < **needed);
    over.next().map(|(dim, (needed, room))| Over { dim, needed: *needed, room })
}

/// Times beyond this are no times: some 100,000 years.
const SECONDS_MAX: f64 = 4e12;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "it is neither negative nor large"
)]
fn micros(secs: f64) -> Option<u128> {
    (0.0..=SECONDS_MAX).contains(&secs).then(|| (secs * 1e6).round() as u128)
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "for a reader's eye")]
fn seconds(micros: u128) -> f64 {
    micros as f64 / 1e6
}
