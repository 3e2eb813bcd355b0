//! Calls that hang, panic or fail, and a dispatcher that dies in the middle of one.

use std::time::Duration;

use crate::world::{Misbehaviour, Rig, message, secs};

fn hosts_and_tokens(rig: &Rig, kind: &str) -> (usize, usize, usize) {
    let state = rig.world.state();
    let mut tokens = state.made(kind);
    let n_calls = tokens.len();
    tokens.dedup();
    (rig.ledger.hosts().len(), n_calls, tokens.len())
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_hangs_is_sent_again_with_its_token() {
    let rig = Rig::new();
    rig.world.misbehave("launch", 1, &Misbehaviour::Hang);
    let _driver = rig.start();

    rig.world.send(message("a"));
    rig.until("the job ends", |rig| rig.ledger.status("a") == "SUCCEEDED").await;

    let (n_hosts, n_calls, n_tokens) = hosts_and_tokens(&rig, "launch");
    assert_eq!((n_hosts, n_calls, n_tokens), (1, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_hangs_is_sent_again_with_its_token() {
    let rig = Rig::new();
    rig.world.misbehave("run-task", 1, &Misbehaviour::Hang);
    let _driver = rig.start();

    rig.world.send(message("a"));
    rig.until("the job ends", |rig| rig.ledger.status("a") == "SUCCEEDED").await;

    let (_, n_calls, n_tokens) = hosts_and_tokens(&rig, "run-task");
    assert_eq!((n_calls, n_tokens), (2, 1));
    assert_eq!(rig.ledger.job("a").unwrap().attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_one_that_nobody_knows_the_outcome_of() {
    let rig = Rig::new();
    for kind in ["launch", "run-task", "catalog", "instances", "terminate", "drain"] {
        rig.world.misbehave(kind, 1, &Misbehaviour::Panic);
    }
    let _driver = rig.start();

    rig.world.send(message("a"));
    rig.until("the host is gone", |rig| {
        rig.ledger.status("a") == "SUCCEEDED" && rig.ledger.n_hosts() == 0
    })
    .await;

    let (n_hosts, n_calls, n_tokens) = hosts_and_tokens(&rig, "launch");
    assert_eq!((n_hosts, n_calls, n_tokens), (1, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_slow_kind_of_call_does_not_hold_up_another() {
    let rig = Rig::new();
    rig.world.misbehave("delete", 100, &Misbehaviour::Hang);
    rig.world.misbehave("instances", 100, &Misbehaviour::Hang);
    let _driver = rig.start();

    rig.world.send(message("a"));
    rig.until("the job ends", |rig| rig.ledger.status("a") == "SUCCEEDED").await;
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_dies_in_a_launch_finds_its_token_in_the_ledger() {
    let rig = Rig::new();
    rig.world.misbehave("launch", 1, &Misbehaviour::Hang);
    let first = rig.start();
    rig.world.send(message("a"));
    rig.until("the call is sent", |rig| rig.world.state().made("launch").len() == 1).await;
    first.abort();

    let _second = rig.start();
    rig.until("the job ends", |rig| rig.ledger.status("a") == "SUCCEEDED").await;

    let (n_hosts, n_calls, n_tokens) = hosts_and_tokens(&rig, "launch");
    assert_eq!((n_hosts, n_calls, n_tokens), (1, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_dies_in_a_start_finds_its_token_in_the_ledger() {
    let rig = Rig::new();
    rig.world.misbehave("run-task", 1, &Misbehaviour::Slow(Duration::from_secs(30)));
    let first = rig.start();
    rig.world.send(message("a"));
    rig.until("the call is sent", |rig| rig.world.state().made("run-task").len() == 1).await;
    first.abort();
    secs(60).await;

    let _second = rig.start();
    rig.until("the job ends", |rig| rig.ledger.status("a") == "SUCCEEDED").await;

    let (_, n_calls, n_tokens) = hosts_and_tokens(&rig, "run-task");
    assert_eq!((n_calls, n_tokens), (2, 1));
    assert_eq!(rig.ledger.job("a").unwrap().attempts.len(), 1);
}
