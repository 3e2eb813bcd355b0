//! The page of a simulated run: its numbers are those of JSON, of `cost` and of the run's own score, and it needs nothing but itself.

use serde_json::Value;

use crate::rig::Home;

const SCENARIO: &str = r#"
name = "two-queues"
[engine.queue.default]
[engine.queue.nightly]
[[workload.jobs]]
name = "short"
array = { size = 40 }
vcpus = 1
memory = "1GiB"
duration = ["20s", "2m"]
exits = { 0 = 9, 3 = 1 }
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

pub(crate) fn home() -> (Home, Value) {
    Home::with_run(SCENARIO)
}

pub(crate) fn json(home: &Home, more: &[&str]) -> Value {
    let args = [&["report", "--ledger", "run.db", "--format", "json"], more].concat();
    home.run(&args).json()
}

pub(crate) fn page(home: &Home, more: &[&str]) -> String {
    let args = [&["report", "--ledger", "run.db", "--output", "-"], more].concat();
    let ran = home.run(&args);
    assert_eq!(ran.code, Some(0), "{ran}");
    ran.stdout
}

fn fact(report: &Value, key: &str) -> f64 {
    let facts = report["summary"].as_array().unwrap();
    let fact = facts.iter().find(|fact| fact["key"] == key);
    fact.and_then(|fact| fact["value"].as_f64()).unwrap_or_else(|| panic!("{key} of {report}"))
}

fn between<'a>(text: &'a str, from: &str, until: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(until)
}

/// Every piece of `text` that lies between these two.
fn pieces<'a>(text: &'a str, from: &str, until: &str) -> Vec<&'a str> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some((piece, after)) = between(rest, from, until) {
        found.push(piece);
        rest = after;
    }
    found
}

/// What a cell says: its text, a moment, a number, or nothing.
fn read(cell: &str) -> Value {
    if let Some((at, _)) = between(cell, "<time datetime=\"", "\"") {
        return at.into();
    }
    let (class, text) = cell.split_once('>').unwrap();
    if class.contains("class=\"t\"") {
        return text.replace("&#39;", "'").replace("&lt;", "<").replace("&amp;", "&").into();
    }
    if text == "-" {
        return Value::Null;
    }
    let number = text.trim_start_matches('$').trim_end_matches([' ', '%', 's']);
    number.parse::<f64>().unwrap_or_else(|error| panic!("{error}: {cell}")).into()
}

/// Holds every table of a page against its part of the JSON; returns the parts that were held against one.
fn compare(page: &str, report: &Value) -> Vec<String> {
    let mut seen = Vec::new();
    for table in pieces(page, "<table data-json=\"", "</table>") {
        let (path, table) = table.split_once('"').unwrap();
        let fields = pieces(table, "<th data-field=\"", "\"");
        let (_, body) = table.split_once("<tbody>").unwrap();
        let rows = pieces(body, "<tr>", "</tr>");
        let expected = report.pointer(path).and_then(Value::as_array).unwrap();
        assert_eq!(rows.len(), expected.len(), "rows of {path}");
        for (row, expected) in rows.iter().zip(expected) {
            let cells: Vec<Value> = pieces(row, "<td", "</td>").into_iter().map(read).collect();
            assert_eq!(cells.len(), fields.len(), "{row}");
            for (cell, field) in cells.iter().zip(&fields) {
                let expected = &expected[*field];
                let are_same = match (cell.as_f64(), expected.as_f64()) {
                    (Some(shown), Some(told)) => shown.total_cmp(&told).is_eq(),
                    (_, _) => cell == expected,
                };
                assert!(are_same, "{path} {field}: the page says {cell}, JSON {expected}");
            }
        }
        seen.push(path.to_owned());
    }
    seen
}

#[test]
fn the_numbers_of_the_page_are_those_of_json_all_of_them() {
    let (home, _) = home();

    for more in [&[][..], &["--queue", "nightly"], &["--since", "2026-01-05T00:10:00Z"]] {
        let report = json(&home, more);
        let seen = compare(&page(&home, more), &report);

        let parts = report.as_object().unwrap().iter().filter(|(_, part)| part.is_array());
        for (name, rows) in parts {
            let is_shown = seen.contains(&format!("/{name}"));
            assert!(is_shown || rows.as_array().unwrap().is_empty(), "{name} is on no table");
        }
    }
}

