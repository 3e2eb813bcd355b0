//! The dispatcher is killed fifty times while it works on five hundred jobs.

use std::fmt::Write as _;
use std::time::Duration;
use std::{fs, thread};

use serde_json::{Value, json};
use spillway_wire_tests::deployment::{Deployment, Shape, said};

const N_KILLS: u32 = 50;

/// Single jobs, and children of one array.
const N_SINGLE: usize = 300;
const N_CHILDREN: usize = 200;

/// How long all that takes on a loaded machine.
const LONG: Duration = Duration::from_mins(8);

/// The machines of this test hold many small jobs.
const ROOMY: Shape = Shape {
    instance_types: &["c6i.2xlarge", "c6i.4xlarge", "m6i.4xlarge"],
    boot_seconds: 1,
    config: "",
    shares_ledger: false,
};

/// Moments without a pattern, the same in every run: from just after the start of the process to well into its work.
fn moments() -> impl Iterator<Item = Duration> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Duration::from_millis(30 + state % 2_200)
    })
}

/// All jobs of a list, page by page.
fn listed(here: &Deployment, flags: &[&str]) -> Vec<Value> {
    let mut all = Vec::new();
    let mut after = Value::Null;
    loop {
        let next = after.as_str().map(str::to_owned);
        let page: Vec<&str> = next.iter().flat_map(|id| ["--after", id.as_str()]).collect();
        let list = ["jobs", "list", "--limit", "200"];
        let mut answer = here.json(&[&list[..], flags, &page].concat());
        let jobs = answer["jobs"].as_array().cloned().unwrap_or_default();
        after = answer["next"].take();
        let is_last = jobs.is_empty();
        all.extend(jobs);
        if is_last || after.is_null() {
            return all;
        }
    }
}

#[test]
fn killed_fifty_times_it_ends_each_of_five_hundred_jobs_once_and_leaves_no_machine() {
    let Some(here) = Deployment::new(ROOMY) else { return };
    here.expect_deaths();
    let mut lines = String::new();
    let mut job = json!({
        "jobDefinition": {
            "type": "container",
            "containerProperties": {
                "image": "busybox",
                "command": ["sleep", "1"],
                "resourceRequirements": [
                    { "type": "VCPU", "value": "0.25" },
                    { "type": "MEMORY", "value": "128" },
                ],
            },
        },
    });
    for ord in 0..N_SINGLE {
        job["jobName"] = json!(format!("job-{ord}"));
        writeln!(lines, "{job}").expect("a text takes all");
    }
    job["jobName"] = json!("array");
    job["arrayProperties"] = json!({ "size": N_CHILDREN });
    writeln!(lines, "{job}").expect("a text takes all");
    fs::write(here.file("jobs.jsonl"), lines).expect("it can be written");
    let sent = here.spillway(&["submit", "--file", "jobs.jsonl"]);
    assert!(sent.status.success(), "{}", said(&sent));
    let ids: Vec<String> =
        String::from_utf8_lossy(&sent.stdout).lines().map(str::to_owned).collect();
    assert_eq!(ids.len(), N_SINGLE + 1);

    let mut n_while_working = 0;
    for moment in moments().take(usize::try_from(N_KILLS).expect("it is small")) {
        let dispatcher = here.serve();
        // Not a wait for something: the moment of death is what is tried.
        thread::sleep(moment);
        dispatcher.kill();
        n_while_working += u32::from(!here.running_instances().is_empty());
    }
    let _last = here.serve();

    assert_eq!(here.wait(&ids, LONG), Some(0));
    assert_eq!(here.wire().depth(&here.dead_letter_queue()), 0);
    assert!(N_KILLS / 2 < n_while_working, "{n_while_working} of {N_KILLS} kills hit it at work");
    let array = ids.last().expect("the array is the last");
    let singles = listed(&here, &[]).into_iter().filter(|job| job["id"] != array.as_str());
    let children = listed(&here, &["--array", array]);
    let all: Vec<Value> = singles.chain(children).collect();
    assert_eq!(all.len(), N_SINGLE + N_CHILDREN);
    for job in &all {
        assert_eq!(job["status"], "SUCCEEDED", "{job}");
        assert_eq!(job["n_attempts"], 1, "{job}");
    }
    assert_eq!(here.n_tasks_ever(), N_SINGLE + N_CHILDREN, "each was started once");
    here.until_all_is_given_back();
}
