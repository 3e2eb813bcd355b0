//! Gives hosts back: drain, then terminate, then wait until EC2 shows them terminated.

use jiff::{SignedDuration, Timestamp};
use spillway_core::effect::CallResult;
use spillway_core::host::DrainCause;
use spillway_core::{Effect, HostId, HostState, InstanceId};

use crate::breakers::TERMINATE;
use crate::calls::{Call, Calls};
use crate::engine::{Cx, Engine};
use crate::fleet::Purpose;
use crate::limits;
use crate::retry::backoff;
use crate::timer::Timer;

impl Engine {
    /// For how long a host without work is kept when a dispatcher starts. Since when it has had none is not written: where
    /// dispatchers keep dying, waiting for all of the idle time-out each time would keep it for ever.
    pub(crate) fn idle_left(&self) -> SignedDuration {
        self.config.idle_timeout.min(limits::IDLE_LEFT_AT_START)
    }

    /// Drains a host that has had nothing to do for the idle time-out.
    pub(crate) fn drain_if_idle(&mut self, cx: &mut Cx, id: HostId) {
        let Some(entry) = self.fleet.get(id) else { return };
        if !matches!(entry.host.state, HostState::Registered { .. }) {
            return;
        }
        let Some(idle_since) = entry.idle_since.filter(|_| entry.live().is_empty()) else { return };
        let mut due = idle_since + self.config.idle_timeout;
        let is_reserved = entry.host.reserved.iter().any(|(class, _)| self.waiting.has(class));
        let is_held = entry.held_for.is_some_and(|gang| self.gangs.waits(gang));
        if is_reserved || is_held {
            // The plan in hand keeps it for work that waits: to give it back would be to buy it again.
            due = due.max(cx.now + self.config.idle_timeout);
        }
        if is_held && !is_reserved {
            // One multi-node job after another may keep it for hosts that never come; together no longer than one of them may.
            let longest = limits::GANG_HOLD_MAX.max(self.config.idle_timeout);
            due = due.min(idle_since + longest + self.config.idle_timeout);
        }
        if cx.now < due {
            self.timers.set(due, Timer::Idle(id));
            return;
        }
        self.drain(cx, id);
    }

    /// Drains a host that the plan gives back, if it still has nothing to do.
    pub(crate) fn give_back(&mut self, cx: &mut Cx, id: HostId) {
        let Some(entry) = self.fleet.get(id) else { return };
        let is_kept = !entry.host.reserved.is_empty() || entry.held_for.is_some();
        let is_idle = entry.live().is_empty() && !is_kept;
        if is_idle && entry.is_ready(cx.now) {
            self.drain(cx, id);
        }
    }

    fn drain(&mut self, cx: &mut Cx, id: HostId) {
        let Some(entry) = self.fleet.get(id) else { return };
        let HostState::Registered { instance, container_instance, .. } = &entry.host.state else {
            return;
        };
        let is_surplus = !self.could_anybody_start(cx.now);
        let state = HostState::Draining {
            instance: instance.clone(),
            container_instance: Some(container_instance.clone()),
            since: cx.now,
            cause: DrainCause::Idle,
        };
        if let Some(entry) = self.fleet.get_mut(id)
            && is_surplus
            && entry.purpose == Purpose::None
        {
            entry.purpose = Purpose::Surplus;
        }
        self.move_host(cx, id, state);
        self.advance_drain(cx, id);
    }

    /// Takes a draining host one step further: first ECS must know, then its tasks must end, then it goes.
    pub(crate) fn advance_drain(&mut self, cx: &mut Cx, id: HostId) {
        let is_done = self.is_done(id, cx.now);
        let Some(entry) = self.fleet.get_mut(id) else { return };
        let HostState::Draining { container_instance, cause, .. } = &entry.host.state else {
            return;
        };
        let cause = *cause;
        match container_instance {
            Some(_) if !entry.drained => {
                if !entry.calling {
                    entry.calling = true;
                    self.calls.ask(Call::Drain(id));
                }
            }
            Some(_) | None => {
                if is_done {
                    self.begin_termination(cx, id, cause);
                }
            }
        }
    }

    /// Sends the call for a host that was marked for it, if it still drains.
    pub(crate) fn send_drain(&self, cx: &mut Cx, id: HostId) {
        let Some(entry) = self.fleet.get(id) else { return };
        if let HostState::Draining { container_instance: Some(arn), .. } = &entry.host.state
            && entry.calling
        {
            let container_instance = arn.clone();
            cx.effects.push(Effect::Drain { host: id, container_instance });
        }
    }

    pub(crate) fn take_drain(&mut self, cx: &mut Cx, id: HostId, result: &CallResult<()>) {
        let is_done = self.is_done(id, cx.now);
        let Some(entry) = self.fleet.get_mut(id) else { return };
        entry.calling = false;
        match result {
            // The call shares its bucket with the starts of tasks, which may keep that empty for hours: a host with nothing on it
            // does not wait for it.
            Err(error) if Calls::paces(error) && !is_done => {
                entry.calling = true;
                self.calls.ask(Call::Drain(id));
            }
            Err(error) if error.is_retryable() && !is_done => {
                entry.n_call_failed = entry.n_call_failed.saturating_add(1);
                let pause = backoff(usize::try_from(entry.n_call_failed).unwrap_or(usize::MAX));
                self.timers.set(cx.now + pause, Timer::Drain(id));
            }
            // Draining only keeps other clients of the cluster away; without it the host still goes.
            Ok(()) | Err(_) => {
                entry.drained = true;
                self.advance_drain(cx, id);
            }
        }
    }

