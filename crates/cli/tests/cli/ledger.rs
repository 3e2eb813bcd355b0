//! The verbs that read: shapes of their JSON, and what they say of an empty ledger.

use crate::rig::Home;

#[test]
fn an_empty_ledger_has_no_jobs_and_no_hosts() {
    let home = Home::new().with_ledger("l.db");

    let jobs = home.run(&["jobs", "list", "--ledger", "l.db", "--format", "json"]).json();
    let hosts =
        home.run(&["hosts", "list", "--all", "--ledger", "l.db", "--format", "json"]).json();

    assert_eq!(jobs["jobs"], serde_json::json!([]));
    assert_eq!(jobs["counts"].as_array().unwrap().len(), 7);
    assert_eq!(hosts["hosts"], serde_json::json!([]));
}

#[test]
fn every_value_of_the_configuration_is_shown_with_its_origin() {
    let home = Home::new().with("spillway.toml", "cluster = 'blue'\n");
    let variables = [("SPILLWAY_LIMITS_MAX_HOSTS", "7")];
    let args = ["config", "show", "--region", "eu-west-1", "--format", "json"];

    let json = home.run_with(&args, &variables, "").json();

    let origin = |key: &str| {
        let keys = json["keys"].as_array().unwrap();
        keys.iter().find(|k| k["key"] == key).unwrap()["origin"].as_str().unwrap().to_owned()
    };
    assert_eq!(origin("cluster"), "spillway.toml");
    assert_eq!(origin("limits.max-hosts"), "$SPILLWAY_LIMITS_MAX_HOSTS");
    assert_eq!(origin("region"), "--region");
    assert_eq!(origin("deployment"), "built-in");
}

#[test]
fn the_schema_of_the_configuration_names_every_key() {
    let home = Home::new();

    let schema = home.run(&["config", "schema"]);

    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).unwrap();
    assert!(schema["properties"]["limits"]["properties"]["max-hosts"].is_object());
}

/// A ledger goes out of its file and into another, and both hold together.
#[test]
fn a_ledger_is_exported_imported_and_verified() {
    let home = Home::new().with_ledger("l.db");

    let exported =
        home.run(&["ledger", "export", "l.jsonl", "--ledger", "l.db", "--format", "json"]);
    let rows = exported.json()["rows"].clone();
    let imported =
        home.run(&["ledger", "import", "l.jsonl", "--ledger", "m.db", "--format", "json"]);
    assert_eq!(imported.json()["rows"], rows);
    let verified = home.run(&["ledger", "verify", "--ledger", "m.db", "--format", "json"]).json();

    assert_eq!(verified["flaws"], serde_json::json!([]));
    assert_eq!(verified["rows"], rows);
    let again = home.run(&["ledger", "export", "l.jsonl", "--ledger", "l.db"]);
    assert!(again.code == Some(2) && again.stderr.contains("there already"), "{}", again.stderr);
}

#[cfg(not(feature = "aws"))]
#[test]
fn a_build_without_aws_says_that_it_cannot_reach_a_table() {
    let home = Home::new();

    let listed = home.run(&["jobs", "list", "--ledger", "dynamodb:spillway-ledger"]);

    assert_eq!(listed.code, Some(2), "{}", listed.stderr);
    assert!(listed.stderr.contains("has no AWS in it"), "{}", listed.stderr);
}

#[test]
fn a_ledger_that_is_neither_file_nor_table_is_refused_with_what_there_is() {
    let home = Home::new();

    let listed = home.run(&["jobs", "list", "--ledger", "dynamodb:no/such"]);

    assert_eq!(listed.code, Some(6), "{}", listed.stderr);
    assert!(listed.stderr.contains("the name of a table"), "{}", listed.stderr);
}
