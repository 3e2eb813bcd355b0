//! Job definitions from the message that registers them to the jobs that name them.

use spillway_core::{Effect, JobId, JobState};

use crate::rig::{Rig, job_id, message, secs};

fn definition(token: &str, image: &str) -> String {
    format!(
        r#"{{"jobDefinitionName":"align","type":"container","parameters":{{"n":"1"}},"containerProperties":
        {{"image":"{image}","command":["run","Ref::n"],"resourceRequirements":[{{"type":"VCPU","value":"1"}},
        {{"type":"MEMORY","value":"1024"}}]}},"spillway":{{"clientToken":"{token}"}}}}"#
    )
}

fn deregister(which: &str) -> String {
    format!(r#"{{"jobDefinition":"{which}","spillway":{{"action":"DeregisterJobDefinition"}}}}"#)
}

fn naming(token: &str, which: &str) -> String {
    format!(
        r#"{{"jobName":"{token}","jobQueue":"default","jobDefinition":"{which}","parameters":{{"n":"2"}},
        "spillway":{{"clientToken":"{token}"}}}}"#
    )
}

fn image(rig: &Rig, job: JobId) -> String {
    rig.spec(job).container.image.clone()
}

fn has_dead_letter(rig: &mut Rig) -> bool {
    rig.take_effects().iter().any(|effect| matches!(effect, Effect::DeadLetter(_)))
}

#[test]
fn a_job_runs_what_its_definition_says_with_its_own_parameters() {
    let mut rig = Rig::new();
    rig.send(definition("d1", "tool:1"));
    rig.send(definition("d2", "tool:2"));

    rig.send(naming("a", "align"));
    rig.send(naming("b", "align:1"));

    assert_eq!(
        (image(&rig, job_id("a")), image(&rig, job_id("b"))),
        ("tool:2".into(), "tool:1".into())
    );
    assert_eq!(rig.spec(job_id("a")).container.command, ["run", "2"]);
    assert_eq!(rig.spec(job_id("a")).definition_revision, Some(2));
}

#[test]
fn a_registration_that_is_delivered_twice_is_one_revision() {
    let mut rig = Rig::new();
    rig.send(definition("d1", "tool:1"));
    rig.send(definition("d2", "tool:2"));

    rig.send(definition("d1", "tool:1"));
    rig.send(naming("a", "align"));

    assert_eq!(image(&rig, job_id("a")), "tool:2");
}

#[test]
fn definitions_are_there_after_a_restart_and_numbers_are_not_given_again() {
    let mut rig = Rig::new();
    rig.send(definition("d1", "tool:1"));
    rig.send(definition("d2", "tool:2"));
    rig.send(deregister("align:2"));

    rig.restart_after(secs(1));
    rig.send(definition("d3", "tool:3"));
    rig.send(naming("a", "align:3"));
    rig.send(naming("b", "align:1"));

    assert_eq!(
        (image(&rig, job_id("a")), image(&rig, job_id("b"))),
        ("tool:3".into(), "tool:1".into())
    );
}

#[test]
fn a_job_that_overtakes_its_definition_waits_for_it_and_not_for_ever() {
    let mut rig = Rig::new();
    rig.take_effects();

    rig.send(naming("a", "align"));
    assert!(rig.take_effects().is_empty(), "it is left in the queue and will come again");
    rig.send(definition("d1", "tool:1"));
    rig.send(naming("a", "align"));
    assert_eq!(rig.status(job_id("a")), "RUNNABLE");

    rig.take_effects();
    rig.linger(naming("b", "other"));
    assert!(has_dead_letter(&mut rig));
}

#[test]
fn a_deregistered_revision_takes_no_more_jobs_and_ends_none() {
    let mut rig = Rig::new();
    rig.send(definition("d1", "tool:1"));
    rig.send(naming("a", "align:1"));
    rig.send(deregister("align:1"));
    rig.take_effects();

    // The same message again: its job is known, whatever became of its definition.
    rig.linger(naming("a", "align:1"));
    assert!(!has_dead_letter(&mut rig));
    rig.linger(naming("b", "align:1"));
    assert!(has_dead_letter(&mut rig));
    rig.linger(deregister("align:1"));
    assert!(!has_dead_letter(&mut rig), "it is deregistered already");
    rig.linger(deregister("align:9"));
    assert!(has_dead_letter(&mut rig));

    assert!(matches!(rig.state(job_id("a")), JobState::Runnable { .. }));
}

#[test]
fn jobs_of_one_definition_are_one_kind_and_one_task_definition() {
    let mut rig = Rig::new();
    rig.send(definition("d1", "tool:1"));
    for token in ["a", "b"] {
        rig.send(naming(token, "align:1"));
    }
    rig.send(message("c", "", ""));

    let (a, b) = (rig.spec(job_id("a")), rig.spec(job_id("b")));

    assert_eq!(spillway_core::KindId::of(&a), spillway_core::KindId::of(&b));
    assert_eq!(a.container, b.container);
}
