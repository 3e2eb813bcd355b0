//! Several dispatchers share a ledger: one leads, another takes over, and the one before does no harm when it comes back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spillway_wire_tests::deployment::{Deployment, Dispatcher, SOON, Shape, said, wait_until};

/// How often the leader is paused.
const TIMES: u32 = 20;

/// What is promised of a take-over.
const TAKE_OVER_WITHIN: Duration = Duration::from_secs(15);

/// What a loaded machine may take for it besides.
const LOADED: Duration = Duration::from_secs(45);

/// Everything of it together.
const ALL_WITHIN: Duration = Duration::from_mins(10);

fn shared() -> Option<Deployment> {
    let here = Deployment::new(Shape { shares_ledger: true, ..Shape::default() })?;
    here.expect_deaths();
    Some(here)
}

/// The process that leads and its epoch, as the table says.
fn leader(here: &Deployment) -> Option<(u32, u64)> {
    let key = json!({ "pk": { "S": "ledger" }, "sk": { "S": "lease" } });
    let table = format!("{}-ledger", here.name());
    let get = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
    let lease: Value = here.wire().dynamodb("GetItem", &get)["Item"].take();
    if lease["released"]["N"].as_str()? != "0" {
        return None;
    }
    // The machine, the process, and a name that is drawn.
    let pid = lease["owner"]["S"].as_str()?.split(' ').rev().nth(1)?.parse().ok()?;
    Some((pid, lease["epoch"]["N"].as_str()?.parse().ok()?))
}

fn until_one_leads(here: &Deployment) -> (u32, u64) {
    wait_until("a dispatcher that leads", SOON, || leader(here))
}

fn by_pid(dispatchers: &[Dispatcher], pid: u32) -> &Dispatcher {
    dispatchers.iter().find(|one| one.pid() == pid).expect("it is one of ours")
}

fn n_attempts(here: &Deployment, job: &str) -> Option<usize> {
    here.job(job)?["attempts"].as_array().map(Vec::len)
}

#[test]
fn a_leader_that_is_paused_past_its_lease_again_and_again_doubles_nothing() {
    let Some(here) = shared() else { return };
    let dispatchers = [here.serve_beside("a"), here.serve_beside("b")];
    let mut took: Vec<Duration> = Vec::new();
    let mut jobs: Vec<String> = Vec::new();

    for ord in 0..TIMES {
        let (pid, epoch) = until_one_leads(&here);
        for of_round in 0..2 {
            let name = format!("job-{ord}-{of_round}");
            jobs.push(here.submit(&["--name", &name], "sleep 2"));
        }
        // Not a wait for something: the moment of the pause is what is tried.
        std::thread::sleep(Duration::from_millis(u64::from(ord) * 137 % 2_000));
        by_pid(&dispatchers, pid).pause();
        let paused_at = Instant::now();
        let (next, _) = wait_until("another dispatcher that leads", LOADED, || {
            leader(&here).filter(|(other, newer)| *other != pid && epoch < *newer)
        });
        took.push(paused_at.elapsed());
        assert_ne!(next, pid);
        by_pid(&dispatchers, pid).resume();
    }

    assert_eq!(here.wait(&jobs, ALL_WITHIN), Some(0));
    took.sort_unstable();
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    told(&format!("{TIMES} take-overs: {median:.1?} in the median, {longest:.1?} at most"));
    assert!(median < TAKE_OVER_WITHIN, "{took:?}");
    assert_eq!(here.n_tasks_ever(), jobs.len(), "a job ran twice");
    for job in &jobs {
        assert_eq!(n_attempts(&here, job), Some(1), "{job}");
    }
    here.until_all_is_given_back();
    let verified = here.spillway(&["ledger", "verify"]);
    assert!(verified.status.success(), "{}", said(&verified));
}

#[test]
fn a_leader_that_stops_in_order_is_followed_at_once_and_its_ledger_can_be_moved() {
    let Some(here) = shared() else { return };
    let first = here.serve_beside("a");
    let (pid, epoch) = until_one_leads(&here);
    assert_eq!(pid, first.pid());
    let job = here.submit(&[], "sleep 4");
    here.until_job_is(&job, "RUNNING");
    let second = here.serve_beside("b");

    assert_eq!(first.stop(), Some(0));
    let stopped_at = Instant::now();
    wait_until("the second to lead", SOON, || {
        leader(&here).filter(|(other, newer)| *other == second.pid() && epoch < *newer)
    });
    told(&format!("after a stop another led within {:.1?}", stopped_at.elapsed()));

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(0));
    assert_eq!(here.n_tasks_ever(), 1);
    let exported = here.spillway(&["ledger", "export", "out.jsonl"]);
    assert!(exported.status.success(), "{}", said(&exported));
    let imported = here.spillway(&["ledger", "import", "out.jsonl", "--ledger", "moved.db"]);
    assert!(imported.status.success(), "{}", said(&imported));
    let moved = here.json(&["jobs", "show", &job, "--ledger", "moved.db"]);
    assert_eq!(moved["job"]["status"], "SUCCEEDED");
    let again = here.spillway(&["ledger", "import", "out.jsonl"]);
    assert_eq!(again.status.code(), Some(9), "{}", said(&again));
}

#[expect(clippy::print_stderr, reason = "figures that are asked for, beside the verdict")]
fn told(text: &str) {
    eprintln!("{text}");
}
