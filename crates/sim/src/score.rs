//! How good a run was: what became of the jobs, how long they waited, and where every micro-dollar went.
//!
//! Jobs are counted as the ledger has them, machines as they really were in the simulated cloud. The bill is split so
//! that its three parts sum to it exactly. Floats only leave for a reader's eye.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use spillway_core::job::JobStatus;
use spillway_core::{
    Attempt, Catalog, DemandKey, FailureCategory, InstanceId, Job, JobState, Market, MarketRule,
    MicroUsd, MicroUsdPerHour, Offering, cost,
};

use spillway_engine::calibration::Calibration;

use crate::cloud::SimCloud;
use crate::ec2::{InstanceEnd, SimInstance};

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct JobCounts {
    /// All.
    pub total: u64,
    /// Ended with exit code 0.
    pub succeeded: u64,
    /// Ended otherwise.
    pub failed: u64,
    /// Have not ended.
    pub open: u64,
}

/// How long jobs waited from being accepted to their first attempt running. In JSON seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// On average.
    #[serde(serialize_with = "as_seconds")]
    pub mean: SignedDuration,
    /// Half waited no longer.
    #[serde(serialize_with = "as_seconds")]
    pub p50: SignedDuration,
    /// 95 % waited no longer.
    #[serde(serialize_with = "as_seconds")]
    pub p95: SignedDuration,
    /// Nobody waited longer.
    #[serde(serialize_with = "as_seconds")]
    pub max: SignedDuration,
}

/// What the machines cost, and for what. `work + idle + boot == total`, to the micro-dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// All that EC2 bills, in micro-dollars.
    pub total: MicroUsd,
    /// The attempts' shares of their hosts.
    pub work: MicroUsd,
    /// Registered, and not reserved by any attempt.
    pub idle: MicroUsd,
    /// From launch to registration; all of a host that never registered.
    pub boot: MicroUsd,
}

/// Machines of one type and market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostCount {
    /// The instance type.
    pub instance_type: String,
    /// The market.
    pub market: Market,
    /// How many there ever were.
    pub n: u64,
    /// What they cost.
    pub cost: MicroUsd,
}

/// The score of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Jobs by state.
    pub jobs: JobCounts,
    /// From the beginning to the end of the last job that ended. In JSON seconds.
    #[serde(serialize_with = "as_seconds")]
    pub makespan: SignedDuration,
    /// Waits of the jobs that ran.
    pub wait: Waits,
    /// The bill, in micro-dollars.
    pub bill: Bill,
    /// What the jobs that ran would have cost on a fresh On-Demand machine each: the cheapest that fits, paid from
    /// launch (with this world's mean boot) to the end of the job's last attempt of its own. In micro-dollars.
    pub on_demand_one_vm_per_job: MicroUsd,
    /// Calls that bought machines.
    pub n_launches: u64,
    /// How often a pool gave fewer machines than it was asked for.
    pub n_pool_refusals: u64,
    /// Machines there ever were, by type and market.
    pub hosts: Vec<HostCount>,
    /// All attempts.
    pub n_attempts: u64,
    /// Attempts beyond each job's first.
    pub n_retries: u64,
    /// Machines that EC2 took back, or announced to.
    pub n_interruptions: u64,
    /// Machines that died.
    pub n_host_deaths: u64,
    /// Messages on the dead-letter queue.
    pub n_dead_letters: u64,
    /// How often the dispatcher died.
    pub n_crashes: u64,
    /// How often a job had a second task while a first, declared lost, was still alive.
    pub n_doubled_tasks: u64,
    /// What was predicted against what came.
    pub calibration: Calibration,
}

