//! Multi-node jobs. The main node is the job itself; every other node is a record of its own that is given to a host in the same
//! step, starts when the main one runs, and ends with it. A node that is lost takes the whole attempt with it.

mod admit;
mod line;
mod select;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
pub(crate) use line::GangLine;
use spillway_core::class::whole_secs;
use spillway_core::gang::{NodeGroup, node_spec, node_with};
use spillway_core::job::StopCause;
use spillway_core::plan::{GangDemand, GangPlan, GangVerdict, Gangs, NoFit, WaitReason};
use spillway_core::{
    Attempt, AttemptOrd, DemandKey, Expectation, FailureCategory, HostId, Job, JobClass, JobId,
    JobSpec, JobState, KindId, VariantOrd,
};

use crate::calls::Call;
use crate::engine::{Cx, Engine};
use crate::lane::Lane;
use crate::limits;
use crate::placement::{BoughtFor, Start};
use crate::question::Question;
use crate::timer::Timer;

/// The largest index of a node.
const NODE_MAX: u32 = spillway_core::message::limits::NODES_MAX;

impl Engine {
    /// The records of a job's other nodes, as far as they have been given to a host.
    fn nodes_of(&self, id: JobId) -> impl Iterator<Item = &Job> {
        let ids = id.whole().node(0)..=id.whole().node(NODE_MAX);
        self.jobs.range(ids).map(|(_, job)| job.as_ref())
    }

    fn has_live_nodes(&self, id: JobId) -> bool {
        self.nodes_of(id).any(|node| node.state.live_attempt().is_some())
    }

    /// After a restart: a job some of whose nodes have still to end is not in line yet.
    pub(crate) fn settle_in_line(&mut self, id: JobId) {
        let is_gang = self.jobs.get(&id).is_some_and(|job| job.spec.gang.is_some());
        if is_gang && id.node_index().is_none() && self.has_live_nodes(id) {
            let was_in_line = self.gangs.waits(id);
            self.leave_line(id);
            if was_in_line {
                self.gangs.block(id);
            }
        }
    }

    /// Whether a job has to wait for nodes of its last attempt; then it is in line when the last of them has ended.
    pub(crate) fn is_blocked_by_nodes(&mut self, id: JobId) -> bool {
        let is_blocked = self.has_live_nodes(id);
        if is_blocked {
            self.gangs.block(id);
        }
        is_blocked
    }

    /// Room that has been kept for one job for as long as may be is others' for a while.
    pub(crate) fn end_long_holds(&mut self, now: Timestamp) {
        for id in self.gangs.held_too_long(now) {
            self.pause(now, id, limits::GANG_PAUSE);
        }
    }

    fn pause(&mut self, now: Timestamp, id: JobId, time: SignedDuration) {
        let until = now + time;
        self.gangs.pause(id, until);
        self.replan_later(until);
    }

    /// Hosts were bought for a job, and no pool has the others: they go back. If that happens again and again, less and less
    /// often, as a quota may be smaller than the job.
    fn pause_in_vain(&mut self, now: Timestamp, id: JobId) {
        if let Some(n_doublings) = self.gangs.was_in_vain(id).checked_sub(1) {
            let factor = 1_i32.checked_shl(n_doublings).unwrap_or(i32::MAX);
            let time = limits::GANG_PAUSE.saturating_mul(factor.max(1));
            self.pause(now, id, time.min(limits::GANG_PAUSE_MAX));
        }
    }

    /// The multi-node jobs in the planner's question.
    pub(crate) fn gang_demands(
        &self,
        now: Timestamp,
        asked: &[JobId],
        mut key_of: impl FnMut(&JobClass) -> DemandKey,
    ) -> Gangs {
        let mut waiting = Vec::with_capacity(asked.len());
        for id in asked {
            let Some(job) = self.jobs.get(id) else { continue };
            let Some(gang) = &job.spec.gang else { continue };
            let mut nodes: BTreeMap<DemandKey, u32> = BTreeMap::new();
            for group in &gang.groups {
                let key = key_of(&self.class_of_node(job, group));
                let count = nodes.entry(key).or_default();
                *count = count.saturating_add(group.last - group.first + 1);
            }
            let hold_left = self.gangs.hold_left(now, *id);
            let is_held = SignedDuration::ZERO < hold_left;
            waiting.push(GangDemand {
                job: *id,
                nodes: nodes.into_iter().collect(),
                hold_secs: if is_held { whole_secs(hold_left) } else { 0 },
            });
        }
        Gangs { waiting, hosts: self.gangs.hosts() }
    }

