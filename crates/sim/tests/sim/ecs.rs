//! ECS's contract: refusals, tokens, what a task holds and for how long, and how it ends.

use spillway_core::effect::{Refusal, TaskStart};
use spillway_core::message::{self, Request};
use spillway_core::quantity::Dimension;
use spillway_core::task::{TaskReport, TaskStatus};
use spillway_core::{AttemptOrd, CloudError, JobSpec, Market, MiB, TaskArn};
use spillway_sim::SimCloud;
use spillway_sim::WorldConfig;
use spillway_sim::setting::{Chance, Spread};
use spillway_sim::world::Faults;

use crate::fixture::{
    at, cloud, exact_world, launch_request, needs, pool, registered_host, spec, spec_running, spot,
    start, task_request,
};

fn refusal(start: Result<TaskStart, CloudError>) -> Refusal {
    match start.unwrap() {
        TaskStart::Refused(refusal) => refusal,
        TaskStart::Started(report) => panic!("started: {report:?}"),
    }
}

fn report(cloud: &mut SimCloud, secs: i64, arn: &TaskArn) -> TaskReport {
    cloud.advance(at(secs));
    let (mut found, missing) = cloud.tasks(at(secs), std::slice::from_ref(arn)).unwrap();
    assert!(missing.is_empty(), "{arn} is missing");
    found.pop().unwrap()
}

#[test]
fn a_host_registers_what_its_agent_finds_and_takes_no_task_before() {
    let mut cloud = cloud(exact_world());
    let answer = cloud.launch(at(0), &launch_request(1, &[spot()], 1)).unwrap();
    let instance = answer.instances[0].id.clone();
    let request = task_request("a", AttemptOrd::FIRST, &instance, spec());

    cloud.advance(at(59));
    assert_eq!(refusal(cloud.run_task(at(59), &request)), Refusal::HostGone);
    cloud.advance(at(60));
    assert!(matches!(cloud.run_task(at(60), &request), Ok(TaskStart::Started(_))));

    // c6a.large: 4096 MiB, of which this world's agent loses 5 %.
    let hosts = cloud.container_instances(at(60)).unwrap();
    assert_eq!(hosts[0].registered.memory, MiB::new(4096 - 204));
}

#[test]
fn more_than_is_left_is_refused_by_the_dimension_that_lacks() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    start(&mut cloud, at(60), "a", &instance, spec());

    let mut fat = spec();
    fat.resources = needs(1, 3);
    let no_memory = cloud.run_task(at(61), &task_request("b", AttemptOrd::FIRST, &instance, fat));
    let mut wide = spec();
    wide.resources = needs(2, 1);
    let no_cpu = cloud.run_task(at(61), &task_request("c", AttemptOrd::FIRST, &instance, wide));

    assert_eq!(refusal(no_memory), Refusal::NoRoom { dimension: Some(Dimension::Memory) });
    assert_eq!(refusal(no_cpu), Refusal::NoRoom { dimension: Some(Dimension::Cpu) });
    assert_eq!(cloud.ecs().n_refusals(), 2);
}

#[test]
fn a_draining_host_takes_no_task_and_keeps_those_it_has() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let task = start(&mut cloud, at(60), "a", &instance, spec());
    let host = cloud.ecs().host_of(&instance).unwrap().arn.clone();

    cloud.drain(at(61), &host).unwrap();

    let request = task_request("b", AttemptOrd::FIRST, &instance, spec());
    assert_eq!(refusal(cloud.run_task(at(62), &request)), Refusal::HostGone);
    assert_eq!(report(&mut cloud, 100, &task).status, TaskStatus::Running);
}

#[test]
fn an_absent_agent_takes_no_task() {
    let faults = Faults { agent_absences: Chance::percent(100), ..Faults::default() };
    let absent = Spread::of_secs(100_000, 100_000);
    let mut cloud = cloud(WorldConfig { faults, agent_absence: absent, ..exact_world() });
    let answer = cloud.launch(at(0), &launch_request(1, &[spot()], 20)).unwrap();
    cloud.advance(at(7200));

    let is_away = |i: &&spillway_core::effect::LaunchedInstance| {
        cloud.ecs().host_of(&i.id).is_some_and(|host| host.away_until.is_some())
    };
    let away = answer.instances.iter().find(is_away).expect("one of twenty has gone away").clone();

    let request = task_request("a", AttemptOrd::FIRST, &away.id, spec());
    assert_eq!(refusal(cloud.run_task(at(7200), &request)), Refusal::AgentAway);
}

