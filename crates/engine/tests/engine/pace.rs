//! Calls are not made faster than ECS takes them.

use spillway_core::message::{Ending, end_job};
use spillway_core::task::FleetSnapshot;
use spillway_core::{Answer, Effect, JobId};
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