pub(crate) fn as_seconds<S: Serializer>(
    time: &SignedDuration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    // Runs count in milliseconds; rounded to them, a number has its shortest text.
    serializer.serialize_f64((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

impl Score {
    /// The score at `now` of `jobs` as the ledger has them, over `cloud` as it is.
    pub fn of<J: Borrow<Job>>(
        jobs: impl IntoIterator<Item = J>,
        cloud: &SimCloud,
        now: Timestamp,
    ) -> Self {
        let catalog = cloud.price_list(now);
        let boot = cloud.config().boot.mean();
        let mut tally = Tally::new(cloud.started_at());
        for job in jobs {
            tally.add_job(job.borrow(), &catalog, boot, now);
        }
        let mut score = tally.score();
        let mut hosts: BTreeMap<(&str, Market), (u64, MicroUsd)> = BTreeMap::new();
        for instance in cloud.ec2().instances() {
            let bill = split(instance, &tally.work_on, now);
            score.bill.total += bill.total;
            score.bill.work += bill.work;
            score.bill.idle += bill.idle;
            score.bill.boot += bill.boot;
            let key = (instance.pool.instance_type.as_str(), instance.pool.market);
            let (n, cost) = hosts.entry(key).or_default();
            *n += 1;
            *cost += bill.total;
            score.n_interruptions += u64::from(instance.interrupted_at.is_some());
            let died = matches!(instance.ended, Some((_, InstanceEnd::Died)));
            score.n_host_deaths += u64::from(died);
        }
        let counted = |((instance_type, market), (n, cost)): ((&str, Market), (u64, MicroUsd))| {
            HostCount { instance_type: instance_type.to_owned(), market, n, cost }
        };
        score.hosts = hosts.into_iter().map(counted).collect();
        score.n_launches = count(cloud.ec2().n_launches());
        score.n_pool_refusals = cloud.ec2().n_refusals();
        score.n_dead_letters = count(cloud.dead_letters().len());
        score
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// One machine's bill by what it was paid for. What attempts carry beyond the machine's own life (they were given up
/// only after it had ended) is no cost of it.
fn split(instance: &SimInstance, work_on: &BTreeMap<InstanceId, MicroUsd>, now: Timestamp) -> Bill {
    let total = instance.bill(now);
    let boot = match instance.registered_at {
        Some(at) => instance.price.cost_of(at.duration_since(instance.launched_at)).min(total),
        None => total,
    };
    let carried = work_on.get(&instance.id).copied().unwrap_or_default();
    let work = carried.min(total.saturating_sub(boot));
    let idle = total.saturating_sub(boot).saturating_sub(work);
    Bill { total, work, idle, boot }
}

/// What is counted over the jobs.
struct Tally {
    started_at: Timestamp,
    jobs: JobCounts,
    waits: Vec<SignedDuration>,
    last_end: Timestamp,
    n_attempts: u64,
    n_retries: u64,
    on_demand: MicroUsd,
    work_on: BTreeMap<InstanceId, MicroUsd>,
    /// The cheapest On-Demand price per shape: workloads have few shapes and many jobs.
    prices: BTreeMap<DemandKey, Option<MicroUsdPerHour>>,
}

impl Tally {
    const fn new(started_at: Timestamp) -> Self {
        Self {
            started_at,
            jobs: JobCounts { total: 0, succeeded: 0, failed: 0, open: 0 },
            waits: Vec::new(),
            last_end: started_at,
            n_attempts: 0,
            n_retries: 0,
            on_demand: MicroUsd::ZERO,
            work_on: BTreeMap::new(),
            prices: BTreeMap::new(),
        }
    }

    fn add_job(&mut self, job: &Job, catalog: &Catalog, boot: SignedDuration, now: Timestamp) {
        // The nodes of a job beside the main one are machines and money, not jobs.
        let is_node = job.id.node_index().is_some();
        if !is_node {
            self.jobs.total += 1;
            match job.state.status() {
                JobStatus::Succeeded => self.jobs.succeeded += 1,
                JobStatus::Failed => self.jobs.failed += 1,
                JobStatus::Submitted
                | JobStatus::Pending
                | JobStatus::Runnable
                | JobStatus::Starting
                | JobStatus::Running => self.jobs.open += 1,
            }
        }
        if let JobState::Succeeded { at } | JobState::Failed { at, .. } = &job.state {
            self.last_end = self.last_end.max(*at);
        }
        let n_live = u64::from(job.state.live_attempt().is_some());
        let n_attempts = count(job.attempts.len()) + n_live;
        self.n_attempts += n_attempts;
        self.n_retries += n_attempts.saturating_sub(1);
        let running_since = job.state.running_since();
        let first_start = job.attempts.iter().find_map(|a| a.started_at).or(running_since);
        if let Some(started_at) = first_start.filter(|_| !is_node) {
            self.waits.push(started_at.duration_since(job.created_at).max(SignedDuration::ZERO));
        }
        for attempt in &job.attempts {
            *self.work_on.entry(attempt.instance.clone()).or_default() += attempt.cost;
        }
        self.add_on_demand(job, running_since.map(|at| now.duration_since(at)), catalog, boot);
    }

    /// The same job alone on a machine that EC2 never takes back: only attempts of its own count.
    fn add_on_demand(
        &mut self,
        job: &Job,
        running: Option<SignedDuration>,
        catalog: &Catalog,
        boot: SignedDuration,
    ) {
        let own_run = |attempt: &Attempt| {
            let is_own = !attempt.failure.is_some_and(FailureCategory::is_infrastructure);
            let started_at = attempt.started_at.filter(|_| is_own)?;
            Some(attempt.ran(&job.spec).unwrap_or(attempt.stopped_at.duration_since(started_at)))
        };
        let runs: Vec<SignedDuration> =
            job.attempts.iter().filter_map(own_run).chain(running).collect();
        if runs.is_empty() {
            return;
        }
        // On hosts like those for the alternative it was run as last.
        let last = job.attempts.last().map(|attempt| attempt.variant);
        let variant =
            job.state.live_attempt().map(|live| live.variant).or(last).unwrap_or_default();
        let spec = job.spec.as_variant(variant);
        let (need, arch, gpu_kinds) = (spec.resources, spec.arch, spec.gpu_kinds);
        let key = DemandKey {
            need,
            arch,
            gpu_kinds,
            market: MarketRule::OnDemand,
            expected_secs: None,
            patience_secs: 0,
            way: None,
        };
        let price = self.prices.entry(key).or_insert_with(|| cheapest(&key, catalog));
        if let Some(price) = price {
            let paid = runs.into_iter().fold(boot, SignedDuration::saturating_add);
            self.on_demand += price.cost_of(paid.max(cost::BILLED_MIN));
        }
    }

    fn score(&mut self) -> Score {
        Score {
            jobs: self.jobs,
            makespan: self.last_end.duration_since(self.started_at),
            wait: waits(&mut self.waits),
            bill: Bill::default(),
            on_demand_one_vm_per_job: self.on_demand,
            n_launches: 0,
            n_pool_refusals: 0,
            hosts: Vec::new(),
            n_attempts: self.n_attempts,
            n_retries: self.n_retries,
            n_interruptions: 0,
            n_host_deaths: 0,
            n_dead_letters: 0,
            n_crashes: 0,
            n_doubled_tasks: 0,
            calibration: Calibration::default(),
        }
    }
}

fn cheapest(key: &DemandKey, catalog: &Catalog) -> Option<MicroUsdPerHour> {
    let fits = |o: &&Offering| {
        o.pool.market == Market::OnDemand && key.allows(o.traits()) && key.need.fits(&o.capacity)
    };
    catalog.offerings().iter().filter(fits).map(|o| o.price).min()
}

/// Quantiles by nearest rank.
fn waits(waits: &mut [SignedDuration]) -> Waits {
    waits.sort_unstable();
    let Some(max) = waits.last().copied() else { return Waits::default() };
    let rank = |percent: usize| {
        let rank = (waits.len() * percent).div_ceil(100);
        waits.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    };
    let total: i128 = waits.iter().map(SignedDuration::as_millis).sum();
    let mean = total / i128::try_from(waits.len()).unwrap_or(i128::MAX);
    let mean = SignedDuration::from_millis(i64::try_from(mean).unwrap_or(i64::MAX));
    Waits { mean, p50: rank(50), p95: rank(95), max }
}
