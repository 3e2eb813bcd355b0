//! Dispatchers around one table, each with a copy of its own.

use std::path::PathBuf;
use std::sync::Arc;

use spillway_core::port::LedgerReader;
use spillway_core::{Change, LedgerState};
use spillway_runtime::SqliteReader;
use spillway_runtime::journal::{Journal, Leader, Standby};
use tempfile::TempDir;

use crate::sample::{add, job, with_spec};
use crate::table::MemoryTable;

/// The table, and a place for copies.
pub(crate) struct Rig {
    pub(crate) table: MemoryTable,
    pub(crate) journal: Arc<Journal<MemoryTable>>,
    folder: TempDir,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let table = MemoryTable::default();
        let journal = Arc::new(Journal::new(table.clone(), "the journal"));
        Self { table, journal, folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, who: &str) -> PathBuf {
        self.folder.path().join(format!("{who}.db"))
    }

    /// A dispatcher that stands by.
    pub(crate) fn standby(&self, who: &str) -> Standby<MemoryTable> {
        Standby::open(Arc::clone(&self.journal), &self.path(who), who).unwrap()
    }

    /// A dispatcher that leads, since nobody else does.
    pub(crate) async fn leader(&self, who: &str) -> Leader<MemoryTable> {
        self.standby(who).look().await.unwrap().expect("nobody leads")
    }

    /// What a dispatcher's copy holds.
    pub(crate) fn read(&self, who: &str) -> LedgerState {
        SqliteReader::open(&self.path(who)).unwrap().state().unwrap()
    }

    /// What somebody sees who comes new.
    pub(crate) async fn read_anew(&self, who: &str) -> LedgerState {
        let standby = self.standby(who);
        spillway_runtime::journal::follow(&self.journal, standby.copy()).await.unwrap();
        self.read(who)
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// An environment of about so many bytes that cannot be packed any smaller.
fn noise(n_bytes: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(LETTERS[usize::try_from(state % 64).unwrap()])
    };
    (0..n_bytes).map(|_| next()).collect()
}

/// The `n`-th job, as large as that.
pub(crate) fn large(n: u64, n_bytes: usize) -> Change {
    add(&with_spec(job(n), |spec| {
        spec.container.environment.push(("NOISE".into(), noise(n_bytes)));
    }))
}

/// Commits until it is written, as the driver does.
pub(crate) async fn commit(
    ledger: &mut impl spillway_core::port::Ledger,
    changes: &[Change],
) -> u32 {
    // More than any test lets go wrong.
    for n_failed in 0..50 {
        match ledger.commit(crate::sample::at(0), changes).await {
            Ok(()) => return n_failed,
            Err(spillway_core::error::LedgerError::Unavailable { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("the table never answers");
}

impl MemoryTable {
    /// What becomes of the next write.
    pub(crate) fn lose(&self, mishap: crate::table::Mishap) {
        self.state().writes.push_back(Some(mishap));
    }
}
