//! Ledgers of every kind, for the contract.

use std::path::PathBuf;
use std::sync::Arc;

use spillway_core::id::LedgerId;
use spillway_core::port::LedgerReader;
use spillway_core::table::Table;
use spillway_runtime::journal::{Journal, JournalLedger, Leader, Standby};
use spillway_runtime::{SqliteLedger, SqliteReader};
use spillway_sim::ledger::MemoryLedger;
use tempfile::TempDir;
use uuid::Uuid;

use crate::contract::Subject;

pub(crate) struct InMemory(MemoryLedger);

impl InMemory {
    pub(crate) fn new() -> Self {
        Self(MemoryLedger::new(LedgerId::from_uuid(Uuid::from_u128(7))))
    }
}

impl Subject for InMemory {
    type Ledger = MemoryLedger;

    fn ledger(&mut self) -> &mut MemoryLedger {
        &mut self.0
    }

    fn reader(&self) -> Box<dyn LedgerReader> {
        Box::new(self.0.clone())
    }

    async fn reopen(self) -> Self {
        self
    }
}

pub(crate) struct InFile {
    ledger: SqliteLedger,
    path: PathBuf,
    folder: TempDir,
}

impl InFile {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.db");
        Self { ledger: SqliteLedger::open(&path).unwrap(), path, folder }
    }
}

impl Subject for InFile {
    type Ledger = SqliteLedger;

    fn ledger(&mut self) -> &mut SqliteLedger {
        &mut self.ledger
    }

    fn reader(&self) -> Box<dyn LedgerReader> {
        Box::new(SqliteReader::open(&self.path).unwrap())
    }

    async fn reopen(self) -> Self {
        let Self { ledger, path, folder } = self;
        drop(ledger);
        Self { ledger: SqliteLedger::open(&path).unwrap(), path, folder }
    }
}

/// What a restarted program finds on its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copy {
    Kept,
    /// Nothing: it is another machine.
    MadeAgain,
}

pub(crate) struct InJournal<T> {
    journal: Arc<Journal<T>>,
    copy: Copy,
    leader: Leader<T>,
    ledger: JournalLedger<T>,
    path: PathBuf,
    folder: TempDir,
}

impl<T: Table + 'static> InJournal<T> {
    pub(crate) async fn new(table: T, copy: Copy) -> Self {
        let journal = Arc::new(Journal::new(table, "the journal"));
        Self::open(journal, copy, TempDir::new().unwrap(), 1).await
    }

    async fn open(journal: Arc<Journal<T>>, copy: Copy, folder: TempDir, n: u32) -> Self {
        let path = folder.path().join(format!("copy-{n}.db"));
        let mut standby = Standby::open(Arc::clone(&journal), &path, "test").unwrap();
        let leader = standby.look().await.unwrap().expect("nobody leads");
        let ledger = leader.ledger();
        Self { journal, copy, leader, ledger, path, folder }
    }
}

impl<T: Table + 'static> Subject for InJournal<T> {
    type Ledger = JournalLedger<T>;

    fn ledger(&mut self) -> &mut JournalLedger<T> {
        &mut self.ledger
    }

    fn reader(&self) -> Box<dyn LedgerReader> {
        Box::new(SqliteReader::open(&self.path).unwrap())
    }

    async fn reopen(self) -> Self {
        let Self { journal, copy, leader, ledger, path, folder } = self;
        drop(ledger);
        leader.release().await.unwrap();
        if copy == Copy::MadeAgain {
            for file in std::fs::read_dir(&folder).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
        drop(path);
        Self::open(journal, copy, folder, 1).await
    }
}
