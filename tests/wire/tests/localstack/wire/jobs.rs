//! One job at a time, from its submission to the end of its machine.

use std::time::{Duration, Instant};

use spillway_wire_tests::deployment::{Deployment, SOON, Shape, runner, said};

#[test]
fn a_job_succeeds_and_its_machine_is_given_back() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let dispatcher = here.serve();

    let job = here.submit(&["--name", "hello"], "echo hello");

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(0));
    let seen = here.job(&job).unwrap();
    assert_eq!(seen["job"]["status"], "SUCCEEDED");
    assert_eq!(seen["job"]["name"], "hello");
    assert_eq!(seen["job"]["exit_code"], 0);
    here.until_all_is_given_back();
    assert_eq!(dispatcher.stop(), Some(0));
}

#[test]
fn a_job_that_exits_3_is_shown_with_its_machine_and_its_cost() {
    let shape = Shape::default();
    let Some(here) = Deployment::new(shape) else { return };
    let _dispatcher = here.serve();

    let size = ["--vcpus", "1", "--memory", "512MiB"];
    let job = here.submit_sized(&size, "sleep 1; exit 3");

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(3), "a failed job is exit code 3");
    let seen = here.job(&job).unwrap();
    let attempt = &seen["attempts"][0];
    assert_eq!(seen["job"]["status"], "FAILED");
    assert_eq!(attempt["exit_code"], 3);
    assert!(shape.instance_types.contains(&attempt["instance_type"].as_str().unwrap()));
    assert!(matches!(attempt["market"].as_str(), Some("spot" | "on-demand")), "{attempt}");
    assert!(attempt["instance_id"].as_str().unwrap().starts_with("i-"));
    assert!(attempt["cost_usd"].as_f64().unwrap() > 0.0, "{attempt}");
    let page = here.spillway(&["jobs", "show", &job]);
    let page = String::from_utf8_lossy(&page.stdout);
    assert!(
        page.contains("FAILED") && page.contains(attempt["instance_type"].as_str().unwrap()),
        "{page}"
    );
    here.until_all_is_given_back();
}

#[test]
fn the_exit_code_of_the_container_can_be_passed_on() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();

    let image = ["--image", "busybox", "--memory", "128MiB"];
    let wait = ["submit", "--wait", "--wait-timeout", "60s", "--pass-exit-code"];
    let output = here.spillway(&[&wait[..], &image, &["--", "sh", "-c", "exit 42"]].concat());

    assert_eq!(output.status.code(), Some(42), "{}", said(&output));
}

#[test]
fn a_job_is_killed_when_it_takes_more_memory_than_it_asked_for() {
    // Local processes have no limit to break.
    if runner() != "docker" {
        return;
    }
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();

    let job = here.submit(&[], "tail /dev/zero");

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(3));
    let attempt = &here.job(&job).unwrap()["attempts"][0];
    assert_eq!(attempt["exit_code"], 137);
    assert!(attempt["reason"].as_str().unwrap().contains("OutOfMemory"), "{attempt}");
}

#[test]
fn a_job_that_runs_too_long_and_ignores_sigterm_is_killed() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();
    let start = Instant::now();

    // The shortest time-out there is; then SIGTERM, and 30 s later SIGKILL.
    let job = here.submit(&["--timeout", "60s"], "trap '' TERM; sleep 600; sleep 600");

    assert_eq!(here.wait(std::slice::from_ref(&job), Duration::from_mins(3)), Some(3));
    let seen = here.job(&job).unwrap();
    assert!(start.elapsed() >= Duration::from_mins(1));
    assert_eq!(seen["job"]["status_reason"], "Job attempt duration exceeded timeout");
    assert_eq!(seen["attempts"][0]["exit_code"], 137, "SIGTERM was ignored, so SIGKILL followed");
}

#[test]
fn a_job_that_waits_says_why_and_can_be_cancelled() {
    let shape =
        Shape { config: "[limits]\nmax-price-per-hour = \"$0.000001\"\n", ..Shape::default() };
    let Some(here) = Deployment::new(shape) else { return };
    let _dispatcher = here.serve();
    let job = here.submit(&[], "true");
    here.until_job_is(&job, "RUNNABLE");

    let output = here.spillway(&["cancel", &job, "--reason", "changed my mind"]);

    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(3));
    let seen = here.job(&job).unwrap();
    assert_eq!(seen["job"]["status_reason"], "changed my mind");
    assert_eq!(seen["attempts"].as_array().map(Vec::len), Some(0), "it never had an attempt");
    assert_eq!(here.n_instances_ever(), 0);
}

#[test]
fn a_running_job_can_be_terminated() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();
    // The first process of a container heeds a signal only if it says how.
    let script = "trap 'exit 143' TERM; sleep 600 & wait";
    let job = here.submit(&["--attempts", "3"], script);
    here.until_job_is(&job, "RUNNING");

    let output = here.spillway(&["terminate", &job, "--reason", "too expensive"]);

    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(3));
    let seen = here.job(&job).unwrap();
    assert_eq!(seen["job"]["status_reason"], "too expensive");
    assert_eq!(seen["attempts"].as_array().map(Vec::len), Some(1), "it is not tried again");
    assert_eq!(seen["attempts"][0]["exit_code"], 143, "SIGTERM was enough");
    here.until_all_is_given_back();
}

#[test]
fn a_failing_job_is_tried_as_often_as_it_asked_for() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();

    let script = "[ \"$AWS_BATCH_JOB_ATTEMPT\" -ge 3 ]";
    let job = here.submit(&["--attempts", "3"], script);

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(0));
    let seen = here.job(&job).unwrap();
    let codes: Vec<_> =
        seen["attempts"].as_array().unwrap().iter().map(|a| a["exit_code"].clone()).collect();
    assert_eq!(codes, [1, 1, 0]);
}
