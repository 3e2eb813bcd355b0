//! What was paid, what for and for whom, from the ledger of a simulated day.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use spillway_core::cost::{
    BILLED_MIN, ROOT_VOLUME_GIB_DEFAULT, VOLUME_PRICE_DEFAULT, bill, volume_price,
};
use spillway_core::port::{JobFilter, LedgerReader as _};
use spillway_core::{CpuUnits, HostState, MicroUsd, MicroUsdPerHour, Resources};
use spillway_runtime::SqliteReader;

use crate::rig::Home;

/// Two queues, some failures, some interruptions: something of everything that can be looked at.
pub(crate) const SCENARIO: &str = r#"
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

/// The cheapest machine of the list that comes with Spillway for a job of 1 vCPU and 1 GiB that runs anywhere on x86.
fn cheapest() -> MicroUsdPerHour {
    let need = Resources { cpu: CpuUnits::from_vcpus(1), ..Resources::ZERO };
    let catalog = spillway_sim::catalog::built_in(Timestamp::UNIX_EPOCH);
    let holds = |o: &&spillway_core::Offering| {
        need.fits(&o.capacity) && 1_024 <= o.capacity.memory.get() && o.arch.to_string() == "x86_64"
    };
    let instance = catalog.offerings().iter().filter(holds).map(|o| o.price).min().unwrap();
    instance.saturating_add(volume_price(ROOT_VOLUME_GIB_DEFAULT, VOLUME_PRICE_DEFAULT))
}

#[test]
fn what_is_not_for_instances_is_in_the_bill_and_is_said() {
    let beside = "root_volume = \"100GiB\"\nvolume_price = \"$0.073\"\n\
        public_address_price = \"$0.005\"\n";
    let (bare, bare_run) = home();
    let (home, run) = Home::with_run(&format!("{SCENARIO}{beside}"));
    let hosts = SqliteReader::open(&home.path().join("run.db")).unwrap().hosts(true).unwrap();

    let total = cost(&home, &[])["total"].clone();
    let by_host = cost(&home, &["--by", "host"]);

    assert!(hosts.iter().all(|host| host.extras == MicroUsdPerHour::new(15_000)));
    let of_host = |host: &spillway_core::Host| {
        let HostState::Gone { at, .. } = &host.state else { panic!("{host:?}") };
        bill(host.extras, host.instance().unwrap().launched_at, *at).get()
    };
    let extras: u64 = hosts.iter().map(of_host).sum();
    // Each posting's part is rounded down.
    let said = u64::try_from(micro(&total, "extras")).unwrap();
    assert!(said <= extras && extras - said < 20 * hosts.len() as u64, "{said} of {extras}");
    assert_eq!(sum(&by_host, "extras"), micro(&total, "extras"));
    // The ledger learns of an end a little later than EC2 does.
    let of_ec2 = micro(&run["score"]["bill"], "total");
    assert!((of_ec2..of_ec2 + of_ec2 / 20).contains(&micro(&total, "total")), "{of_ec2} {total}");
    assert_eq!(micro(&cost(&bare, &[])["total"], "extras"), 0);
    assert!(micro(&bare_run["score"]["bill"], "total") < micro(&total, "total"));
}

#[test]
fn on_a_machine_each_jobs_cost_the_cheapest_that_holds_them_with_a_boot_for_each() {
    let scenario = "[[workload.jobs]]\nname = \"short\"\ncount = 12\nvcpus = 1\nmemory = \"1GiB\"\n\
        duration = [\"5s\", \"9m\"]\n";
    let (home, _) = Home::with_run(scenario);

    let answer = cost(&home, &["--one-vm-per-job", "--builtin-prices"]);

    let reader = SqliteReader::open(&home.path().join("run.db")).unwrap();
    let booted = |host: &spillway_core::Host| {
        Some(host.registered_at?.duration_since(host.instance()?.launched_at))
    };
    let boots: Vec<SignedDuration> =
        reader.hosts(true).unwrap().iter().filter_map(booted).collect();
    let boot = boots.iter().fold(SignedDuration::ZERO, |sum, boot| sum + *boot)
        / i32::try_from(boots.len()).unwrap();
    let price = cheapest();
    let jobs = reader.jobs(&JobFilter { limit: 100, ..JobFilter::default() }).unwrap();
    let alone = jobs.iter().flat_map(|job| &job.attempts).map(|attempt| {
        let held = attempt.stopped_at.duration_since(attempt.placed_at);
        price.cost_of((held + boot).max(BILLED_MIN))
    });
    let alone: MicroUsd = alone.sum();
    assert_eq!(jobs.len(), 12);
    assert_eq!(micro(&answer["total"], "one_vm_per_job"), i64::try_from(alone.get()).unwrap());
    assert_eq!(answer["n_too_large"], 0);
    let by_day = cost(&home, &["--one-vm-per-job", "--builtin-prices", "--by", "queue,day"]);
    assert_eq!(sum(&by_day, "one_vm_per_job"), micro(&answer["total"], "one_vm_per_job"));
    assert_eq!(sum(&by_day, "total"), micro(&cost(&home, &[])["total"], "total"));
    assert!(cost(&home, &[])["total"].get("one_vm_per_job_usd").is_none());
    let idle = home.run(&["cost", "--ledger", "run.db", "--builtin-prices"]);
    assert_eq!(idle.code, Some(2), "{idle}");
}

#[test]
fn a_spreadsheet_gets_exact_dollars() {
    let (home, _) = home();

    let csv = home.run(&["cost", "--ledger", "run.db", "--by", "queue,market", "--csv"]);

    let lines: Vec<&str> = csv.stdout.lines().collect();
    let header = "queue,market,total_usd,work_usd,lost_usd,unused_usd,idle_usd,boot_usd,drain_usd,extras_usd,on_demand_usd,saved_usd";
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
