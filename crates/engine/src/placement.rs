//! Asks the planner, and turns its plan into intents: attempts on hosts there are, launches for the rest.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use spillway_core::coalesce::SharedTask;
use spillway_core::job::LiveAttempt;
use spillway_core::launch::LaunchState;
use spillway_core::plan::{GangVerdict, NoFit, Placement, PlannedLaunch, Report, WaitReason};
use spillway_core::{
    Change, Expectation, Host, HostId, HostState, JobId, JobState, Launch, LaunchId, OrdSet,
    Planned, VariantOrd,
};

use crate::calls::Call;
use crate::dispatch::Selection;
use crate::engine::{Cx, Engine, OpenLaunch};
use crate::fleet::Entry;
use crate::lane::Lane;
use crate::limits;
use crate::question::{Question, Scope};
use crate::stage::{Band, Stage};
use crate::timer::Timer;
use crate::waiting::GroupKey;

/// What an attempt begins with.
#[derive(Debug, Default)]
pub(crate) struct Start {
    pub(crate) expected: Option<Expectation>,
    /// Which of its alternatives it is.
    pub(crate) variant: VariantOrd,
    /// A node that is not to start before the main one runs.
    pub(crate) awaits_main: bool,
    /// Its part in a task that others are in too.
    pub(crate) shared: Option<Box<SharedTask>>,
}

/// Whom hosts are bought for.
#[derive(Debug)]
pub(crate) enum BoughtFor<'a> {
    /// For jobs of a question.
    Jobs(&'a mut Question),
    /// For a multi-node job, which says anew with each plan what is kept for it.
    Gang(JobId),
}

