//! Bad input of every kind: each has its own message, exit code and hint.

use crate::rig::{Home, message};

/// Runs it and compares with what was reviewed, in a snapshot named after the test.
macro_rules! said {
    ($home:expr, $args:expr) => {
        let home = &$home;
        let ran = home.run(&$args);
        home.settings().bind(|| insta::assert_snapshot!(ran));
    };
}

#[test]
fn broken_json_is_told_by_line_and_nothing_is_sent() {
    let good = message("a", 512, "true");
    let home = Home::new().with("jobs.jsonl", &format!("{good}\n{{\"jobName\": }}\n\n{{oops}}\n"));

    said!(home, ["submit", "--file", "jobs.jsonl", "--dry-run"]);
}

#[test]
fn a_document_that_breaks_off_is_told_by_its_line() {
    let home = Home::new().with("job.json", "{\n  \"jobName\": \"a\",\n");

    said!(home, ["submit", "--file", "job.json", "--dry-run"]);
}

#[test]
fn an_unknown_queue_is_told_with_the_known_ones() {
    let home = Home::new().with("spillway.toml", "queues = ['night', 'day']\n");

    said!(home, ["submit", "--image", "busybox", "--queue", "noon", "--dry-run"]);
}

#[test]
fn zero_vcpus_by_flag_are_told_by_flag() {
    said!(Home::new(), ["submit", "--image", "busybox", "--vcpus", "0", "--dry-run"]);
}

#[test]
fn zero_vcpus_in_a_file_are_told_by_json_path() {
    let mut job = message("a", 512, "true");
    job["jobDefinition"]["containerProperties"]["resourceRequirements"][0]["value"] = "0".into();
    let home = Home::new().with("job.json", &job.to_string());

    said!(home, ["submit", "--file", "job.json", "--dry-run"]);
}

#[test]
fn a_name_that_batch_does_not_take_is_told_by_the_rule() {
    said!(Home::new(), ["submit", "--image", "busybox", "--name=-x", "--dry-run"]);
}

#[test]
fn a_field_that_is_not_supported_is_refused_by_name() {
    let mut job = message("a", 512, "true");
    job["nodeOverrides"] = serde_json::json!({"numNodes": 2});
    let home = Home::new().with("job.json", &job.to_string());

    said!(home, ["submit", "--file", "job.json", "--dry-run"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    said!(Home::new(), ["submit", "--file", "nowhere.json"]);
}

#[test]
fn a_file_without_jobs_is_an_error() {
    said!(Home::new().with("empty.jsonl", "\n"), ["submit", "--file", "empty.jsonl"]);
}

#[test]
fn a_misspelt_key_is_told_with_the_nearest_name() {
    let home = Home::new().with("spillway.toml", "[limits]\nmax-host = 10\n");

    said!(home, ["jobs", "list"]);
}

#[test]
fn a_wrong_value_is_told_with_its_line_and_an_example() {
    let home = Home::new().with("spillway.toml", "idle-timeout = 'soon'\n");

    said!(home, ["config", "check"]);
}

#[test]
fn a_wrong_variable_is_told_by_its_name() {
    let home = Home::new();

    let ran = home.run_with(&["config", "check"], &[("SPILLWAY_LIMITS_MAX_HOSTS", "many")], "");

    insta::assert_snapshot!(ran);
}

#[test]
fn a_missing_ledger_is_told_with_what_makes_one() {
    said!(Home::new(), ["jobs", "list", "--ledger", "none.db"]);
}

#[test]
fn a_file_that_is_no_ledger_is_left_alone() {
    let home = Home::new().with("notes.db", "dear diary, this is more than a hundred letters of text, so that it is no header by chance. Really.");

    said!(home, ["jobs", "list", "--ledger", "notes.db"]);
}

#[test]
fn a_ledger_of_another_dispatcher_is_not_touched() {
    let home = Home::new().with("s.toml", "");
    let _other = spillway_runtime::SqliteLedger::open(&home.file("l.db")).unwrap();

    said!(home, ["serve", "--world", "s.toml", "--ledger", "l.db"]);
}

#[test]
fn a_simulated_world_is_kept_out_of_the_ledger_of_real_jobs() {
    said!(Home::new().with("s.toml", ""), ["serve", "--world", "s.toml"]);
}

#[test]
fn a_misspelt_scenario_is_told_with_the_nearest_name() {
    let home = Home::new().with("s.toml", "[world]\nboots = '60s'\n");

    said!(home, ["simulate", "--scenario", "s.toml"]);
}

#[test]
fn a_job_id_that_is_none_is_told_by_its_argument() {
    said!(Home::new(), ["jobs", "show", "42"]);
}

#[test]
fn a_job_that_is_not_in_the_ledger_is_told() {
    let home = Home::new().with_ledger("l.db");
    let id = crate::rig::id("never");

    said!(home, ["jobs", "show", id.as_str(), "--ledger", "l.db"]);
}

#[test]
fn a_trace_of_many_runs_is_refused() {
    let home = Home::new().with("s.toml", "");

    said!(home, ["simulate", "--scenario", "s.toml", "--runs", "2", "--trace", "t.jsonl"]);
}

/// Without the feature `aws` there is no cloud to be denied by: the build says so.
#[cfg(not(feature = "aws"))]
mod without_a_cloud {
    use super::*;

    #[test]
    fn submit_checks_everything_and_then_says_what_is_missing() {
        said!(Home::new(), ["submit", "--image", "busybox"]);
    }

    #[test]
    fn serve_says_what_is_missing() {
        said!(Home::new(), ["serve"]);
    }

    #[test]
    fn doctor_still_looks_at_this_machine() {
        let home = Home::new().with_ledger("l.db");

        said!(home, ["doctor", "--ledger", "l.db"]);
    }
}
