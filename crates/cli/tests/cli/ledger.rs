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
