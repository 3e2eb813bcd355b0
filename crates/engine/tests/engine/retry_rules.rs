//! What a job says of its retries, from its message to its next start.

use spillway_core::job::FailureCategory;
use spillway_core::task::TaskStatus;
use spillway_core::{JobId, MiB};

use crate::rig::{Rig, secs};

/// Takes the next start of a job and brings it as far as RUNNING.
fn runs_again(rig: &mut Rig, job: JobId) -> MiB {
    rig.wait(secs(1));
    let again = rig.take_starts().pop().expect("it is started again");
    rig.accept(&again);
    rig.runs(job);
    again.spec.resources.memory
}

fn ends(rig: &mut Rig, job: JobId, code: Option<i32>, status: &str, reason: Option<&str>) {
    let (status, reason) = (status.to_owned(), reason.map(str::to_owned));
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.exit_code = code;
        task.stop_code = code.map(|_| "EssentialContainerExited".into());
        task.stopped_reason = Some(status);
        task.container_reason = reason;
    });
}

fn runs_out_of_memory(rig: &mut Rig, job: JobId) {
    let reason = "OutOfMemoryError: Container killed due to memory usage";
    ends(rig, job, Some(137), "Essential container in task exited", Some(reason));
}

#[test]
fn an_exit_code_that_a_rule_names_is_tried_again_and_another_is_not() {
    let mut rig = Rig::new();
    let retry = r#","retryStrategy":{"attempts":5,"evaluateOnExit":[
        {"onExitCode":"75","action":"retry"},{"onReason":"*","action":"EXIT"}]}"#;
    let job = rig.run_job("a", "", retry, 1);

    rig.exits(job, 75);
    runs_again(&mut rig, job);
    rig.exits(job, 1);

    assert_eq!(rig.status(job), "FAILED");
    assert_eq!(rig.jobs[&job].attempts.len(), 2);
}

#[test]
fn batchs_spot_idiom_retries_a_lost_host_and_nothing_else() {
    let mut rig = Rig::new();
    let idiom = r#","retryStrategy":{"attempts":2,"evaluateOnExit":[
        {"onStatusReason":"Host EC2*","action":"RETRY"},{"onReason":"*","action":"EXIT"}]}"#;
    let job = rig.run_job("a", "", idiom, 1);

    let lost = "Host EC2 (instance i-00000000000000001) terminated.";
    ends(&mut rig, job, None, lost, None);
    rig.wait(secs(3));
    assert_eq!(rig.status(job), "RUNNABLE", "{:?}", rig.jobs[&job].attempts);

    let other = rig.run_job("b", "", idiom, 2);
    rig.exits(other, 1);
    assert_eq!(rig.status(other), "FAILED");
}

#[test]
fn a_rule_that_says_exit_ends_a_job_whose_host_was_lost() {
    let mut rig = Rig::new();
    let rule = r#","evaluateOnExit":[{"onFailure":["spot","host"],"action":"EXIT"}]"#;
    let job = rig.run_job("a", rule, r#","retryStrategy":{"attempts":3}"#, 1);

    ends(&mut rig, job, None, "Host EC2 (instance i-00000000000000001) terminated.", None);

    assert_eq!(rig.status(job), "FAILED");
}

#[test]
fn a_time_out_is_tried_again_only_where_a_rule_names_it() {
    let mut rig = Rig::new();
    let rule = r#","evaluateOnExit":[{"onFailure":["timeout"],"action":"RETRY"}]"#;
    let extra = r#","timeout":{"attemptDurationSeconds":60},"retryStrategy":{"attempts":2}"#;
    let job = rig.run_job("a", rule, extra, 1);

    rig.wait(secs(61));
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.exit_code = Some(143);
        task.stop_code = Some("UserInitiated".into());
    });
    runs_again(&mut rig, job);

    assert_eq!(rig.jobs[&job].attempts[0].failure, Some(FailureCategory::Timeout));
    assert_eq!(rig.status(job), "RUNNING");
}

#[test]
fn a_job_that_ran_out_of_memory_gets_more_if_it_asks_for_it() {
    let mut rig = Rig::new();
    let growth = r#","growMemory":{"percent":50,"maxMemory":"2000"}"#;
    let job = rig.run_job("a", growth, r#","retryStrategy":{"attempts":4}"#, 1);

    runs_out_of_memory(&mut rig, job);
    let second = runs_again(&mut rig, job);
    runs_out_of_memory(&mut rig, job);
    let third = runs_again(&mut rig, job);

    assert_eq!([second, third], [MiB::new(1536), MiB::new(2000)]);
    assert_eq!(rig.spec(job).resources.memory, MiB::new(1024), "what it asked for stays");
    let attempt = &rig.jobs[&job].attempts[0];
    assert_eq!(attempt.reason, "Essential container in task exited");
    assert!(attempt.told().starts_with("OutOfMemoryError"));
}

#[test]
fn a_job_that_ran_out_of_memory_gets_as_much_again_if_it_does_not() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", r#","retryStrategy":{"attempts":2}"#, 1);

    runs_out_of_memory(&mut rig, job);

    assert_eq!(runs_again(&mut rig, job), MiB::new(1024));
}
