//! A stop leaves everything as it is, and writes down what it still learns.

use std::time::Duration;

use spillway_core::host::HostStatus;
use spillway_runtime::limits;

use crate::world::{Misbehaviour, Rig, message, secs};

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_jobs_running_and_returns_at_once() {
    let rig = Rig::new();
    rig.world.state().tasks_exit = false;
    let driver = rig.start();
    rig.world.send(message("a"));
    rig.until("it runs", |rig| rig.ledger.status("a") == "RUNNING").await;
    secs(5).await;

    let asked_at = tokio::time::Instant::now();
    rig.stop.cancel();
    let stopped = driver.await.unwrap().unwrap();

    assert_eq!((stopped.n_open_jobs, stopped.n_hosts), (1, 1));
    assert!(asked_at.elapsed() < Duration::from_millis(10), "{:?}", asked_at.elapsed());
    let state = rig.world.state();
    for kind in ["stop-task", "drain", "terminate"] {
        assert_eq!(state.made(kind), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_answer_to_a_launch_and_writes_it_down() {
    let rig = Rig::new();
    rig.world.misbehave("launch", 1, &Misbehaviour::Slow(Duration::from_secs(3)));
    let driver = rig.start();
    rig.world.send(message("a"));
    rig.until("the call is sent", |rig| rig.world.state().made("launch").len() == 1).await;

    rig.stop.cancel();
    let stopped = driver.await.unwrap().unwrap();

    assert_eq!((stopped.n_open_jobs, stopped.n_hosts), (1, 1));
    assert_eq!(rig.ledger.hosts()[0].status(), HostStatus::Launched);
    assert_eq!(rig.world.state().made("run-task"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_after_a_stop_asks_for_is_done_by_the_next_dispatcher() {
    let rig = Rig::new();
    rig.world.misbehave("drain", 1, &Misbehaviour::Slow(Duration::from_secs(3)));
    let driver = rig.start();
    rig.world.send(message("a"));
    rig.until("it drains", |rig| !rig.world.state().made("drain").is_empty()).await;

    rig.stop.cancel();
    let stopped = driver.await.unwrap().unwrap();

    assert_eq!(stopped.n_hosts, 1);
    assert_eq!(rig.ledger.hosts()[0].status(), HostStatus::Terminating, "it is written down");
    assert_eq!(rig.world.state().made("terminate"), [""; 0], "it is not begun");

    let rig = rig.with_new_stop();
    let _next = rig.start();
    rig.until("the host is gone", |rig| rig.ledger.n_hosts() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_ever() {
    let rig = Rig::new();
    rig.world.misbehave("launch", 1, &Misbehaviour::Hang);
    let driver = rig.start();
    rig.world.send(message("a"));
    rig.until("the call is sent", |rig| rig.world.state().made("launch").len() == 1).await;

    let asked_at = tokio::time::Instant::now();
    rig.stop.cancel();
    driver.await.unwrap().unwrap();

    let grace = limits::STOP_GRACE;
    assert!(grace <= asked_at.elapsed() && asked_at.elapsed() < grace * 2);
    assert_eq!(rig.ledger.hosts()[0].status(), HostStatus::Requested, "the intent stays");
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_look_at_the_fleet() {
    let rig = Rig::new();
    rig.world.misbehave("instances", 1, &Misbehaviour::Hang);
    rig.world.misbehave("catalog", 1, &Misbehaviour::Hang);
    let driver = rig.start();
    secs(10).await;

    let asked_at = tokio::time::Instant::now();
    rig.stop.cancel();
    driver.await.unwrap().unwrap();

    assert!(asked_at.elapsed() < Duration::from_millis(10), "{:?}", asked_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stop_still_deletes_the_messages_whose_jobs_are_durable() {
    let rig = Rig::new();
    rig.world.misbehave("delete", 4, &Misbehaviour::Slow(Duration::from_secs(2)));
    let driver = rig.start();
    rig.until("it is ready", |rig| rig.health.is_ready()).await;
    for _ in 0..100 {
        rig.world.send(message("a"));
    }
    rig.until("it deletes", |rig| !rig.world.state().made("delete").is_empty()).await;
    rig.until("all are taken", |rig| rig.world.state().n_messages_left() == 0).await;

    rig.stop.cancel();
    driver.await.unwrap().unwrap();

    let state = rig.world.state();
    let n_deleted: usize = state.made("delete").iter().map(|n| n.parse::<usize>().unwrap()).sum();
    assert_eq!(n_deleted, 100);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_received_after_a_stop() {
    let rig = Rig::new();
    let driver = rig.start();
    rig.until("it is ready", |rig| rig.health.is_ready()).await;
    rig.stop.cancel();
    driver.await.unwrap().unwrap();

    rig.world.send(message("a"));
    secs(60).await;

    assert_eq!(rig.world.state().n_messages_left(), 1);
}