#[test]
fn the_same_token_gives_the_same_task_and_on_another_host_a_conflict() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let first = start(&mut cloud, at(60), "a", &instance, spec());

    let again = start(&mut cloud, at(70), "a", &instance, spec());
    let elsewhere = "i-0123456789abcdef0".parse().unwrap();
    let request = task_request("a", AttemptOrd::FIRST, &elsewhere, spec());
    let conflict = cloud.run_task(at(71), &request);

    assert_eq!(first, again);
    assert_eq!(cloud.ecs().tasks().count(), 1);
    assert!(matches!(conflict, Err(CloudError::Conflict { .. })), "{conflict:?}");
}

#[test]
fn a_task_pulls_runs_exits_and_counts_its_versions_up() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let task = start(&mut cloud, at(60), "a", &instance, spec_running("sleep 100; exit 3"));

    // Pull 10 s, start 1 s, run 100 s, stop 1 s.
    let pending = report(&mut cloud, 70, &task);
    let running = report(&mut cloud, 71, &task);
    let stopping = report(&mut cloud, 171, &task);
    let stopped = report(&mut cloud, 172, &task);

    assert_eq!(pending.status, TaskStatus::Pending);
    assert_eq!((running.status, running.started_at), (TaskStatus::Running, Some(at(71))));
    assert_eq!((stopping.status, stopping.exit_code), (TaskStatus::Stopping, None));
    assert_eq!((stopped.status, stopped.exit_code), (TaskStatus::Stopped, Some(3)));
    assert_eq!(stopped.stop_code.as_deref(), Some("EssentialContainerExited"));
    let versions = [pending.version, running.version, stopping.version, stopped.version];
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

#[test]
fn an_image_is_pulled_once_per_host() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    start(&mut cloud, at(60), "a", &instance, spec());
    let second = start(&mut cloud, at(80), "b", &instance, spec());

    assert_eq!(report(&mut cloud, 81, &second).status, TaskStatus::Running);
}

#[test]
fn a_stopping_task_still_holds_its_place() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let mut whole = spec_running("trap '' TERM; sleep 1000");
    whole.resources = needs(2, 1);
    let task = start(&mut cloud, at(60), "a", &instance, whole.clone());
    cloud.advance(at(100));
    cloud.stop_task(at(100), &task, "no longer needed").unwrap();
    let request = task_request("b", AttemptOrd::FIRST, &instance, whole);

    cloud.advance(at(129));
    let refused = refusal(cloud.run_task(at(129), &request));
    cloud.advance(at(131));
    let started = cloud.run_task(at(131), &request);

    assert_eq!(refused, Refusal::NoRoom { dimension: Some(Dimension::Cpu) });
    assert!(matches!(started, Ok(TaskStart::Started(_))));
}

#[test]
fn sigterm_ends_a_container_and_sigkill_follows_for_one_that_ignores_it() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let polite = start(&mut cloud, at(60), "a", &instance, spec_running("sleep 1000"));
    let deaf = start(&mut cloud, at(60), "b", &instance, spec_running("trap '' TERM; sleep 1000"));
    cloud.advance(at(100));

    cloud.stop_task(at(100), &polite, "enough").unwrap();
    cloud.stop_task(at(100), &deaf, "enough").unwrap();

    let ended = report(&mut cloud, 103, &polite);
    assert_eq!((ended.status, ended.exit_code), (TaskStatus::Stopped, Some(143)));
    assert_eq!(ended.stopped_reason.as_deref(), Some("enough"));
    assert_eq!(report(&mut cloud, 130, &deaf).status, TaskStatus::Stopping);
    assert_eq!(report(&mut cloud, 131, &deaf).exit_code, Some(137));
}

#[test]
fn stopping_what_has_stopped_or_never_was_is_no_error() {
    let mut cloud = cloud(exact_world());
    let unknown: TaskArn = "arn:aws:ecs:us-east-1:1:task/spillway/none".parse().unwrap();
    let instance = registered_host(&mut cloud, &spot());
    let task = start(&mut cloud, at(60), "a", &instance, spec_running("true"));
    let before = report(&mut cloud, 100, &task);

    assert_eq!(cloud.stop_task(at(100), &unknown, "enough"), Ok(()));
    assert_eq!(cloud.stop_task(at(100), &task, "enough"), Ok(()));

    assert_eq!(report(&mut cloud, 200, &task), before);
}

#[test]
fn memory_and_images_fail_in_ecs_words() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let greedy = start(&mut cloud, at(60), "a", &instance, spec_running("sleep 5; tail /dev/zero"));
    let mut missing = spec();
    missing.container.image = "missing/tool".into();
    let unpulled = start(&mut cloud, at(60), "b", &instance, missing);

    let oom = report(&mut cloud, 100, &greedy);
    let pull = report(&mut cloud, 100, &unpulled);

    assert_eq!(oom.exit_code, Some(137));
    assert!(oom.container_reason.unwrap().starts_with("OutOfMemoryError"));
    assert_eq!((pull.exit_code, pull.stop_code.as_deref()), (None, Some("TaskFailedToStart")));
    assert!(pull.container_reason.unwrap().starts_with("CannotPullContainerError"));
}

