//! What is not written down is not done.

use spillway_core::error::LedgerError;
use spillway_runtime::DriverError;

use crate::world::{Fault, Rig, message, secs};

/// Kinds of calls that change something.
const CHANGING: [&str; 5] = ["launch", "run-task", "delete", "dead-letter", "terminate"];

fn n_changing(rig: &Rig) -> usize {
    let state = rig.world.state();
    CHANGING.iter().map(|kind| state.made(kind).len()).sum()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_while_the_ledger_is_out_of_reach_and_all_is_done_after() {
    let rig = Rig::new();
    let _driver = rig.start();
    rig.until("it is ready", |rig| rig.health.is_ready()).await;
    rig.ledger.set_fault(Some(Fault::Unavailable));

    rig.world.send(message("a"));
    secs(600).await;
    assert_eq!(n_changing(&rig), 0);
    assert!(rig.health.is_live() && !rig.health.is_ready(), "a restart would not help");

    rig.ledger.set_fault(None);
    rig.until("the job ends", |rig| rig.ledger.status("a") == "SUCCEEDED").await;
    assert!(rig.health.is_ready());
    assert_eq!(rig.world.state().unwritten, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_ledger_ends_the_dispatcher_before_it_does_anything() {
    let rig = Rig::new();
    let driver = rig.start();
    rig.until("it is ready", |rig| rig.health.is_ready()).await;
    rig.ledger.set_fault(Some(Fault::Corrupt));

    rig.world.send(message("a"));
    let error = driver.await.unwrap().unwrap_err();

    let DriverError::Ledger { source } = error;
    assert!(matches!(source, LedgerError::Corrupt { .. }), "{source:?}");
    assert_eq!(n_changing(&rig), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_ledger_that_is_out_of_reach() {
    let rig = Rig::new();
    let driver = rig.start();
    rig.until("it is ready", |rig| rig.health.is_ready()).await;
    rig.ledger.set_fault(Some(Fault::Unavailable));
    rig.world.send(message("a"));
    secs(60).await;

    let asked_at = tokio::time::Instant::now();
    rig.stop.cancel();
    let error = driver.await.unwrap().unwrap_err();

    let DriverError::Ledger { source } = error;
    assert!(matches!(source, LedgerError::Unavailable { .. }), "{source:?}");
    assert!(asked_at.elapsed().is_zero());
    assert_eq!(n_changing(&rig), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_while_another_dispatcher_may_lead_and_all_is_after() {
    let rig = Rig::new();
    let _driver = rig.start();
    rig.until("it is ready", |rig| rig.health.is_ready()).await;
    rig.ledger.set_doubtful(true);

    rig.world.send(message("a"));
    rig.until("the job is written", |rig| rig.ledger.status("a") == "RUNNABLE").await;
    secs(600).await;
    assert_eq!(n_changing(&rig), 0);

    rig.ledger.set_doubtful(false);
    rig.until("the job ends", |rig| rig.ledger.status("a") == "SUCCEEDED").await;
    assert_eq!(rig.world.state().unwritten, [""; 0]);
}
