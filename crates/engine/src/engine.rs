//! The control loop's state, its one entry, and what every concern shares. Decides nothing by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use spillway_core::array::ArrayRecord;
use spillway_core::change::{Cooldown, EndedJob};
use spillway_core::job::{Attempt, JobStatus};
use spillway_core::plan::Report;
use spillway_core::{
    AttemptOrd, Catalog, Change, Definitions, Effect, Gate, Host, HostId, HostState, Input,
    InstanceId, Job, JobId, JobState, Launch, LaunchId, LedgerState, Pausable, Planner, PoolId,
    Resources,
};

use spillway_planner::Spillway;

use crate::array::ArrayJob;
use crate::backfill::Hold;
use crate::breakers::Breakers;
use crate::budgets::Budgets;
use crate::bursts::Bursts;
use crate::calls::{Call, Calls};
use crate::config::EngineConfig;
use crate::dependency::Waits;
use crate::fleet::Fleet;
use crate::gang::GangLine;
use crate::in_use::InUse;
use crate::lane::Lanes;
use crate::memory::Memory;
use crate::schedule::Schedules;
use crate::shared::SharedTasks;
use crate::timer::{Timer, Timers};
use crate::waiting::Waiting;

/// What follows from one input. Commit `changes`, then perform `effects`, then call again at `wake_at` at the latest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[must_use = "changes must be committed and effects performed"]
pub struct Step {
    /// What the ledger must hold first.
    pub changes: Vec<Change>,
    /// What to do then.
    pub effects: Vec<Effect>,
    /// When a [`Input::Tick`] is due, if nothing else happens before.
    pub wake_at: Option<Timestamp>,
}

/// One step in the making: the time, and what has been decided so far.
#[derive(Debug)]
pub(crate) struct Cx {
    pub(crate) now: Timestamp,
    pub(crate) changes: Vec<Change>,
    pub(crate) effects: Vec<Effect>,
}

impl Cx {
    /// Writes that a job has moved on. Where it stood before within the same step is nobody's concern.
    fn move_job(&mut self, id: JobId, state: JobState, ended: Option<Attempt>) {
        let ended = ended.map(Box::new);
        match self.changes.last_mut() {
            Some(Change::MoveJob { id: last, state: before, ended: before_ended @ None })
                if *last == id =>
            {
                *before = state;
                *before_ended = ended;
            }
            Some(_) | None => self.changes.push(Change::MoveJob { id, state, ended }),
        }
    }
}

/// A launch that EC2 has not answered.
#[derive(Debug)]
pub(crate) struct OpenLaunch {
    pub(crate) launch: Launch,
    pub(crate) calling: bool,
    /// Whether a call of it may have bought hosts without saying so.
    pub(crate) may_have_bought: bool,
}