/// `work` runs 20 s behind the success of `fetch`, which takes 10 s and ends with this exit code.
fn several(fetch_code: i32) -> JobSpec {
    let needs =
        r#""resourceRequirements":[{"type":"VCPU","value":"0.5"},{"type":"MEMORY","value":"512"}]"#;
    let body = format!(
        r#"{{"jobName":"j","jobQueue":"default","jobDefinition":{{"ecsProperties":{{"taskProperties":[{{"containers":[
        {{"name":"fetch","image":"x","essential":false,"command":["sh","-c","sleep 10; exit {fetch_code}"],{needs}}},
        {{"name":"work","image":"x","command":["sh","-c","sleep 20; exit 3"],{needs},
          "dependsOn":[{{"containerName":"fetch","condition":"SUCCESS"}}]}},
        {{"name":"proxy","image":"x","essential":false,"command":["sleep","infinity"],{needs}}}
        ]}}]}}}}}}"#
    );
    match message::parse(&body).unwrap().request {
        Request::Submit { spec, .. } => *spec,
        other @ (Request::Cancel { .. }
        | Request::Terminate { .. }
        | Request::Register { .. }
        | Request::Deregister { .. }
        | Request::Schedule(_)
        | Request::Pause { .. }
        | Request::ResetBreaker { .. }
        | Request::ApproveBurst { .. }) => panic!("{other:?}"),
    }
}

fn codes(report: &TaskReport) -> Vec<(&str, Option<i32>)> {
    report.containers.iter().map(|c| (c.name.as_str(), c.exit_code)).collect()
}

#[test]
fn several_containers_start_and_end_as_they_depend_on_each_other() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let both = start(&mut cloud, at(60), "a", &instance, several(0));
    let began = report(&mut cloud, 75, &both).started_at.unwrap();

    let ended = report(&mut cloud, 200, &both);

    assert!(30 <= ended.stopped_at.unwrap().duration_since(began).as_secs());
    assert_eq!(codes(&ended), [("work", Some(3)), ("fetch", Some(0)), ("proxy", Some(143))]);
    let in_vain = start(&mut cloud, at(200), "b", &instance, several(7));
    let ended = report(&mut cloud, 400, &in_vain);
    assert_eq!(codes(&ended), [("work", None), ("fetch", Some(7)), ("proxy", Some(143))]);
}

#[test]
fn several_containers_that_are_stopped_end_where_they_are() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let task = start(&mut cloud, at(60), "a", &instance, several(0));
    let began = report(&mut cloud, 75, &task).started_at.unwrap();
    let early = began + jiff::SignedDuration::from_secs(2);
    cloud.advance(early);

    cloud.stop_task(early, &task, "enough").unwrap();

    let ended = report(&mut cloud, 200, &task);
    assert_eq!(ended.stop_code.as_deref(), Some("UserInitiated"));
    let codes = codes(&ended);
    assert_eq!((codes[0], codes[2]), (("work", None), ("proxy", Some(143))), "{codes:?}");
}

#[test]
fn the_tasks_of_an_ended_host_are_stopped_without_an_exit_code() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &pool("c6a.large", "us-east-1a", Market::OnDemand));
    let task = start(&mut cloud, at(60), "a", &instance, spec_running("sleep 1000"));
    cloud.advance(at(100));

    cloud.terminate(at(100), std::slice::from_ref(&instance)).unwrap();

    assert_eq!(report(&mut cloud, 130, &task).status, TaskStatus::Running, "not noticed yet");
    let lost = report(&mut cloud, 141, &task);
    assert_eq!((lost.status, lost.exit_code), (TaskStatus::Stopped, None));
    assert!(lost.stopped_reason.unwrap().starts_with("Host EC2 (instance i-"));
    assert!(cloud.container_instances(at(141)).unwrap().is_empty());
}

#[test]
fn ecs_forgets_a_stopped_task_after_an_hour() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let task = start(&mut cloud, at(60), "a", &instance, spec_running("true"));
    let stopped_at = report(&mut cloud, 100, &task).stopped_at.unwrap();

    let (found, missing) = cloud
        .tasks(stopped_at + jiff::SignedDuration::from_hours(1), std::slice::from_ref(&task))
        .unwrap();

    assert!(found.is_empty());
    assert_eq!(missing, [task]);
}
