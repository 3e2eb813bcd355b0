//! What has happened, from the ledger of a simulated run and from one made by hand.

use jiff::Timestamp;
use serde_json::Value;
use spillway_core::{Asked, Change, Heard, JobState, Pausable};

use crate::rig::{Home, add_job, id, message};

const SCENARIO: &str = r#"
name = "short"
[[workload.jobs]]
name = "short"
count = 2
vcpus = 1
memory = "1GiB"
duration = "40s"
exits = { 0 = 1 }
"#;

fn heard(message: &str, asked: Asked) -> Change {
    let sender = Some("AROAEXAMPLE:ci".to_owned());
    Change::Heard(Box::new(Heard { message: message.to_owned(), sender, asked }))
}

/// Two jobs, one of which was ended; an order, and a message that could not be taken.
fn home() -> Home {
    let now = Timestamp::UNIX_EPOCH;
    let job = |token: &str| id(token).parse().unwrap();
    let submit = |token: &str| Asked::Submit { job: job(token) };
    let target: spillway_core::JobTarget = id("a").parse().unwrap();
    let refused = Asked::Refused {
        code: "UNKNOWN_QUEUE".into(),
        reason: "jobQueue: there is no queue \"x\"".into(),
    };
    let failed = JobState::Failed { at: now, reason: "not needed".into() };
    let facts = [
        heard("m-1", submit("a")),
        add_job(1, &message("a", 512, "true"), now),
        heard("m-2", submit("b")),
        add_job(2, &message("b", 512, "true"), now),
        heard("m-3", Asked::Pause { target: Pausable::Queue("default".parse().unwrap()) }),
        heard("m-4", refused),
        heard("m-5", Asked::end(&target, "not needed", false)),
        Change::MoveJob { id: job("a"), state: failed, ended: None },
    ];
    Home::new().with_facts("l.db", &facts)
}

fn json(home: &Home, more: &[&str]) -> Value {
    let args = [&["events", "--ledger", "l.db", "--format", "json"], more].concat();
    home.run(&args).json()
}

fn numbers(answer: &Value) -> Vec<u64> {
    answer["events"].as_array().unwrap().iter().map(|event| event["n"].as_u64().unwrap()).collect()
}

#[test]
fn who_asked_for_what_is_one_line_each() {
    let home = home();

    let ran = home.run(&["events", "--ledger", "l.db"]);

    home.settings().bind(|| insta::assert_snapshot!(ran));
}

#[test]
fn a_simulated_run_is_told_from_its_first_job_to_its_last_bill() {
    let (home, _) = Home::with_run(SCENARIO);

    let ran = home.run(&["events", "--ledger", "run.db", "--limit", "1000"]);

    let mut settings = home.settings();
    settings.add_filter("i-[0-9a-f]{17}", "[INSTANCE]");
    settings.bind(|| insta::assert_snapshot!(ran));
}

#[test]
fn json_carries_who_and_where_to_go_on() {
    let home = home();

    let last = json(&home, &["--limit", "2"]);
    let before = json(&home, &["--limit", "2", "--before", &last["before"].to_string()]);
    let after = json(&home, &["--limit", "4", "--after", "1"]);

    assert_eq!(numbers(&last), [5, 6]);
    assert_eq!(numbers(&before), [3, 4]);
    assert_eq!(numbers(&after), [2, 3, 4, 5]);
    assert_eq!((&after["after"], &after["before"]), (&5.into(), &Value::Null));
    assert_eq!(last["events"][0]["kind"], "order-cancel");
    assert_eq!(last["events"][0]["sender"], "AROAEXAMPLE:ci");
    assert_eq!(last["events"][1]["status"], "FAILED");
    assert_eq!(last["events"][1]["queue"], "default");
}

#[test]
fn conditions_leave_out_the_rest() {
    let home = home();

    let of_job = json(&home, &["--job", &id("b")]);
    let orders = json(&home, &["--kind", "order,message-refused"]);
    let of_queue = json(&home, &["--queue", "default", "--kind", "job"]);
    let to_come = json(&home, &["--since", "2226-01-01T00:00:00Z"]);

    assert_eq!(numbers(&of_job), [2]);
    assert_eq!(numbers(&orders), [3, 4, 5]);
    assert_eq!(numbers(&of_queue), [1, 2, 6]);
    assert_eq!(numbers(&to_come), [0; 0]);
}

#[test]
fn following_a_job_ends_with_it() {
    let home = home();
    let follow = |more: &[&str]| {
        let args = ["events", "--ledger", "l.db", "--job", &id("a"), "--follow"];
        home.run(&[&args, more].concat())
    };

    let (human, lines) = (follow(&[]), follow(&["--format", "jsonl"]));

    home.settings().bind(|| insta::assert_snapshot!(human));
    assert_eq!(lines.stdout.lines().count(), 3, "{lines}");
    assert_eq!(follow(&["--format", "json"]).code, Some(2));
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_can() {
    let home = home();

    let kind = home.run(&["events", "--ledger", "l.db", "--kind", "fuse"]);
    let job = home.run(&["events", "--ledger", "l.db", "--job", &id("nobody")]);

    assert_eq!((kind.code, job.code), (Some(2), Some(2)));
    assert!(kind.stderr.contains("host-gone"), "{kind}");
    assert!(job.stderr.contains("there is no job"), "{job}");
}
