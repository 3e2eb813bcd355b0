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
