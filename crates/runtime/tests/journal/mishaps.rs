//! Whatever becomes of single calls, what was committed is in the journal once and in order.

use proptest::prelude::*;
use spillway_core::error::LedgerError;
use spillway_core::port::Ledger;
use tokio::runtime::Builder;

use crate::rig::{Rig, commit, large};
use crate::sample::{add, at, job, one_of_everything};
use crate::table::Mishap;

fn mishap() -> impl Strategy<Value = Option<Mishap>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Mishap::Throttled)),
        1 => Just(Some(Mishap::NeverCame)),
        2 => Just(Some(Mishap::AnswerLost)),
        1 => Just(Some(Mishap::Late)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn commits_through_mishaps_are_in_every_copy_once_and_in_order(
        mishaps in proptest::collection::vec(mishap(), 0..40),
        n_commits in 1..12_u64,
        renews in any::<u16>(),
    ) {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new();
            let mut leader = rig.leader("a").await;
            let mut ledger = leader.ledger();
            rig.table.state().writes.extend(mishaps);

            for n in 0..n_commits {
                commit(&mut ledger, &[add(&job(n))]).await;
                if renews >> n & 1 == 1 {
                    match leader.renew().await {
                        Ok(()) | Err(LedgerError::Unavailable { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }

            rig.table.state().writes.clear();
            let state = ledger.load().await.unwrap();
            assert_eq!(state.jobs.len(), usize::try_from(n_commits).unwrap());
            assert_eq!(rig.read_anew("b").await, state);
            leader.release().await.unwrap();
            assert_eq!(rig.leader("c").await.epoch(), 2);
        });
    }
}

#[tokio::test]
async fn a_commit_larger_than_an_item_is_written_in_parts_that_count_together() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let mut ledger = leader.ledger();
    let changes = [large(0, 900_000), large(1, 400_000)];
    let before = rig.table.state().n_writes;

    commit(&mut ledger, &changes).await;

    let n_writes = rig.table.state().n_writes - before;
    assert!((4..8).contains(&n_writes), "{n_writes}");
    assert_eq!(rig.read_anew("b").await, rig.read("a"));
}

#[tokio::test]
async fn of_a_large_commit_that_breaks_off_nothing_is_seen() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let mut ledger = leader.ledger();
    for at_part in 0..4 {
        let mut mishaps = vec![None; at_part];
        mishaps.push(Some(Mishap::NeverCame));
        rig.table.state().writes.extend(mishaps);
        let error = ledger.commit(at(0), &[large(0, 900_000)]).await.unwrap_err();
        assert!(matches!(error, LedgerError::Unavailable { .. }), "{error:?}");
        rig.table.state().writes.clear();
    }

    assert!(rig.read_anew("b").await.jobs.is_empty());
    commit(&mut ledger, &[large(0, 900_000)]).await;
    assert_eq!(rig.read_anew("c").await.jobs.len(), 1);
}

#[tokio::test]
async fn what_a_ledger_must_refuse_never_comes_to_the_table() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let before = rig.table.state().n_writes;

    let twice = [add(&job(0)), add(&job(0))];
    let error = leader.ledger().commit(at(0), &twice).await.unwrap_err();

    assert!(matches!(error, LedgerError::Corrupt { .. }), "{error:?}");
    assert_eq!(rig.table.state().n_writes, before);
}

/// The driver never does it: whoever goes on with something else must start over from the ledger.
#[tokio::test]
async fn a_commit_that_was_given_up_but_had_been_written_ends_the_dispatcher() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let mut ledger = leader.ledger();
    rig.table.lose(Mishap::AnswerLost);
    let lost = ledger.commit(at(0), &[add(&job(0))]).await.unwrap_err();

    let other = ledger.commit(at(0), &[add(&job(1))]).await.unwrap_err();

    assert!(matches!(lost, LedgerError::Unavailable { .. }), "{lost:?}");
    assert!(matches!(other, LedgerError::Corrupt { .. }), "{other:?}");
    assert_eq!(rig.read_anew("b").await.jobs.len(), 1);
}

#[tokio::test]
async fn nothing_is_written_while_the_table_is_away_and_the_same_commit_is_after() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let mut ledger = leader.ledger();
    rig.table.state().is_away = true;

    let error = ledger.commit(at(0), &one_of_everything()).await.unwrap_err();

    assert!(matches!(error, LedgerError::Unavailable { .. }), "{error:?}");
    assert!(rig.read("a").jobs.is_empty());
    rig.table.state().is_away = false;
    assert_eq!(commit(&mut ledger, &one_of_everything()).await, 0);
}
