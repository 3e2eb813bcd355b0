//! The planner's question, made of what the control loop holds, and the way back from its answer: which jobs a demand
//! stands for. Decides nothing.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use spillway_core::class::whole_secs;
use spillway_core::durations::{duration_bucket, duration_bucket_below};
use spillway_core::job::{Expectation, ExpectedFrom};
use spillway_core::plan::Headroom;
use spillway_core::{
    Busy, Catalog, CpuUnits, Demand, DemandKey, HostId, Job, JobClass, JobId, JobSpec, JobState,
    KindId, MarketRule, MicroUsdPerHour, PlanInput, PlanPolicy,
};

use crate::engine::Engine;
use crate::fleet::{Entry, Run};
use crate::forecast::KindForecast;
use crate::limits;
use crate::memory::Memory;
use crate::waiting::Waiting;

/// A question, and which classes of jobs each of its demands stands for.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) input: PlanInput,
    classes: BTreeMap<DemandKey, Vec<JobClass>>,
    /// Jobs that hosts are kept for.
    kept: BTreeMap<JobClass, u32>,
    forecasts: Forecasts,
}

impl Question {
    /// The first `n` jobs that a demand stands for, in the order they came.
    pub(crate) fn jobs(&self, waiting: &Waiting, key: &DemandKey, n: u32) -> Vec<JobId> {
        self.classes.get(key).map(|classes| waiting.first(classes, n)).unwrap_or_default()
    }

    /// What the planner is told of a class.
    pub(crate) fn key_of(
        &mut self,
        engine: &Engine,
        now: Timestamp,
        class: &JobClass,
    ) -> DemandKey {
        engine.demand_key(now, class, &mut self.forecasts)
    }

    /// What is expected of a job.
    pub(crate) fn expectation(&mut self, memory: &Memory, spec: &JobSpec) -> Expectation {
        let told_secs = spec.expected_duration.map(whole_secs);
        self.forecasts.expectation(memory, KindId::of(spec), told_secs)
    }

    /// Which of the jobs of a demand a host is to be kept for: of those that are not kept for yet, and still wait.
    pub(crate) fn keep(
        &mut self,
        waiting: &Waiting,
        key: &DemandKey,
        n: u32,
    ) -> Vec<(JobClass, u32)> {
        let mut left = n;
        let mut kept = Vec::new();
        for class in self.classes.get(key).into_iter().flatten() {
            let before = self.kept.entry(*class).or_default();
            let count = waiting.count(class).saturating_sub(*before).min(left);
            if 0 < count {
                *before += count;
                left -= count;
                kept.push((*class, count));
            }
        }
        kept
    }
}

/// Where a job stands among those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The demand it is part of.
    pub key: DemandKey,
    /// How many jobs of that demand go before it.
    pub n_ahead: u32,
}

/// Forecasts that have been made at one moment, by kind.
#[derive(Debug)]
struct Forecasts {
    now: Timestamp,
    prior_secs: u32,
    of_kind: BTreeMap<KindId, KindForecast>,
}

impl Forecasts {
    fn of(&mut self, memory: &Memory, kind: KindId) -> &KindForecast {
        self.of_kind.entry(kind).or_insert_with(|| memory.forecast(self.now, kind))
    }

    fn expectation(
        &mut self,
        memory: &Memory,
        kind: KindId,
        told_secs: Option<u32>,
    ) -> Expectation {
        let prior_secs = self.prior_secs;
        self.of(memory, kind).of(told_secs, prior_secs)
    }
}

impl Engine {
    /// The class of a job.
    pub(crate) fn class_of(&self, job: &Job) -> JobClass {
        JobClass::of(job, self.config.patience.of(&job.spec.queue))
    }

    /// What is expected of a job, by what is known now.
    pub fn expectation(&self, now: Timestamp, spec: &JobSpec) -> Expectation {
        let told_secs = spec.expected_duration.map(whole_secs);
        self.forecasts(now).expectation(&self.memory, KindId::of(spec), told_secs)
    }

    fn forecasts(&self, now: Timestamp) -> Forecasts {
        let prior_secs = self.config.plan.prior_secs;
        Forecasts { now, prior_secs, of_kind: BTreeMap::new() }
    }

    /// How to plan, with what was learnt of how long hosts boot.
    pub fn plan_policy(&self) -> PlanPolicy {
        let policy = &self.config.plan;
        let boot_secs = self.memory.boot_secs(policy.boot_secs);
        let task_starts_per_sec = NonZeroU32::new(limits::TASK_CALLS_PER_SEC);
        PlanPolicy { boot_secs, task_starts_per_sec, ..policy.clone() }
    }

