//! Every promise of `docs/semantics.md`, and every threat of `docs/threat-model.md`, names tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use spillway_tests::workspace;

/// Whether this is how a test is named: in `snake_case`, with words.
fn is_test_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.contains('_') && text.chars().all(is_plain)
}

/// The names of all functions in the sources below a folder, in Rust and Python.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let end = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            functions(&path, found);
        } else if end == "rs" || end == "py" {
            let text = fs::read_to_string(&path).unwrap_or_default();
            for line in text.lines().map(str::trim_start) {
                let line = line.trim_start_matches("pub ").trim_start_matches("pub(super) ");
                let line = line.trim_start_matches("async ");
                let rest = line.strip_prefix("fn ").or_else(|| line.strip_prefix("def "));
                let name = rest.and_then(|rest| rest.split(['(', '<']).next());
                found.extend(name.map(str::to_owned));
            }
        }
    }
}

/// The rows of a document's tables whose last column says what holds them.
fn held_rows(text: &str) -> Vec<&str> {
    let mut rows = Vec::new();
    let mut is_such_a_table = false;
    for line in text.lines() {
        if !line.starts_with('|') {
            is_such_a_table = false;
        } else if line.ends_with("| held by |") {
            is_such_a_table = true;
        } else if is_such_a_table && !line.starts_with("| ---") {
            rows.push(line);
        }
    }
    rows
}

/// The texts between backticks of a table row's last cell.
fn named(row: &str) -> Vec<&str> {
    let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    cell.split('`').skip(1).step_by(2).collect()
}

/// Every row names tests, and all of them exist.
fn assert_held(document: &str, n_rows_min: usize) {
    let text = fs::read_to_string(workspace().join(document)).unwrap_or_default();
    let mut known = BTreeSet::new();
    for folder in ["crates", "tests", "infra", "localstack"] {
        functions(&workspace().join(folder), &mut known);
    }

    let rows = held_rows(&text);
    assert!(rows.len() >= n_rows_min, "{document} has {} rows", rows.len());
    for row in rows {
        let names = named(row);
        assert!(!names.is_empty(), "nothing holds {row}");
        for name in names {
            let exists = if let Some(scenario) = name.strip_prefix("scenarios/") {
                workspace().join("tests/scenarios").join(scenario).exists()
            } else {
                is_test_name(name) && known.contains(name)
            };
            assert!(exists, "there is no test {name}: {row}");
        }
    }
}

#[test]
fn every_promise_names_tests_that_exist() {
    assert_held("docs/semantics.md", 30);
}

#[test]
fn every_threat_names_tests_of_what_stands_against_it() {
    assert_held("docs/threat-model.md", 20);
}