/// Who has found a place in an earlier stage of a plan, or waits for one there.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// How many of each group.
    pub(crate) groups: BTreeMap<GroupKey, u32>,
    pub(crate) gangs: BTreeSet<JobId>,
}

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
        self.end_approval(cx);
        if self.plan_due().is_none_or(|due| cx.now < due) {
            return;
        }
        self.look_at_budgets(cx.now);
        self.arrivals = None;
        self.replan_at = None;
        self.replan_later.retain(|at| cx.now < *at);
        if self.nobody_waits() && !self.fleet.has_idle(cx.now) {
            self.report = Report::default();
            self.clear_reservations(|_| true);
            self.look_at_burst(cx);
            return;
        }
        self.end_long_holds(cx.now);
        self.report = Report::default();
        let stages = self.stages();
        let mut kept = Kept::default();
        let mut asked: BTreeSet<usize> = BTreeSet::new();
        for stage in &stages {
            self.plan_stage(cx, stage, &mut kept, &mut asked);
        }
        if let Some(pools) = stages.iter().map(|stage| stage.pool).collect::<Option<Vec<_>>>() {
            // Nothing is planned for the hosts of pools that are paused.
            self.clear_reservations(|pool| pool.is_none_or(|pool| !pools.contains(&pool)));
        }
        if self.fleet.has_idle(cx.now) {
            self.replan_later(cx.now + limits::IDLE_RECHECK);
        }
        self.look_at_burst(cx);
    }

    /// Asks about one pool: for those it is the next for and who have no place yet.
    fn plan_stage(
        &mut self,
        cx: &mut Cx,
        stage: &Stage,
        kept: &mut Kept,
        asked: &mut BTreeSet<usize>,
    ) {
        let pool = stage.pool;
        self.serve_hold(cx, pool);
        let mut selection = self.selection(cx.now, stage, &kept.groups, false);
        if let Some(head) = selection.head
            && !self.holds.contains_key(&pool.unwrap_or(0))
            && Self::could_be_passed(&selection, &head.0)
            && self.make_room(cx.now, pool, head)
        {
            self.serve_hold(cx, pool);
            selection = self.selection(cx.now, stage, &kept.groups, false);
        }
        if selection.is_cut {
            self.replan_later(cx.now);
        }
        let bands = self.bands(selection);
        let n_bands = bands.len();
        // Multi-node jobs are asked about with the first jobs of the stage, and go before them.
        let mut gangs = self.gang_selection(cx.now, pool, stage, &kept.gangs).asked;
        for (ord, (scope, selection)) in bands.into_iter().enumerate() {
            let gangs = std::mem::take(&mut gangs);
            let (mut question, mut planned) =
                self.ask(cx.now, pool, scope.as_ref(), &selection, &gangs);
            if scope.is_none()
                && !self.holds.contains_key(&pool.unwrap_or(0))
                && let Some(head) = self.left_out(&question, &planned)
                && Self::could_be_passed(&selection, &head.0)
                && self.make_room(cx.now, pool, head)
            {
                // It is asked again, without what is kept for the first in line.
                self.serve_hold(cx, pool);
                let selection = self.selection(cx.now, stage, &kept.groups, false);
                let of_scope = self.bands(selection).into_iter().find(|band| band.0.is_none());
                let selection = of_scope.map(|(_, selection)| selection).unwrap_or_default();
                (question, planned) = self.ask(cx.now, pool, scope.as_ref(), &selection, &gangs);
            }
            if asked.insert(pool.unwrap_or(0)) {
                // The question knew what they were kept for by the plan before.
                self.clear_reservations(|of_host| pool.is_none() || of_host == pool);
            }
            self.carry_out(cx, stage, &mut question, &planned, kept);
            // Only who has seen all the work knows which hosts are of no use.
            let gives_back = stage.is_last && ord + 1 == n_bands;
            for host in planned.plan.give_back.iter().filter(|_| gives_back) {
                self.give_back(cx, *host);
            }
            self.note_report(planned.report);
        }
    }

    /// Asks the planner.
    pub(crate) fn ask(
        &mut self,
        now: Timestamp,
        pool: Option<usize>,
        band: Option<&Band>,
        selection: &Selection,
        gangs: &[JobId],
    ) -> (Question, Planned) {
        let headroom = self.headroom_of_band(now, pool, band);
        let scope = Scope { selection, gangs, pool, headroom, holds: &self.holds };
        let question = self.question(now, &scope);
        let policy = self.plan_policy_at(now);
        let planned = self.planner.plan(&question.input, &policy);
        (question, planned)
    }

    fn carry_out(
        &mut self,
        cx: &mut Cx,
        stage: &Stage,
        question: &mut Question,
        planned: &Planned,
        kept: &mut Kept,
    ) {
        let Planned { plan, report } = planned;
        for gang in &plan.gangs {
            self.carry_out_gang(cx, question, stage.pool, gang);
            // Those for which nothing was found go on to the next pool.
            if matches!(gang.verdict, GangVerdict::Start | GangVerdict::Hold { .. }) {
                kept.gangs.insert(gang.job);
            }
        }
        for placement in &plan.placements {
            self.place(cx, question, placement);
        }
        let mut keep = |of: Vec<(GroupKey, u32)>| {
            for (group, count) in of {
                *kept.groups.entry(group).or_default() += count;
            }
        };
        // Only now is it known which jobs still wait.
        for placement in &plan.placements {
            keep(self.reserve(cx, question, placement));
        }
        for launch in &plan.launches {
            let bought_for = BoughtFor::Jobs(question);
            keep(self.decide_launch(cx, bought_for, stage.pool, launch));
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
                    // It waits here and not for the next pool.
                    keep(question.keep(&waiting.key, waiting.count));
                }
                WaitReason::TooLarge(no_fit @ NoFit::Exceeds { .. }) => {
                    let jobs = question.jobs(&self.waiting, &waiting.key, waiting.count);
                    let jobs = jobs.into_iter().filter(|(group, _)| self.fits_nowhere(group));
                    let tasks = jobs.map(|(group, id)| self.waiting.task_from(&group, id));
                    let ids: Vec<JobId> = tasks.flatten().collect();
                    self.fail_too_large(cx, &ids, no_fit);
                }
                // A market or architecture without any offering is rather a gap in the prices than a fact.
                WaitReason::TooLarge(NoFit::NoOffering { .. })
                | WaitReason::LimitReached { .. }
                | WaitReason::NoCatalog => {}
                // Another pool would start it no sooner.
                WaitReason::StartRate { .. } => keep(question.keep(&waiting.key, waiting.count)),
            }
        }
    }

    /// Adds what was said about one pool to what was said about the others.
    fn note_report(&mut self, of_stage: Report) {
        let Report { waiting, bound, n_offerings, n_undominated } = of_stage;
        let report = &mut self.report;
        report.waiting.extend(waiting);
        report.bound = report.bound.saturating_add(bound);
        report.n_offerings = report.n_offerings.saturating_add(n_offerings);
        report.n_undominated = report.n_undominated.saturating_add(n_undominated);
    }

    /// What was learnt about hosts since a job was admitted may leave it without any that could hold it.
    fn fail_too_large(&mut self, cx: &mut Cx, ids: &[JobId], no_fit: &NoFit) {
        self.fail_in_line(cx, ids, &format!("Job fits no host: {no_fit}"));
    }

    /// Ends jobs that wait in line.
    pub(crate) fn fail_in_line(&mut self, cx: &mut Cx, ids: &[JobId], reason: &str) {
        let mut children: BTreeMap<JobId, OrdSet> = BTreeMap::new();
        for id in ids {
            if self.jobs.contains_key(id) {
                self.leave_line(*id);
                let reason = reason.to_owned();
                self.move_job(cx, *id, JobState::Failed { at: cx.now, reason }, None);
            } else if let (Some(index), Some(indexes)) = (id.index(), self.indexes_of(id.whole()))
                && let Some(ord) = indexes.ord_of(index)
            {
                children.entry(id.whole()).or_default().insert(ord);
            }
        }
        for (array, ords) in children {
            self.end_children(cx, array, &ords, reason);
        }
    }

    /// Forgets what the hosts of some pools were kept for; the plan in hand says it anew.
    fn clear_reservations(&mut self, is_meant: impl Fn(Option<usize>) -> bool) {
        let reserved: Vec<HostId> = self
            .fleet
            .iter()
            .filter(|entry| !entry.host.reserved.is_empty() || entry.held_for.is_some())
            .filter(|entry| is_meant(entry.pool))
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
        let variant = placement.key.way.map(|way| way.ord).unwrap_or_default();
        for (group, job) in question.jobs(&self.waiting, &placement.key, placement.count) {
            if self.start_on(cx, Some(question), job, (placement.host, variant)) {
                question.placed(&placement.key, &group, job);
            }
        }
    }

    /// Keeps a host that is not ready for its work.
    fn reserve(
        &mut self,
        cx: &Cx,
        question: &mut Question,
        placement: &Placement,
    ) -> Vec<(GroupKey, u32)> {
        let Some(entry) = self.fleet.get_mut(placement.host) else { return Vec::new() };
        if entry.is_ready(cx.now) {
            return Vec::new();
        }
        // Not written at once: after a restart the same plan is made again from the same jobs.
        let kept = question.keep(&placement.key, placement.count);
        let class = |group: &GroupKey| question.class_as(&placement.key, group);
        entry.host.reserved.extend(kept.iter().map(|(group, count)| (class(group), *count)));
        kept
    }

    /// Gives a job to a host, as one of its alternatives: written down first, with the attempt that makes the call's token. False
    /// if it may not be.
    pub(crate) fn start_on(
        &mut self,
        cx: &mut Cx,
        question: Option<&mut Question>,
        id: JobId,
        (host, variant): (HostId, VariantOrd),
    ) -> bool {
        let together = self.task_from(id);
        if let (Some(rule), [_, _, ..]) = (self.rule_of(id), together.as_slice()) {
            return self.start_together(cx, &together, rule, host);
        }
        let record = self.jobs.get(&id).or_else(|| self.jobs.get(&id.whole()));
        let (Some(job), Some(entry)) = (record, self.fleet.get(host)) else { return false };
        let need = job.need_as(variant);
        if !self.is_let_start(cx, &job.spec) {
            return false;
        }
        let fits = need.fits(&entry.free());
        debug_assert!(fits, "the planner put {need} where only {} is free", entry.free());
        // The planner knows nothing of the caps on hosts and dollars of queues and shares.
        let would_hold = self.held_on(&Lane::of(&job.spec), &need, host);
        if !fits || !self.in_use.has_room_for(&self.config, &would_hold) {
            return false;
        }
        let expected = Some(match question {
            Some(question) => {
                let kind = self.kind_as(job, variant);
                question.expectation(&self.memory, kind, (&job.spec, variant))
            }
            None => self.expectation(cx.now, &job.spec, variant),
        });
        let start = Start { expected, variant, ..Start::default() };
        if self.jobs.contains_key(&id) {
            self.leave_line(id);
            self.begin_attempt(cx, id, host, start);
        } else if self.begin_child(id) {
            self.begin_new_attempt(cx, id, host, start);
        } else {
            return false;
        }
        true
    }

    /// The attempt of a child or a node that has a record in memory and none in the ledger.
    pub(crate) fn begin_new_attempt(&mut self, cx: &mut Cx, id: JobId, host: HostId, start: Start) {
        let Some(state) = self.starting_on(cx, id, host, start) else { return };
        if let Some(job) = self.jobs.get_mut(&id) {
            job.state = state.clone();
        }
        cx.changes.push(Change::AddChild { id, state });
        self.note_holding(cx.now, id);
        self.begun(cx, id);
    }

    /// An attempt of a job that has a record.
    pub(crate) fn begin_attempt(&mut self, cx: &mut Cx, id: JobId, host: HostId, start: Start) {
        let Some(state) = self.starting_on(cx, id, host, start) else { return };
        self.move_job(cx, id, state, None);
        self.begun(cx, id);
    }

    fn starting_on(&self, cx: &Cx, id: JobId, host: HostId, start: Start) -> Option<JobState> {
        let Start { expected, variant, awaits_main, shared } = start;
        let attempt = LiveAttempt {
            ord: self.jobs.get(&id)?.next_attempt(),
            host,
            placed_at: cx.now,
            task: None,
            awaits_main,
            variant,
            task_version: 0,
            stop: None,
            expected,
            shared,
        };
        Some(JobState::Starting { attempt })
    }

    /// Takes an attempt's place, and starts it unless it awaits another.
    fn begun(&mut self, cx: &mut Cx, id: JobId) {
        self.take_place(id);
        let Some(job) = self.jobs.get(&id).filter(|job| !job.rides_along()) else { return };
        let Some(attempt) = job.state.live_attempt().filter(|a| !a.awaits_main) else { return };
        let (ord, start_by) = (attempt.ord, cx.now + self.start_timeout(&job.spec));
        self.timers.set(start_by, Timer::StartTimeout(id, ord));
        self.unsent.insert((id, ord));
        self.begin_as_probe(cx, id);
        self.calls.ask(Call::Start(id, ord));
    }

    /// Writes down what is to be bought, in calls of a readable size. Returns which of those in line it is kept for.
    pub(crate) fn decide_launch(
        &mut self,
        cx: &mut Cx,
        mut bought_for: BoughtFor<'_>,
        pool: Option<usize>,
        planned: &PlannedLaunch,
    ) -> Vec<(GroupKey, u32)> {
        let mut all_kept = Vec::new();
        let (Some(first), Some(market)) = (planned.choices.first(), planned.market()) else {
            return all_kept;
        };
        let allowed = self.let_buy(cx.now, self.allowed_hosts(pool, planned));
        let allowed = self.let_spend(cx.now, allowed, matches!(bought_for, BoughtFor::Gang(_)));
        let mut left = self.probed(cx, planned.arch, allowed);
        while 0 < left {
            let n_hosts = left.min(limits::LAUNCH_HOSTS_MAX);
            left -= n_hosts;
            let id = LaunchId::derive(self.ledger, self.n_launches);
            if !self.let_reach(cx, id, &planned.choices, n_hosts) {
                break;
            }
            self.n_launches += 1;
            let hosts: Vec<HostId> = (0..n_hosts).map(|ord| HostId::derive(id, ord)).collect();
            if let Some(host) = hosts.first() {
                self.buy_as_probe(cx, *host);
            }
            let offering = self.catalog.get(&first.pool);
            let (on_demand_price, extras) =
                (self.on_demand_price(&first.pool), self.extras(&first.pool));
            for host in &hosts {
                let (mut kept, mut reserved) = (Vec::new(), Vec::new());
                let held_for = match &mut bought_for {
                    BoughtFor::Jobs(question) => {
                        for (key, n) in &planned.contents {
                            for (group, count) in question.keep(key, *n) {
                                reserved.push((question.class_as(key, &group), count));
                                kept.push((group, count));
                            }
                        }
                        None
                    }
                    BoughtFor::Gang(id) => Some(*id),
                };
                let host = Host {
                    id: *host,
                    launch: Some(id),
                    pool: first.pool.clone(),
                    arch: planned.arch,
                    gpu: offering.and_then(|o| o.gpu),
                    price: first.price,
                    extras,
                    on_demand_price,
                    capacity: planned.capacity,
                    hazard: offering.map(|o| o.hazard).unwrap_or_default(),
                    reserved,
                    registered_at: None,
                    drained_at: None,
                    state: HostState::Requested,
                };
                cx.changes.push(Change::PutHost(Box::new(host.clone())));
                let pool = self.config.pool_of_host(&host);
                let mut entry = Entry::new(host, pool, cx.now);
                entry.held_for = held_for;
                self.fleet.put(entry);
                all_kept.extend(kept);
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
            self.launches.insert(id, OpenLaunch { launch, calling: false, may_have_bought: false });
            self.calls.ask(Call::Launch(id));
        }
        all_kept
    }
}
