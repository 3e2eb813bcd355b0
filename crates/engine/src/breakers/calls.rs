//! Calls that are not allowed: each is left alone but for a probe, and no job fails for it. What was decided and can be called off
//! without a doubt is; what a call may have done before stays open, as its token does.

use jiff::Timestamp;
use spillway_core::{AttemptOrd, BreakerId, CloudError, FailureCategory, JobId};

use super::listing::{rests_on, start_call};
use super::{Breakers, Rule};
use crate::engine::{Cx, Engine};
use crate::limits;
use crate::timer::Timer;

/// Starts tasks. The names of calls are IAM's.
pub(super) const RUN_TASK: &str = "ecs:RunTask";

/// Buys hosts.
pub(crate) const CREATE_FLEET: &str = "ec2:CreateFleet";

/// Ends hosts.
pub(crate) const TERMINATE: &str = "ec2:TerminateInstances";

/// Stops tasks.
pub(crate) const STOP_TASK: &str = "ecs:StopTask";

/// Reads what the runner of a shared task says of each child.
pub(crate) const READ_REPORT: &str = "logs:GetLogEvents";

/// A right that is missing is missing for all: one failure is enough.
const RULE: Rule =
    Rule { n_failed_max: 1, first: limits::CALL_RETRY_MAX, longest: limits::BREAKER_PROBE_MAX };

/// Whoever waits for a host's or a task's end pays for it meanwhile.
const RULE_OF_ENDS: Rule =
    Rule { n_failed_max: 1, first: limits::CALL_RETRY_MAX, longest: limits::CALL_RETRY_MAX };

fn rule(id: &BreakerId) -> Rule {
    if [TERMINATE, STOP_TASK, READ_REPORT].contains(&id.subject.as_str()) {
        RULE_OF_ENDS
    } else {
        RULE
    }
}

/// Whether a call may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Now.
    Go,
    /// Then at the soonest; it is to be asked again.
    Later(Timestamp),
}

impl Engine {
    /// Whether a call may be sent now. Where only a probe may be, this call is it.
    pub(crate) fn gate(&mut self, cx: &mut Cx, action: &str) -> Gate {
        if self.breakers.is_empty() {
            return Gate::Go;
        }
        let id = BreakerId::call(action);
        let Some(breaker) = self.breakers.get(&id) else { return Gate::Go };
        if breaker.is_due(cx.now) {
            self.begin_probe(cx, &id);
            return Gate::Go;
        }
        Gate::Later(breaker.probe_at().unwrap_or(cx.now + limits::CALL_RETRY))
    }

    /// What the answer to a call says of whether it is allowed.
    pub(crate) fn note_answer(&mut self, cx: &mut Cx, action: &str, error: Option<&CloudError>) {
        self.judge_call(cx, &BreakerId::call(action), error, true);
    }

    fn judge_call(
        &mut self,
        cx: &mut Cx,
        id: &BreakerId,
        error: Option<&CloudError>,
        by_probe: bool,
    ) {
        match error {
            Some(error @ CloudError::Denied { .. }) => {
                let is_known = self.breakers.get(id).is_some();
                // Calls that were on their way when it opened are no probes.
                let was_probed = self.breakers.get(id).is_some_and(|b| b.probe_at().is_none());
                let by_probe = is_known && was_probed && by_probe;
                self.note_failed(cx, id, &error.to_string(), rule(id), by_probe);
            }
            // Nobody knows whether it is allowed.
            Some(CloudError::Unsettled { .. } | CloudError::Throttled { .. }) => {
                self.probe_again_at(cx, id, cx.now + limits::CALL_RETRY);
            }
            Some(
                CloudError::Quota { .. }
                | CloudError::Misconfigured { .. }
                | CloudError::Invalid { .. }
                | CloudError::Conflict { .. },
            )
            | None => {
                self.note_worked(cx, id);
            }
        }
    }

    /// What the answer to a start says of whether starts like it are allowed.
    pub(crate) fn note_start(&mut self, cx: &mut Cx, job: JobId, error: Option<&CloudError>) {
        if error.is_none() && self.breakers.is_empty() {
            return;
        }
        let Some(record) = self.jobs.get(&job) else { return };
        let id = start_call(&record.spec);
        if matches!(error, Some(CloudError::Unsettled { .. } | CloudError::Throttled { .. })) {
            // Its attempt goes on being the probe.
            return;
        }
        let by_probe = self.breakers.is_probe(Breakers::prober(job), &id);
        self.judge_call(cx, &id, error, by_probe);
    }

    /// How many of `n` hosts may be bought now, as far as the call is concerned.
    pub(crate) fn let_buy(&self, now: Timestamp, n: u32) -> u32 {
        if self.breakers.is_empty() {
            return n;
        }
        match self.breakers.get(&BreakerId::call(CREATE_FLEET)) {
            None => n,
            Some(breaker) if !breaker.is_due(now) => 0,
            // One that has been decided and not been sent will be the probe.
            Some(_) if self.launches.values().any(|open| !open.calling) => 0,
            Some(_) => n.min(1),
        }
    }

    /// Whether the start of an attempt may be sent. One that surely never was is called off where a breaker has opened since it was
    /// given its place: its job waits in line, and its host may go.
    pub(crate) fn let_send_start(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) -> bool {
        if self.breakers.is_empty() {
            return true;
        }
        let Some(job) = self.jobs.get(&id) else { return false };
        let prober = Breakers::prober(id);
        let ids = rests_on(&job.spec);
        let is_in_the_way = |breaker: &&BreakerId| !self.breakers.is_probe(prober, breaker);
        let in_the_way: Vec<BreakerId> =
            self.breakers.of(&ids).filter(is_in_the_way).cloned().collect();
        let is_unsent = self.unsent.contains(&(id, ord)) && !self.starting.contains(&(id, ord));
        if is_unsent {
            let Some(breaker) = in_the_way.first() else { return true };
            let why = self.breakers.get(breaker).map(ToString::to_string).unwrap_or_default();
            let reason = format!("Not started: {breaker} {why}");
            self.end_attempt_unstarted(cx, id, ord, reason, FailureCategory::Held);
            return false;
        }
        // Its task may have been made: only the call can be in its way.
        let call = start_call(&job.spec);
        if !in_the_way.contains(&call) {
            return true;
        }
        let Some(breaker) = self.breakers.get(&call) else { return true };
        let at = breaker.probe_at().unwrap_or(cx.now + limits::CALL_RETRY);
        if breaker.is_due(cx.now) {
            self.begin_probe(cx, &call);
            self.breakers.probes.entry(prober).or_default().push(call);
            return true;
        }
        self.timers.set(at, Timer::Start(id, ord));
        false
    }
}
