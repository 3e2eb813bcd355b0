//! Multi-node jobs: all nodes or none, the main one first and last, a lost node takes the attempt with it.

use std::net::Ipv4Addr;

use spillway_core::effect::TaskRequest;
use spillway_core::job::FailureCategory;
use spillway_core::message::{Ending, end_job};
use spillway_core::task::{FleetSnapshot, InstanceReport, InstanceStatus, TaskStatus};
use spillway_core::{Answer, CpuUnits, JobId, JobState, Market};
use spillway_engine::{
    Caps, EngineConfig, FairShare, OfferingFilter, PoolRules, QueueRules, limits,
};

use crate::rig::{Rig, job_id, secs};

pub(crate) fn gang(token: &str, n: u32, spillway: &str, extra: &str) -> String {
    format!(
        r#"{{"jobName":"{token}","jobQueue":"default","jobDefinition":{{"type":"multinode","nodeProperties":
        {{"numNodes":{n},"mainNode":0,"nodeRangeProperties":[{{"targetNodes":"0:","container":{{"image":"busybox",
        "command":["true"],"resourceRequirements":[{{"type":"VCPU","value":"2"}},{{"type":"MEMORY","value":"1024"}}]}}}}]}}}},
        "spillway":{{"clientToken":"{token}"{spillway}}}{extra}}}"#
    )
}

pub(crate) fn config() -> EngineConfig {
    let queues = vec!["default".parse().unwrap()];
    let mut config = EngineConfig { queues, ..EngineConfig::default() };
    config.jobs.rules.host_network = true;
    config
}

pub(crate) fn rig(hosts_max: Option<u32>) -> Rig {
    let mut config = config();
    config.limits.hosts_max = hosts_max;
    Rig::with(config)
}

pub(crate) fn pool(name: &str, markets: Vec<Market>, caps: Caps) -> PoolRules {
    let offerings = OfferingFilter { markets, ..OfferingFilter::default() };
    PoolRules { name: name.parse().unwrap(), offerings, caps }
}

fn held_back(rig: &Rig, token: &str) -> String {
    let all = rig.engine.held_back(rig.now);
    let why = rig.engine.why_held_back(&all, &rig.jobs[&job_id(token)]);
    why.map(ToString::to_string).unwrap_or_default()
}

/// A look at all hosts there are, with their addresses.
fn look(rig: &mut Rig) {
    let report = |(n, host): (u8, &spillway_core::Host)| {
        let instance = host.instance()?;
        Some(InstanceReport {
            id: instance.id.clone(),
            pool: host.pool.clone(),
            arch: host.arch,
            launched_at: instance.launched_at,
            status: InstanceStatus::Running,
            launch: host.launch,
            address: Some(Ipv4Addr::new(10, 0, 0, n)),
        })
    };
    let alive = rig.hosts.values().filter(|host| host.status().to_string() != "gone");
    let instances = Some((0..).zip(alive).filter_map(report).collect());
    let snapshot = FleetSnapshot { instances, ..FleetSnapshot::default() };
    rig.answer(Answer::Observe { asked_at: rig.now, snapshot });
}

/// Brings a job of `n` nodes as far as every node RUNNING, on instances from `first`; tells what was started after the main
/// node.
fn run_gang(rig: &mut Rig, token: &str, n: u32, extra: &str, first: u32) -> Vec<TaskRequest> {
    rig.send(gang(token, n, "", extra));
    let mut n_given = first;
    let starts = rig.provide(&mut n_given);
    go_on(rig, job_id(token), &starts)
}

/// The same from the start of the main node on.
fn go_on(rig: &mut Rig, job: JobId, starts: &[TaskRequest]) -> Vec<TaskRequest> {
    assert_eq!(starts.iter().map(|start| start.job).collect::<Vec<_>>(), [job]);
    rig.accept(&starts[0]);
    rig.runs(job);
    look(rig);
    rig.wait(secs(1));
    let others = rig.take_starts();
    for start in &others {
        rig.accept(start);
        rig.runs(start.job);
    }
    others
}

