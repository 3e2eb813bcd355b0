//! What the layers promise, with an environment made up for each test.

use super::*;

fn environment(directory: &Path, variables: &[(&str, &str)]) -> Environment {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Environment { variables: variables.iter().map(own).collect(), directory: directory.to_owned() }
}

fn folder_with(toml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_HERE), toml).unwrap();
    folder
}

fn origin_of(resolved: &Resolved, name: &str) -> String {
    let key = keys().into_iter().find(|key| key.name == name).unwrap();
    resolved.value(&key).unwrap().1.to_string()
}

#[test]
fn the_later_layer_wins_and_is_named_as_the_origin() {
    let folder = folder_with("cluster = 'file'\nidle-timeout = '5m'\n[limits]\nmax-hosts = 7\n");
    let environment =
        environment(folder.path(), &[("SPILLWAY_CLUSTER", "variable"), ("SPILLWAY_REGION", "x")]);
    let flag = Override { key: "region", flag: "--region", value: "eu-west-1".into() };

    let resolved = resolve(&environment, None, &[flag]).unwrap();

    assert_eq!(resolved.config.cluster, "variable");
    assert_eq!(origin_of(&resolved, "cluster"), "$SPILLWAY_CLUSTER");
    assert_eq!(resolved.config.region.as_deref(), Some("eu-west-1"));
    assert_eq!(origin_of(&resolved, "region"), "--region");
    assert_eq!(resolved.config.engine().limits.hosts_max, Some(7));
    assert_eq!(origin_of(&resolved, "limits.max-hosts"), "spillway.toml");
    assert_eq!(resolved.config.idle_timeout.to_string(), "5m");
    assert_eq!(origin_of(&resolved, "deployment"), "built-in");
}

#[test]
fn without_a_file_everything_is_built_in() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path(), &[("HOME", "/home/ada")]);

    let resolved = resolve(&environment, None, &[]).unwrap();

    assert_eq!(resolved.file, None);
    let ledger = Path::new("/home/ada/.local/state/spillway/ledger.db");
    assert_eq!(resolved.config.ledger.file(), Some(ledger));
}

#[test]
fn a_misspelt_key_is_an_error_with_the_nearest_name() {
    let folder = folder_with("[limits]\nmax-host = 7\n");

    let error = resolve(&environment(folder.path(), &[]), None, &[]).unwrap_err();

    assert!(error.to_string().ends_with("unknown key \"limits.max-host\""), "{error}");
    assert!(error.hint().unwrap().contains("\"limits.max-hosts\""));
}

#[test]
fn a_key_in_the_wrong_table_is_found_again() {
    let folder = folder_with("max-price-per-hour = '$3'\n");

    let error = resolve(&environment(folder.path(), &[]), None, &[]).unwrap_err();

    assert!(error.hint().unwrap().contains("\"limits.max-price-per-hour\""), "{error:?}");
}

#[test]
fn a_wrong_value_names_its_key_and_line() {
    let folder = folder_with("cluster = 'c'\n\n[limits]\nmax-vcpus = 'many'\n");

    let error = resolve(&environment(folder.path(), &[]), None, &[]).unwrap_err();

    let text = error.to_string();
    assert!(text.contains("limits.max-vcpus: \"many\" is not a number of vCPUs"), "{text}");
    assert!(text.ends_with("(line 4)"), "{text}");
}

#[test]
fn exceptions_for_senders_are_tables_of_their_own_and_are_looked_at() {
    let exception = "[[jobs.exceptions]]\nsenders = ['AROATRUSTED:*']\nallow-privileged = true\n";
    let folder = folder_with(&format!("jobs.max-attempts = 3\n{exception}"));
    let resolved = resolve(&environment(folder.path(), &[]), None, &[]).unwrap();
    assert!(resolved.config.engine().jobs.allows_privileged());

    let misspelt = folder_with("[[jobs.exceptions]]\nallow-privilegd = true\n");
    let error = resolve(&environment(misspelt.path(), &[]), None, &[]).unwrap_err();
    assert!(error.to_string().contains("allow-privilegd"), "{error}");

    let unknown = folder_with("[[jobs.exceptions]]\nqueues = ['nowhere']\n");
    let error = resolve(&environment(unknown.path(), &[]), None, &[]).unwrap_err();
    assert!(error.to_string().contains("nowhere is not one of `queues`"), "{error}");
}

#[test]
fn a_flag_may_be_set_by_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path(), &[("SPILLWAY_JOBS_ALLOW_PRIVILEGED", "true")]);

    let resolved = resolve(&environment, None, &[]).unwrap();

    assert!(resolved.config.jobs.allow_privileged.0);
}

#[test]
fn a_wrong_variable_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path(), &[("SPILLWAY_IDLE_TIMEOUT", "soon")]);

    let error = resolve(&environment, None, &[]).unwrap_err();

    assert!(error.to_string().starts_with("$SPILLWAY_IDLE_TIMEOUT: idle-timeout: \"soon\""));
}

#[test]
fn a_variable_that_sets_nothing_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path(), &[("SPILLWAY_CLUSTR", "x")]);

    let resolved = resolve(&environment, None, &[]).unwrap();

    assert_eq!(
        resolved.warnings,
        ["$SPILLWAY_CLUSTR sets nothing; did you mean $SPILLWAY_CLUSTER?"]
    );
}

#[test]
fn lists_come_from_variables_too_and_limits_can_be_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(
        folder.path(),
        &[("SPILLWAY_SUBNETS", "subnet-a, subnet-b"), ("SPILLWAY_LIMITS_MAX_HOSTS", "none")],
    );

    let resolved = resolve(&environment, None, &[]).unwrap();

    assert_eq!(resolved.config.subnets, ["subnet-a", "subnet-b"]);
    assert_eq!(resolved.config.engine().limits.hosts_max, None);
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let folder = folder_with("cluster = \n");

    let error = resolve(&environment(folder.path(), &[]), None, &[]).unwrap_err();

    assert!(matches!(error, ConfigError::Syntax { .. }), "{error:?}");
    assert!(error.to_string().contains("(line 1)"), "{error}");
}

#[test]
fn every_key_has_help_and_a_variable_of_its_own() {
    let keys = keys();

    let mut variables: Vec<String> = keys.iter().map(Key::variable).collect();
    variables.sort();
    variables.dedup();
    assert_eq!(variables.len(), keys.len());
    let helpless: Vec<&Key> = keys.iter().filter(|key| key.help.is_empty()).collect();
    assert!(helpless.is_empty(), "{helpless:?}");
}
