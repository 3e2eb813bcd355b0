//! How an attempt ended, and what follows from it. Pure functions over what ECS said.

use jiff::SignedDuration;
use spillway_core::job::{Attempt, FailureCategory, Job, JobSpec, StopCause};
use spillway_core::task::TaskReport;

use crate::limits;

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
            StopCause::Terminated { .. } => FailureCategory::Terminated,
            StopCause::Timeout => FailureCategory::Timeout,
            StopCause::SpotInterruption => FailureCategory::Spot,
            // Image pull is what takes long before RUNNING; a host's own trouble shows in other ways.
            StopCause::StuckStarting => FailureCategory::Pull,
            StopCause::Stray => FailureCategory::Host,
        });
    }
    let host_ended = says_host_ended(report);
    if stop_code == "SpotInterruption" || (host_ended && host_is_spot) {
        return Some(FailureCategory::Spot);
    }
    if host_ended {
        return Some(FailureCategory::Host);
    }
    if says("CannotPullContainer") {
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

/// Batch's `statusReason` for a task that has stopped.
pub(crate) fn reason_of(report: &TaskReport, failure: Option<FailureCategory>) -> String {
    let container_reason = report.container_reason.clone().filter(|r| !r.is_empty());
    let stopped_reason = report.stopped_reason.clone().filter(|r| !r.is_empty());
    let container_first = matches!(
        failure,
        Some(FailureCategory::Oom | FailureCategory::Pull | FailureCategory::Exit)
    );
    let (first, second) = if container_first {
        (container_reason, stopped_reason)
    } else {
        (stopped_reason, container_reason)
    };
    first.or(second).unwrap_or_else(|| "Essential container in task exited".to_owned())
}

/// What follows for a job whose `attempts` already include the one that just ended.
pub(crate) fn decide(spec: &JobSpec, job: &Job, ended: &Attempt) -> Verdict {
    let Some(failure) = ended.failure else { return Verdict::Succeed };
    let fail = || Verdict::Fail { reason: ended.reason.clone() };
    let n_of = |category| job.attempts.iter().filter(|a| a.failure == Some(category)).count();
    match failure {
        FailureCategory::Timeout | FailureCategory::Terminated | FailureCategory::Invalid => fail(),
        FailureCategory::Exit | FailureCategory::Oom => {
            if job.n_counted_attempts() < usize::from(spec.attempts) {
                Verdict::Retry { after: SignedDuration::ZERO }
            } else {
                fail()
            }
        }
        FailureCategory::Pull if limits::PULL_FAILURES_MAX <= n_of(FailureCategory::Pull) => fail(),
        FailureCategory::Spot
        | FailureCategory::Host
        | FailureCategory::Pull
        | FailureCategory::Unknown => {
            let n_failed = job.n_infrastructure_failures();
            if limits::INFRASTRUCTURE_FAILURES_MAX <= n_failed {
                let reason = format!(
                    "{} (the last of {n_failed} failures of the infrastructure)",
                    ended.reason
                );
                return Verdict::Fail { reason };
            }
            let is_lost_host = matches!(failure, FailureCategory::Spot);
            let after = if is_lost_host { SignedDuration::ZERO } else { backoff(n_failed) };
            Verdict::Retry { after }
        }
    }
}

/// The pause before try number `n_failed + 1`: doubling from [`limits::CALL_RETRY`] to [`limits::CALL_RETRY_MAX`].
pub(crate) fn backoff(n_failed: usize) -> SignedDuration {
    let doublings = u32::try_from(n_failed.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    limits::CALL_RETRY.saturating_mul(1 << doublings).min(limits::CALL_RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spillway_core::task::TaskStatus;

    fn stopped() -> TaskReport {
        TaskReport {
            arn: "arn:aws:ecs:us-east-1:1:task/c/t".parse().unwrap(),
            started_by: None,
            container_instance: None,
            version: 3,
            status: TaskStatus::Stopped,
            started_at: None,
            stopped_at: None,
            exit_code: None,
            stop_code: None,
            stopped_reason: None,
            container_reason: None,
        }
    }

    fn exited(code: i32) -> TaskReport {
        TaskReport {
            exit_code: Some(code),
            stop_code: Some("EssentialContainerExited".into()),
            ..stopped()
        }
    }

    #[test]
    fn a_container_that_exits_by_itself_decides() {
        assert_eq!(classify(&exited(0), None, true), None);
        assert_eq!(classify(&exited(3), None, true), Some(FailureCategory::Exit));
        assert_eq!(classify(&exited(0), Some(&StopCause::Timeout), true), None);
    }

    #[test]
    fn a_task_we_stopped_ended_for_our_reason() {
        let report = TaskReport {
            exit_code: Some(143),
            stop_code: Some("UserInitiated".into()),
            ..stopped()
        };

        let timeout = classify(&report, Some(&StopCause::Timeout), false);
        let spot = classify(&report, Some(&StopCause::SpotInterruption), true);

        assert_eq!(timeout, Some(FailureCategory::Timeout));
        assert_eq!(spot, Some(FailureCategory::Spot));
    }

    #[test]
    fn a_task_that_never_came_to_run_is_free_only_a_few_times() {
        let report = TaskReport { stop_code: Some("UserInitiated".into()), ..stopped() };

        let failure = classify(&report, Some(&StopCause::StuckStarting), false);

        assert_eq!(failure, Some(FailureCategory::Pull));
    }

    #[test]
    fn a_lost_host_is_not_the_jobs_fault() {
        let report = TaskReport {
            stopped_reason: Some("Host EC2 (instance i-0123456789abcdef0) terminated.".into()),
            ..stopped()
        };

        assert_eq!(classify(&report, None, true), Some(FailureCategory::Spot));
        assert_eq!(classify(&report, None, false), Some(FailureCategory::Host));
    }

    #[test]
    fn exit_137_alone_is_no_oom() {
        let oom = TaskReport {
            container_reason: Some("OutOfMemoryError: Container killed due to memory usage".into()),
            ..exited(137)
        };

        assert_eq!(classify(&oom, None, false), Some(FailureCategory::Oom));
        assert_eq!(classify(&exited(137), None, false), Some(FailureCategory::Exit));
    }

    #[test]
    fn a_task_without_a_word_is_of_unknown_end() {
        assert_eq!(classify(&stopped(), None, false), Some(FailureCategory::Unknown));
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        assert_eq!(backoff(1), limits::CALL_RETRY);
        assert_eq!(backoff(2), limits::CALL_RETRY.saturating_mul(2));
        assert_eq!(backoff(1000), limits::CALL_RETRY_MAX);
    }
}
