//! What is not wanted now stays where it is safe, and nobody is asked in a tight loop.

use spillway_core::CloudError;
use spillway_runtime::limits;

use crate::world::{Misbehaviour, Rig, message, secs};

#[tokio::test(start_paused = true)]
async fn deletes_go_ten_to_a_call_and_few_at_once() {
    let rig = Rig::new();
    let _driver = rig.start();
    rig.until("it is ready", |rig| rig.health.is_ready()).await;

    for _ in 0..95 {
        rig.world.send(message("a"));
    }
    rig.until("the job ends", |rig| rig.ledger.status("a") == "SUCCEEDED").await;

    let state = rig.world.state();
    let sizes: Vec<usize> = state.made("delete").iter().map(|n| n.parse().unwrap()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 95);
    assert!(sizes.iter().all(|n| *n <= limits::DELETE_BATCH), "{sizes:?}");
    assert!(sizes.len() <= 14, "{sizes:?}");
    assert!(state.most_under_way("delete") <= limits::DELETES_AT_ONCE);
}

#[tokio::test(start_paused = true)]
async fn messages_stay_in_the_queue_while_those_taken_cannot_be_deleted() {
    let rig = Rig::new();
    rig.world.misbehave("delete", 10_000, &Misbehaviour::Hang);
    let _driver = rig.start();
    rig.until("it is ready", |rig| rig.health.is_ready()).await;

    for _ in 0..8_000 {
        rig.world.send(message("a"));
    }
    secs(60).await;

    let batches = limits::DELETES_WAITING_MAX + limits::DELETES_AT_ONCE + limits::BACKLOG_BATCHES;
    let most = batches * limits::DELETE_BATCH + limits::STEP_MESSAGES_MAX;
    let n_taken = 8_000 - rig.world.state().n_messages_left();
    assert!(limits::DELETES_WAITING_MAX * limits::DELETE_BATCH <= n_taken, "{n_taken}");
    assert!(n_taken <= most, "{n_taken} were taken, {most} are bearable");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_cannot_be_read_is_asked_less_and_less() {
    let rig = Rig::new();
    let detail = "connection refused".to_owned();
    let down = CloudError::Unsettled { action: "sqs:ReceiveMessage".into(), detail };
    rig.world.misbehave("receive", 60, &Misbehaviour::Fail(down));
    let _driver = rig.start();

    secs(600).await;
    // 1 + 2 + 4 + 8 + 16 + 32 s, then every minute.
    let n_asked = rig.world.state().made("receive").len();
    assert!(n_asked <= limits::JOB_RECEIVERS * 16, "{n_asked}");

    rig.world.send(message("a"));
    rig.until("the job ends", |rig| rig.ledger.status("a") == "SUCCEEDED").await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_panics_begins_again() {
    let rig = Rig::new();
    rig.world.misbehave("receive", limits::JOB_RECEIVERS, &Misbehaviour::Panic);
    rig.world.misbehave("receive-events", 2, &Misbehaviour::Panic);
    let _driver = rig.start();

    rig.world.send(message("a"));
    rig.until("the job ends", |rig| rig.ledger.status("a") == "SUCCEEDED").await;
}

#[tokio::test(start_paused = true)]
async fn starts_go_few_at_once() {
    let rig = Rig::new();
    rig.world.misbehave("run-task", 1_000, &Misbehaviour::Hang);
    let _driver = rig.start();
    rig.until("it is ready", |rig| rig.health.is_ready()).await;

    for n in 0..80 {
        rig.world.send(message(&format!("job-{n}")));
    }
    secs(60).await;

    assert_eq!(rig.world.state().most_under_way("run-task"), limits::TASK_CALLS_AT_ONCE);
}
