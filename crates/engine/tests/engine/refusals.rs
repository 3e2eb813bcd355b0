//! Hosts that have less room than they say, and hosts that are kept for work that waits.

use spillway_core::effect::{Refusal, TaskRequest, TaskStart};
use spillway_core::input::Answer;
use spillway_core::quantity::Dimension;
use spillway_core::{CpuUnits, Effect, JobState, MiB, Resources};

use crate::rig::{Rig, job_id, message, secs};

fn refuse(rig: &mut Rig, start: &TaskRequest) {
    let refusal = Refusal::NoRoom { dimension: Some(Dimension::Memory) };
    let result = Ok(TaskStart::Refused(refusal));
    rig.answer(Answer::RunTask { job: start.job, attempt: start.attempt, result });
}

#[test]
fn a_host_that_keeps_refusing_is_not_tried_for_ever() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);
    rig.register(1);

    for n in 0..3 {
        let start = rig.take_starts().pop().unwrap_or_else(|| panic!("try {n}"));
        refuse(&mut rig, &start);
        if n < 2 {
            rig.wait(secs(20));
        }
    }
    rig.wait(secs(20));

    let effects = rig.take_effects();
    assert!(effects.iter().any(|e| matches!(e, Effect::Launch(_))), "{effects:?}");
    assert_eq!(rig.jobs[&job_id("a")].n_counted_attempts(), 0);
}

#[test]
fn a_host_that_waiting_work_is_kept_for_is_not_given_back() {
    let mut rig = Rig::new();
    let first = rig.run_job("a", "", "", 1);
    rig.exits(first, 0);
    rig.agent(1, false);
    rig.send(message("b", "", ""));
    rig.take_effects();

    rig.wait(rig.config.idle_timeout.saturating_mul(2));
    let effects = rig.take_effects();
    assert!(effects.iter().all(|e| matches!(e, Effect::Observe { .. })), "{effects:?}");
    rig.agent(1, true);

    assert_eq!(rig.status(job_id("b")), "STARTING");
}

#[test]
fn a_job_that_fits_nothing_any_more_fails_with_the_dimension_and_the_nearest_type() {
    let mut rig = Rig::new();
    rig.send(message("a", "", "").replace(r#""1024""#, r#""8192""#));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    assert_eq!(launch.choices[0].pool.instance_type, "c5.xlarge");
    rig.give(&launch, 1);

    rig.register_with(1, Resources::new(CpuUnits::from_vcpus(4), MiB::new(7900), 0));
    rig.wait(secs(2));

    let JobState::Failed { reason, .. } = rig.state(job_id("a")) else { panic!("it has failed") };
    assert!(reason.contains("memory") && reason.contains("c5.xlarge"), "{reason}");
}