/// The control loop's whole state.
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: EngineConfig,
    pub(crate) planner: Box<dyn Planner>,
    pub(crate) ledger: spillway_core::id::LedgerId,
    /// Boxed: they come and go by the thousand, and a map moves what it holds.
    pub(crate) jobs: BTreeMap<JobId, Box<Job>>,
    pub(crate) ended: BTreeMap<JobId, EndedJob>,
    /// Arrays that have not ended.
    pub(crate) arrays: BTreeMap<JobId, ArrayJob>,
    /// Arrays that have.
    pub(crate) past_arrays: BTreeMap<JobId, ArrayRecord>,
    pub(crate) waits: Waits,
    pub(crate) lanes: Lanes,
    pub(crate) waiting: Waiting,
    /// Multi-node jobs that wait for hosts, and where others run.
    pub(crate) gangs: GangLine,
    /// Tasks that several children share, by the child that leads.
    pub(crate) shared_tasks: SharedTasks,
    /// What live attempts hold, by queue and share.
    pub(crate) in_use: InUse,
    /// What has been paused or resumed.
    pub(crate) gates: BTreeMap<Pausable, Gate>,
    /// Room that is being made for the first in line, by pool.
    pub(crate) holds: BTreeMap<usize, Hold>,
    pub(crate) definitions: Definitions,
    pub(crate) schedules: Schedules,
    pub(crate) fleet: Fleet,
    pub(crate) launches: BTreeMap<LaunchId, OpenLaunch>,
    pub(crate) memory: Memory,
    pub(crate) learned: BTreeMap<String, Resources>,
    pub(crate) cooling: BTreeMap<PoolId, Cooldown>,
    /// What is left alone after failures.
    pub(crate) breakers: Breakers,
    /// What is held until somebody approves it.
    pub(crate) bursts: Bursts,
    /// What has been spent, and whom that stops.
    pub(crate) budgets: Budgets,
    /// As read; none until the first answer.
    pub(crate) raw_catalog: Option<Catalog>,
    /// What may be bought of it, with what was learnt.
    pub(crate) catalog: Arc<Catalog>,
    /// The same, by pool.
    pub(crate) pool_catalogs: Vec<Arc<Catalog>>,
    pub(crate) timers: Timers,
    pub(crate) calls: Calls,
    /// Attempts whose start has been sent and not been answered.
    pub(crate) starting: BTreeSet<(JobId, AttemptOrd)>,
    /// Attempts that surely have no task yet: this dispatcher began them, and whatever was answered says that nothing happened.
    pub(crate) unsent: BTreeSet<(JobId, AttemptOrd)>,
    pub(crate) n_call_failed: BTreeMap<JobId, usize>,
    /// When an attempt that is to end is next told so; a timer for an earlier time is out of date.
    pub(crate) stop_at: BTreeMap<(JobId, AttemptOrd), Timestamp>,
    pub(crate) observing: bool,
    /// Looks in a row of which some part could not be read.
    pub(crate) n_blind_looks: usize,
    /// When the next look is due; a timer for an earlier plan of it is out of date.
    pub(crate) observe_at: Option<Timestamp>,
    pub(crate) reading_catalog: bool,
    /// The first and the last arrival since the last plan.
    pub(crate) arrivals: Option<(Timestamp, Timestamp)>,
    /// When to plan for another reason than an arrival.
    pub(crate) replan_at: Option<Timestamp>,
    /// When hosts or pools that are left alone may be tried again; a plan before that does not settle it.
    pub(crate) replan_later: BTreeSet<Timestamp>,
    /// Instances that EC2 has shown terminated, and when: an older look may still show them running.
    pub(crate) ended_instances: BTreeMap<InstanceId, Timestamp>,
    /// Messages about what is not known, and since when they have been seen.
    pub(crate) unknown_yet: BTreeMap<String, Timestamp>,
    pub(crate) report: Report,
    pub(crate) n_launches: u64,
    pub(crate) n_jobs: u64,
    /// Since when this dispatcher has listened.
    pub(crate) up_since: Timestamp,
    started: bool,
}

impl Engine {
    /// Starts from what the ledger holds. The first step must be a [`Input::Tick`]; it sends again every call whose
    /// answer the ledger does not hold, with the tokens it had.
    pub fn new(config: EngineConfig, state: LedgerState, now: Timestamp) -> Self {
        Self::with_planner(config, state, now, Box::new(Spillway::default()))
    }

