//! Jobs by the clock, what others are told of them, and what they cost.

use std::collections::BTreeSet;
use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use spillway_wire_tests::deployment::{Deployment, SOON, Shape, said, wait_until};

const NEWS: &str = "news-of-schedules";

/// Tells a queue of its own. No other test has it.
const TELLING: Shape = Shape {
    instance_types: &["c6i.large", "c6i.xlarge", "m6i.large"],
    boot_seconds: 1,
    config: "job-events.queue = \"news-of-schedules\"\n",
    shares_ledger: false,
};

/// The status that a message tells of a job.
fn told(message: &Value, job: &str) -> Option<String> {
    let event: Value = serde_json::from_str(message["Body"].as_str()?).ok()?;
    let is_of_job = event["detail"]["jobId"] == job;
    assert_eq!(event["detail-type"], "Batch Job State Change");
    event["detail"]["status"].as_str().filter(|_| is_of_job).map(str::to_owned)
}

fn jobs(here: &Deployment) -> Vec<Value> {
    let jobs = here.json(&["jobs", "list"])["jobs"].take();
    jobs.as_array().cloned().unwrap_or_default()
}

#[test]
fn a_schedule_fires_once_also_when_the_dispatcher_dies_and_others_are_told_of_its_job() {
    let Some(here) = Deployment::new(TELLING) else { return };
    here.wire().sqs("CreateQueue", &json!({ "QueueName": NEWS }));
    let dispatcher = here.serve();
    here.until_the_ledger_is_there();
    let printed = here.spillway(&[
        "submit",
        "--name",
        "by-the-clock",
        "--image",
        "busybox",
        "--vcpus",
        "0.25",
        "--memory",
        "128MiB",
        "--market",
        "on-demand",
        "--dry-run",
        "--",
        "test",
        "@time",
        "!=",
        "x",
    ]);
    assert!(printed.status.success(), "{}", said(&printed));
    fs::write(here.file("job.json"), &printed.stdout).expect("it can be written");
    let due = Timestamp::now() + SignedDuration::from_secs(20);
    let expression = format!("at({})", due.strftime("%Y-%m-%dT%H:%M:%S"));
    let made = here.spillway(&[
        "schedules",
        "create",
        "once",
        "--expression",
        &expression,
        "--job",
        "job.json",
    ]);
    assert!(made.status.success(), "{}", said(&made));
    wait_until("the schedule is in the ledger", SOON, || {
        let list = here.json(&["schedules", "list"]);
        (list["schedules"].as_array()?.len() == 1).then_some(())
    });

    // It is due while nobody is there, and is made good by the next.
    dispatcher.kill();
    wait_until("the time has passed", SOON, || (due < Timestamp::now()).then_some(()));
    let _dispatcher = here.serve();

    let job = wait_until("its job is there", SOON, || jobs(&here).into_iter().next());
    let id = job["id"].as_str().expect("a job has an id").to_owned();
    assert_eq!(here.wait(std::slice::from_ref(&id), SOON), Some(0));
    assert_eq!(jobs(&here).len(), 1, "it fires once");
    let told = wait_until("its end is told", SOON, || {
        let told: BTreeSet<String> =
            here.wire().peek(NEWS).iter().filter_map(|m| told(m, &id)).collect();
        told.contains("SUCCEEDED").then_some(told)
    });
    assert!(told.contains("RUNNING"), "{told:?}");
    here.until_all_is_given_back();
}

#[test]
fn what_jobs_cost_and_what_nobody_used_sum_to_the_bill_of_all_machines() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();
    let ids = ["one", "two", "three"].map(|name| here.submit(&["--name", name], "sleep 2"));
    assert_eq!(here.wait(&ids, SOON), Some(0));
    here.until_all_is_given_back();
    let micro = |value: &Value| {
        let dollars = value.as_f64().expect("an amount");
        format!("{dollars:.6}").replace('.', "").parse::<i64>().expect("digits")
    };
    // EC2 has ended them; the ledger has it from the next look.
    let hosts = wait_until("the ledger knows that all are gone", SOON, || {
        let hosts = here.json(&["hosts", "list", "--all"])["hosts"].take();
        let hosts = hosts.as_array()?.clone();
        hosts.iter().all(|host| host["status"] == "gone").then_some(hosts)
    });

    let cost = here.json(&["cost", "--by", "name"]);

    let billed: i64 = hosts.iter().map(|host| micro(&host["cost_usd"])).sum();
    assert_eq!(micro(&cost["total"]["total_usd"]), billed);
    let rows = cost["rows"].as_array().expect("rows");
    assert_eq!(rows.iter().map(|row| micro(&row["total_usd"])).sum::<i64>(), billed);
    let names: Vec<&Value> = rows.iter().map(|row| &row["name"]).collect();
    assert_eq!(names, [&Value::Null, &json!("one"), &json!("three"), &json!("two")]);
    assert!(rows.iter().skip(1).all(|row| 0 < micro(&row["work_usd"])), "{cost}");
}
