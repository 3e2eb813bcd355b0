//! `simulate` is the same every time, and scores what it ran.

use serde_json::Value;

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

const RECORD: &str = "\
submitted,started,stopped,duration,vcpus,memory,name,exit_code
2026-11-01T08:00:00Z,2026-11-01T08:01:00Z,2026-11-01T08:11:00Z,,2,4GiB,align-1,0
2026-11-01T08:30:00Z,,,90,0.5,512MiB,,3
2026-11-01T09:00:00Z,2026-11-01T09:01:00Z,,,2,4GiB,align-2,
1793522400,,,2m,1,1024,align-3,0
";

fn jobs_of(run: &Value) -> (u64, u64) {
    let jobs = &run["runs"][0]["score"]["jobs"];
    (jobs["succeeded"].as_u64().unwrap(), jobs["failed"].as_u64().unwrap())
}

#[test]
fn jobs_that_ran_are_run_again_from_a_spreadsheet() {
    let home = Home::new().with("october.csv", RECORD);

    let ran = home.run(&["simulate", "--jobs", "october.csv", "--format", "json"]);

    let answer = ran.json();
    assert_eq!(jobs_of(&answer), (2, 1), "{ran}");
    assert_eq!(answer["scenario"], "october");
    assert!(ran.stderr.contains("1 left out of october.csv: they never ran"), "{ran}");
    let makespan = answer["runs"][0]["score"]["makespan_s"].as_f64().unwrap();
    assert!(1_800.0 < makespan, "they come at the times at which they came: {makespan}");
}