    /// Writes down that a host is to end, and asks EC2 to end it.
    pub(crate) fn begin_termination(&mut self, cx: &mut Cx, id: HostId, cause: DrainCause) {
        let Some(entry) = self.fleet.get_mut(id) else { return };
        let Some(instance) = entry.host.instance().cloned() else { return };
        let container_instance = entry.host.container_instance().cloned();
        entry.calling = false;
        let state = HostState::Terminating { instance, container_instance, since: cx.now, cause };
        self.move_host(cx, id, state);
        self.calls.ask(Call::Terminate(id));
    }

    /// The instance to end, if the call is due.
    pub(crate) fn due_termination(&mut self, id: HostId) -> Option<(HostId, InstanceId)> {
        let entry = self.fleet.get_mut(id)?;
        let HostState::Terminating { instance, .. } = &entry.host.state else { return None };
        if entry.calling || entry.ended_at.is_some() {
            return None;
        }
        entry.calling = true;
        Some((id, instance.id.clone()))
    }

    /// Puts off a termination that was due.
    pub(crate) fn terminate_at(&mut self, at: Timestamp, hosts: &[(HostId, InstanceId)]) {
        for (id, _) in hosts {
            if let Some(entry) = self.fleet.get_mut(*id) {
                entry.calling = false;
            }
            self.timers.set(at, Timer::Terminate(*id));
        }
    }

    pub(crate) fn take_termination(
        &mut self,
        cx: &mut Cx,
        hosts: &[HostId],
        result: &CallResult<()>,
    ) {
        self.note_answer(cx, TERMINATE, result.as_ref().err());
        for id in hosts {
            let Some(entry) = self.fleet.get_mut(*id) else { continue };
            entry.calling = false;
            // EC2 says when it is done; if it does not, it is asked again.
            let pause = match result {
                Ok(()) => limits::TERMINATE_REPEAT,
                Err(error) if Calls::paces(error) => SignedDuration::ZERO,
                Err(_) => {
                    entry.n_call_failed = entry.n_call_failed.saturating_add(1);
                    backoff(usize::try_from(entry.n_call_failed).unwrap_or(usize::MAX))
                }
            };
            self.timers.set(cx.now + pause, Timer::Terminate(*id));
        }
    }

    /// EC2 shows an instance terminated. Its tasks get a moment to say how they ended.
    pub(crate) fn host_ended(&mut self, cx: &mut Cx, id: HostId) {
        let Some(entry) = self.fleet.get_mut(id) else { return };
        if entry.ended_at.is_some() {
            return;
        }
        entry.ended_at = Some(cx.now);
        let is_busy = !entry.live().is_empty();
        let is_ending = matches!(entry.host.state, HostState::Terminating { .. });
        if !is_ending {
            let cause =
                if entry.interrupted { DrainCause::SpotInterruption } else { DrainCause::External };
            self.begin_termination(cx, id, cause);
        }
        if is_busy {
            self.observe_soon(cx);
            self.timers.set(cx.now + limits::LAST_WORDS, Timer::Ended(id));
        } else {
            self.bury(cx, id);
        }
    }

    /// Closes the record of an ended host: whatever was still believed to run there was lost with it.
    pub(crate) fn bury(&mut self, cx: &mut Cx, id: HostId) {
        let Some(at) = self.fleet.get(id).and_then(|entry| entry.ended_at) else { return };
        for job in self.live_on(id) {
            self.lose_attempt(cx, job, id);
        }
        if self.fleet.get(id).is_some_and(|entry| !entry.live().is_empty()) {
            // What became of a shared task that was on it has still to be read.
            return;
        }
        let Some(entry) = self.fleet.get(id) else { return };
        let cause = match &entry.host.state {
            HostState::Draining { cause, .. } | HostState::Terminating { cause, .. } => *cause,
            HostState::Requested
            | HostState::Launched { .. }
            | HostState::Registered { .. }
            | HostState::Lost { .. }
            | HostState::Gone { .. } => DrainCause::External,
        };
        let bill = entry.host.bill(at);
        let instance = entry.host.instance().cloned();
        let container_instance = entry.host.container_instance().cloned();
        let is_reclaimed = entry.interrupted || cause == DrainCause::External;
        if let Some(change) = self.memory.host_ended(&entry.host, at, is_reclaimed) {
            cx.changes.push(change);
            let pool = entry.host.pool.clone();
            self.hazard_learnt(cx, &pool);
        }
        self.book_host(cx.now, id, at);
        self.note_host_over(cx, id, at);
        self.move_host(cx, id, HostState::Gone { instance, at, cause, bill });
        self.fleet.remove(id);
        if let Some(container_instance) = container_instance {
            let gone = Effect::Deregister { container_instance };
            self.calls.ask(Call::End(Box::new(gone)));
        }
        if !self.nobody_waits() {
            self.replan_by(cx.now);
        }
    }
}