#[test]
fn what_it_cost_is_what_cost_says_to_the_micro_dollar() {
    let (home, _) = home();
    let micro = |usd: f64| format!("{usd:.6}");

    for window in [&[][..], &["--since", "2026-01-05T00:10:00Z", "--until", "2026-01-05T00:50:00Z"]]
    {
        let report = json(&home, window);
        let args = [&["cost", "--ledger", "run.db", "--format", "json"], window].concat();
        let total = &home.run(&args).json()["total"];

        for row in report["kinds"].as_array().unwrap() {
            let kind = row["kind"].as_str().unwrap().replace("all", "total");
            let told = total[format!("{kind}_usd")].as_f64().unwrap();
            assert_eq!(micro(row["cost_usd"].as_f64().unwrap()), micro(told), "{kind}");
            let of_buckets: f64 = report["cost"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|point| point[format!("{kind}_usd")].as_f64())
                .sum();
            if kind != "total" {
                assert_eq!(micro(of_buckets), micro(told), "{kind} over time");
            }
        }
        assert_eq!(micro(fact(&report, "saved_usd")), micro(total["saved_usd"].as_f64().unwrap()));
    }
    let by_queue = home.run(&["cost", "--ledger", "run.db", "--by", "queue", "--format", "json"]);
    let nightly = by_queue.json()["rows"][2]["total_usd"].as_f64().unwrap();
    assert_eq!(micro(fact(&json(&home, &["--queue", "nightly"]), "cost_usd")), micro(nightly));
}

#[test]
fn jobs_waits_and_hosts_are_those_of_the_runs_score() {
    let (home, run) = home();
    let score = &run["score"];

    let report = json(&home, &[]);

    let same = |key: &str, told: &Value| {
        let (shown, told) = (fact(&report, key), told.as_f64().unwrap());
        assert!((shown - told).abs() < 1e-9, "{key}: {shown}, the run's score {told}");
    };
    same("succeeded", &score["jobs"]["succeeded"]);
    same("failed", &score["jobs"]["failed"]);
    same("interrupted_hosts", &score["n_interruptions"]);
    for (key, quantile) in
        [("wait_p50_s", "p50_s"), ("wait_p95_s", "p95_s"), ("wait_max_s", "max_s")]
    {
        let told = score["wait"][quantile].as_f64().unwrap();
        assert!((fact(&report, key) - told).abs() < 0.001, "{key}: {report}");
    }
    let waited: u64 =
        report["waits"].as_array().unwrap().iter().map(|bin| bin["jobs"].as_u64().unwrap()).sum();
    assert_eq!(waited, 48);
}

#[test]
fn the_page_needs_nothing_but_itself_and_is_small() {
    let (home, _) = home();

    let page = page(&home, &[]);

    for reach in ["http:", "https:", "//", "src=", "href=", "url(", "@import", "<link", "<script"] {
        assert!(!page.contains(reach), "{reach}");
    }
    for part in ["<!doctype html>", "width=device-width", "prefers-color-scheme:dark", "</html>"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.len() < 200_000, "{} bytes", page.len());
    assert_eq!(page.matches("<svg").count(), 7);
    for wrong in ["NaN", "inf"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
}

#[test]
fn what_users_call_things_is_text_on_the_page() {
    let bad = "<img src=x onerror=alert(1)>'.db";
    let home = Home::new().with_ledger(bad);

    let ran = home.run(&["report", "--ledger", bad, "--output", "-"]);

    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!ran.stdout.contains("<img"), "{ran}");
    assert!(ran.stdout.contains("&lt;img src=x onerror=alert(1)&gt;&#39;.db"), "{ran}");
}

#[test]
fn it_is_written_to_a_file_and_a_simulation_writes_its_own() {
    let (home, _) = home();

    let ran = home.run(&["report", "--ledger", "run.db", "--output", "out.html"]);
    let simulated = home.run(&["simulate", "--scenario", "s.toml", "--report", "run.html"]);

    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran}");
    assert!(ran.stderr.contains("the report is in out.html"), "{ran}");
    assert_eq!(simulated.code, Some(0), "{simulated}");
    let read = |name: &str| std::fs::read_to_string(home.file(name)).unwrap();
    let tables = |page: &str| pieces(page, "<table", "</table>").concat();
    assert_eq!(tables(&read("out.html")), tables(&read("run.html")));
    assert!(read("run.html").contains("two-queues, seed "));
}

#[test]
fn what_cannot_be_told_of_is_refused_with_a_reason() {
    let home = Home::new().with_ledger("l.db");
    let code = |args: &[&str]| home.run(&[&["report", "--ledger", "l.db"], args].concat()).code;

    assert_eq!(home.run(&["report", "--ledger", "none.db"]).code, Some(9));
    assert_eq!(code(&["--day", "2999-01-01"]), Some(2));
    assert_eq!(code(&["--day", "today"]), Some(2));
    assert_eq!(code(&["--queue", "nowhere"]), Some(2));
    assert_eq!(code(&["--since", "1h", "--until", "2h"]), Some(2));
    assert_eq!(code(&["--since", "1h", "--day", "2026-01-01"]), Some(2));
    assert_eq!(code(&["--output", "no/such/folder/r.html"]), Some(2));
}
