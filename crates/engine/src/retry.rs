//! How an attempt ended, and what follows from it. Pure functions over what ECS said.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use spillway_core::job::{Attempt, FailureCategory, Job, JobSpec, StopCause};
use spillway_core::retry::{RetryAction, first_match};
use spillway_core::task::TaskReport;

use crate::limits;
use crate::time_limit::is_overdue;

/// What happens to a job after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done.
    Succeed,
    /// Over, with Batch's `statusReason`.
    Fail {
        /// The reason.
        reason: String,
    },
    /// Back in line, after a pause.
    Retry {
        /// The pause.
        after: SignedDuration,
    },
}

/// What ECS said of a task's end, with the end of the container that decides over the job's. Of a job with one container ECS
/// has said no other.
pub(crate) fn decided<'a>(report: &'a TaskReport, spec: &JobSpec) -> Cow<'a, TaskReport> {
    let Some(task) = &spec.task else { return Cow::Borrowed(report) };
    let Some(end) = task.decisive(&report.containers) else { return Cow::Borrowed(report) };
    let (exit_code, container_reason) = (end.exit_code, end.reason.clone());
    Cow::Owned(TaskReport { exit_code, container_reason, ..report.clone() })
}

/// Why a task that has stopped failed; `None` if it succeeded.
///
/// A container that exits by itself decides (`EssentialContainerExited`), even if a stop was on its way. The stop codes
/// and the reasons' prefixes are the ECS agent's.
pub(crate) fn classify(
    report: &TaskReport,
    stop: Option<&StopCause>,
    host_is_spot: bool,
) -> Option<FailureCategory> {
    let stop_code = report.stop_code.as_deref().unwrap_or_default();
    let stopped_reason = report.stopped_reason.as_deref().unwrap_or_default();
    let container_reason = report.container_reason.as_deref().unwrap_or_default();
    let says = |needle: &str| container_reason.contains(needle) || stopped_reason.contains(needle);

    let exited_by_itself = stop_code == "EssentialContainerExited" && report.exit_code.is_some();
    if exited_by_itself && !says("OutOfMemory") {
        let is_success = report.exit_code == Some(0);
        return (!is_success).then_some(FailureCategory::Exit);
    }
    if says("OutOfMemory") {
        return Some(FailureCategory::Oom);
    }
    if let Some(cause) = stop {
        return Some(match cause {
            StopCause::Terminated { .. } | StopCause::MainEnded => FailureCategory::Terminated,
            StopCause::Timeout | StopCause::JobTimeout => FailureCategory::Timeout,
            StopCause::SpotInterruption => FailureCategory::Spot,
            // Image pull is what takes long before RUNNING; a host's own trouble shows in other ways.
            StopCause::StuckStarting => FailureCategory::Pull,
            StopCause::Stray => FailureCategory::Host,
            StopCause::NodeLost { failure, .. } => *failure,
            StopCause::TaskShared => FailureCategory::Unknown,
        });
    }
    let host_ended = says_host_ended(report);
    if stop_code == "SpotInterruption" || (host_ended && host_is_spot) {
        return Some(FailureCategory::Spot);
    }
    if host_ended {
        return Some(FailureCategory::Host);
    }
    // What the agent fetches before it starts a container: the image, and (`ResourceInitializationError`) secrets, credentials of
    // the registry and network volumes. What is not there now is seldom there a little later.
    if says("CannotPullContainer") || says("ResourceInitializationError") {
        return Some(FailureCategory::Pull);
    }
    if says("CannotStartContainerError") {
        return Some(FailureCategory::Exit);
    }
    if says("CannotCreateContainerError") || says("DockerTimeoutError") || says("CannotInspect") {
        return Some(FailureCategory::Host);
    }
    match report.exit_code {
        Some(0) => None,
        Some(_) => Some(FailureCategory::Exit),
        None => Some(FailureCategory::Unknown),
    }
}

/// Whether ECS says that a task stopped because its host ended ("Host EC2 (instance i-...) terminated.", or the stop code
/// of an instance that is shut down).
pub(crate) fn says_host_ended(report: &TaskReport) -> bool {
    let stopped_reason = report.stopped_reason.as_deref().unwrap_or_default();
    stopped_reason.starts_with("Host EC2")
        || matches!(report.stop_code.as_deref(), Some("TerminationNotice" | "SpotInterruption"))
}

/// Batch's `statusReason` for a task that has stopped: ECS's `stoppedReason` where it gave one.
pub(crate) fn status_reason_of(report: &TaskReport) -> String {
    let container_reason = report.container_reason.as_ref();
    let said = report.stopped_reason.as_ref().filter(|reason| !reason.is_empty());
    let said = said.or(container_reason.filter(|reason| !reason.is_empty()));
    said.cloned().unwrap_or_else(|| "Essential container in task exited".to_owned())
}

