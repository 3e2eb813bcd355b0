//! The help texts, as reviewed. They are the manual: a change shows here.

use crate::rig::Home;

/// Every verb that does something.
const VERBS: [&str; 50] = [
    "",
    "serve",
    "submit",
    "batch-api",
    "jobs list",
    "jobs show",
    "jobs wait",
    "jobs retry",
    "queues list",
    "queues show",
    "queues pause",
    "queues resume",
    "pools list",
    "pools show",
    "pools pause",
    "pools resume",
    "approve",
    "prices",
    "breakers list",
    "breakers reset",
    "definitions register",
    "definitions list",
    "definitions show",
    "definitions deregister",
    "schedules create",
    "schedules list",
    "schedules show",
    "schedules next",
    "schedules pause",
    "schedules resume",
    "schedules delete",
    "logs",
    "hosts list",
    "top",
    "events",
    "calibration",
    "cost",
    "budgets",
    "report",
    "cancel",
    "terminate",
    "plan",
    "why",
    "simulate",
    "demo",
    "doctor",
    "config show",
    "config check",
    "config schema",
    "completions",
];

#[test]
fn the_help_of_every_verb_is_as_reviewed() {
    let home = Home::new();
    for verb in VERBS {
        let mut args: Vec<&str> = verb.split_whitespace().collect();
        args.push("--help");

        let ran = home.run(&args);

        assert_eq!(ran.code, Some(0), "{ran}");
        let name = if verb.is_empty() { "spillway".to_owned() } else { verb.replace(' ', "_") };
        insta::assert_snapshot!(format!("help_{name}"), ran.stdout);
    }
}

#[test]
fn help_gives_at_least_one_example_for_every_verb_with_arguments() {
    let home = Home::new();
    for verb in VERBS.into_iter().filter(|verb| !matches!(*verb, "" | "config schema")) {
        let mut args: Vec<&str> = verb.split_whitespace().collect();
        args.push("--help");

        let ran = home.run(&args);

        assert!(ran.stdout.contains(&format!("spillway {verb}")), "{verb}");
        assert!(ran.stdout.contains("Examples:"), "{verb}");
    }
}

#[test]
fn without_a_verb_the_help_is_shown_and_it_is_an_error() {
    let ran = Home::new().run(&[]);

    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("Start here:"), "{ran}");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = home.run(&["completions", shell]);

        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(ran.stdout.contains("spillway"), "{shell}");
    }
}
