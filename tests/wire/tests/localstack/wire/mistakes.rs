//! What people get wrong: each mistake has its own message, exit code and hint.

use std::process::Output;

use spillway_wire_tests::deployment::{Deployment, SOON, Shape, said};

/// Runs with these variables set, or taken away.
fn run(here: &Deployment, args: &[&str], variables: &[(&str, Option<&str>)]) -> Output {
    let mut command = here.command(args);
    for (name, value) in variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.output().expect("the program can be started")
}

/// It ends with this code and says all of this on stderr, with a hint, and nothing on stdout.
fn assert_says(output: &Output, code: i32, texts: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    for text in texts.iter().chain(&["hint:"]) {
        assert!(stderr.contains(text), "no {text:?} in {}", said(output));
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn what_is_not_there_is_named() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let submit = ["submit", "--image", "busybox", "--", "true"];

    let cluster = run(&here, &["serve"], &[("SPILLWAY_CLUSTER", Some("nowhere"))]);
    assert_says(&cluster, 6, &["cluster", "nowhere"]);

    let queue = run(&here, &submit, &[("SPILLWAY_JOB_QUEUE_NAME", Some("no-such-queue"))]);
    assert_says(&queue, 6, &["no-such-queue", "job-queue-name"]);

    let events = run(&here, &["serve"], &[("SPILLWAY_EVENT_QUEUE", Some("no-such-events"))]);
    assert_says(&events, 6, &["no-such-events", "event-queue"]);
}

#[test]
fn an_endpoint_that_is_down_and_missing_credentials_are_told_apart() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let submit = ["submit", "--image", "busybox", "--", "true"];

    // Port 1 is nobody's.
    let down = run(&here, &submit, &[("AWS_ENDPOINT_URL", Some("http://127.0.0.1:1"))]);
    assert_says(&down, 8, &["127.0.0.1:1"]);

    let nobody = [("AWS_ACCESS_KEY_ID", None), ("AWS_SECRET_ACCESS_KEY", None)];
    let no_credentials = run(&here, &submit, &nobody);
    assert_says(&no_credentials, 7, &["credentials"]);

    let no_region = run(&here, &submit, &[("AWS_REGION", None)]);
    assert_says(&no_region, 6, &["region"]);
}

#[test]
fn a_job_that_no_machine_can_hold_fails_at_once_and_says_what_is_missing() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();

    let job = here.submit_sized(&["--memory", "10TiB"], "true");

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(3));
    let seen = here.job(&job).unwrap();
    let reason = seen["job"]["status_reason"].as_str().unwrap();
    assert!(reason.contains("memory"), "{reason}");
    assert_eq!(here.n_instances_ever(), 0, "nothing was bought for it");
}

#[test]
fn a_job_for_a_queue_nobody_serves_is_refused_before_it_is_sent() {
    let Some(here) = Deployment::new(Shape::default()) else { return };

    let output =
        here.spillway(&["submit", "--queue", "nobodys", "--image", "busybox", "--", "true"]);

    assert_says(&output, 2, &["nobodys"]);
    assert_eq!(here.wire().depth(&here.job_queue()), 0);
}

#[test]
fn the_doctor_finds_a_whole_installation_in_order() {
    let Some(here) = Deployment::new(Shape::default()) else { return };

    let output = here.spillway(&["doctor"]);

    assert!(output.status.success(), "{}", said(&output));
    let broken = run(&here, &["doctor"], &[("SPILLWAY_CLUSTER", Some("nowhere"))]);
    assert!(!broken.status.success(), "{}", said(&broken));
    assert!(String::from_utf8_lossy(&broken.stdout).contains("nowhere"), "{}", said(&broken));
}
