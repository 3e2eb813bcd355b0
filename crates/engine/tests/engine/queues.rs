//! Queues, shares and counters through the whole control loop, with restarts between.

use std::collections::BTreeMap;

use spillway_core::message::pause;
use spillway_core::{JobId, Market, Pausable, QueueName};
use spillway_engine::{Caps, EngineConfig, FairShare, QueueRules};

use crate::gangs::pool;
use crate::rig::{Rig, job_id, message, secs};

fn queue() -> QueueName {
    "default".parse().unwrap()
}

fn config() -> EngineConfig {
    let rules = QueueRules { fair_share: Some(FairShare::default()), ..QueueRules::default() };
    EngineConfig {
        queues: vec![queue()],
        queue_rules: BTreeMap::from([(queue(), rules)]),
        consumables: BTreeMap::from([("licences".parse().unwrap(), 1)]),
        ..EngineConfig::default()
    }
}

fn paused(is_paused: bool) -> String {
    pause(&Pausable::Queue(queue()), is_paused).to_string()
}

/// Takes one licence, in the share `teamA`.
fn licensed(token: &str) -> String {
    let list = r#"{"consumableResourceList":[{"consumableResource":"licences","quantity":1}]}"#;
    let extra =
        format!(r#","shareIdentifier":"teamA","consumableResourcePropertiesOverride":{list}"#);
    message(token, "", &extra)
}

/// A host on which the first of the jobs that wait runs.
fn first_runs(rig: &mut Rig) {
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);
    rig.register(1);
    rig.wait(secs(1));
    let start = rig.take_starts().pop().expect("the first is started");
    rig.accept(&start);
    rig.runs(start.job);
}

#[test]
fn a_paused_queue_starts_nothing_until_it_is_resumed_whatever_comes_between() {
    let mut rig = Rig::with(config());
    rig.send(paused(true));
    rig.wait(secs(1));
    rig.send(message("a", "", ""));
    rig.wait(secs(30));
    assert!(rig.take_launches().is_empty());

    rig.restart_after(secs(1));
    rig.wait(secs(30));
    assert!(rig.take_launches().is_empty());
    let all = rig.engine.held_back(rig.now);
    let why = rig.engine.why_held_back(&all, &rig.jobs[&job_id("a")]).unwrap();
    assert_eq!(why.to_string(), "queue default is paused");

    rig.send(paused(false));
    rig.wait(secs(2));
    assert_eq!(rig.take_launches().len(), 1);
}