    /// The same control loop with prices it has not asked for, to see what it would do.
    #[must_use]
    pub fn with_prices(mut self, prices: Catalog, now: Timestamp) -> Self {
        // Prices that were never read are not prices of nothing.
        if prices.as_of.is_some() {
            self.raw_catalog = Some(prices);
            self.rebuild_catalog(now);
        }
        self
    }

    /// What the planner would be asked now.
    pub fn plan_input(&self, now: Timestamp) -> PlanInput {
        self.question(now).input
    }

    /// The same, and where one job stands in that question; nowhere if it does not wait for a place.
    pub fn plan_input_for(&self, now: Timestamp, job: JobId) -> (PlanInput, Option<Standing>) {
        let question = self.question(now);
        let standing = self.standing(&question, job);
        (question.input, standing)
    }

    fn standing(&self, question: &Question, id: JobId) -> Option<Standing> {
        let class = match self.jobs.get(&id) {
            Some(job) => self.class_of(job),
            None => self.class_of(&self.child(id)?),
        };
        let mut demands = question.classes.iter();
        let (key, _) = demands.find(|(_, classes)| classes.contains(&class))?;
        let in_line = question.jobs(&self.waiting, key, u32::MAX);
        let n_ahead = in_line.iter().position(|other| *other == id)?;
        Some(Standing { key: *key, n_ahead: u32::try_from(n_ahead).unwrap_or(u32::MAX) })
    }

    pub(crate) fn question(&self, now: Timestamp) -> Question {
        let mut forecasts = self.forecasts(now);
        let mut classes: BTreeMap<DemandKey, Vec<JobClass>> = BTreeMap::new();
        let mut demands: BTreeMap<DemandKey, Demand> = BTreeMap::new();
        for (class, count, first) in self.waiting.classes() {
            let key = self.demand_key(now, class, &mut forecasts);
            classes.entry(key).or_default().push(*class);
            let waited_secs = match self.jobs.get(&first) {
                Some(job) if key.patience_secs == 0 => overdue_secs(now, class, job),
                Some(_) | None => 0,
            };
            let demand = demands.entry(key).or_insert(Demand::new(key, 0));
            demand.count = demand.count.saturating_add(count);
            demand.waited_secs = demand.waited_secs.max(waited_secs);
            demand.n_again = demand.n_again.saturating_add(self.waiting.count_again(class));
        }
        let hosts = self.fleet.views(now, self.plan_policy().boot_secs, |entry| {
            let busy = self.busy(now, entry, &mut forecasts);
            (busy, self.reserved(now, entry, &mut forecasts))
        });
        let gangs = self.gang_demands(now, |class| self.demand_key(now, class, &mut forecasts));
        let cooling = self.cooling.iter().filter(|(_, cooldown)| now < cooldown.until);
        let input = PlanInput {
            now,
            demands: demands.into_values().collect(),
            hosts,
            catalog: Arc::clone(&self.catalog),
            cooling: cooling.map(|(pool, cooldown)| (pool.clone(), cooldown.until)).collect(),
            headroom: self.headroom(),
            fleet: if self.config.plan.mix.is_none() {
                BTreeMap::new()
            } else {
                self.fleet.cpu_by_pool()
            },
            gangs,
        };
        Question { input, classes, kept: BTreeMap::new(), forecasts }
    }

    /// What the planner is told of a class: what its jobs need, and what is expected of them by now.
    fn demand_key(&self, now: Timestamp, class: &JobClass, forecasts: &mut Forecasts) -> DemandKey {
        let expected = forecasts.expectation(&self.memory, class.kind, class.told_secs);
        let is_known = expected.from != ExpectedFrom::Prior;
        let until = |at: Timestamp| at.duration_since(now);
        let boot = SignedDuration::from_secs(self.plan_policy().boot_secs.into());
        let run = SignedDuration::from_secs(expected.high_secs.into());
        let left_to_start = class.start_by.map(until);
        let left_to_end = class.end_by.map(|at| until(at) - run - boot);
        let left = [left_to_start, left_to_end].into_iter().flatten().min();
        let left = left.filter(|left| SignedDuration::ZERO < *left);
        DemandKey {
            need: class.need,
            arch: class.arch,
            gpu_kinds: class.gpu_kinds,
            market: if class.shuns_spot && self.sells_on_demand(class) {
                MarketRule::OnDemand
            } else {
                class.market
            },
            expected_secs: is_known.then(|| duration_bucket(expected.secs)),
            patience_secs: left.map_or(0, |left| duration_bucket_below(whole_secs(left))),
        }
    }

