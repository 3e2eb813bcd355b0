//! A snapshot takes the place of the entries before it.

use std::time::Duration;

use spillway_core::error::LedgerError;
use spillway_core::port::Ledger;
use spillway_core::table::Key;
use spillway_runtime::SqliteLedger;
use spillway_runtime::journal::{follow, found};
use spillway_runtime::ledger::{Replica, archive};

use crate::rig::{Rig, commit, large};
use crate::sample::{add, at, job, one_gang, one_of_everything};
use crate::table::Mishap;

fn n_entries(rig: &Rig) -> usize {
    rig.table.state().items.keys().filter(|key| key.partition == "entry").count()
}

#[tokio::test]
async fn entries_before_the_last_but_one_snapshot_are_gone_and_every_copy_is_whole() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let (mut ledger, compaction) = (leader.ledger(), leader.compaction());
    let behind = rig.standby("behind");
    commit(&mut ledger, &one_of_everything()).await;
    follow(&rig.journal, behind.copy()).await.unwrap();

    for n in 20..24 {
        commit(&mut ledger, &[add(&job(n))]).await;
        compaction.snapshot(Duration::ZERO).await.unwrap();
        commit(&mut ledger, &[add(&job(n + 10))]).await;
    }
    commit(&mut ledger, &one_gang()).await;

    assert_eq!(n_entries(&rig), 4, "two since the last snapshot, and two before it");
    let of_snapshots = |key: &&Key| key.partition.starts_with("snapshot#");
    assert_eq!(rig.table.state().items.keys().filter(of_snapshots).count(), 1);
    assert_eq!(rig.read_anew("new").await, rig.read("a"));
    follow(&rig.journal, behind.copy()).await.unwrap();
    assert_eq!(
        rig.read("behind"),
        rig.read("a"),
        "one that was further behind than the journal reaches"
    );
}

#[tokio::test]
async fn parts_of_entries_are_deleted_with_them() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let (mut ledger, compaction) = (leader.ledger(), leader.compaction());
    commit(&mut ledger, &[large(0, 900_000)]).await;
    let n_parts = |rig: &Rig| {
        rig.table.state().items.keys().filter(|key| key.partition.starts_with("part#")).count()
    };
    assert!(1 < n_parts(&rig), "{}", n_parts(&rig));

    for n in 0..2 {
        compaction.snapshot(Duration::ZERO).await.unwrap();
        commit(&mut ledger, &[add(&job(1 + n))]).await;
    }

    assert_eq!(n_parts(&rig), 0);
    assert_eq!(rig.read_anew("b").await.jobs.len(), 3);
}

#[tokio::test]
async fn a_snapshot_that_breaks_off_does_not_count_and_one_whose_naming_is_lost_does() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let (mut ledger, compaction) = (leader.ledger(), leader.compaction());
    commit(&mut ledger, &one_of_everything()).await;

    rig.table.lose(Mishap::NeverCame);
    compaction.snapshot(Duration::ZERO).await.unwrap_err();
    assert_eq!(rig.read_anew("b").await, rig.read("a"));

    rig.table.state().writes.extend([None, Some(Mishap::AnswerLost)]);
    compaction.snapshot(Duration::ZERO).await.unwrap_err();
    commit(&mut ledger, &[add(&job(20))]).await;
    assert_eq!(rig.read_anew("c").await, rig.read("a"));
    assert!(rig.journal.head().await.unwrap().unwrap().snapshot.is_some());
}

#[tokio::test]
async fn a_leader_that_was_deposed_names_no_snapshot() {
    let rig = Rig::new();
    let leader = rig.leader("a").await;
    let compaction = leader.compaction();
    commit(&mut leader.ledger(), &one_of_everything()).await;
    leader.release().await.unwrap();
    let next = rig.leader("b").await;
    commit(&mut next.ledger(), &[add(&job(20))]).await;

    compaction.snapshot(Duration::ZERO).await.unwrap_err();

    assert!(rig.journal.head().await.unwrap().unwrap().snapshot.is_none());
    assert_eq!(rig.read_anew("c").await, rig.read("b"));
}

#[tokio::test]
async fn a_journal_can_begin_with_what_another_ledger_holds() {
    let rig = Rig::new();
    let path = rig.path("old");
    let mut old = SqliteLedger::open(&path).unwrap();
    old.commit(at(0), &one_of_everything()).await.unwrap();
    drop(old);
    let mut text = Vec::new();
    archive::export(&path, &mut text).unwrap();
    let copy = Replica::open(&rig.path("import")).unwrap();
    copy.import(std::io::Cursor::new(text)).await.unwrap();

    found(&rig.journal, &copy).await.unwrap();

    assert_eq!(rig.read_anew("reader").await, rig.read("old"));
    let leader = rig.leader("a").await;
    commit(&mut leader.ledger(), &one_gang()).await;
    assert_eq!(rig.read_anew("reader").await, rig.read("a"));
    assert_eq!(rig.read_anew("new").await, rig.read("a"));
    let again = found(&rig.journal, &copy).await.unwrap_err();
    assert!(matches!(again, LedgerError::NotEmpty { .. }), "{again:?}");
}