#[test]
fn a_record_that_leaves_something_open_is_an_error_that_names_the_job() {
    let home = Home::new()
        .with("size.csv", "submitted,duration,memory\n2026-11-01T08:00:00Z,90,1GiB\n")
        .with("late.csv", "duration,vcpus,memory\n90,1,1GiB\n")
        .with("back.csv", "submitted,started,stopped,vcpus,memory\n10,20,15,1,1GiB\n")
        .with("none.csv", "submitted,duration,vcpus,memory\n")
        .with("other.json", "{\"clusters\": []}");

    for (file, text) in [
        ("size.csv", "row 1: it does not say how many vCPUs it needed"),
        ("late.csv", "row 1: it does not say when it was submitted"),
        ("back.csv", "row 1: it stopped before it started"),
        ("none.csv", "the record has no job that ran"),
        ("other.json", "it has neither `jobSummaryList` nor `jobs`"),
    ] {
        let ran = home.run(&["simulate", "--jobs", file]);

        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.contains(text) && ran.stderr.contains(file), "{ran}");
    }
    let ran = home.run(&["simulate", "--jobs", "size.csv", "--job-vcpus", "1"]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn jobs_that_ran_on_aws_batch_are_run_again_from_what_it_lists_and_describes() {
    let summary = r#"{"jobSummaryList": [
        {"jobId": "a", "jobName": "align", "status": "SUCCEEDED", "createdAt": 1793520000000,
         "startedAt": 1793520090000, "stoppedAt": 1793520150000, "container": {"exitCode": 0}},
        {"jobId": "b", "jobName": "many", "createdAt": 1793520000000, "arrayProperties": {"size": 10}},
        {"jobId": "c", "jobName": "waits", "status": "RUNNABLE", "createdAt": 1793520000000}]}"#;
    let detail = r#"{"jobs": [{"jobId": "d", "jobName": "call", "createdAt": 1793520000000, "startedAt": 1793520090000,
        "stoppedAt": 1793520390000, "container": {"exitCode": 1, "resourceRequirements": [
            {"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "8192"}]}}]}"#;
    let home = Home::new().with("all.json", &format!("{summary}\n{detail}"));

    let open = home.run(&["simulate", "--jobs", "all.json"]);
    let sizes = ["--job-vcpus", "1", "--job-memory", "2GiB"];
    let args = [&["simulate", "--jobs", "all.json", "--format", "json"][..], &sizes].concat();
    let ran = home.run(&args);

    assert_eq!(open.code, Some(2), "{open}");
    assert!(open.stderr.contains("hint: --job-vcpus and --job-memory"), "{open}");
    assert_eq!(jobs_of(&ran.json()), (1, 1), "{ran}");
    assert!(ran.stderr.contains("1 left out of all.json: they are multi-node"), "{ran}");
}

#[test]
fn jobs_of_a_ledger_are_run_again_in_the_world_of_a_scenario() {
    let first = "name = \"first\"\n[[workload.jobs]]\nname = \"a\"\ncount = 7\nvcpus = 1\nmemory = \"1GiB\"\n\
        [[workload.jobs]]\nname = \"many\"\narray = { size = 5 }\nvcpus = 1\nmemory = \"1GiB\"\n";
    let home = Home::new().with("s.toml", first).with("tight.toml", "[engine]\nhosts_max = 1\n");
    home.run(&["simulate", "s.toml", "--ledger", "run.db"]);

    let ran = home.run(&["simulate", "tight.toml", "--jobs", "run.db", "--format", "json"]).json();

    assert_eq!(jobs_of(&ran), (12, 0), "{ran}");
    let hosts = ran["runs"][0]["score"]["hosts"].as_array().unwrap();
    assert!(!hosts.is_empty(), "{ran}");
}

#[test]
fn columns_of_a_record_that_mean_nothing_are_named() {
    let record =
        "submitted,duration,vcpus,memory,markt,team\n2026-11-01T08:00:00Z,90,1,1GiB,spot,a\n";
    let home = Home::new().with("october.csv", record);

    let ran = home.run(&["simulate", "--jobs", "october.csv", "--format", "json"]);

    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("columns of october.csv passed over: markt, team"), "{ran}");
}

#[test]
fn a_price_list_is_what_is_sold() {
    let home = Home::new().with("s.toml", SCENARIO).with("none.json", "{\"offers\": []}");
    let config = "[offerings]\ninstance-types = ['m6a.large', 'g4dn.xlarge']\n";
    let home = home.with("spillway.toml", config);
    let prices = home.run(&["prices", "--builtin-prices", "--format", "json"]);
    let list = prices.json();
    let mut dear = list.clone();
    for offer in dear["offers"].as_array_mut().unwrap() {
        let price = offer["usd_per_hour"].as_f64().unwrap();
        offer["usd_per_hour"] = (10.0 * price).into();
    }
    for (zone, usd) in dear["extras"].as_object_mut().unwrap() {
        assert_eq!(usd.as_f64(), Some(0.003_288), "30 GiB in {zone}");
        *usd = 0.032_88.into();
    }
    let home = home.with("list.json", &list.to_string()).with("dear.json", &dear.to_string());
    let bill = |file: &str| {
        let args = ["simulate", "s.toml", "--seed", "1", "--prices", file, "--format", "json"];
        let run = home.run(&args).json()["runs"][0].clone();
        let hosts = run["score"]["hosts"].as_array().unwrap().clone();
        assert!(hosts.iter().all(|of| of["instance_type"] == "m6a.large"), "{hosts:?}");
        run["score"]["bill"]["total_usd"].as_f64().unwrap()
    };

    let (cheap, dear) = (bill("list.json"), bill("dear.json"));
    let none = home.run(&["simulate", "s.toml", "--prices", "none.json"]);

    assert!((9.9..10.1).contains(&(dear / cheap)), "{cheap} {dear}");
    assert_eq!(list["offers"].as_array().map(Vec::len), Some(12), "two types, three zones");
    assert!(list["offers"].as_array().unwrap().iter().any(|of| of["gpu_kind"] == "T4"));
    assert_eq!(none.code, Some(2), "{none}");
    assert!(none.stderr.contains("none.json: it offers nothing"), "{none}");
}

#[test]
fn spot_capacity_that_was_recorded_is_what_there_is() {
    let home = Home::new().with("s.toml", &SCENARIO.replace("20%", "0%"));
    let recorded = |name: &str, data: &str| {
        std::fs::create_dir(home.file(name)).unwrap();
        let text = format!("{{\"metadata\": {{\"gap_seconds\": 60}}, \"data\": {data}}}");
        std::fs::write(home.file(&format!("{name}/a.json")), text).unwrap();
    };
    recorded("gone", "[1, 1, 0, 0, 0, 0]");
    recorded("odd", "[1, -1]");
    let run = |folder: &str| {
        let args = ["simulate", "s.toml", "--seed", "1", "--spot-traces", folder];
        home.run(&[&args[..], &["--format", "json"]].concat())
    };

    let gone = run("gone").json();
    let (odd, nowhere) = (run("odd"), run("nowhere"));

    let score = &gone["runs"][0]["score"];
    assert!(0 < score["n_interruptions"].as_u64().unwrap(), "{score}");
    assert_eq!((odd.code, nowhere.code), (Some(2), Some(2)), "{odd} {nowhere}");
    assert!(odd.stderr.contains("a.json: it is no recording of Spot capacity"), "{odd}");
    assert!(nowhere.stderr.contains("nowhere"), "{nowhere}");
}