    /// Whether jobs of this class could run On-Demand at all.
    fn sells_on_demand(&self, class: &JobClass) -> bool {
        let key = DemandKey {
            need: class.need,
            arch: class.arch,
            gpu_kinds: class.gpu_kinds,
            market: MarketRule::OnDemand,
            expected_secs: None,
            patience_secs: 0,
        };
        spillway_planner::admit(&key, &self.catalog, &self.config.plan).is_ok()
    }

    /// The work a host was bought for, as the planner's question has it now.
    fn reserved(
        &self,
        now: Timestamp,
        entry: &Entry,
        forecasts: &mut Forecasts,
    ) -> Vec<(DemandKey, u32)> {
        let mut reserved: BTreeMap<DemandKey, u32> = BTreeMap::new();
        for (class, count) in &entry.host.reserved {
            let of_key = reserved.entry(self.demand_key(now, class, forecasts)).or_default();
            *of_key = of_key.saturating_add(*count);
        }
        reserved.into_iter().collect()
    }

    /// What the jobs on a host hold and when they are expected to end, soonest first.
    fn busy(&self, now: Timestamp, entry: &Entry, forecasts: &mut Forecasts) -> Vec<Busy> {
        let prior_secs = self.config.plan.prior_secs;
        let mut busy: Vec<Busy> = Vec::with_capacity(entry.runs().len());
        for (run, count) in entry.runs() {
            let ran = u32::try_from(now.as_second().saturating_sub(run.since_sec)).unwrap_or(0);
            let forecast = forecasts.of(&self.memory, run.kind);
            let ends_in_secs = forecast.left_secs(run.told_secs, prior_secs, ran);
            busy.push(Busy { ends_in_secs, need: run.need, count: *count });
        }
        busy.sort_unstable();
        busy.dedup_by(|later, first| {
            let is_same = (later.ends_in_secs, later.need) == (first.ends_in_secs, first.need);
            if is_same {
                first.count = first.count.saturating_add(later.count);
            }
            is_same
        });
        busy
    }

    fn headroom(&self) -> Headroom {
        let (n_hosts, cpu, price) = self.fleet.totals();
        let limits = &self.config.limits;
        let left = |max: u64, used: u64| max.saturating_sub(used);
        let mut quotas = limits.quotas;
        if !quotas.is_none() {
            for entry in self.fleet.iter() {
                quotas.take(&entry.host.pool, entry.host.capacity.cpu);
            }
        }
        Headroom {
            quotas,
            on_demand: None,
            spot: None,
            hosts: limits.hosts_max.map(|max| max.saturating_sub(n_hosts)),
            cpu: limits.cpu_max.map(|max| CpuUnits::new(max.get().saturating_sub(cpu.get()))),
            price: limits.price_max.map(|max| MicroUsdPerHour::new(left(max.get(), price.get()))),
        }
    }
}

/// How long a job whose patience has ended has waited since, in seconds.
fn overdue_secs(now: Timestamp, class: &JobClass, job: &Job) -> u32 {
    let due = class.start_by.unwrap_or(job.created_at).min(class.end_by.unwrap_or(Timestamp::MAX));
    u32::try_from(now.duration_since(due.max(job.created_at)).as_secs()).unwrap_or(0)
}

impl Engine {
    /// The kind of a job; that of an array's children is known.
    fn kind_of(&self, job: &Job) -> KindId {
        let array = job.id.index().and_then(|_| self.arrays.get(&job.id.whole()));
        array.map_or_else(|| KindId::of(&job.spec), |array| array.place.class.kind)
    }

    /// What a job holds on its host.
    pub(crate) fn run_of(&self, id: JobId) -> Option<(HostId, Run)> {
        let job = self.jobs.get(&id)?;
        run_of(job, || self.kind_of(job))
    }
}

/// What a job holds on its host, and since when it runs, or was placed there if it has not been seen running.
fn run_of(job: &Job, kind: impl FnOnce() -> KindId) -> Option<(HostId, Run)> {
    let attempt = job.state.live_attempt()?;
    let since = match &job.state {
        JobState::Running { started_at, .. } => *started_at,
        JobState::Submitted
        | JobState::Pending
        | JobState::Runnable { .. }
        | JobState::Starting { .. }
        | JobState::Succeeded { .. }
        | JobState::Failed { .. } => attempt.placed_at,
    };
    let run = Run {
        need: job.need(),
        kind: kind(),
        told_secs: job.spec.expected_duration.map(whole_secs),
        since_sec: since.as_second(),
    };
    Some((attempt.host, run))
}
