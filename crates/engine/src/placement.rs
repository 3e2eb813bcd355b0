//! Asks the planner, and turns its plan into intents: attempts on hosts there are, launches for the rest.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use spillway_core::job::LiveAttempt;
use spillway_core::launch::LaunchState;
use spillway_core::plan::{Headroom, NoFit, Placement, PlannedLaunch, WaitReason};
use spillway_core::{
    Busy, Change, CpuUnits, DemandKey, Host, HostId, HostState, JobId, JobState, Launch, LaunchId,
    MicroUsdPerHour, PlanInput, Planned, Resources,
};

use crate::engine::{Cx, Engine, OpenLaunch};
use crate::fleet::Entry;
use crate::limits;
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
        if self.waiting.is_empty() {
            self.report = spillway_core::plan::Report::default();
            self.clear_reservations();
            return;
        }
        let input = self.plan_input(cx.now);
        let Planned { plan, report } = self.planner.plan(&input, &self.config.plan);
        self.clear_reservations();
        for placement in &plan.placements {
            self.place(cx, placement);
        }
        for launch in &plan.launches {
            self.decide_launch(cx, launch);
        }
        for waiting in &report.waiting {
            match &waiting.reason {
                WaitReason::CoolingDown { until, .. } => {
                    self.replan_later((*until).max(cx.now + limits::CALL_RETRY));
                }
                WaitReason::TooLarge(no_fit @ NoFit::Exceeds { .. }) => {
                    self.fail_too_large(cx, &waiting.key, no_fit);
                }
                // A market or architecture without any offering is rather a gap in the prices than a fact.
                WaitReason::TooLarge(NoFit::NoOffering { .. })
                | WaitReason::LimitReached { .. }
                | WaitReason::NoCatalog => {}
            }
        }
        self.report = report;
    }

    /// What was learnt about hosts since a job was admitted may leave it without any that could hold it.
    fn fail_too_large(&mut self, cx: &mut Cx, key: &DemandKey, no_fit: &NoFit) {
        for id in self.waiting.first(key, u32::MAX) {
            let Some(job) = self.jobs.get(&id) else { continue };
            self.waiting.remove(job);
            let reason = format!("Job fits no host: {no_fit}");
            self.move_job(cx, id, JobState::Failed { at: cx.now, reason }, None);
        }
    }

    fn plan_input(&self, now: Timestamp) -> PlanInput {
        let hot = |until: &Timestamp| now < *until;
        let cooling = self.cooling.iter().map(|(pool, cooldown)| (pool.clone(), cooldown.until));
        PlanInput {
            now,
            demands: self.waiting.demands(),
            hosts: self.fleet.views(now, self.config.plan.boot_secs, |live| self.busy(now, live)),
            catalog: std::sync::Arc::clone(&self.catalog),
            cooling: cooling.filter(|(_, until)| hot(until)).collect(),
            headroom: self.headroom(),
        }
    }

    /// What the jobs on a host hold and when they are expected to end, soonest first. A job that has outlasted its
    /// expectation is given a tenth of what it has run so far.
    fn busy(&self, now: Timestamp, live: &BTreeSet<JobId>) -> Vec<Busy> {
        let mut groups: BTreeMap<(u32, Resources), u32> = BTreeMap::new();
        for job in live.iter().filter_map(|id| self.jobs.get(id)) {
            let Some(attempt) = job.state.live_attempt() else { continue };
            let since = match &job.state {
                JobState::Running { started_at, .. } => *started_at,
                JobState::Submitted
                | JobState::Pending
                | JobState::Runnable { .. }
                | JobState::Starting { .. }
                | JobState::Succeeded { .. }
                | JobState::Failed { .. } => attempt.placed_at,
            };
            let ran = u32::try_from(now.duration_since(since).as_secs()).unwrap_or(0);
            let expected = DemandKey::of(&job.spec).expected_secs;
            let expected = expected.unwrap_or(self.config.plan.prior_secs);
            let left = expected.saturating_sub(ran).max(ran / 10).max(1);
            *groups.entry((left, job.spec.resources)).or_default() += 1;
        }
        let busy = |((ends_in_secs, need), count)| Busy { ends_in_secs, need, count };
        groups.into_iter().map(busy).collect()
    }

    fn headroom(&self) -> Headroom {
        let (n_hosts, cpu, price) = self.fleet.totals();
        let limits = &self.config.limits;
        let left = |max: u64, used: u64| max.saturating_sub(used);
        Headroom {
            hosts: limits.hosts_max.map(|max| max.saturating_sub(n_hosts)),
            cpu: limits.cpu_max.map(|max| CpuUnits::new(max.get().saturating_sub(cpu.get()))),
            price: limits.price_max.map(|max| MicroUsdPerHour::new(left(max.get(), price.get()))),
        }
    }

    /// Forgets what hosts were kept for; the plan in hand says it anew.
    fn clear_reservations(&mut self) {
        let reserved: Vec<HostId> = self
            .fleet
            .iter()
            .filter(|entry| !entry.host.reserved.is_empty())
            .map(|entry| entry.host.id)
            .collect();
        for id in reserved {
            if let Some(entry) = self.fleet.get_mut(id) {
                entry.host.reserved.clear();
            }
        }
    }

    /// Puts work on a host that is ready, or keeps the host for it.
    fn place(&mut self, cx: &mut Cx, placement: &Placement) {
        let Some(entry) = self.fleet.get_mut(placement.host) else { return };
        if !entry.is_ready(cx.now) {
            // Not written at once: after a restart the same plan is made again from the same jobs.
            entry.host.reserved.push((placement.key, placement.count));
            return;
        }
        for job in self.waiting.first(&placement.key, placement.count) {
            self.start_on(cx, job, placement.host);
        }
    }

    /// Gives a job to a host: written down first, with the attempt that makes the call's token.
    fn start_on(&mut self, cx: &mut Cx, id: JobId, host: HostId) {
        let (Some(job), Some(entry)) = (self.jobs.get(&id), self.fleet.get_mut(host)) else {
            return;
        };
        let need = job.spec.resources;
        let fits = need.fits(&entry.free());
        debug_assert!(fits, "the planner put {need} where only {} is free", entry.free());
        if !fits {
            return;
        }
        entry.live.insert(id);
        entry.held = entry.held.checked_add(&need).unwrap_or(entry.held);
        entry.idle_since = None;
        self.waiting.remove(job);
        let ord = job.next_attempt();
        let attempt =
            LiveAttempt { ord, host, placed_at: cx.now, task: None, task_version: 0, stop: None };
        self.timers.set(cx.now + self.config.start_timeout, Timer::StartTimeout(id, ord));
        self.move_job(cx, id, JobState::Starting { attempt }, None);
        let send_at = self.task_calls.take(cx.now);
        if send_at <= cx.now {
            self.send_start(cx, id, ord);
        } else {
            self.timers.set(send_at, Timer::Start(id, ord));
        }
    }

    /// Writes down what is to be bought, in calls of a readable size.
    fn decide_launch(&mut self, cx: &mut Cx, planned: &PlannedLaunch) {
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
            for host in &hosts {
                let host = Host {
                    id: *host,
                    launch: Some(id),
                    pool: first.pool.clone(),
                    arch: planned.arch,
                    price: first.price,
                    capacity: planned.capacity,
                    reserved: planned.contents.clone(),
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
