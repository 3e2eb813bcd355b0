//! `spillway init`: an installation from nothing to nothing, with a job in between.

use std::fs;

use serde_json::Value;
use spillway_wire_tests::deployment::{Deployment, SOON, Shape, said};

fn init(here: &Deployment, flags: &[&str]) -> Value {
    here.json(&[&["init"], flags].concat())
}

#[test]
fn what_init_makes_runs_a_job_and_goes_without_a_trace() {
    let Some(here) = Deployment::bare() else { return };
    let made = init(&here, &[]);
    assert_eq!(made["done"], "created", "{made}");
    assert_eq!(made["config_file"], "spillway.toml");
    assert_eq!(made["outputs"]["ClusterName"], here.name());

    // What differs from an account: cheap types, and an agent that boots in a second.
    let agent = here.configure(Shape::default());
    let dispatcher = here.serve();
    let job = here.submit(&[], "true");
    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(0));

    let again = init(&here, &[]);
    assert_eq!(again["done"], "unchanged", "{again}");
    assert_eq!(again["config_file"], Value::Null, "a file of somebody's is not written over");

    here.until_all_is_given_back();
    assert_eq!(dispatcher.stop(), Some(0));
    drop(agent);
    let asked = here.spillway(&["init", "--delete"]);
    assert_eq!(asked.status.code(), Some(2), "{}", said(&asked));
    assert!(said(&asked).contains("init --delete --yes"), "{}", said(&asked));
    assert_eq!(init(&here, &["--delete", "--yes"])["done"], "deleted");
    assert!(!here.wire().has_queue(&here.job_queue()));
    assert_eq!(init(&here, &["--delete", "--yes"])["done"], "unchanged", "there is none any more");
}

#[test]
fn what_still_has_machines_is_not_deleted() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();
    let job = here.submit(&[], "sleep 600");
    here.until_job_is(&job, "RUNNING");

    let refused = here.spillway(&["init", "--delete", "--yes"]);

    assert_eq!(refused.status.code(), Some(6), "{}", said(&refused));
    let [instance] = &here.running_instances()[..] else { panic!("one machine") };
    assert!(said(&refused).contains(instance.as_str()), "{}", said(&refused));
    assert!(here.wire().has_queue(&here.job_queue()));
}

#[test]
fn a_parameter_is_kept_until_it_is_told_anew() {
    let Some(here) = Deployment::bare() else { return };
    init(&here, &["--parameter", "CreateExecutionRole=yes", "--no-config"]);
    assert!(!here.file("spillway.toml").exists());

    let kept = init(&here, &["--parameter", "LogRetentionDays=7", "--no-config"]);
    assert_eq!(kept["done"], "changed", "{kept}");
    assert!(kept["outputs"]["ExecutionRoleArn"].is_string(), "{kept}");

    let refused = here.spillway(&["init", "--parameter", "Colour=blue"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("MessageAgeSeconds"), "{}", said(&refused));
    let printed = here.spillway(&["init", "--print-template"]);
    let template = fs::read(spillway_tests::workspace().join("infra/spillway.yaml")).unwrap();
    assert_eq!(printed.stdout, template);
    init(&here, &["--delete", "--yes"]);
}
