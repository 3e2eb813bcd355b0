//! `simulate` is the same every time, and scores what it ran.

use crate::rig::Home;

const SCENARIO: &str = r#"
name = "small"
[[workload.jobs]]
name = "short"
count = 40
vcpus = 1
memory = "1GiB"
duration = ["20s", "2m"]
exits = { 0 = 9, 3 = 1 }
every = "3s"
[world]
interruptions = "20%"
"#;

fn home() -> Home {
    Home::new().with("s.toml", SCENARIO)
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    let home = home();
    let trace = |name: &str| {
        let args = ["simulate", "--scenario", "s.toml", "--seed", "5", "--trace", name];
        let ran = home.run(&args);
        assert_eq!(ran.code, Some(0), "{ran}");
        (std::fs::read(home.file(name)).unwrap(), ran.stdout)
    };

    let (one, other) = (trace("a.jsonl"), trace("b.jsonl"));

    assert!(!one.0.is_empty());
    assert_eq!(one, other);
}

#[test]
fn another_seed_is_another_run() {
    let home = home();
    let hash = |seed: &str| {
        let args = ["simulate", "--scenario", "s.toml", "--seed", seed, "--format", "json"];
        home.run(&args).json()["runs"][0]["trace_hash"].clone()
    };

    assert_ne!(hash("1"), hash("2"));
}

#[test]
fn the_score_accounts_for_every_job_and_every_micro_dollar() {
    let json = home().run(&["simulate", "--scenario", "s.toml", "--format", "json"]).json();

    let score = &json["runs"][0]["score"];
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    let jobs = &score["jobs"];
    assert_eq!(number(&jobs["total"]), 40);
    assert_eq!(number(&jobs["succeeded"]) + number(&jobs["failed"]), 40);
    let dollars = |part: &str| score["bill"][part].as_f64().unwrap();
    let parts = dollars("work_usd") + dollars("idle_usd") + dollars("boot_usd");
    assert!((parts - dollars("total_usd")).abs() < 1e-9, "{score}");
    assert!(0.0 < dollars("work_usd"), "{score}");
}

