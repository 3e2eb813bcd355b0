//! A copy follows the journal, and is made again where it is a copy of something else.

use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;
use spillway_core::port::Ledger;
use spillway_core::table::Key;
use spillway_runtime::SqliteLedger;
use spillway_runtime::journal::{Standby, follow};
use spillway_runtime::ledger::{EventRule, Replica};

use crate::rig::{Rig, commit};
use crate::sample::{add, at, job, one_gang, one_of_everything, succeeded};

#[tokio::test]
async fn a_copy_follows_step_by_step_and_all_at_once() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let mut ledger = leader.ledger();
    let standby = rig.standby("b");

    for n in 20..60 {
        commit(&mut ledger, &[add(&job(n))]).await;
        if n % 3 == 0 {
            follow(&rig.journal, standby.copy()).await.unwrap();
            assert_eq!(rig.read("b"), rig.read("a"));
        }
    }
    commit(&mut ledger, &one_of_everything()).await;
    commit(&mut ledger, &one_gang()).await;
    follow(&rig.journal, standby.copy()).await.unwrap();

    assert_eq!(rig.read("b"), rig.read("a"));
    assert_eq!(rig.read_anew("c").await, rig.read("a"));
}

#[tokio::test]
async fn a_copy_of_another_ledger_is_made_again() {
    let (one, other) = (Rig::new(), Rig::new());
    let (leader, elsewhere) = (one.leader("a").await, other.leader("a").await);
    commit(&mut leader.ledger(), &[add(&job(0))]).await;
    commit(&mut elsewhere.ledger(), &[add(&job(1)), add(&job(2))]).await;
    let copy = Replica::open(&other.path("b")).unwrap();
    follow(&other.journal, &copy).await.unwrap();

    follow(&one.journal, &copy).await.unwrap();

    assert_eq!(other.read("b"), one.read("a"));
}

/// Somebody restored the table from a backup, and the ledger has gone on from there.
#[tokio::test]
async fn a_copy_that_knows_more_or_other_than_the_journal_is_made_again() {
    for n_after in [0, 1, 2, 3] {
        let rig = Rig::new();
        let leader = rig.leader("a").await;
        commit(&mut leader.ledger(), &[add(&job(0))]).await;
        let backup = rig.table.state().items.clone();
        let mut ledger = leader.ledger();
        commit(&mut ledger, &[add(&job(1))]).await;
        commit(&mut ledger, &[add(&job(2))]).await;
        rig.read_anew("b").await;

        rig.table.state().items = backup;
        drop((leader, ledger));
        std::fs::remove_file(rig.path("a")).unwrap();
        let mut standby = rig.standby("a");
        standby.look().await.unwrap();
        tokio::time::pause();
        tokio::time::sleep(spillway_runtime::limits::LEASE).await;
        tokio::time::resume();
        let leader = standby.look().await.unwrap().unwrap();
        let mut ledger = leader.ledger();
        for n in 0..n_after {
            commit(&mut ledger, &[add(&job(10 + n))]).await;
        }

        assert_eq!(rig.read_anew("b").await, rig.read("a"), "{n_after} after");
    }
}

#[tokio::test]
async fn a_ledger_of_its_own_is_never_made_a_copy() {
    let rig = Rig::new();
    let mut own = SqliteLedger::open(&rig.path("own")).unwrap();
    own.commit(at(0), &[add(&job(0))]).await.unwrap();
    drop(own);

    let opened = Standby::open(rig.journal.clone(), &rig.path("own"), "own");

    assert!(matches!(opened, Err(LedgerError::Corrupt { .. })), "{opened:?}");
    assert_eq!(rig.read("own").jobs.len(), 1);
}

#[tokio::test]
async fn an_entry_that_is_missing_or_changed_is_told() {
    for change in [0, 1] {
        let rig = Rig::new();
        let leader = rig.leader("a").await;
        let mut ledger = leader.ledger();
        for n in 0..5 {
            commit(&mut ledger, &[add(&job(n))]).await;
        }
        let key = |n: u64| Key::new("entry", format!("{n:020}"));
        {
            let mut state = rig.table.state();
            let other = state.items[&key(2)].clone();
            match change {
                0 => state.items.remove(&key(3)),
                _ => state.items.insert(key(3), other),
            };
        }

        let standby = rig.standby("b");
        let error = follow(&rig.journal, standby.copy()).await.unwrap_err();

        assert!(matches!(error, LedgerError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains("entry 3"), "{error}");
    }
}

#[tokio::test]
async fn a_journal_of_a_newer_spillway_is_refused() {
    let rig = Rig::new();
    drop(rig.leader("a").await);
    let head = Key::new("ledger", "head");
    let newer = spillway_core::table::Field::Number(99);
    rig.table.state().items.get_mut(&head).unwrap().insert("format".to_owned(), newer);

    let error = rig.standby("b").look().await.unwrap_err();

    assert!(matches!(error, LedgerError::TooNew { found: 99, .. }), "{error:?}");
}

/// Whoever takes over passes on what was not, and hardly anything else.
#[tokio::test]
async fn news_that_has_not_been_passed_on_is_in_every_copy() {
    let rig = Rig::new();
    let rule = EventRule { statuses: JobStatus::ALL.into_iter().collect(), children: false };
    let mut standby = rig.standby("a").telling(Some(rule));
    let leader = standby.look().await.unwrap().unwrap();
    let mut ledger = leader.ledger();
    commit(&mut ledger, &[add(&job(0)), add(&job(1))]).await;
    standby.outbox().passed_on(1).await.unwrap();
    commit(&mut ledger, &[succeeded(0)]).await;

    rig.read_anew("b").await;
    let copy = rig.standby("b");

    let here = standby.outbox().pending(9).await.unwrap();
    let there = copy.outbox().pending(9).await.unwrap();
    assert_eq!(here, there);
    assert_eq!(here.iter().map(|event| event.version).collect::<Vec<_>>(), [2, 3]);
}