    /// The class of a node: that of the job, but for what the node needs. It does not wait to be run cheaply.
    fn class_of_node(&self, job: &Job, group: &NodeGroup) -> JobClass {
        JobClass {
            need: group.resources,
            arch: group.arch,
            gpu_kinds: group.gpu_kinds,
            start_by: None,
            end_by: None,
            ..self.class_of(job)
        }
    }

    /// Does what the plan says of a multi-node job.
    pub(crate) fn carry_out_gang(
        &mut self,
        cx: &mut Cx,
        question: &mut Question,
        pool: Option<usize>,
        plan: &GangPlan,
    ) {
        let id = plan.job;
        match &plan.verdict {
            GangVerdict::Start => self.start_gang(cx, question, plan),
            GangVerdict::Hold { in_secs } => {
                let since = self.gangs.hold(cx.now, id, pool);
                self.replan_later(since + limits::GANG_HOLD_MAX);
                let expected = SignedDuration::from_secs((*in_secs).into());
                self.replan_later(cx.now + expected.max(limits::ROOM_RECHECK_MIN));
                for seat in &plan.seats {
                    if let Some(entry) = self.fleet.get_mut(seat.host) {
                        entry.held_for = Some(id);
                    }
                }
                for launch in &plan.launches {
                    self.decide_launch(cx, BoughtFor::Gang(id), pool, launch);
                }
            }
            GangVerdict::Wait { reason } => {
                let was_held = self.gangs.let_go(id);
                match reason {
                    // What room was kept for will not come in the time that is left.
                    WaitReason::RoomExpected { .. } if was_held => {
                        self.pause(cx.now, id, limits::GANG_PAUSE);
                    }
                    WaitReason::CoolingDown { until, .. } => {
                        if was_held {
                            self.pause_in_vain(cx.now, id);
                        }
                        self.replan_later((*until).max(cx.now + limits::CALL_RETRY));
                    }
                    WaitReason::RoomExpected { in_secs } => {
                        let expected = SignedDuration::from_secs((*in_secs).into());
                        let hold_from = cx.now + expected - limits::GANG_HOLD_MAX;
                        self.replan_later(hold_from.max(cx.now + limits::ROOM_RECHECK_MIN));
                    }
                    WaitReason::TooLarge(NoFit::Exceeds { .. }) => {
                        let spec = self.jobs.get(&id).map(|job| Arc::clone(&job.spec));
                        let admitted = spec.map(|spec| self.admit_somewhere(&spec));
                        if let Some(Err(reason)) = admitted {
                            self.leave_line(id);
                            self.move_job(cx, id, JobState::Failed { at: cx.now, reason }, None);
                        }
                    }
                    // A quota that EC2 has refused to go beyond.
                    WaitReason::LimitReached { .. } if was_held => {
                        self.pause_in_vain(cx.now, id);
                    }
                    WaitReason::TooLarge(NoFit::NoOffering { .. })
                    | WaitReason::LimitReached { .. }
                    | WaitReason::StartRate { .. }
                    | WaitReason::NoCatalog => {}
                }
            }
            GangVerdict::Paused => {}
        }
    }

