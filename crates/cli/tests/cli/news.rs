//! News of jobs for others, as `serve` tells it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rig::{Home, id, message};

#[test]
fn a_dispatcher_tells_a_file_what_becomes_of_its_jobs() {
    let world = format!("[[workload.messages]]\nbody = '''{}'''\n", message("a", 512, "exit 3"));
    let home = Home::new()
        .with("s.toml", &world)
        .with(
            "spillway.toml",
            "[job-events]\nfile = 'news.jsonl'\nstatuses = ['STARTING', 'FAILED']\n",
        )
        .with_ledger("l.db");
    let _dispatcher = home.serve("s.toml", "l.db");
    let told = || -> Vec<Value> {
        let text = std::fs::read_to_string(home.file("news.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let since = Instant::now();
    while told().len() < 2 {
        assert!(since.elapsed() < Duration::from_mins(1), "{:?}", told());
    }

    let told = told();

    let statuses: Vec<&str> = told.iter().filter_map(|e| e["detail"]["status"].as_str()).collect();
    assert_eq!(statuses, ["STARTING", "FAILED"]);
    assert_eq!(told[1]["detail"]["jobId"], id("a"));
    assert_eq!(told[1]["detail"]["container"]["exitCode"], 3);
    let version = |of: &Value| of["detail"]["spillway"]["version"].as_u64().unwrap();
    assert!(version(&told[0]) < version(&told[1]));
}

#[test]
fn news_that_is_to_go_to_two_places_is_an_error_that_names_both() {
    let config = "[job-events]\nqueue = 'q'\nbus = 'b'\n";
    let home = Home::new().with("spillway.toml", config);

    let ran = home.run(&["config", "show"]);

    assert_eq!(ran.code, Some(6), "{}", ran.stderr);
    let said = &ran.stderr;
    assert!(said.contains("job-events.bus") && said.contains("job-events.queue"), "{said}");
}
