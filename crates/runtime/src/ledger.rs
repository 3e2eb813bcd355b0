//! The ledger in one SQLite file: what the dispatcher writes ([`SqliteLedger`]) and the command line reads
//! ([`SqliteReader`]), at the same time and in any order.
//!
//! One writer, held to it by a file lock; any number of readers, who never wait for it (write-ahead log). A commit
//! returns after the disk has it: a message is deleted and money is spent on the strength of it. The file's format is
//! versioned ([`FORMAT`]); a newer one is refused, an older one is brought up to date, another program's file is left
//! alone. Nothing here decides anything, and nothing is ever deleted.

pub mod archive;
mod audit;
mod dump;
mod error;
mod outbox;
mod place;
mod query;
mod reader;
mod replica;
mod restore;
mod schema;
pub mod verify;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use spillway_core::change::{Change, LedgerState};
use spillway_core::error::LedgerError;
use spillway_core::port::Ledger;

pub use error::BadChange;
pub use outbox::{EventRule, Outbox, Pending};
pub use reader::SqliteReader;
pub use replica::{Entry, Mark, Placed, Replica, copied};
pub use schema::FORMAT;

use crate::limits;
use place::WriterLock;

/// The ledger, as the dispatcher holds it.
///
/// Its calls run on tokio's blocking threads; dropping a call does not undo it.
#[derive(Debug)]
pub struct SqliteLedger {
    store: Arc<Store>,
    /// What of its changes goes to the outbox.
    events: Option<EventRule>,
}

/// Shared with a call that is under way: the lock is held until that has ended too.
#[derive(Debug)]
struct Store {
    // Fields are dropped in order: the file is closed before another dispatcher may open it.
    connection: Mutex<Connection>,
    path: PathBuf,
    _lock: WriterLock,
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that panicked has been rolled back: the connection is good.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SqliteLedger {
    /// Opens the ledger at `path` for writing, and creates it if there is none; its folder must exist.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] at once if another dispatcher has it, [`LedgerError::TooNew`] for a format above
    /// [`FORMAT`], [`LedgerError::Corrupt`] for a file that is no ledger or is damaged, and
    /// [`LedgerError::Unavailable`] if the folder is missing or the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let path = place::canonical(path)?;
        let lock = WriterLock::take(&path)?;
        place::create(&path)?;
        let connection = open_writer(&path)?;
        let store = Store { connection: Mutex::new(connection), path, _lock: lock };
        Ok(Self { store: Arc::new(store), events: None })
    }

    /// The same, with news of jobs put into the outbox.
    #[must_use]
    pub fn telling(self, events: EventRule) -> Self {
        Self { events: Some(events), ..self }
    }

    /// Lets it be written several times as fast, for whoever throws it away if the power goes before [`Self::settle`].
    ///
    /// # Errors
    /// As [`Ledger::commit`].
    pub async fn draft(&mut self) -> Result<(), LedgerError> {
        call(&self.store, |connection| {
            // Each page is written once, and the disk is waited for at the end.
            connection.pragma_update(None, "synchronous", "OFF")?;
            connection.pragma_update(None, "journal_mode", "MEMORY")?;
            connection.pragma_update(None, "cache_size", -limits::LEDGER_DRAFT_CACHE_KIB)?;
            Ok(())
        })
        .await
    }

    /// Ends that: what has been written is on the disk, and what is written from now on is as of any other ledger.
    ///
    /// # Errors
    /// As [`Ledger::commit`].
    pub async fn settle(&mut self) -> Result<(), LedgerError> {
        call(&self.store, |connection| Ok(set_up(connection)?)).await
    }

    /// Writes several commits as one, for whoever does not need each on the disk by itself.
    ///
    /// # Errors
    /// As [`Ledger::commit`].
    pub async fn commit_together(
        &mut self,
        commits: Vec<(Timestamp, Vec<Change>)>,
    ) -> Result<(), LedgerError> {
        let events = self.events.clone();
        call(&self.store, move |connection| {
            write::commit_together(connection, &commits, events.as_ref())
        })
        .await
    }

    /// Where news of jobs waits for whoever passes it on.
    pub fn outbox(&self) -> Outbox {
        Outbox { store: Arc::clone(&self.store) }
    }
}

async fn call<T: Send + 'static>(
    store: &Arc<Store>,
    work: impl FnOnce(&mut Connection) -> error::Outcome<T> + Send + 'static,
) -> Result<T, LedgerError> {
    let store = Arc::clone(store);
    let run = move || work(&mut store.lock()).map_err(|failure| failure.at(&store.path));
    match tokio::task::spawn_blocking(run).await {
        Ok(result) => result,
        Err(lost) => Err(LedgerError::Unavailable { source: Box::new(lost) }),
    }
}

/// What every connection is told before it is used.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(limits::LEDGER_BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(limits::LEDGER_STATEMENTS);
    // Built with STAT4, as the bundled library is, SQLite prepares a statement anew whenever a value is bound that might change
    // its plan (sqlite.org/c3ref/prepare.html). There are no statistics here, so it never does; it was 38 % of a simulated run that keeps its ledger.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    // NORMAL would lose the last commits with the power. A commit is the permission to delete the message and to
    // spend the money: it must be on the disk. Said first, so that after a draft the change of journal waits for the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "journal_size_limit", limits::LEDGER_LOG_BYTES)
}

fn open_writer(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> error::Outcome<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection)?;
        Ok(connection)
    };
    let mut connection = open().map_err(|failure| failure.at(path))?;
    // Before anything is written: it may be another program's file.
    schema::examine(&connection, path)?;
    set_up(&connection).map_err(|failure| error::Failure::from(failure).at(path))?;
    schema::migrate(&mut connection, path)?;
    Ok(connection)
}

impl Ledger for SqliteLedger {
    async fn load(&mut self) -> Result<LedgerState, LedgerError> {
        call(&self.store, |connection| {
            let tx = connection.transaction()?;
            query::state(&tx)
        })
        .await
    }

    async fn commit(&mut self, now: Timestamp, changes: &[Change]) -> Result<(), LedgerError> {
        let (changes, events) = (changes.to_vec(), self.events.clone());
        call(&self.store, move |connection| {
            write::commit(connection, now, &changes, events.as_ref())
        })
        .await
    }
}