    /// Gives every node to its host, in one step: all of them are written down, and the main one is started.
    fn start_gang(&mut self, cx: &mut Cx, question: &mut Question, plan: &GangPlan) {
        let id = plan.job;
        let Some(job) = self.jobs.get(&id) else { return };
        let (spec, Some(gang)) = (Arc::clone(&job.spec), job.spec.gang.clone()) else { return };
        if !self.is_let_start(cx, &spec) {
            return;
        }
        let mut seats: BTreeMap<DemandKey, Vec<HostId>> = BTreeMap::new();
        for seat in plan.seats.iter().rev() {
            seats.entry(seat.key).or_default().push(seat.host);
        }
        let mut places: Vec<(u32, &NodeGroup, HostId)> = Vec::new();
        for group in &gang.groups {
            let key = question.key_of(self, cx.now, &self.class_of_node(job, group));
            for node in group.first..=group.last {
                let Some(host) = seats.get_mut(&key).and_then(Vec::pop) else { return };
                places.push((node, group, host));
            }
        }
        let has_room = |(_, group, host): &(u32, &NodeGroup, HostId)| {
            let entry = self.fleet.get(*host);
            entry.is_some_and(|e| e.is_ready(cx.now) && group.resources.fits(&e.free()))
        };
        let all_have_room = places.iter().all(has_room);
        debug_assert!(all_have_room, "the planner starts {id} where there is no room for it");
        if !all_have_room {
            return;
        }
        let lane = Lane::of(&spec);
        let holdings =
            places.iter().map(|(_, group, host)| self.held_on(&lane, &group.resources, *host));
        // The planner knows nothing of the caps on hosts and dollars of queues and shares.
        if !self.in_use.have_room(&self.config, &lane, holdings) {
            return;
        }
        let expected =
            Some(question.expectation(&self.memory, KindId::of(&spec), (&spec, VariantOrd::BASE)));
        self.leave_line(id);
        let mut of_group: Option<(&NodeGroup, Arc<JobSpec>)> = None;
        for (node, group, host) in places {
            if node == gang.main {
                self.begin_attempt(cx, id, host, Start { expected, ..Start::default() });
                continue;
            }
            let known = of_group.take().filter(|(known, _)| *known == group);
            let spec = known.map_or_else(|| Arc::new(node_spec(&spec, group)), |(_, spec)| spec);
            of_group = Some((group, Arc::clone(&spec)));
            self.begin_node(cx, id, node, spec, host, expected);
        }
    }

    fn begin_node(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        node: u32,
        spec: Arc<JobSpec>,
        host: HostId,
        expected: Option<Expectation>,
    ) {
        let node_id = id.node(node);
        let start = Start { expected, awaits_main: true, ..Start::default() };
        if let Some(known) = self.jobs.get_mut(&node_id) {
            // One `Arc` for all that run the same.
            known.spec = spec;
            return self.begin_attempt(cx, node_id, host, start);
        }
        let Some(job) = self.jobs.get(&id) else { return };
        let record = node_with(job, node, spec, JobState::Pending);
        self.jobs.insert(node_id, Box::new(record));
        self.begin_new_attempt(cx, node_id, host, start);
    }

