//! Asks the planner, and turns its plan into intents: attempts on hosts there are, launches for the rest.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use spillway_core::job::LiveAttempt;
use spillway_core::launch::LaunchState;
use spillway_core::plan::{NoFit, Placement, PlannedLaunch, WaitReason};
use spillway_core::{
    Change, Expectation, Host, HostId, HostState, JobId, JobState, Launch, LaunchId, OrdSet,
    Planned,
};

use crate::engine::{Cx, Engine, OpenLaunch};
use crate::fleet::Entry;
use crate::limits;
use crate::question::Question;
use crate::timer::Timer;

impl Engine {
    /// When the next plan is due: arrivals are gathered for a moment, other reasons are not.
    pub(crate) fn plan_due(&self) -> Option<Timestamp> {
        let gathered = self.arrivals.map(|(first, last)| {
            (last + self.config.batch_idle).min(first + self.config.batch_max)
        });
        let later = self.replan_later.first().copied();
        let due = [gathered, self.replan_at, later].into_iter().flatten().min();
        // Without prices nothing could be bought; they will ask for a plan when they come.
        due.filter(|_| self.raw_catalog.is_some())
    }

    pub(crate) fn plan_if_due(&mut self, cx: &mut Cx) {
        if self.plan_due().is_none_or(|due| cx.now < due) {
            return;
        }
        self.arrivals = None;
        self.replan_at = None;
        self.replan_later.retain(|at| cx.now < *at);
        if self.nobody_waits() && !self.fleet.has_idle(cx.now) {
            self.report = spillway_core::plan::Report::default();
            self.clear_reservations();
            return;
        }
        self.end_long_holds(cx.now);
        let mut question = self.question(cx.now);
        let policy = self.plan_policy();
        let Planned { plan, report } = self.planner.plan(&question.input, &policy);
        self.clear_reservations();
        for gang in &plan.gangs {
            self.carry_out_gang(cx, &mut question, gang);
        }
        for placement in &plan.placements {
            self.place(cx, &mut question, placement);
        }
        // Only now is it known which jobs still wait.
        for placement in &plan.placements {
            self.reserve(cx, &mut question, placement);
        }
        for launch in &plan.launches {
            self.decide_launch(cx, Some(&mut question), launch);
        }
        for waiting in &report.waiting {
            match &waiting.reason {
                WaitReason::CoolingDown { until, .. } => {
                    self.replan_later((*until).max(cx.now + limits::CALL_RETRY));
                }
                // If nothing has ended by then, the next plan sees that they wait too long.
                WaitReason::RoomExpected { in_secs } => {
                    let expected = SignedDuration::from_secs((*in_secs).into());
                    self.replan_later(cx.now + expected.max(limits::ROOM_RECHECK_MIN));
                }
                WaitReason::TooLarge(no_fit @ NoFit::Exceeds { .. }) => {
                    let ids = question.jobs(&self.waiting, &waiting.key, waiting.count);
                    self.fail_too_large(cx, &ids, no_fit);
                }
                // A market or architecture without any offering is rather a gap in the prices than a fact.
                WaitReason::TooLarge(NoFit::NoOffering { .. })
                | WaitReason::LimitReached { .. }
                | WaitReason::StartRate { .. }
                | WaitReason::NoCatalog => {}
            }
        }
        self.report = report;
        for host in &plan.give_back {
            self.give_back(cx, *host);
        }
        if self.fleet.has_idle(cx.now) {
            self.replan_later(cx.now + limits::IDLE_RECHECK);
        }
    }

    /// What was learnt about hosts since a job was admitted may leave it without any that could hold it.
    fn fail_too_large(&mut self, cx: &mut Cx, ids: &[JobId], no_fit: &NoFit) {
        let reason = format!("Job fits no host: {no_fit}");
        let mut children: BTreeMap<JobId, OrdSet> = BTreeMap::new();
        for id in ids {
            if self.jobs.contains_key(id) {
                self.leave_line(*id);
                let reason = reason.clone();
                self.move_job(cx, *id, JobState::Failed { at: cx.now, reason }, None);
            } else if let (Some(index), Some(indexes)) = (id.index(), self.indexes_of(id.whole()))
                && let Some(ord) = indexes.ord_of(index)
            {
                children.entry(id.whole()).or_default().insert(ord);
            }
        }
        for (array, ords) in children {
            self.end_children(cx, array, &ords, &reason);
        }
    }

    /// Forgets what hosts were kept for; the plan in hand says it anew.
    fn clear_reservations(&mut self) {
        let reserved: Vec<HostId> = self
            .fleet
            .iter()
            .filter(|entry| !entry.host.reserved.is_empty() || entry.held_for.is_some())
            .map(|entry| entry.host.id)
            .collect();
        for id in reserved {
            if let Some(entry) = self.fleet.get_mut(id) {
                entry.host.reserved.clear();
                entry.held_for = None;
            }
        }
    }

    /// Puts work on a host that is ready.
    fn place(&mut self, cx: &mut Cx, question: &mut Question, placement: &Placement) {
        if self.fleet.get(placement.host).is_none_or(|entry| !entry.is_ready(cx.now)) {
            return;
        }
        for job in question.jobs(&self.waiting, &placement.key, placement.count) {
            self.start_on(cx, question, job, placement.host);
        }
    }

