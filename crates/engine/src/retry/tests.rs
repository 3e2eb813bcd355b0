//! How ends are sorted and which pauses follow, one case each.

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
        containers: Vec::new(),
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
    let report =
        TaskReport { exit_code: Some(143), stop_code: Some("UserInitiated".into()), ..stopped() };

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
fn a_secret_that_cannot_be_fetched_is_as_an_image_that_cannot_be_pulled() {
    let said = "ResourceInitializationError: unable to pull secrets or registry auth: invalid ssm parameters: /token";
    let report = TaskReport {
        stop_code: Some("TaskFailedToStart".into()),
        stopped_reason: Some(said.into()),
        ..stopped()
    };

    assert_eq!(classify(&report, None, true), Some(FailureCategory::Pull));
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
