//! `spillway definitions`: what would be sent, what is refused, and what a ledger shows.

use std::time::{Duration, Instant};

use crate::rig::Home;

const ALIGN: &str = r#"{"jobDefinitionName": "align", "type": "container", "containerProperties": {"image": "busybox",
  "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]}}"#;

#[test]
fn a_definition_is_checked_before_it_is_sent() {
    let home = Home::new().with("align.json", ALIGN);
    let wrong = ALIGN.replace("\"512\"", "\"512MB\"");

    let good = home.run(&["definitions", "register", "align.json", "--token", "t", "--dry-run"]);
    let bad = home.run_with(&["definitions", "register", "-", "--dry-run"], &[], &wrong);

    assert_eq!(good.code, Some(0), "{good}");
    let message: serde_json::Value = serde_json::from_str(&good.stdout).unwrap();
    assert_eq!(message["spillway"]["action"], "RegisterJobDefinition");
    assert_eq!(message["spillway"]["clientToken"], "t");
    assert_eq!(bad.code, Some(2), "{bad}");
    let place = "containerProperties.resourceRequirements[1].value: ";
    assert!(bad.stderr.contains(place) && bad.stderr.contains("hint:"), "{bad}");
}

#[test]
fn one_revision_is_deregistered_and_it_must_be_named() {
    let home = Home::new();

    let good = home.run(&["definitions", "deregister", "align:3", "--dry-run"]);
    let bad = home.run(&["definitions", "deregister", "align", "--dry-run"]);

    assert!(good.stdout.contains("\"jobDefinition\":\"align:3\""), "{good}");
    assert!(bad.stderr.contains("which revision"), "{bad}");
}

#[test]
fn what_the_dispatcher_registered_is_listed_and_shown() {
    let body = |token: &str| {
        let own = format!(", \"spillway\": {{\"clientToken\": \"{token}\"}}}}");
        let text = ALIGN.replace('\n', " ");
        format!(
            "[[workload.messages]]\nbody = '{}{own}'\n",
            text.trim_end_matches('}').to_owned() + "}"
        )
    };
    let gone = "[[workload.messages]]\nat = '1s'\nbody = '{\"jobDefinition\": \"align:2\", \"spillway\": \
        {\"action\": \"DeregisterJobDefinition\"}}'\n";
    let world = [body("a"), body("b"), gone.to_owned()].concat();
    let home = Home::new().with("s.toml", &world).with_ledger("l.db");
    let _dispatcher = home.serve("s.toml", "l.db");
    let list = |more: &[&str]| {
        let args =
            [&["definitions", "list", "--ledger", "l.db", "--format", "json"], more].concat();
        home.run(&args).json()["definitions"].as_array().cloned().unwrap_or_default()
    };
    let since = Instant::now();
    while list(&["--all"]).len() < 2 || list(&[]).len() != 1 {
        assert!(since.elapsed() < Duration::from_mins(1), "{:?}", list(&["--all"]));
    }

    let shown = home.run(&["definitions", "show", "align", "--ledger", "l.db", "--format", "json"]);
    let gone = home.run(&["definitions", "show", "align:2", "--ledger", "l.db"]);
    let unknown = home.run(&["definitions", "show", "align:9", "--ledger", "l.db"]);

    assert_eq!(list(&["--name", "other", "--all"]).len(), 0);
    let shown = shown.json();
    assert_eq!((&shown["revision"], &shown["status"]), (&1.into(), &"ACTIVE".into()));
    assert_eq!(shown["content"]["containerProperties"]["image"], "busybox");
    assert!(gone.stdout.contains("INACTIVE"), "{gone}");
    assert_eq!(unknown.code, Some(2), "{unknown}");
}
