//! Many jobs at once: lists by condition and a page at a time, orders for all that meet conditions, and retries.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use spillway_core::{Change, Job, JobId, JobState};

use crate::rig::{Home, Ran, add_job, id, message};

fn at(hours: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

/// Six jobs, one an hour: two succeed, two fail, two wait.
fn six() -> Vec<Change> {
    let lost = "Host EC2 (instance i-0123456789abcdef0) terminated.";
    let mut changes = Vec::new();
    for (seq, token) in (0_u32..).zip(["a-0", "a-1", "b-2", "b-3", "c-4", "c-5"]) {
        let hours = i64::from(seq);
        let mut body = message(token, 512, "true");
        body["tags"] = json!({"run": (seq % 2).to_string()});
        let Change::AddJob(job) = add_job(seq.into(), &body, at(hours)) else { unreachable!() };
        let ended = at(hours) + SignedDuration::from_mins(10);
        let state = match seq {
            0 | 2 => JobState::Succeeded { at: ended },
            1 => JobState::Failed { at: ended, reason: lost.into() },
            3 => {
                JobState::Failed { at: ended, reason: "Essential container in task exited".into() }
            }
            _ => job.state.clone(),
        };
        changes.push(Change::AddJob(Box::new(Job { state, ..*job })));
    }
    changes
}

fn home() -> Home {
    Home::new().with_facts("l.db", &six())
}

fn list(home: &Home, more: &[&str]) -> Value {
    let args = [&["jobs", "list", "--ledger", "l.db", "--format", "json"], more].concat();
    home.run(&args).json()
}

fn names(list: &Value) -> Vec<String> {
    let jobs = list["jobs"].as_array().unwrap();
    jobs.iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_list_takes_any_conditions_together() {
    let home = home();
    let listed = |more: &[&str]| names(&list(&home, more));

    assert_eq!(listed(&["--name", "a-*"]), ["a-1", "a-0"]);
    assert_eq!(listed(&["--name", "?-3", "--tag", "run=1"]), ["b-3"]);
    assert_eq!(listed(&["--tag", "run=1", "--status", "FAILED"]), ["b-3", "a-1"]);
    assert_eq!(listed(&["--status-reason", "Host EC2"]), ["a-1"]);
    let window =
        ["--submitted-after", "2026-01-01T02:00:00Z", "--submitted-before", "2026-01-01T04:00:00Z"];
    assert_eq!(listed(&window), ["b-3", "b-2"]);
    assert_eq!(listed(&["--ended-after", "2026-01-01T03:00:00Z"]), ["b-3"]);
    assert_eq!(listed(&["--submitted-after", "1h"]), [""; 0], "they are long ago");
    assert_eq!(listed(&["--definition", "align:1"]), [""; 0]);
}

#[test]
fn a_list_goes_on_where_a_page_ended() {
    let home = home();

    let first = list(&home, &["--limit", "4"]);
    let next = first["next"].as_str().unwrap().to_owned();
    let second = list(&home, &["--limit", "4", "--after", &next]);
    let unknown = home.run(&["jobs", "list", "--ledger", "l.db", "--after", &id("nobody")]);

    assert_eq!(names(&first), ["c-5", "c-4", "b-3", "b-2"]);
    assert_eq!((names(&second), &second["next"]), (vec!["a-1".into(), "a-0".into()], &Value::Null));
    assert_eq!(unknown.code, Some(2), "{unknown}");
}

macro_rules! said {
    ($home:expr, $($args:tt)*) => {{
        let home = $home;
        let ran: Ran = home.run(&$($args)*);
        home.settings().bind(|| insta::assert_snapshot!(ran));
    }};
}

#[test]
fn orders_for_many_are_counted_before_they_are_sent() {
    said!(home(), ["cancel", "--status", "RUNNABLE", "--ledger", "l.db"]);
}

#[test]
fn orders_for_many_can_be_looked_at() {
    said!(
        home(),
        [
            "terminate",
            "--name",
            "c-*",
            "--reason",
            "why",
            "--dry-run",
            "--ledger",
            "l.db",
            "--format",
            "json"
        ]
    );
}

#[test]
fn a_job_that_has_ended_cannot_be_cancelled() {
    said!(home(), ["cancel", "--status", "SUCCEEDED", "--ledger", "l.db"]);
}

#[test]
fn orders_for_nobody_are_an_error() {
    said!(home(), ["cancel", "--name", "nobody", "--ledger", "l.db"]);
    said!(home(), ["cancel", "--ledger", "l.db"]);
}

#[test]
fn children_that_follow_each_other_are_one_order() {
    let mut body = message("array", 512, "true");
    body["arrayProperties"] = json!({"size": 10});
    let Change::AddJob(array) = add_job(1, &body, at(0)) else { unreachable!() };
    let failed = JobState::Failed { at: at(1), reason: "not needed".into() };
    let facts = [
        Change::AddJob(Box::new(Job { state: JobState::Pending, ..*array })),
        Change::EndChildren {
            array: id("array").parse().unwrap(),
            runs: vec![(3, 3)],
            state: failed,
        },
    ];
    let home = Home::new().with_facts("l.db", &facts);

    let args =
        ["cancel", "--array", &id("array"), "--dry-run", "--ledger", "l.db", "--format", "json"];
    let orders = home.run(&args).json();
    let args = [
        "jobs",
        "retry",
        "--array",
        &id("array"),
        "--dry-run",
        "--ledger",
        "l.db",
        "--format",
        "json",
    ];
    let retries = home.run(&args).json();

    let of = |indexes: &str| json!(format!("{}:{indexes}", id("array")));
    assert_eq!(
        (&orders["orders"][0]["job"], &orders["orders"][1]["job"]),
        (&of("0-2"), &of("4-9"))
    );
    assert_eq!(orders["matched"], json!([{"status": "RUNNABLE", "count": 9}]));
    assert_eq!(retries["retries"][0]["job"], of("3-3"));
    let array = &retries["retries"][0]["message"]["spillway"]["array"];
    assert_eq!(*array, json!({"first": 3, "last": 3}));
}

fn retry(home: &Home, more: &[&str]) -> Ran {
    home.run(
        &[&["jobs", "retry", "--ledger", "l.db", "--format", "json", "--dry-run"], more].concat(),
    )
}

#[test]
fn a_retry_is_the_same_job_under_a_token_made_from_its_id() {
    let home = home();

    let one = retry(&home, &[&id("a-1")]).json();
    let all = retry(&home, &["--status-reason", "Host EC2"]).json();

    let of = &one["retries"][0];
    let token = format!("retry-of-{}", id("a-1"));
    assert_eq!(of["id"], JobId::derive(&"default".parse().unwrap(), &token).to_string());
    assert_eq!(of["message"]["spillway"]["clientToken"], token);
    assert_eq!(of["message"]["jobName"], "a-1");
    assert_eq!(all["retries"], one["retries"]);
}

#[test]
fn a_retry_that_is_under_way_or_has_succeeded_is_not_sent_again() {
    let token = format!("retry-of-{}", id("a-1"));
    let with = |state: JobState| {
        let mut facts = six();
        let Change::AddJob(job) = add_job(9, &message(&token, 512, "true"), at(9)) else {
            unreachable!()
        };
        facts.push(Change::AddJob(Box::new(Job { state, ..*job })));
        Home::new().with_facts("l.db", &facts)
    };
    let failed = JobState::Failed { at: at(10), reason: "again".into() };
    let told = |home: &Home, more: &[&str]| {
        let first = id("a-1");
        let args: Vec<&str> = [&[first.as_str()], more].concat();
        let retry = retry(home, &args).json()["retries"][0].clone();
        (retry["outcome"].as_str().unwrap().to_owned(), retry["id"] == id(&token))
    };

    let waits = with(JobState::Runnable { since: at(9) });
    let succeeded = with(JobState::Succeeded { at: at(10) });
    let failed = with(failed);

    assert_eq!(told(&waits, &[]), ("under-way".into(), true));
    assert_eq!(told(&succeeded, &[]), ("succeeded".into(), true));
    assert_eq!(told(&succeeded, &["--again"]), ("sent".into(), false));
    assert_eq!(told(&failed, &[]), ("sent".into(), false), "its own retry");
}

#[test]
fn only_what_has_ended_is_retried_and_many_only_if_it_is_said() {
    said!(home(), ["jobs", "retry", &id("c-4"), "--ledger", "l.db"]);
    said!(home(), ["jobs", "retry", "--status", "FAILED", "--ledger", "l.db"]);
}