    /// Keeps a host that is not ready for its work.
    fn reserve(&mut self, cx: &Cx, question: &mut Question, placement: &Placement) {
        let Some(entry) = self.fleet.get_mut(placement.host) else { return };
        if entry.is_ready(cx.now) {
            return;
        }
        // Not written at once: after a restart the same plan is made again from the same jobs.
        let kept = question.keep(&self.waiting, &placement.key, placement.count);
        entry.host.reserved.extend(kept);
    }

    /// Gives a job to a host: written down first, with the attempt that makes the call's token.
    fn start_on(&mut self, cx: &mut Cx, question: &mut Question, id: JobId, host: HostId) {
        let record = self.jobs.get(&id).or_else(|| self.jobs.get(&id.whole()));
        let (Some(job), Some(entry)) = (record, self.fleet.get(host)) else { return };
        let need = job.need();
        let fits = need.fits(&entry.free());
        debug_assert!(fits, "the planner put {need} where only {} is free", entry.free());
        if !fits {
            return;
        }
        let expected = Some(question.expectation(&self.memory, &job.spec));
        if self.jobs.contains_key(&id) {
            self.leave_line(id);
            self.begin_attempt(cx, id, host, expected, false);
        } else if self.begin_child(id) {
            self.begin_new_attempt(cx, id, host, expected, false);
        }
    }

    /// The attempt of a child or a node that has a record in memory and none in the ledger.
    pub(crate) fn begin_new_attempt(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        host: HostId,
        expected: Option<Expectation>,
        awaits_main: bool,
    ) {
        let Some(state) = self.starting_on(cx, id, host, expected, awaits_main) else { return };
        if let Some(job) = self.jobs.get_mut(&id) {
            job.state = state.clone();
        }
        cx.changes.push(Change::AddChild { id, state });
        self.begun(cx, id);
    }

    /// An attempt of a job that has a record.
    pub(crate) fn begin_attempt(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        host: HostId,
        expected: Option<Expectation>,
        awaits_main: bool,
    ) {
        let Some(state) = self.starting_on(cx, id, host, expected, awaits_main) else { return };
        self.move_job(cx, id, state, None);
        self.begun(cx, id);
    }

    fn starting_on(
        &self,
        cx: &Cx,
        id: JobId,
        host: HostId,
        expected: Option<Expectation>,
        awaits_main: bool,
    ) -> Option<JobState> {
        let attempt = LiveAttempt {
            ord: self.jobs.get(&id)?.next_attempt(),
            host,
            placed_at: cx.now,
            task: None,
            awaits_main,
            task_version: 0,
            stop: None,
            expected,
        };
        Some(JobState::Starting { attempt })
    }

    /// Takes an attempt's place, and starts it unless it awaits another.
    fn begun(&mut self, cx: &mut Cx, id: JobId) {
        self.take_place(id);
        let Some(job) = self.jobs.get(&id) else { return };
        let Some(attempt) = job.state.live_attempt().filter(|a| !a.awaits_main) else { return };
        let (ord, start_by) = (attempt.ord, cx.now + self.start_timeout(&job.spec));
        self.timers.set(start_by, Timer::StartTimeout(id, ord));
        let send_at = self.task_calls.take(cx.now);
        if send_at <= cx.now {
            self.send_start(cx, id, ord);
        } else {
            self.timers.set(send_at, Timer::Start(id, ord));
        }
    }

    /// Writes down what is to be bought, in calls of a readable size. Without `question` it is for a multi-node job, which says
    /// anew with each plan what is kept for it.
    pub(crate) fn decide_launch(
        &mut self,
        cx: &mut Cx,
        mut question: Option<&mut Question>,
        planned: &PlannedLaunch,
    ) {
        let (Some(first), Some(market)) = (planned.choices.first(), planned.market()) else {
            return;
        };
        let mut left = planned.count;
        while 0 < left {
            let n_hosts = left.min(limits::LAUNCH_HOSTS_MAX);
            left -= n_hosts;
            let id = LaunchId::derive(self.ledger, self.n_launches);
            self.n_launches += 1;
            let hosts: Vec<HostId> = (0..n_hosts).map(|ord| HostId::derive(id, ord)).collect();
            let offering = self.catalog.get(&first.pool);
            for host in &hosts {
                let mut reserved = Vec::new();
                for (key, n) in &planned.contents {
                    if let Some(question) = question.as_deref_mut() {
                        reserved.extend(question.keep(&self.waiting, key, *n));
                    }
                }
                let host = Host {
                    id: *host,
                    launch: Some(id),
                    pool: first.pool.clone(),
                    arch: planned.arch,
                    gpu: offering.and_then(|o| o.gpu),
                    price: first.price,
                    capacity: planned.capacity,
                    hazard: offering.map(|o| o.hazard).unwrap_or_default(),
                    reserved,
                    state: HostState::Requested,
                };
                cx.changes.push(Change::PutHost(Box::new(host.clone())));
                self.fleet.put(Entry::new(host));
            }
            let launch = Launch {
                id,
                decided_at: cx.now,
                market,
                choices: planned.choices.clone(),
                hosts,
                state: LaunchState::Open { retry_at: cx.now, n_failed: 0 },
            };
            cx.changes.push(Change::PutLaunch(Box::new(launch.clone())));
            self.launches.insert(id, OpenLaunch { launch, calling: false });
            self.send_launch(cx, id);
        }
    }
}
