//! Calls are not made faster than ECS takes them.

use jiff::SignedDuration;
use spillway_core::effect::TaskRequest;
use spillway_core::message::{Ending, end_job};
use spillway_core::task::FleetSnapshot;
use spillway_core::{Answer, CloudError, Effect, JobId};
use spillway_engine::limits;

use crate::rig::{Rig, job_id, message, secs};

/// So many jobs of which two fill a host, all running.
fn running(rig: &mut Rig, n_jobs: u32) -> Vec<JobId> {
    for n in 0..n_jobs {
        rig.send(message(&format!("job-{n}"), "", ""));
    }
    rig.wait(secs(2));
    let mut first = 1;
    for launch in rig.take_launches() {
        rig.give(&launch, first);
        first += launch.count;
    }
    for n in 1..first {
        rig.register(n);
    }
    rig.wait(secs(60));
    for start in rig.take_starts() {
        rig.accept(&start);
        rig.runs(start.job);
    }
    (0..n_jobs).map(|n| job_id(&format!("job-{n}"))).collect()
}

#[test]
fn starts_keep_the_bucket_of_run_task() {
    let mut rig = Rig::new();
    for n in 0..150 {
        rig.send(message(&format!("job-{n}"), "", ""));
    }
    rig.wait(secs(2));
    let mut first = 1;
    for launch in rig.take_launches() {
        rig.give(&launch, first);
        first += launch.count;
    }
    for n in 1..first {
        rig.register(n);
    }

    let burst = usize::try_from(limits::TASK_CALLS_BURST).unwrap();
    assert_eq!(rig.take_starts().len(), burst);
    rig.wait(secs(1));
    assert_eq!(rig.take_starts().len(), usize::try_from(limits::TASK_CALLS_PER_SEC).unwrap());
}

#[test]
fn stops_keep_the_same_bucket() {
    let mut rig = Rig::new();
    let jobs = running(&mut rig, 150);
    assert!(jobs.iter().all(|job| rig.status(*job) == "RUNNING"));
    rig.take_effects();

    for job in &jobs {
        rig.send(end_job(Ending::Terminate, (*job).into(), "enough").to_string());
    }
    let at_once = rig.take_stops().len();
    rig.wait(secs(10));
    let later = rig.take_stops().len();

    assert_eq!(at_once, usize::try_from(limits::TASK_CALLS_BURST).unwrap());
    assert_eq!(at_once + later, jobs.len());
}

#[test]
fn a_look_asks_for_the_tasks_that_are_believed_alive_and_no_others() {
    let mut rig = Rig::new();
    running(&mut rig, 3);
    rig.take_effects();

    rig.answer(Answer::Observe { asked_at: rig.now, snapshot: FleetSnapshot::default() });
    rig.wait(rig.config.observe_every + secs(1));

    let looks = rig.take_effects().into_iter().filter_map(|effect| match effect {
        Effect::Observe { tasks } => Some(tasks.len()),
        _ => None,
    });
    assert_eq!(looks.collect::<Vec<_>>(), [3]);
}

/// Hosts for all of `n_jobs` that were sent, with whatever starts fit the first burst taken.
fn starting(rig: &mut Rig, n_jobs: u32) -> Vec<TaskRequest> {
    for n in 0..n_jobs {
        rig.send(message(&format!("more-{n}"), "", ""));
    }
    rig.wait(secs(2));
    let mut first = 1_001;
    for launch in rig.take_launches() {
        rig.give(&launch, first);
        first += launch.count;
    }
    for n in 1_001..first {
        rig.register(n);
    }
    rig.take_starts()
}

#[test]
fn what_is_to_end_does_not_wait_behind_the_starts_that_queue() {
    let mut rig = Rig::new();
    let jobs = running(&mut rig, 3);
    rig.wait(secs(60));
    let n_queued = 200 - starting(&mut rig, 200).len();
    assert!(50 < n_queued, "{n_queued} starts wait for their calls");
    rig.take_effects();

    for job in &jobs {
        rig.send(end_job(Ending::Terminate, (*job).into(), "enough").to_string());
    }
    rig.wait(SignedDuration::from_millis(200));

    assert_eq!(rig.take_stops().len(), jobs.len());
}

#[test]
fn a_throttled_start_stands_in_line_again_and_all_of_them_go_slower() {
    let mut rig = Rig::new();
    let starts = starting(&mut rig, 300);
    rig.wait(secs(1));
    let before = rig.take_starts().len();
    let error = CloudError::Throttled { action: "ecs:RunTask".into(), detail: "slow".into() };
    let first = starts.first().unwrap();
    let (job, attempt) = (first.job, first.attempt);

    rig.answer(Answer::RunTask { job, attempt, result: Err(error) });
    rig.wait(secs(1));

    let after = rig.take_starts().len();
    assert!(after < before, "{before} starts a second, then {after}");
    rig.wait(secs(10));
    let again = rig.take_starts();
    assert!(again.iter().any(|start| start.job == job && start.attempt == attempt));
}
