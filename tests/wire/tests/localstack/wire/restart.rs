//! The dispatcher dies, at the worst moments, and another one takes over from its ledger: nothing is lost and nothing doubled.

use std::time::Duration;

use serde_json::{Value, json};
use spillway_wire_tests::deployment::{Deployment, SOON, Shape, said, wait_until};

fn hosts(here: &Deployment) -> Vec<Value> {
    here.json(&["hosts", "list"])["hosts"].as_array().cloned().unwrap_or_default()
}

#[test]
fn killed_between_launch_and_run_it_loses_nothing_and_doubles_nothing() {
    let shape = Shape { boot_seconds: 5, ..Shape::default() };
    let Some(here) = Deployment::new(shape) else { return };
    let first = here.serve();
    let job = here.submit(&[], "sleep 1");
    let instance = wait_until("a machine that was bought", SOON, || here.running_instances().pop());

    first.kill();

    // The machine boots and registers while nobody is there to see it.
    wait_until("the machine in the cluster", SOON, || {
        let answer = here.wire().ecs("ListContainerInstances", &json!({ "cluster": here.name() }));
        answer["containerInstanceArns"]
            .as_array()
            .is_some_and(|arns| !arns.is_empty())
            .then_some(())
    });
    assert_eq!(here.n_tasks_ever(), 0);
    let _second = here.serve();

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(0));
    let seen = here.job(&job).unwrap();
    assert_eq!(seen["attempts"].as_array().map(Vec::len), Some(1));
    assert_eq!(seen["attempts"][0]["instance_id"], instance.as_str());
    assert_eq!(here.n_instances_ever(), 1);
    assert_eq!(here.n_tasks_ever(), 1);
    here.until_all_is_given_back();
}

#[test]
fn a_job_that_ends_while_no_dispatcher_runs_keeps_its_exit_code() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let first = here.serve();
    let job = here.submit(&[], "sleep 3; exit 5");
    here.until_job_is(&job, "RUNNING");

    first.kill();
    wait_until("the end of the task", SOON, || {
        let input = json!({ "cluster": here.name(), "desiredStatus": "STOPPED" });
        let answer = here.wire().ecs("ListTasks", &input);
        answer["taskArns"].as_array().is_some_and(|arns| arns.len() == 1).then_some(())
    });
    let _second = here.serve();

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(3));
    assert_eq!(here.job(&job).unwrap()["job"]["exit_code"], 5);
    assert_eq!(here.n_tasks_ever(), 1);
}

#[test]
fn killed_again_and_again_it_still_runs_every_job_once() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    here.expect_deaths();
    let jobs: Vec<String> =
        (0..8).map(|ord| here.submit(&["--name", &format!("job-{ord}")], "sleep 2")).collect();

    for ms in [400, 900, 1500, 2500] {
        let dispatcher = here.serve();
        // Not a wait for something: the moment of death is what is tried.
        std::thread::sleep(Duration::from_millis(ms));
        dispatcher.kill();
    }
    let _last = here.serve();

    assert_eq!(here.wait(&jobs, SOON), Some(0));
    assert_eq!(here.n_tasks_ever(), jobs.len());
    for job in &jobs {
        let attempts = here.job(job).unwrap()["attempts"].as_array().map(Vec::len);
        assert_eq!(attempts, Some(1), "{job}");
    }
    here.until_all_is_given_back();
}

#[test]
fn sigterm_leaves_jobs_running_and_ends_with_0() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let first = here.serve();
    let job = here.submit(&[], "sleep 4");
    here.until_job_is(&job, "RUNNING");

    assert_eq!(first.stop(), Some(0));

    assert_eq!(here.running_instances().len(), 1, "the machine stays");
    assert_eq!(here.job(&job).unwrap()["job"]["status"], "RUNNING", "readers need no dispatcher");
    assert_eq!(hosts(&here).len(), 1);
    let _second = here.serve();
    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(0));
    assert_eq!(here.n_tasks_ever(), 1);
}

#[test]
fn a_second_dispatcher_on_one_ledger_is_turned_away() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _first = here.serve();
    // The first has the lock by then.
    here.until_the_ledger_is_there();

    let second = here.spillway(&["serve"]);

    assert_eq!(second.status.code(), Some(9), "{}", said(&second));
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains("in use by another dispatcher") && text.contains("hint:"), "{text}");
}
