//! Nodes of multi-node jobs: N1 and N2.

use std::sync::Arc;

use spillway_core::effect::TaskRequest;
use spillway_core::gang::NodeGroup;
use spillway_core::job::{Attempt, FailureCategory, LiveAttempt, Stop, StopCause};
use spillway_core::{
    AttemptOrd, Change, Effect, Gang, Host, HostId, HostState, Instance, Job, JobState,
};
use spillway_engine::EngineConfig;
use spillway_sim::invariants::PARTIAL_MAX;

use super::stage::{Stage, host_id, live};
use super::{ended, ends, failed, starting, with_spec};
use crate::fixture::{at, job_id, launch_id, launch_request, spec, spot, task_request};

/// A job of two nodes, the first of them the main one, and a second host for the other.
fn two_nodes(world: &mut Stage) -> (Job, HostId) {
    let other = HostId::derive(launch_id(0), 1);
    let answer = world.cloud.launch(at(61), &launch_request(1, &[spot()], 1)).unwrap();
    let instance = answer.instances[0].id.clone();
    world.now = 121;
    world.cloud.advance(at(world.now));
    let container_instance = world.cloud.ecs().host_of(&instance).unwrap().arn.clone();
    let state = HostState::Registered {
        instance: Instance { id: instance, launched_at: at(0) },
        container_instance,
        at: at(60),
    };
    world.write([Change::PutHost(Box::new(Host { id: other, state, ..world.host.clone() }))]);
    let job = with_spec(starting("a"), |spec| {
        let group = NodeGroup {
            first: 0,
            last: 1,
            container: spec.container.clone(),
            resources: spec.resources,
            arch: spec.arch,
            gpu_kinds: spec.gpu_kinds,
        };
        spec.gang = Some(Arc::new(Gang { main: 0, groups: vec![group] }));
    });
    (job, other)
}

fn node_on(host: HostId, stop: Option<Stop>) -> JobState {
    JobState::Starting {
        attempt: LiveAttempt { host, stop, awaits_main: true, ..live(AttemptOrd::FIRST) },
    }
}

#[test]
fn n1_nodes_are_given_to_hosts_together_each_to_its_own() {
    for (host, expected) in [(None, vec!["N1"]), (Some(true), vec![]), (Some(false), vec!["N1"])] {
        let mut world = Stage::new();
        let (job, other) = two_nodes(&mut world);
        let mut changes = vec![Change::AddJob(Box::new(job))];
        changes.extend(host.map(|is_own| {
            let state = node_on(if is_own { other } else { host_id() }, None);
            Change::AddChild { id: job_id("a").node(1), state }
        }));

        assert_eq!(world.write(changes), expected, "{host:?}");
    }
}

#[test]
fn n1_no_node_goes_on_when_its_main_one_has_ended() {
    for (is_stopped, expected) in [(false, vec!["N1"]), (true, vec![])] {
        let mut world = Stage::new();
        let (job, other) = two_nodes(&mut world);
        let id = job_id("a").node(1);
        let node = Change::AddChild { id, state: node_on(other, None) };
        assert!(world.write([Change::AddJob(Box::new(job)), node]).is_empty());
        let attempt = ended(&world, Some(FailureCategory::Terminated), None);
        let mut changes = vec![ends(failed(), attempt)];
        let stop = Stop { since: at(60), cause: StopCause::MainEnded };
        let state = node_on(other, Some(stop));
        changes.extend(is_stopped.then_some(Change::MoveJob { id, state, ended: None }));

        assert_eq!(world.write(changes), expected, "{is_stopped}");
    }
}

#[test]
fn n1_no_node_starts_before_its_main_one_runs() {
    let mut world = Stage::new();
    let (job, other) = two_nodes(&mut world);
    let id = job_id("a").node(1);
    let node = Change::AddChild { id, state: node_on(other, None) };
    world.write([Change::AddJob(Box::new(job)), node]);
    let request = task_request("a", AttemptOrd::FIRST, &world.instance, spec());
    let request = TaskRequest { job: id, ..request };

    let broken = world.perform(Effect::RunTask(request));

    assert_eq!(broken, ["N1", "N1"], "neither does the main one run nor is its address told");
}

/// The same on a host, RUNNING.
fn runs(state: &JobState) -> JobState {
    let attempt = LiveAttempt { awaits_main: false, ..state.live_attempt().unwrap().clone() };
    JobState::Running { attempt, started_at: at(60) }
}

#[test]
fn n2_no_nodes_run_without_the_others_for_long() {
    for (is_whole, expected) in [(false, vec!["N2"]), (true, vec![])] {
        let mut world = Stage::new();
        let (job, other) = two_nodes(&mut world);
        let (id, main) = (job_id("a").node(1), runs(&job.state));
        let node = node_on(other, None);
        let moved = |id, state| Change::MoveJob { id, state, ended: None };
        let add = Change::AddChild { id, state: node.clone() };
        assert!(world.write([Change::AddJob(Box::new(job)), add]).is_empty());
        assert!(world.write([moved(job_id("a"), main)]).is_empty());
        if is_whole {
            assert!(world.write([moved(id, runs(&node))]).is_empty());
        }

        world.now +=
            2 * PARTIAL_MAX.as_secs() + 2 * EngineConfig::default().start_timeout.as_secs();

        assert_eq!(world.write([]), expected, "{is_whole}");
    }
}

#[test]
fn n2_a_node_that_has_ended_by_itself_is_missed_by_nobody() {
    for (failure, expected) in
        [(Some(FailureCategory::Host), vec!["N2"]), (Some(FailureCategory::Exit), vec![])]
    {
        let mut world = Stage::new();
        let (job, other) = two_nodes(&mut world);
        let (id, main) = (job_id("a").node(1), runs(&job.state));
        let add = Change::AddChild { id, state: node_on(other, None) };
        world.write([Change::AddJob(Box::new(job)), add]);
        let ended = Some(Box::new(Attempt { host: other, ..ended(&world, failure, None) }));
        let ends = Change::MoveJob { id, state: JobState::Pending, ended };
        world.write([Change::MoveJob { id: job_id("a"), state: main, ended: None }, ends]);

        world.now +=
            2 * PARTIAL_MAX.as_secs() + 2 * EngineConfig::default().start_timeout.as_secs();

        assert_eq!(world.write([]), expected, "{failure:?}");
    }
}