#[test]
fn many_runs_are_summed_up_and_doublechecked() {
    let args = [
        "simulate",
        "--scenario",
        "s.toml",
        "--runs",
        "6",
        "--seed",
        "10",
        "--doublecheck",
        "--format",
        "json",
    ];

    let json = home().run(&args).json();

    let seeds: Vec<u64> =
        json["runs"].as_array().unwrap().iter().map(|run| run["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [10, 11, 12, 13, 14, 15]);
    assert_eq!(json["ok"], true, "{json}");
}

#[test]
fn people_get_a_page() {
    let ran = home().run(&["simulate", "--scenario", "s.toml", "--runs", "3"]);

    assert!(
        ran.stdout.starts_with("Scenario\tsmall\nPolicy\tspillway\nRuns\t3 of 3 ok\nbill\t$"),
        "{ran}"
    );
}

#[test]
fn a_run_that_is_not_over_in_time_is_exit_code_five_with_the_line_that_replays_it() {
    let endless = "limit = \"10m\"\n[[workload.jobs]]\nname = \"x\"\nvcpus = 1\nmemory = \"1GiB\"\ncommand = [\"sleep\", \"infinity\"]\n";
    let home = Home::new().with("s.toml", endless);

    let ran = home.run(&["simulate", "--scenario", "s.toml"]);

    assert_eq!(ran.code, Some(5), "{ran}");
    let replay =
        "hint: replay it: spillway simulate --scenario s.toml --seed 0 --trace trace.jsonl";
    assert!(ran.stderr.contains(replay), "{ran}");
}

#[test]
fn policies_are_compared_on_the_same_luck_beside_the_least_bill() {
    let args = ["simulate", "s.toml", "--compare", "--seeds", "2", "--format", "json"];

    let json = home().run(&args).json();

    let scenario = &json["scenarios"][0];
    assert_eq!(scenario["seeds"], serde_json::json!([0, 1]));
    let policies = scenario["policies"].as_array().unwrap();
    assert_eq!(policies[0]["policy"], "spillway");
    assert_eq!(policies.len(), 8, "{scenario}");
    for policy in policies {
        assert_eq!(policy["ok"], true, "{policy}");
        let over = policy["over_bound"]["least"].as_f64().unwrap();
        assert!(1.0 <= over, "{policy}");
    }
    let beside = scenario["beside_best"]["policy"].as_str().unwrap();
    assert!(policies.iter().any(|policy| policy["policy"] == beside), "{scenario}");
}

#[test]
fn a_model_of_another_can_be_run_alone_as_in_the_comparison() {
    let home = home();
    let compared = home.run(&["simulate", "s.toml", "--compare", "--format", "json"]).json();
    let alone = ["simulate", "s.toml", "--policy", "karpenter", "--format", "json"];

    let alone = home.run(&alone).json();

    assert_eq!(alone["policy"], "karpenter");
    let policies = compared["scenarios"][0]["policies"].as_array().unwrap();
    let karpenter = policies.iter().find(|policy| policy["policy"] == "karpenter").unwrap();
    assert_eq!(alone["runs"][0]["score"]["bill"]["total_usd"], karpenter["bill_usd"]["mean"]);
}

#[test]
fn the_jobs_of_a_problem_arrive_over_the_time_that_is_said() {
    let problem = r#"{
        "offers": [{"type": "c5.large", "market": "spot", "az": "us-east-1a", "vcpus": 2, "memory_mib": 3900, "gpus": 0,
                    "arch": "x86_64", "usd_per_hour": 0.03}],
        "jobs": [{"count": 30, "vcpus": 0.5, "memory_mib": 900, "gpus": 0, "arch": "any", "spot_ok": true, "duration_s": 120}],
        "time": {"boot_s": 90, "min_billed_s": 60, "deadline_s": 3600}
    }"#;
    let home = Home::new().with("p.json", problem);
    let args = ["simulate", "--problem", "p.json", "--arrive-over", "1h", "--format", "json"];

    let json = home.run(&args).json();

    let score = &json["runs"][0]["score"];
    assert_eq!(score["jobs"]["succeeded"], 30, "{score}");
    assert_eq!(score["hosts"][0]["instance_type"], "c5.large");
    assert!(2_000.0 < score["makespan_s"].as_f64().unwrap(), "{score}");
}

#[test]
fn several_scenarios_are_only_compared() {
    let ran = home().run(&["simulate", "s.toml", "s.toml"]);

    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("--compare"), "{ran}");
}

#[test]
fn a_run_leaves_the_ledger_that_a_dispatcher_would_have_left() {
    let home = home();
    let args = ["simulate", "--scenario", "s.toml", "--ledger", "run.db", "--format", "json"];

    let score = home.run(&args).json()["runs"][0]["score"].clone();
    let again = home.run(&args);

    let list = |status: &str| {
        let args = ["jobs", "list", "--ledger", "run.db", "--status", status, "--format", "json"];
        home.run(&args).json()["jobs"].as_array().unwrap().len() as u64
    };
    assert_eq!(Some(list("SUCCEEDED")), score["jobs"]["succeeded"].as_u64());
    assert_eq!(Some(list("FAILED")), score["jobs"]["failed"].as_u64());
    let hosts = home.run(&["hosts", "list", "--all", "--ledger", "run.db", "--format", "json"]);
    assert!(!hosts.json()["hosts"].as_array().unwrap().is_empty());
    assert_eq!(again.code, Some(2), "another run does not write into it: {again}");
    for many in ["--compare", "--runs=2"] {
        let ran = home.run(&["simulate", "--scenario", "s.toml", "--ledger", "many.db", many]);
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(!home.file("many.db").exists(), "{many}");
    }
}
