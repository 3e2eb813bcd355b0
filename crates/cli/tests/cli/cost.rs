//! What was paid, what for and for whom, from the ledger of a simulated day.

use serde_json::Value;

use crate::rig::Home;

const SCENARIO: &str = r#"
name = "two-queues"
[engine.queue.default]
[engine.queue.nightly]
[[workload.jobs]]
name = "short"
count = 30
vcpus = 1
memory = "1GiB"
duration = ["20s", "2m"]
exits = { 0 = 9, 3 = 1 }
every = "3s"
[[workload.jobs]]
name = "night"
queue = "nightly"
count = 8
vcpus = 2
memory = "2GiB"
duration = ["30m", "90m"]
[world]
interruptions = "20%"
"#;

fn home() -> (Home, Value) {
    Home::with_run(SCENARIO)
}

fn cost(home: &Home, more: &[&str]) -> Value {
    let args = [&["cost", "--ledger", "run.db", "--format", "json"], more].concat();
    home.run(&args).json()
}

fn micro(row: &Value, name: &str) -> i64 {
    let dollars = row[format!("{name}_usd")].as_f64().unwrap_or_else(|| panic!("{name} of {row}"));
    format!("{dollars:.6}").replace('.', "").parse().unwrap()
}

fn sum(answer: &Value, name: &str) -> i64 {
    answer["rows"].as_array().unwrap().iter().map(|row| micro(row, name)).sum()
}

const PARTS: [&str; 6] = ["work", "lost", "unused", "idle", "boot", "drain"];

#[test]
fn whatever_the_rows_are_their_parts_sum_to_the_bill_to_the_micro_dollar() {
    let (home, run) = home();

    let all = cost(&home, &[]);

    let total = micro(&all["total"], "total");
    let billed = micro(&run["score"]["bill"], "total");
    // The ledger pays until it has seen the end of a machine, which is seconds after it.
    assert!(billed <= total && total <= billed + billed / 20, "{total} of {billed}");
    for by in ["day", "queue", "share", "name", "tag:x", "type,market", "zone,day", "host"] {
        let answer = cost(&home, &["--by", by]);
        assert_eq!(sum(&answer, "total"), total, "{by}");
        assert_eq!(PARTS.iter().map(|part| sum(&answer, part)).sum::<i64>(), total, "{by}");
    }
    let halves = [["--until", "2026-01-05T00:40:00Z"], ["--since", "2026-01-05T00:40:00Z"]];
    let halves = halves.map(|half| micro(&cost(&home, &half)["total"], "total"));
    assert!(halves.iter().all(|half| 0 < *half), "{halves:?}");
    assert_eq!(halves.iter().sum::<i64>(), total);
}

#[test]
fn every_queue_pays_for_its_jobs_and_nobody_for_what_nobody_used() {
    let (home, _) = home();

    let answer = cost(&home, &["--by", "queue"]);

    let rows = answer["rows"].as_array().unwrap();
    let queues: Vec<Option<&str>> = rows.iter().map(|row| row["queue"].as_str()).collect();
    assert_eq!(queues, [None, Some("default"), Some("nightly")]);
    assert_eq!(micro(&rows[0], "work") + micro(&rows[0], "lost"), 0);
    assert_eq!(micro(&rows[1], "idle") + micro(&rows[2], "boot"), 0);
    assert!(micro(&rows[1], "work") < micro(&rows[2], "work"), "{answer}");
    let spot = cost(&home, &["--by", "market"]);
    let spot = spot["rows"].as_array().unwrap().iter().find(|row| row["market"] == "spot").unwrap();
    assert!(micro(spot, "total") < micro(spot, "on_demand"), "{spot}");
    assert_eq!(micro(spot, "on_demand") - micro(spot, "total"), micro(spot, "saved"));
}

#[test]
fn a_spreadsheet_gets_exact_dollars() {
    let (home, _) = home();

    let csv = home.run(&["cost", "--ledger", "run.db", "--by", "queue,market", "--csv"]);

    let lines: Vec<&str> = csv.stdout.lines().collect();
    let header = "queue,market,total_usd,work_usd,lost_usd,unused_usd,idle_usd,boot_usd,drain_usd,on_demand_usd,saved_usd";
    assert_eq!(lines[0], header);
    let all: i64 = lines[1..]
        .iter()
        .map(|line| line.split(',').nth(2).unwrap().replace('.', "").parse::<i64>().unwrap())
        .sum();
    assert_eq!(all, micro(&cost(&home, &[])["total"], "total"));
    let two = home.run(&["cost", "--ledger", "run.db", "--csv", "--format", "json"]);
    assert_eq!(two.code, Some(2), "{two}");
    let wrong = home.run(&["cost", "--ledger", "run.db", "--by", "colour"]);
    assert_eq!(wrong.code, Some(2), "{wrong}");
}
