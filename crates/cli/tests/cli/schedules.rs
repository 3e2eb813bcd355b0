//! `spillway schedules`: what would be sent, what is refused, and what a dispatcher makes of it.

use std::time::{Duration, Instant};

use crate::rig::Home;

const JOB: &str = r#"{"jobName": "report", "jobDefinition": {"type": "container", "containerProperties": {"image": "busybox",
  "command": ["echo", "@time"], "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]}}}"#;

#[test]
fn a_schedule_is_checked_before_it_is_sent() {
    let home = Home::new().with("job.json", JOB);
    let create = |expression: &str, job: &str| {
        let args = [
            "schedules",
            "create",
            "nightly",
            "--expression",
            expression,
            "--job",
            job,
            "--dry-run",
        ];
        home.run(&args)
    };

    let good = create("cron(0 2 * * ? *)", "job.json");
    let bad = create("cron(0 2 * * * *)", "job.json");
    let wrong = home.run_with(
        &["schedules", "create", "n", "--expression", "rate(1 hour)", "--job", "-", "--dry-run"],
        &[],
        &JOB.replace("512", "lots"),
    );

    assert_eq!(good.code, Some(0), "{good}");
    let message: serde_json::Value = serde_json::from_str(&good.stdout).unwrap();
    assert_eq!(message["spillway"]["action"], "CreateSchedule");
    assert_eq!(
        (&message["job"]["jobQueue"], &message["job"]["jobName"]),
        (&"default".into(), &"report".into())
    );
    assert_eq!(bad.code, Some(2), "{bad}");
    assert!(bad.stderr.contains("must be ?"), "{bad}");
    assert!(
        wrong
            .stderr
            .contains("job.jobDefinition.containerProperties.resourceRequirements[1].value"),
        "{wrong}"
    );
}

#[test]
fn what_submit_would_send_can_be_scheduled() {
    let home = Home::new();
    let job = home.run(&["submit", "--image", "busybox", "--dry-run", "--", "echo", "@time"]);

    let args =
        ["schedules", "create", "n", "--expression", "rate(1 hour)", "--job", "-", "--dry-run"];
    let ran = home.run_with(&args, &[], &job.stdout);

    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!ran.stdout.contains(r#""spillway":{"clientToken""#), "{ran}");
}

#[test]
fn the_next_times_of_an_expression_need_no_dispatcher() {
    let home = Home::new();
    let args = [
        "schedules",
        "next",
        "--expression",
        "cron(30 2 * * ? *)",
        "--timezone",
        "Europe/Berlin",
        "--after",
        "2026-03-28T00:00:00Z",
        "--count",
        "2",
    ];

    let ran = home.run(&args);

    assert_eq!(ran.stdout, "2026-03-28T01:30:00Z\n2026-03-30T00:30:00Z\n", "{ran}");
}

#[test]
fn an_order_about_a_schedule_can_be_looked_at() {
    let home = Home::new().with_ledger("l.db");

    let ran = home.run(&["schedules", "pause", "nightly", "--dry-run"]);
    let unknown = home.run(&["schedules", "show", "nightly", "--ledger", "l.db"]);

    assert!(ran.stdout.contains(r#""action":"PauseSchedule""#), "{ran}");
    assert_eq!(unknown.code, Some(2), "{unknown}");
}

#[test]
fn what_a_dispatcher_sent_by_the_clock_is_listed() {
    let create = format!(
        "[[workload.messages]]\nbody = '''{{\"scheduleName\": \"often\", \"scheduleExpression\": \"rate(1 minute)\", \"job\": {}, \
         \"spillway\": {{\"action\": \"CreateSchedule\"}}}}'''\n",
        JOB.replace("\"jobName\"", "\"jobQueue\": \"default\", \"jobName\"").replace('\n', " ")
    );
    let home = Home::new().with("s.toml", &create).with_ledger("l.db");
    let _dispatcher = home.serve("s.toml", "l.db");
    let list = || home.run(&["schedules", "list", "--ledger", "l.db", "--format", "json"]).json();
    let since = Instant::now();
    while list()["schedules"][0]["n_fired"].as_u64().unwrap_or(0) < 2 {
        assert!(since.elapsed() < Duration::from_mins(1), "{}", list());
    }

    let shown = home.run(&["schedules", "show", "often", "--ledger", "l.db"]);
    let args = [
        "jobs",
        "list",
        "--tag",
        "spillway:schedule=often",
        "--ledger",
        "l.db",
        "--format",
        "json",
    ];
    let jobs = home.run(&args).json();

    assert!(
        shown.stdout.contains("ACTIVE") && shown.stdout.contains("rate(1 minute) UTC"),
        "{shown}"
    );
    assert!(2 <= jobs["jobs"].as_array().unwrap().len(), "{jobs}");
}