    /// The same with another way to plan.
    pub fn with_planner(
        config: EngineConfig,
        state: LedgerState,
        now: Timestamp,
        planner: Box<dyn Planner>,
    ) -> Self {
        let budgets = Budgets::new(&config.budgets, state.spending);
        let mut engine = Self {
            config,
            planner,
            ledger: state.ledger,
            jobs: BTreeMap::new(),
            ended: state.ended,
            arrays: BTreeMap::new(),
            past_arrays: BTreeMap::new(),
            waits: Waits::default(),
            lanes: Lanes::default(),
            waiting: Waiting::default(),
            gangs: GangLine::default(),
            shared_tasks: SharedTasks::default(),
            in_use: InUse::new(state.shares),
            gates: state.gates,
            holds: BTreeMap::new(),
            definitions: Definitions::new(state.definitions),
            schedules: Schedules::new(state.schedules),
            fleet: Fleet::default(),
            launches: BTreeMap::new(),
            memory: Memory::new(state.history),
            learned: state.learned,
            cooling: state.cooling,
            breakers: Breakers::new(state.breakers),
            bursts: Bursts::new(state.burst),
            budgets,
            raw_catalog: None,
            catalog: Arc::default(),
            pool_catalogs: Vec::new(),
            timers: Timers::default(),
            calls: Calls::default(),
            starting: BTreeSet::new(),
            unsent: BTreeSet::new(),
            n_call_failed: BTreeMap::new(),
            stop_at: BTreeMap::new(),
            observing: false,
            n_blind_looks: 0,
            observe_at: None,
            reading_catalog: false,
            arrivals: None,
            replan_at: None,
            replan_later: BTreeSet::new(),
            ended_instances: BTreeMap::new(),
            unknown_yet: BTreeMap::new(),
            report: Report::default(),
            n_launches: state.n_launches,
            n_jobs: state.n_jobs,
            up_since: now,
            started: false,
        };
        for host in state.hosts {
            engine.resume_host(now, host);
        }
        for launch in state.launches {
            engine.calls.ask(Call::Launch(launch.id));
            let open = OpenLaunch { launch, calling: false, may_have_bought: true };
            engine.launches.insert(open.launch.id, open);
        }
        engine.resume_jobs(now, state.jobs, state.arrays);
        engine.resume_breakers(now);
        engine.look_at_budgets(now);
        engine
    }

