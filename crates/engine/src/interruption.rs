//! What to do when EC2 wants a host back, or ECS loses sight of it.

use jiff::Timestamp;
use spillway_core::host::DrainCause;
use spillway_core::job::StopCause;
use spillway_core::{HostId, HostState, JobId};

use crate::engine::{Cx, Engine};
use crate::limits;
use crate::time_limit::told_after_notice;
use crate::timer::Timer;

impl Engine {
    /// EC2 takes a Spot host back in two minutes at most: nothing more is placed on it, its pool is left alone, and
    /// what does not end by itself is stopped shortly before.
    pub(crate) fn interrupt(&mut self, cx: &mut Cx, id: HostId) {
        let Some(entry) = self.fleet.get_mut(id) else { return };
        if entry.interrupted {
            return;
        }
        entry.interrupted = true;
        let pool = entry.host.pool.clone();
        let draining = match entry.host.state.clone() {
            HostState::Registered { instance, container_instance, .. } => HostState::Draining {
                instance,
                container_instance: Some(container_instance),
                since: cx.now,
                cause: DrainCause::SpotInterruption,
            },
            HostState::Launched { .. } => {
                self.begin_termination(cx, id, DrainCause::SpotInterruption);
                self.cool(cx, pool, limits::POOL_COOLDOWN);
                self.replan_by(cx.now);
                return;
            }
            HostState::Requested
            | HostState::Draining { .. }
            | HostState::Terminating { .. }
            | HostState::Lost { .. }
            | HostState::Gone { .. } => return,
        };
        self.move_host(cx, id, draining);
        self.cool(cx, pool, limits::POOL_COOLDOWN);
        self.stop_before_reclaim(cx, id);
        self.advance_drain(cx, id);
        self.replan_by(cx.now);
    }

    /// Stops what would else have too little of the two minutes for SIGTERM and what it does about it; asks to be woken for
    /// the others.
    pub(crate) fn stop_before_reclaim(&mut self, cx: &mut Cx, id: HostId) {
        let noticed_at = match self.fleet.get(id).map(|entry| &entry.host.state) {
            Some(HostState::Draining { since, cause: DrainCause::SpotInterruption, .. }) => *since,
            Some(_) | None => return,
        };
        let mut next: Option<Timestamp> = None;
        for job in self.live_on(id) {
            let Some(spec) = self.jobs.get(&job).map(|job| &job.spec) else { continue };
            let due = noticed_at + told_after_notice(spec);
            if due <= cx.now {
                self.stop_attempt(cx, job, StopCause::SpotInterruption);
            } else {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        if let Some(at) = next {
            self.timers.set(at, Timer::ReclaimNear(id));
        }
    }

    pub(crate) fn live_on(&self, id: HostId) -> Vec<JobId> {
        self.fleet.get(id).map(|entry| entry.live().iter().copied().collect()).unwrap_or_default()
    }

    /// Notes whether a host's agent is connected. Short absences are normal: it reconnects every half hour.
    pub(crate) fn note_agent(&mut self, cx: &mut Cx, id: HostId, connected: bool) {
        let Some(entry) = self.fleet.get_mut(id) else { return };
        match (connected, entry.agent_away_since) {
            (true, Some(_)) => {
                entry.agent_away_since = None;
                self.replan_by(cx.now);
            }
            (false, None) => {
                entry.agent_away_since = Some(cx.now);
                self.timers.set(cx.now + limits::AGENT_AWAY_MAX, Timer::AgentAway(id));
            }
            (true, None) | (false, Some(_)) => {}
        }
    }

    /// An agent that stays away will not say how its tasks end. The host is ended; its tasks run again only once EC2 has
    /// shown it terminated, because until then they may still be running.
    pub(crate) fn agent_stayed_away(&mut self, cx: &mut Cx, id: HostId) {
        let Some(entry) = self.fleet.get(id) else { return };
        let Some(since) = entry.agent_away_since else { return };
        let is_long = limits::AGENT_AWAY_MAX <= cx.now.duration_since(since);
        // One that drains would wait for those tasks for ever.
        let is_up =
            matches!(entry.host.state, HostState::Registered { .. } | HostState::Draining { .. });
        if is_long && is_up {
            self.begin_termination(cx, id, DrainCause::AgentLost);
        }
    }
}
