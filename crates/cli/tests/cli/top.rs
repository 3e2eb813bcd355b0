//! What `top` says of a ledger in which jobs wait, once.

use serde_json::Value;

use crate::rig::{Home, message};

fn home() -> Home {
    let jobs: Vec<Value> = (0..3)
        .map(|n| message(&format!("small-{n}"), 512, "true"))
        .chain([message("large", 1_000_000, "true")])
        .collect();
    Home::new().with_waiting("l.db", &jobs)
}

fn settings(home: &Home) -> insta::Settings {
    let mut settings = home.settings();
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "[TIME]");
    settings
}

#[test]
fn it_prints_once_what_it_would_draw() {
    let home = home();

    let ran = home.run(&["top", "--once", "--ledger", "l.db", "--builtin-prices"]);

    settings(&home).bind(|| insta::assert_snapshot!(ran));
}

#[test]
#[cfg(not(feature = "aws"))]
fn without_prices_it_says_what_is_not_known_for_want_of_them() {
    let home = home();

    let ran = home.run(&["top", "--once", "--ledger", "l.db", "--width", "80"]);

    settings(&home).bind(|| insta::assert_snapshot!(ran));
}

#[test]
fn json_has_the_same_numbers() {
    let home = home();

    let view =
        home.run(&["top", "--ledger", "l.db", "--builtin-prices", "--format", "json"]).json();

    let of_queue = view["queues"][0]["jobs"].as_array().unwrap();
    let runnable = of_queue.iter().find(|count| count["status"] == "RUNNABLE").unwrap();
    assert_eq!(runnable["count"], 4);
    let waiting = view["waiting"].as_array().unwrap();
    let jobs: u64 = waiting.iter().map(|row| row["jobs"].as_u64().unwrap()).sum();
    assert_eq!(jobs, 4, "every job waits for one reason: {waiting:?}");
    let proven = &view["money"]["proven"];
    let (price, bound) =
        (proven["next_usd_per_hour"].as_f64(), proven["next_bound_usd_per_hour"].as_f64());
    assert!(0.0 < bound.unwrap() && bound <= price, "{proven}");
    assert_eq!(view["money"]["price_usd_per_hour"], 0.0);
}

#[test]
fn a_run_that_is_over_has_its_last_events_and_no_hosts() {
    let scenario = "name = \"one\"\n[[workload.jobs]]\nname = \"a\"\ncount = 3\nvcpus = 1\nmemory = \"1GiB\"\n\
        [[workload.jobs]]\nname = \"many\"\narray = { size = 5 }\nvcpus = 1\nmemory = \"1GiB\"\n";
    let home = Home::new().with("s.toml", scenario);
    home.run(&["simulate", "s.toml", "--ledger", "run.db"]);

    let view =
        home.run(&["top", "--ledger", "run.db", "--builtin-prices", "--format", "json"]).json();

    let succeeded = view["jobs"].as_array().unwrap().iter().find(|n| n["status"] == "SUCCEEDED");
    assert_eq!(succeeded.unwrap()["count"], 8, "{view}");
    assert_eq!(view["hosts"].as_array().map(Vec::len), Some(0));
    let events = view["events"].as_array().unwrap();
    let times: Vec<&str> = events.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| b <= a), "newest first: {times:?}");
    let ends = events.iter().filter(|e| e["event"].as_str().unwrap().starts_with("SUCCEEDED"));
    assert_eq!(ends.count(), 9, "three jobs, five children and their array: {events:?}");
}

#[test]
fn without_a_terminal_or_a_ledger_it_says_what_to_do() {
    let home = home();

    let no_terminal = home.run(&["top", "--ledger", "l.db"]);
    let no_ledger = home.run(&["top", "--once", "--ledger", "none.db"]);
    let narrow = home.run(&["top", "--once", "--width", "79", "--ledger", "l.db"]);
    let hasty = home.run(&["top", "--every", "1ms", "--ledger", "l.db"]);

    assert_eq!(no_terminal.code, Some(2), "{no_terminal}");
    assert!(no_terminal.stderr.contains("spillway top --once"), "{no_terminal}");
    assert_eq!(no_ledger.code, Some(9), "{no_ledger}");
    assert_eq!((narrow.code, hasty.code), (Some(2), Some(2)), "{narrow} {hasty}");
}