    /// Takes one input. Total: it never fails, and an input that makes no sense any more changes nothing.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Step {
        let mut cx = Cx { now, changes: Vec::new(), effects: Vec::new() };
        let counters = (self.n_launches, self.n_jobs);
        if !self.started {
            self.started = true;
            self.timers.set(now, Timer::Catalog);
            self.observe_by(now);
        }
        match input {
            Input::Received(deliveries) => self.receive(&mut cx, deliveries),
            Input::Events(deliveries) => self.take_events(&mut cx, deliveries),
            Input::Answered(answer) => self.take_answer(&mut cx, answer),
            Input::Tick => {}
        }
        self.run_timers(&mut cx);
        self.run_schedules(&mut cx);
        self.settle(&mut cx);
        self.plan_if_due(&mut cx);
        // A plan may find that a job can never run, or a call whose turn it is.
        self.send_calls(&mut cx);
        self.settle(&mut cx);
        self.memory.take_changes(&mut cx.changes);
        self.in_use.take_changes(&mut cx.changes);
        self.budgets.take_changes(&mut cx.changes);
        if counters != (self.n_launches, self.n_jobs) {
            let (n_launches, n_jobs) = (self.n_launches, self.n_jobs);
            cx.changes.push(Change::Counters { n_launches, n_jobs });
        }
        let calls = self.calls.next(now);
        let wakes = [self.timers.next(), self.plan_due(), self.schedules.next(), calls];
        let wake_at = wakes.into_iter().flatten().min();
        Step { changes: cx.changes, effects: cx.effects, wake_at }
    }

    fn run_timers(&mut self, cx: &mut Cx) {
        while let Some(timer) = self.timers.pop_due(cx.now) {
            match timer {
                Timer::Launch(launch) => self.calls.ask(Call::Launch(launch)),
                Timer::Start(job, ord) => self.calls.ask(Call::Start(job, ord)),
                Timer::Stop(job, ord) => self.stop_is_due(cx, job, ord),
                Timer::StartTimeout(job, ord) => self.start_timed_out(cx, job, ord),
                Timer::AttemptTimeout(job, ord) => self.attempt_timed_out(cx, job, ord),
                Timer::Report(job, ord) => self.calls.ask(Call::Report(job, ord)),
                Timer::Arrival(job) => self.arrival_timed_out(cx, job),
                Timer::QueueTimeout(job) => self.queue_timed_out(cx, job),
                Timer::JobTimeout(job) => self.job_timed_out(cx, job),
                Timer::Requeue(job) => self.requeue(cx, job),
                Timer::Register(host) => self.register_timed_out(cx, host),
                Timer::Idle(host) => self.drain_if_idle(cx, host),
                Timer::Drain(host) => self.advance_drain(cx, host),
                Timer::ReclaimNear(host) => self.stop_before_reclaim(cx, host),
                Timer::Terminate(host) => self.calls.ask(Call::Terminate(host)),
                Timer::Ended(host) => self.bury(cx, host),
                Timer::AgentAway(host) => self.agent_stayed_away(cx, host),
                Timer::Observe => self.observe(cx),
                Timer::Catalog => self.read_catalog(cx),
                Timer::Budget => self.look_at_budgets(cx.now),
            }
        }
    }

    /// Moves a job on, in memory and in the ledger. A job that ends is forgotten but for its id.
    pub(crate) fn move_job(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        state: JobState,
        ended: Option<Attempt>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        debug_assert!(!job.state.status().is_terminal(), "a terminal state is written once");
        if let Some(attempt) = &ended {
            // Most jobs have one attempt, and room for more would be most of what they take.
            job.attempts.reserve_exact(1);
            job.attempts.push(attempt.clone());
        }
        job.state = state.clone();
        let outcome = EndedJob::of(job.body_hash, &state);
        cx.move_job(id, state, ended);
        self.note_holding(cx.now, id);
        if let Some(ended) = outcome {
            self.forget_job(cx, id, ended);
        }
    }

    /// A job has ended: it is forgotten but for how, and those who wait for it will be told.
    fn forget_job(&mut self, cx: &mut Cx, id: JobId, ended: EndedJob) {
        let Some(job) = self.jobs.remove(&id) else { return };
        self.n_call_failed.remove(&id);
        if id.node_index().is_some() {
            return;
        }
        self.gangs.forget(id);
        if id.index().is_some() {
            return self.child_ended(cx, id, ended.succeeded);
        }
        self.ended.insert(id, ended);
        if job.spec.gang.is_some() {
            self.end_nodes(cx, id, &job.state);
        }
        self.shelve_array(id);
        self.forget_waits(id, &job.spec);
        self.note_settled(id);
    }

    /// Work has come that may run at once: it is planned when no more has come for a moment.
    pub(crate) fn note_arrival(&mut self, now: Timestamp) {
        let first = self.arrivals.map_or(now, |(first, _)| first);
        self.arrivals = Some((first, now));
    }

    /// Moves a host on, in memory and in the ledger.
    pub(crate) fn move_host(&mut self, cx: &mut Cx, id: HostId, state: HostState) {
        let Some(entry) = self.fleet.get_mut(id) else { return };
        entry.host.move_to(state);
        entry.n_call_failed = 0;
        cx.changes.push(Change::PutHost(Box::new(entry.host.clone())));
        self.fleet.reindex(id);
    }

    /// Asks for a plan soon, because there is room or demand that there was not before.
    pub(crate) fn replan_by(&mut self, at: Timestamp) {
        self.replan_at = Some(self.replan_at.map_or(at, |already| already.min(at)));
    }

    /// Asks for a plan at `at`, even if others are made before: what is left alone until then may be tried again.
    pub(crate) fn replan_later(&mut self, at: Timestamp) {
        // One plan a second is soon enough for whatever becomes free within it.
        let whole_sec = Timestamp::from_second(at.as_second().saturating_add(1)).unwrap_or(at);
        self.replan_later.insert(whole_sec);
    }

    /// Jobs that have not ended.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().map(AsRef::as_ref)
    }

    /// How many jobs that have not ended are in each state; of arrays, their children.
    pub fn status_counts(&self) -> BTreeMap<JobStatus, u64> {
        let mut counts: BTreeMap<JobStatus, u64> = BTreeMap::new();
        let is_counted = |job: &&Job| job.id == job.id.whole() && job.spec.array.is_none();
        for job in self.jobs().filter(is_counted) {
            *counts.entry(job.state.status()).or_default() += 1;
        }
        for summary in self.arrays.keys().filter_map(|id| self.status_summary(*id)) {
            for (status, n) in summary.into_iter().filter(|(status, _)| !status.is_terminal()) {
                *counts.entry(status).or_default() += u64::from(n);
            }
        }
        counts
    }

    /// Hosts that are not gone.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.fleet.iter().map(|entry| &entry.host)
    }

    /// The last plan's report: who waits, and why.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What may be bought, as of the last reading of prices.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Whether nothing is left to do: no job, no host, no launch without an answer.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.fleet.is_empty() && self.launches.is_empty()
    }
}
