//! From the message to the machine given back, through the real loop.

use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusBuilder;
use spillway_core::CloudError;
use spillway_runtime::telemetry;

use crate::world::{Misbehaviour, Rig, message, secs};

#[tokio::test(start_paused = true)]
async fn a_message_becomes_a_job_a_task_and_an_end_and_its_host_is_given_back() {
    let rig = Rig::new();
    let driver = rig.start();

    rig.world.send(message("a"));
    rig.until("the host is gone", |rig| {
        rig.ledger.status("a") == "SUCCEEDED" && rig.ledger.n_hosts() == 0
    })
    .await;
    rig.stop.cancel();
    let stopped = driver.await.unwrap().unwrap();

    assert_eq!((stopped.n_open_jobs, stopped.n_hosts), (0, 0));
    assert!(stopped.n_commits <= stopped.n_steps);
    let state = rig.world.state();
    assert_eq!(state.unwritten, [""; 0]);
    assert_eq!(state.made("delete"), ["1"]);
    for kind in ["launch", "run-task", "drain", "terminate"] {
        assert_eq!(state.made(kind).len(), 1, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_can_never_be_a_job_becomes_a_dead_letter() {
    let rig = Rig::new();
    let _driver = rig.start();

    rig.world.send("{".into());
    rig.until("a dead letter", |rig| !rig.world.state().made("dead-letter").is_empty()).await;
    secs(120).await;

    let state = rig.world.state();
    assert_eq!(state.made("dead-letter"), ["INVALID_JSON"]);
    assert_eq!(state.made("delete"), [""; 0], "the letter is its end");
}

#[tokio::test(start_paused = true)]
async fn the_dispatcher_is_ready_once_prices_and_the_fleet_have_been_seen() {
    let rig = Rig::new();
    let denied = CloudError::Denied { action: "ec2:DescribeInstances".into(), detail: "no".into() };
    rig.world.misbehave("instances", 1, &Misbehaviour::Fail(denied));
    let driver = rig.start();

    secs(1).await;
    assert!(rig.health.is_live() && !rig.health.is_ready(), "the fleet has not been seen");
    rig.until("it is ready", |rig| rig.health.is_ready()).await;

    rig.stop.cancel();
    driver.await.unwrap().unwrap();
    assert!(!rig.health.is_ready());
}

#[tokio::test(start_paused = true)]
async fn an_idle_dispatcher_lives() {
    let rig = Rig::new();
    let _driver = rig.start();

    secs(3600).await;

    assert!(rig.health.is_live());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_an_hour_holds_nothing_up() {
    let rig = Rig::new();
    rig.world.state().tasks_exit = false;
    let _driver = rig.start();
    rig.world.send(message("a"));
    rig.until("it runs", |rig| rig.ledger.status("a") == "RUNNING").await;

    rig.clock.set_back(SignedDuration::from_hours(1));
    rig.world.state().tasks_exit = true;
    rig.world.send(message("b"));
    let asked_at = tokio::time::Instant::now();
    rig.until("the next job ends", |rig| rig.ledger.status("b") == "SUCCEEDED").await;

    assert!(asked_at.elapsed().as_secs() < 120, "{:?}", asked_at.elapsed());
    assert_eq!(rig.ledger.status("a"), "RUNNING");
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_measured_under_the_names_that_are_documented() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    telemetry::describe();
    let rig = Rig::new();
    rig.world.state().tasks_exit = false;
    let _driver = rig.start();

    rig.world.send(message("a"));
    rig.world.send("{".into());
    rig.until("it runs", |rig| rig.ledger.status("a") == "RUNNING").await;
    secs(2).await;
    let text = metrics.render();

    for line in [
        "spillway_jobs{state=\"RUNNING\"} 1",
        "spillway_hosts{status=\"registered\",market=\"on-demand\"} 1",
        "spillway_fleet_dollars_per_hour 0.085",
        "spillway_api_calls_total{api=\"ecs:RunTask\",outcome=\"ok\"} 1",
        "spillway_dlq_total{reason=\"INVALID_JSON\"} 1",
        "spillway_messages_total{queue=\"jobs\"} 2",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for name in names.filter_map(|rest| rest.split(' ').next()) {
        assert!(telemetry::ALL.iter().any(|metric| metric.name == name), "{name} is unknown");
    }
}