/// What becomes of a job whose attempt has ended, and why it was stopped if it was.
pub(crate) fn verdict(
    now: Timestamp,
    job: Option<&Job>,
    attempt: &Attempt,
    was_stopped_for: Option<StopCause>,
) -> Verdict {
    let (Some(job), true) = (job, attempt.failure.is_some()) else {
        // Most succeed, and success stands, whoever asked for the end.
        return Verdict::Succeed;
    };
    match was_stopped_for {
        // Whoever asked for the end gets it, however the task ended.
        Some(StopCause::Terminated { reason }) => Verdict::Fail { reason },
        Some(cause @ StopCause::JobTimeout) => Verdict::Fail { reason: cause.reason() },
        _ => match decide(&job.spec, &job_with(job, attempt), attempt) {
            Verdict::Retry { .. } if is_overdue(job, now) => {
                Verdict::Fail { reason: StopCause::JobTimeout.reason() }
            }
            verdict @ (Verdict::Retry { .. } | Verdict::Succeed | Verdict::Fail { .. }) => verdict,
        },
    }
}

fn job_with(job: &Job, attempt: &Attempt) -> Job {
    let mut job = job.clone();
    job.attempts.reserve_exact(1);
    job.attempts.push(attempt.clone());
    job
}

/// What follows for a job whose `attempts` already include the one that just ended.
///
/// AWS Batch's rules to the letter: `evaluateOnExit` is asked in order, the first rule that matches decides, none that
/// matches means another try; a time-out, an order to end the job and a definition that cannot run are not tried again.
/// Beyond Batch, a rule that names the time-out is asked about it, and what failed through the infrastructure uses up no
/// attempt. Rules are asked of attempts that ECS made a task for: of one that it refused nobody could write a rule.
pub(crate) fn decide(spec: &JobSpec, job: &Job, ended: &Attempt) -> Verdict {
    let Some(failure) = ended.failure else { return Verdict::Succeed };
    let fail = || Verdict::Fail { reason: ended.told().to_owned() };
    let was_seen = ended.task.is_some();
    let end = ended.failed_end().filter(|_| was_seen);
    let rule = end.as_ref().and_then(|end| first_match(&spec.retry_rules, end));
    if rule.is_some_and(|rule| rule.action == RetryAction::Exit) {
        return fail();
    }
    let names_it = rule.is_some_and(|rule| rule.on_failure.contains(&failure));
    match failure {
        FailureCategory::Terminated | FailureCategory::Invalid => fail(),
        FailureCategory::Held => Verdict::Retry { after: SignedDuration::ZERO },
        FailureCategory::Timeout if !names_it => fail(),
        FailureCategory::Timeout | FailureCategory::Exit | FailureCategory::Oom => {
            retry_at_charge(spec, job, ended)
        }
        FailureCategory::Spot
        | FailureCategory::Host
        | FailureCategory::Pull
        | FailureCategory::Unknown => retry_free(spec, job, ended, failure),
    }
}

/// Another try if the job has one left.
fn retry_at_charge(spec: &JobSpec, job: &Job, ended: &Attempt) -> Verdict {
    if job.n_counted_attempts() < usize::from(spec.attempts) {
        Verdict::Retry { after: SignedDuration::ZERO }
    } else {
        Verdict::Fail { reason: ended.told().to_owned() }
    }
}

/// Another try that uses up none of the job's, unless the infrastructure has had its chances.
fn retry_free(spec: &JobSpec, job: &Job, ended: &Attempt, failure: FailureCategory) -> Verdict {
    let n_pulls = job.attempts.iter().filter(|a| a.failure == Some(FailureCategory::Pull)).count();
    // Never fewer tries than Batch would have given it.
    let pulls_max = limits::PULL_FAILURES_MAX.max(spec.attempts.into());
    if failure == FailureCategory::Pull && pulls_max <= n_pulls {
        return Verdict::Fail { reason: ended.told().to_owned() };
    }
    let n_failed = job.n_infrastructure_failures();
    if limits::INFRASTRUCTURE_FAILURES_MAX <= n_failed {
        let told = ended.told();
        let reason = format!("{told} (the last of {n_failed} failures of the infrastructure)");
        return Verdict::Fail { reason };
    }
    let is_lost_host = matches!(failure, FailureCategory::Spot);
    let after = if is_lost_host { SignedDuration::ZERO } else { backoff(n_failed) };
    Verdict::Retry { after }
}

/// The pause before try number `n_failed + 1`: doubling from [`limits::CALL_RETRY`] to [`limits::CALL_RETRY_MAX`].
pub(crate) fn backoff(n_failed: usize) -> SignedDuration {
    let doublings = u32::try_from(n_failed.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    limits::CALL_RETRY.saturating_mul(1 << doublings).min(limits::CALL_RETRY_MAX)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