#[test]
fn a_job_for_whom_there_is_a_paused_pool_alone_is_told_so() {
    let mut config = config();
    config.pools = vec![
        pool("spot", vec![Market::Spot], Caps::default()),
        pool("steady", vec![Market::OnDemand], Caps::default()),
    ];
    let mut rig = Rig::with(config);
    let steady = Pausable::Pool("steady".parse().unwrap());
    rig.send(pause(&steady, true).to_string());
    rig.wait(secs(1));

    rig.send(message("a", r#","market":"on-demand""#, ""));
    rig.send(message("b", "", ""));
    rig.wait(secs(30));

    let all = rig.engine.held_back(rig.now);
    let why = |token| rig.engine.why_held_back(&all, &rig.jobs[&job_id(token)]);
    let told = "all pools of queue default that could hold it are paused: steady";
    assert_eq!(why("a").unwrap().to_string(), told);
    assert_eq!(why("b"), None, "it gets a Spot host");
}

#[test]
fn an_older_order_that_comes_later_changes_nothing() {
    let mut rig = Rig::with(config());
    rig.send(paused(false));
    rig.send_of(paused(true), secs(60));

    assert!(rig.engine.gates().values().all(|gate| !gate.is_paused));
}

#[test]
fn a_licence_is_held_over_a_restart_and_given_back_at_the_end() {
    let mut rig = Rig::with(config());
    rig.send(licensed("a"));
    rig.send(licensed("b"));
    first_runs(&mut rig);
    let held = |rig: &Rig| rig.engine.consumable_standings()[0].held;
    assert_eq!(held(&rig), 1);
    assert_eq!(rig.status(job_id("b")), "RUNNABLE");

    rig.restart_after(secs(1));
    rig.wait(secs(5));
    assert_eq!(held(&rig), 1);
    assert!(rig.take_starts().is_empty());

    rig.exits(job_id("a"), 0);
    rig.wait(secs(5));
    assert_eq!(rig.status(job_id("a")), "SUCCEEDED");
    assert_eq!(rig.status(job_id("b")), "STARTING");
    assert_eq!(held(&rig), 1);
}

#[test]
fn what_a_share_has_used_survives_a_restart() {
    let mut rig = Rig::with(config());
    rig.send(licensed("a"));
    first_runs(&mut rig);
    rig.wait(secs(300));
    let used = |rig: &Rig| rig.engine.queue_standings(rig.now)[0].shares[0].used_vcpu_secs;
    let before = used(&rig);

    rig.restart();

    assert!(100 < before, "{before}");
    assert_eq!(used(&rig), before);
}

#[test]
fn a_job_that_could_never_be_let_in_fails_at_the_door() {
    let mut rig = Rig::with(config());
    let list = r#"{"consumableResourceList":[{"consumableResource":"licences","quantity":2}]}"#;

    rig.send(message("a", "", &format!(r#","consumableResourcePropertiesOverride":{list}"#)));

    assert_eq!(rig.status(job_id("a")), "FAILED");
}

/// A job of 2 vCPUs.
fn large(token: &str) -> String {
    message(token, "", "").replace(r#""VCPU","value":"1""#, r#""VCPU","value":"2""#)
}

#[test]
fn a_large_job_that_the_limits_leave_out_is_not_passed_by_small_ones_for_ever() {
    let mut config = config();
    config.limits.hosts_max = Some(1);
    let mut rig = Rig::with(EngineConfig { queue_rules: BTreeMap::new(), ..config });
    rig.send(message("a", "", ""));
    rig.send(message("b", "", ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);
    rig.register(1);
    rig.wait(secs(1));
    for start in rig.take_starts() {
        rig.accept(&start);
        rig.runs(start.job);
    }
    rig.send(large("large"));
    rig.send(message("c", "", ""));

    rig.exits(job_id("a"), 0);
    rig.wait(secs(5));
    assert_eq!(rig.take_starts().len(), 0, "what came free is kept for the large one");
    rig.exits(job_id("b"), 0);
    rig.wait(secs(5));

    let started: Vec<JobId> = rig.take_starts().iter().map(|start| start.job).collect();
    assert_eq!(started, [job_id("large")]);
}

/// A job of 2 vCPUs that goes before others of its share, or not, and may run in one market alone.
fn prior(token: &str, priority: u32, market: &str) -> String {
    let extra = format!(r#","shareIdentifier":"teamA","schedulingPriorityOverride":{priority}"#);
    let spillway = format!(r#","market":"{market}""#);
    message(token, &spillway, &extra).replace(r#""VCPU","value":"1""#, r#""VCPU","value":"2""#)
}

/// Starts what may start, on a new host of this number.
fn comes_up(rig: &mut Rig, n: u32) -> Vec<JobId> {
    let launch = rig.take_launch();
    rig.give(&launch, n);
    rig.register(n);
    rig.wait(secs(1));
    let starts = rig.take_starts();
    for start in &starts {
        rig.accept(start);
        rig.runs(start.job);
    }
    starts.iter().map(|start| start.job).collect()
}

/// Found by random scenarios (seed 1970): a Spot host was bought again and again, and what it was bought for never started on it.
#[test]
fn whoever_waits_for_another_pool_takes_no_room_in_this_one() {
    let one = Caps { hosts_max: Some(1), ..Caps::default() };
    let pools =
        vec![pool("spot", vec![Market::Spot], one), pool("od", vec![Market::OnDemand], one)];
    let mut rig = Rig::with(EngineConfig { pools, ..config() });
    rig.send(prior("busy", 5, "on-demand"));
    rig.wait(secs(2));
    assert_eq!(comes_up(&mut rig, 1), [job_id("busy")]);
    for token in ["x", "y", "z"] {
        rig.send(prior(token, 5, "on-demand"));
    }
    rig.wait(secs(2));

    rig.send(prior("s", 0, "spot"));
    rig.wait(secs(2));

    assert_eq!(comes_up(&mut rig, 2), [job_id("s")]);
}