fn stopped(rig: &mut Rig, job: JobId) {
    let now = rig.now;
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.stopped_at = Some(now);
        task.exit_code = Some(143);
        task.stop_code = Some("UserInitiated".into());
        task.stopped_reason = Some("Main node ended".into());
    });
}

fn reason(rig: &Rig, id: JobId) -> String {
    let JobState::Failed { reason, .. } = rig.state(id) else {
        unreachable!("it is {}", rig.status(id))
    };
    reason.clone()
}

#[test]
fn nothing_starts_before_every_node_has_a_host() {
    let mut rig = rig(None);
    rig.send(gang("g", 3, "", ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    assert_eq!(launch.count, 3);

    rig.give(&launch, 1);
    rig.register(1);
    rig.register(2);
    rig.wait(secs(30));

    assert!(rig.take_starts().is_empty());
    assert_eq!(rig.status(job_id("g")), "RUNNABLE");
    rig.register(3);
    rig.wait(secs(1));
    let starts = rig.take_starts();
    assert_eq!(starts.iter().map(|start| start.job).collect::<Vec<_>>(), [job_id("g")]);
    assert_eq!([1, 2].map(|n| rig.status(job_id("g").node(n))), ["STARTING"; 2]);
}

#[test]
fn the_others_start_when_the_main_node_runs_and_are_told_where() {
    let mut rig = rig(None);

    let others = run_gang(&mut rig, "g", 3, "", 1);

    let g = job_id("g");
    assert_eq!(others.iter().map(|start| start.job).collect::<Vec<_>>(), [g.node(1), g.node(2)]);
    let environment = &others[1].environment;
    for prefix in ["AWS_BATCH_JOB", "SPILLWAY"] {
        assert_eq!(environment[&format!("{prefix}_NODE_INDEX")], "2");
        assert_eq!(environment[&format!("{prefix}_NUM_NODES")], "3");
        assert_eq!(environment[&format!("{prefix}_MAIN_NODE_INDEX")], "0");
        let address = &environment[&format!("{prefix}_MAIN_NODE_PRIVATE_IPV4_ADDRESS")];
        assert!(address.starts_with("10.0.0."), "{address}");
    }
    assert_eq!(environment["AWS_BATCH_JOB_ID"], format!("{g}#2"));
    assert!(others.iter().all(|start| start.spec.container.host_network));
    let hosts: std::collections::BTreeSet<_> =
        [g, g.node(1), g.node(2)].map(|id| rig.state(id).live_attempt().unwrap().host).into();
    assert_eq!(hosts.len(), 3);
}

#[test]
fn the_main_node_is_told_its_index_and_no_address() {
    let mut rig = rig(None);
    rig.send(gang("g", 2, "", ""));

    let starts = rig.provide(&mut 1);

    let environment = &starts[0].environment;
    assert_eq!(environment["AWS_BATCH_JOB_ID"], format!("{}#0", job_id("g")));
    assert_eq!(environment["AWS_BATCH_JOB_NODE_INDEX"], "0");
    assert!(!environment.contains_key("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"));
}

#[test]
fn the_main_node_decides_and_takes_the_others_with_it() {
    let mut rig = rig(None);
    run_gang(&mut rig, "g", 3, "", 1);
    let g = job_id("g");
    rig.exits(g.node(1), 7);
    assert_eq!((rig.status(g), rig.status(g.node(1))), ("RUNNING", "PENDING"));
    rig.take_effects();

    rig.exits(g, 0);

    assert_eq!((rig.status(g), rig.status(g.node(1))), ("SUCCEEDED", "FAILED"));
    assert_eq!(rig.take_stops().len(), 1);
    stopped(&mut rig, g.node(2));
    assert_eq!(rig.status(g.node(2)), "SUCCEEDED");
}

#[test]
fn a_lost_node_is_another_try_of_all_at_no_charge() {
    let mut rig = rig(None);
    run_gang(&mut rig, "g", 3, "", 1);
    let g = job_id("g");
    let host = rig.state(g.node(2)).live_attempt().unwrap().host;
    let instance = rig.hosts[&host].instance().unwrap().id.clone();
    rig.take_effects();

    rig.event(spillway_core::task::CloudEvent::Instance {
        id: instance.clone(),
        status: InstanceStatus::Terminated,
    });
    rig.wait(limits::LAST_WORDS + secs(1));
    assert_eq!(rig.take_stops().len(), 1, "the main node is stopped");
    stopped(&mut rig, g);
    assert_eq!(rig.status(g), "RUNNABLE");
    rig.wait(secs(60));
    assert!(rig.take_starts().is_empty(), "one node of the first attempt has still to end");
    stopped(&mut rig, g.node(1));
    let starts = rig.provide(&mut 10);
    go_on(&mut rig, g, &starts);

    assert_eq!((rig.status(g), rig.status(g.node(2))), ("RUNNING", "RUNNING"));
    let ended = &rig.jobs[&g].attempts[0];
    assert_eq!(ended.failure, Some(FailureCategory::Host));
    assert_eq!(ended.reason, format!("Host EC2 (instance {instance}) terminated."));
    rig.exits(g, 0);
    assert_eq!(rig.status(g), "SUCCEEDED", "with one attempt of its own");
}

#[test]
fn a_main_node_that_fails_is_tried_again_with_all_nodes_while_attempts_are_left() {
    let mut rig = rig(None);
    let g = job_id("g");
    run_gang(&mut rig, "g", 2, r#","retryStrategy":{"attempts":2}"#, 1);

    rig.exits(g, 3);
    stopped(&mut rig, g.node(1));
    let starts = rig.provide(&mut 10);
    let others = go_on(&mut rig, g, &starts);
    assert_eq!(others[0].environment["AWS_BATCH_JOB_ATTEMPT"], "2");
    rig.exits(g, 4);
    stopped(&mut rig, g.node(1));

    assert_eq!((rig.status(g), rig.status(g.node(1))), ("FAILED", "FAILED"));
    assert_eq!(rig.jobs[&g].attempts.len(), 2);
    assert_eq!(rig.jobs[&g.node(1)].attempts.len(), 2);
}

#[test]
fn whoever_ends_a_job_ends_all_its_nodes() {
    let mut rig = rig(None);
    run_gang(&mut rig, "g", 3, "", 1);
    let g = job_id("g");
    rig.take_effects();

    rig.send(end_job(Ending::Terminate, g.into(), "enough").to_string());
    assert_eq!(rig.take_stops().len(), 1, "the main node first");
    stopped(&mut rig, g);

    assert_eq!(reason(&rig, g), "enough");
    assert_eq!(rig.take_stops().len(), 2);
    for node in [1, 2] {
        stopped(&mut rig, g.node(node));
        assert_eq!(rig.status(g.node(node)), "FAILED");
    }
}

#[test]
fn nodes_that_never_started_end_without_a_task() {
    let mut rig = rig(None);
    rig.send(gang("g", 3, "", ""));
    let starts = rig.provide(&mut 1);
    let g = job_id("g");
    rig.accept(&starts[0]);

    rig.exits(g, 1);

    assert_eq!([g, g.node(1), g.node(2)].map(|id| rig.status(id)), ["FAILED"; 3]);
    assert!(rig.take_starts().is_empty() && rig.jobs[&g.node(1)].attempts[0].task.is_none());
}

#[test]
fn a_dispatcher_that_starts_again_goes_on_where_the_nodes_were() {
    let mut rig = rig(None);
    rig.send(gang("g", 3, "", ""));
    let starts = rig.provide(&mut 1);
    let g = job_id("g");
    rig.accept(&starts[0]);
    rig.runs(g);
    assert!(rig.take_starts().is_empty(), "nobody knows the address yet");

    rig.restart_after(secs(5));
    look(&mut rig);
    rig.wait(secs(1));

    let started: Vec<JobId> = rig.take_starts().iter().map(|start| start.job).collect();
    assert_eq!(started, [g.node(1), g.node(2)]);
}

#[test]
fn a_job_that_needs_more_hosts_than_there_may_be_is_refused_with_the_numbers() {
    let mut rig = rig(Some(2));

    rig.send(gang("g", 3, "", ""));

    let reason = reason(&rig, job_id("g"));
    assert!(reason.contains("3 nodes") && reason.contains("max-hosts is 2"), "{reason}");
}

#[test]
fn a_job_whose_nodes_together_are_more_than_each_of_its_pools_may_have_is_refused_with_the_numbers()
{
    let few_hosts = Caps { hosts_max: Some(2), ..Caps::default() };
    let few_vcpus = Caps { cpu_max: Some(CpuUnits::from_vcpus(5)), ..Caps::default() };
    let mut config = config();
    config.pools =
        vec![pool("few", vec![Market::Spot], few_hosts), pool("rest", vec![], few_vcpus)];
    let mut rig = Rig::with(config);

    rig.send(gang("g", 3, r#","market":"any""#, ""));

    let reason = reason(&rig, job_id("g"));
    assert!(reason.contains("3 nodes") && reason.contains("at least 3 hosts"), "{reason}");
    assert!(reason.contains("max-hosts of pool few is 2 hosts"), "{reason}");
}

#[test]
fn a_job_goes_to_the_first_pool_that_may_have_all_its_nodes() {
    let few_vcpus = Caps { cpu_max: Some(CpuUnits::from_vcpus(5)), ..Caps::default() };
    let mut config = config();
    config.pools =
        vec![pool("few", vec![Market::Spot], few_vcpus), pool("rest", vec![], Caps::default())];
    let mut rig = Rig::with(config);

    rig.send(gang("g", 3, r#","market":"any""#, ""));
    rig.wait(secs(2));

    let launch = rig.take_launch();
    assert_eq!((launch.count, launch.choices[0].pool.market), (3, Market::OnDemand));
}

#[test]
fn what_is_reserved_for_other_shares_is_kept_from_all_nodes_of_a_job() {
    let fair_share = FairShare { compute_reservation: 50, ..FairShare::default() };
    let caps = Caps { cpu_max: Some(CpuUnits::from_vcpus(10)), ..Caps::default() };
    let rules = QueueRules { fair_share: Some(fair_share), caps, ..QueueRules::default() };
    let mut config = config();
    config.queue_rules.insert("default".parse().unwrap(), rules);
    let mut rig = Rig::with(config);
    run_gang(&mut rig, "first", 2, "", 1);
    rig.take_effects();

    rig.send(gang("second", 2, "", ""));
    rig.wait(secs(60));

    assert_eq!(rig.status(job_id("second")), "RUNNABLE");
    let why = "compute-reservation of queue default is kept for shares without jobs";
    assert_eq!(held_back(&rig, "second"), why);
    rig.exits(job_id("first"), 0);
    stopped(&mut rig, job_id("first").node(1));
    rig.wait(secs(2));
    assert_eq!(rig.status(job_id("second")), "STARTING");
}

#[test]
fn who_waits_for_caps_counters_or_nodes_is_told_so() {
    let mut config = config();
    config.consumables.insert("licences".parse().unwrap(), 1);
    let takes = r#","consumableResourcePropertiesOverride":{"consumableResourceList":
        [{"consumableResource":"licences","quantity":1}]}"#;
    let mut rig = Rig::with(config);
    run_gang(&mut rig, "first", 2, takes, 1);
    rig.send(gang("second", 2, "", takes));
    rig.wait(secs(60));

    assert!(held_back(&rig, "second").contains("needs 1, 0 of 1 are free"));
    let standing = &rig.engine.queue_standings(rig.now)[0];
    assert_eq!((standing.n_waiting, standing.held_back.len()), (1, 1));
    let host = rig.state(job_id("first")).live_attempt().unwrap().host;
    let id = rig.hosts[&host].instance().unwrap().id.clone();
    rig.event(spillway_core::task::CloudEvent::Instance { id, status: InstanceStatus::Terminated });
    rig.wait(limits::LAST_WORDS + secs(60));
    assert_eq!(rig.status(job_id("first")), "RUNNABLE");
    assert!(held_back(&rig, "first").contains("nodes of its last attempt have still to end"));
}

#[test]
fn nodes_on_their_hosts_network_are_refused_unless_the_operator_allows_it() {
    let mut rig = Rig::new();

    rig.send(gang("g", 2, "", ""));

    assert!(reason(&rig, job_id("g")).contains("jobs.allow-host-network"));
}