    /// The main node runs: the others may start, as soon as its address is known.
    pub(crate) fn release_nodes(&mut self, cx: &mut Cx, id: JobId) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.spec.gang.is_some()) else { return };
        let JobState::Running { attempt, .. } = &job.state else { return };
        let is_known = self.fleet.get(attempt.host).is_some_and(|entry| entry.address.is_some());
        let awaiting: Vec<(JobId, AttemptOrd)> = self
            .nodes_of(id)
            .filter_map(|node| Some((node.id, node.state.live_attempt()?)))
            .filter(|(_, attempt)| attempt.awaits_main && attempt.stop.is_none())
            .map(|(node, attempt)| (node, attempt.ord))
            .collect();
        if !is_known && !awaiting.is_empty() {
            return self.observe_soon(cx);
        }
        for (node, ord) in awaiting {
            // From here on it is an attempt like any other, and its time to start begins.
            self.leave_place(node);
            let now = cx.now;
            self.update_attempt(cx, node, |attempt| {
                attempt.awaits_main = false;
                attempt.placed_at = now;
            });
            self.take_place(node);
            let Some(job) = self.jobs.get(&node) else { continue };
            let start_by = cx.now + self.start_timeout(&job.spec);
            self.timers.set(start_by, Timer::StartTimeout(node, ord));
            self.unsent.insert((node, ord));
            self.calls.ask(Call::Start(node, ord));
        }
    }

    /// A look has shown the address of a host: nodes may have waited for it.
    pub(crate) fn address_known(&mut self, cx: &mut Cx, host: HostId) {
        for id in self.live_on(host) {
            if id.node_index().is_none() {
                self.release_nodes(cx, id);
            }
        }
    }

    /// The address of the host that a node's main node runs on; none if that is not known now.
    pub(crate) fn main_address(&self, id: JobId) -> Option<std::net::Ipv4Addr> {
        let attempt = self.jobs.get(&id.whole())?.state.live_attempt()?;
        self.fleet.get(attempt.host)?.address
    }

    /// The main node's attempt is over: the other nodes' is, too.
    pub(crate) fn stop_nodes(&mut self, cx: &mut Cx, id: JobId) {
        let live = |node: &Job| node.state.live_attempt().map(|a| (node.id, a.ord, a.awaits_main));
        let live: Vec<(JobId, AttemptOrd, bool)> = self.nodes_of(id).filter_map(live).collect();
        for (node, ord, was_never_sent) in live {
            if was_never_sent {
                let reason = StopCause::MainEnded.reason();
                self.end_attempt_unstarted(cx, node, ord, reason, FailureCategory::Terminated);
            } else {
                self.stop_attempt(cx, node, StopCause::MainEnded);
            }
        }
    }

    /// The job has ended: its nodes end with it, those that run as soon as they have been stopped.
    pub(crate) fn end_nodes(&mut self, cx: &mut Cx, id: JobId, end: &JobState) {
        let is_at_rest = |node: &&Job| node.state.live_attempt().is_none();
        let at_rest: Vec<JobId> = self.nodes_of(id).filter(is_at_rest).map(|n| n.id).collect();
        for node in at_rest {
            let last = self.jobs.get(&node).and_then(|node| node.attempts.last().cloned());
            let state = node_end(cx.now, end, last.as_ref());
            self.move_job(cx, node, state, None);
        }
        self.stop_nodes(cx, id);
    }

    /// What becomes of a node whose attempt has ended, and of its job.
    pub(crate) fn node_ended(&mut self, cx: &mut Cx, id: JobId, attempt: Attempt) {
        let main = id.whole();
        let Some(job) = self.jobs.get(&main) else {
            let succeeded = self.ended.get(&main).is_some_and(|ended| ended.succeeded);
            let end = if succeeded {
                JobState::Succeeded { at: attempt.stopped_at }
            } else {
                JobState::Failed { at: attempt.stopped_at, reason: attempt.reason.clone() }
            };
            let state = node_end(attempt.stopped_at, &end, Some(&attempt));
            return self.move_job(cx, id, state, Some(attempt));
        };
        let is_of_this = job.state.live_attempt().is_some_and(|live| live.ord == attempt.ord);
        let (failure, reason) = (attempt.failure, attempt.reason.clone());
        self.move_job(cx, id, JobState::Pending, Some(attempt));
        match failure.filter(|_| is_of_this) {
            Some(failure) if failure.is_infrastructure() => {
                self.stop_attempt(cx, main, StopCause::NodeLost { failure, reason });
            }
            Some(FailureCategory::Invalid) => {
                self.stop_attempt(cx, main, StopCause::Terminated { reason });
            }
            // How a node ends by itself says nothing of the job.
            Some(_) | None => {}
        }
        if !self.has_live_nodes(main) && self.gangs.unblock(main) {
            self.requeue(cx, main);
        }
    }
}

/// How a node ends that is not on a host any more: by itself, or as its job does if it was stopped for that.
fn node_end(at: Timestamp, job: &JobState, last: Option<&Attempt>) -> JobState {
    let of_job = match job {
        JobState::Succeeded { .. } => JobState::Succeeded { at },
        JobState::Failed { reason, .. } => JobState::Failed { at, reason: reason.clone() },
        JobState::Submitted
        | JobState::Pending
        | JobState::Runnable { .. }
        | JobState::Starting { .. }
        | JobState::Running { .. } => return job.clone(),
    };
    match last {
        Some(last) if last.failure.is_none() => JobState::Succeeded { at },
        Some(last) if last.failure == Some(FailureCategory::Terminated) => of_job,
        Some(last) => JobState::Failed { at, reason: last.told().to_owned() },
        None => of_job,
    }
}
