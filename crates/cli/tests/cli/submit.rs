//! What `submit` makes of flags and files, as far as it goes without a queue.

use crate::rig::{Home, id, message};

#[test]
fn a_dry_run_prints_the_message_and_the_id_it_will_have() {
    let home = Home::new();
    let args = [
        "submit",
        "--image",
        "busybox",
        "--vcpus",
        "1",
        "--memory",
        "512MiB",
        "--token",
        "t1",
        "--dry-run",
        "--format",
        "json",
        "--",
        "sh",
        "-c",
        "exit 3",
    ];

    let json = home.run(&args).json();

    assert_eq!(json["sent"], false);
    assert_eq!(json["jobs"][0]["id"], id("t1"));
    let message = &json["jobs"][0]["message"];
    let container = &message["jobDefinition"]["containerProperties"];
    assert_eq!(container["command"], serde_json::json!(["sh", "-c", "exit 3"]));
    assert_eq!(message["jobQueue"], "default");
}

#[test]
fn what_a_dry_run_prints_can_be_sent_as_a_file() {
    let home = Home::new();
    let printed = home.run(&["submit", "--image", "busybox", "--token", "t", "--dry-run"]).stdout;

    let again = home.run_with(&["submit", "--file", "-", "--dry-run"], &[], &printed);

    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(again.stdout, printed);
}

#[test]
fn json_lines_on_stdin_are_a_batch_with_an_id_each() {
    let home = Home::new();
    let lines: Vec<String> =
        ["a", "b", "c"].iter().map(|token| message(token, 512, "true").to_string()).collect();
    let args = ["submit", "--file", "-", "--dry-run", "--format", "jsonl"];

    let ran = home.run_with(&args, &[], &lines.join("\n"));

    let ids: Vec<serde_json::Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, ["a", "b", "c"].map(id));
}

#[test]
fn without_a_token_two_submissions_are_two_jobs() {
    let home = Home::new();
    let args = ["submit", "--image", "busybox", "--dry-run", "--format", "json"];

    let (one, other) = (home.run(&args).json(), home.run(&args).json());

    assert_ne!(one["jobs"][0]["id"], other["jobs"][0]["id"]);
}

#[test]
fn what_is_odd_about_a_message_is_warned_of_with_its_line() {
    let mut job = message("a", 512, "true");
    job["favouriteColour"] = "green".into();
    let home = Home::new().with("job.jsonl", &job.to_string());

    let ran = home.run(&["submit", "--file", "job.jsonl", "--dry-run"]);

    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.starts_with("warning: job.jsonl: "), "{ran}");
    assert!(ran.stderr.contains("favouriteColour"), "{ran}");
}

#[test]
fn an_order_can_be_looked_at_before_it_is_sent() {
    let job = id("a");

    let ran = Home::new().run(&["terminate", &job, "--reason", "too slow", "--dry-run"]);

    let order: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(order["jobId"], job);
    assert_eq!(order["spillway"]["action"], "TerminateJob");
}
