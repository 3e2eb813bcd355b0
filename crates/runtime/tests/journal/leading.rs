//! One leads, and a standby takes over: when, and what becomes of the one before.

use std::time::Duration;

use spillway_core::error::LedgerError;
use spillway_core::port::Ledger;
use spillway_runtime::Health;
use spillway_runtime::limits;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, commit};
use crate::sample::{add, at, job, one_of_everything};

#[tokio::test(start_paused = true)]
async fn a_standby_waits_as_long_as_the_leader_is_heard_of() {
    let rig = Rig::new();
    let mut leader = rig.leader("a").await;
    let mut standby = rig.standby("b");

    for _ in 0..30 {
        leader.renew().await.unwrap();
        tokio::time::sleep(limits::LEASE_RENEW).await;
        assert!(standby.look().await.unwrap().is_none());
    }

    assert!(leader.tenure().holds());
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_from_a_leader_that_is_heard_of_no_more_in_less_than_15_seconds() {
    let rig = Rig::new();
    let mut leader = rig.leader("a").await;
    let mut ledger = leader.ledger();
    commit(&mut ledger, &one_of_everything()).await;
    let (mut standby, health, stop) = (rig.standby("b"), Health::new(), CancellationToken::new());
    assert!(standby.look().await.unwrap().is_none());
    leader.renew().await.unwrap();

    // From here on the leader does nothing.
    let silent_since = Instant::now();
    let next = standby.wait(&stop, &health).await.unwrap().unwrap();

    let took = silent_since.elapsed();
    assert!(limits::LEASE <= took && took < Duration::from_secs(15), "{took:?}");
    assert!(!leader.tenure().holds(), "the one before has stopped acting");
    assert_eq!(next.epoch(), 2);
    assert_eq!(rig.read("b"), rig.read("a"));
}

#[tokio::test(start_paused = true)]
async fn a_leader_stops_acting_before_a_standby_can_take_over() {
    let rig = Rig::new();
    let mut leader = rig.leader("a").await;
    let mut standby = rig.standby("b");
    // The standby sees the lease at the earliest moment that it can, and so may take over at the earliest.
    leader.renew().await.unwrap();
    assert!(standby.look().await.unwrap().is_none());

    let mut acted = Duration::ZERO;
    let begun = Instant::now();
    while standby.look().await.unwrap().is_none() {
        if leader.ledger().may_act() {
            acted = begun.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let spare = begun.elapsed().saturating_sub(acted);
    assert!(Duration::from_secs(1) < spare, "{spare:?}");
}

/// The answer to a renewal is lost and it is found in the table later: others count from when it was written.
#[tokio::test(start_paused = true)]
async fn a_renewal_counts_from_when_it_was_first_tried() {
    let rig = Rig::new();
    let mut leader = rig.leader("a").await;
    rig.table.lose(crate::table::Mishap::AnswerLost);
    assert!(leader.renew().await.is_err());
    let written_at = Instant::now();

    tokio::time::sleep(Duration::from_secs(5)).await;
    leader.renew().await.unwrap();

    tokio::time::sleep_until(written_at + limits::LEASE_ACTS).await;
    assert!(!leader.tenure().holds());
    leader.renew().await.unwrap();
    assert!(leader.tenure().holds());
}

#[tokio::test(start_paused = true)]
async fn what_a_leader_writes_that_was_deposed_is_refused_and_its_copy_is_as_the_journal() {
    let rig = Rig::new();
    let mut old = rig.leader("a").await;
    let mut stale = old.ledger();
    commit(&mut stale, &[add(&job(0))]).await;
    let mut standby = rig.standby("b");
    assert!(standby.look().await.unwrap().is_none());
    tokio::time::sleep(limits::LEASE).await;
    let new = standby.look().await.unwrap().unwrap();
    commit(&mut new.ledger(), &[add(&job(1))]).await;

    let refused = stale.commit(at(0), &[add(&job(2))]).await.unwrap_err();
    let renewal = old.renew().await.unwrap_err();

    assert!(matches!(refused, LedgerError::Fenced { epoch: 2, .. }), "{refused:?}");
    assert!(matches!(renewal, LedgerError::Fenced { epoch: 2, .. }), "{renewal:?}");
    assert_eq!(rig.read("a").jobs.len(), 1);
    drop((old, stale));
    let mut again = rig.standby("a");
    assert!(again.look().await.unwrap().is_none(), "it stands by");
    assert_eq!(rig.read("a"), rig.read("b"));
    assert_eq!(rig.read_anew("c").await, rig.read("b"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_given_back_is_taken_at_once() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let mut standby = rig.standby("b");
    assert!(standby.look().await.unwrap().is_none());

    leader.release().await.unwrap();

    assert_eq!(standby.look().await.unwrap().unwrap().epoch(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_two_that_take_over_at_once_one_leads() {
    let rig = Rig::new();
    let (mut a, mut b) = (rig.standby("a"), rig.standby("b"));

    let (first, second) = tokio::join!(a.look(), b.look());

    let leaders = [first.unwrap(), second.unwrap()].into_iter().flatten().count();
    assert_eq!(leaders, 1);
}

#[tokio::test(start_paused = true)]
async fn a_take_over_whose_answer_is_lost_is_seen_to_have_happened() {
    let rig = Rig::new();
    rig.table.lose(crate::table::Mishap::AnswerLost);

    let leader = rig.leader("a").await;

    assert_eq!(leader.epoch(), 1);
    commit(&mut leader.ledger(), &[add(&job(0))]).await;
}

#[tokio::test(start_paused = true)]
async fn a_standby_is_well_and_not_ready_and_waits_out_a_table_that_is_away() {
    let rig = Rig::new();
    let _leader = rig.leader("a").await;
    let (health, stop) = (Health::new(), CancellationToken::new());
    let waiting = tokio::spawn({
        let (mut standby, health, stop) = (rig.standby("b"), health.clone(), stop.clone());
        async move { standby.wait(&stop, &health).await.unwrap().is_some() }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.table.state().is_away = true;
    tokio::time::sleep(Duration::from_mins(10)).await;

    assert!(health.is_live() && !health.is_ready());

    rig.table.state().is_away = false;
    assert!(waiting.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_is_stopped_takes_nothing() {
    let rig = Rig::new();
    let _leader = rig.leader("a").await;
    let (health, stop) = (Health::new(), CancellationToken::new());
    stop.cancel();

    assert!(rig.standby("b").wait(&stop, &health).await.unwrap().is_none());
}

#[tokio::test]
async fn a_commit_is_one_write() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let before = rig.table.state().n_writes;

    commit(&mut leader.ledger(), &one_of_everything()).await;

    assert_eq!(rig.table.state().n_writes - before, 1);
}
