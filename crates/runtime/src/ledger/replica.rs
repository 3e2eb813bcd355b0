//! A copy of a ledger that is kept in a journal elsewhere: a file like any other ledger, with the number of the last entry that is
//! in it. It is written only by applying entries in their order, and can be made again from the journal at any time.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};
use spillway_core::change::{Change, LedgerState};
use spillway_core::error::LedgerError;
use spillway_core::id::LedgerId;
use uuid::Uuid;

use super::error::{Failure, Outcome};
use super::restore::Restorer;
use super::write::whole;
use super::{EventRule, Outbox, SqliteLedger, Store, archive, call, dump, outbox, query, write};

/// What one commit writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub changes: Vec<Change>,
    /// What of it is news, by the rule of the dispatcher that wrote it: so every copy has the same outbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventRule>,
}

/// How far a journal has come: the number of an entry, the first is 1, and a digest of it and all before it. Two journals that have
/// the same have the same entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The number.
    pub seq: u64,
    /// The digest, in hexadecimal digits; empty before the first entry.
    pub chain: String,
}

impl Mark {
    /// Before the first entry.
    pub const START: Self = Self { seq: 0, chain: String::new() };
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where it is.
    pub mark: Mark,
    /// What was committed.
    pub entry: Entry,
    /// News up to this number had been passed on.
    pub told: u64,
}

/// A copy, for its only writer.
#[derive(Debug, Clone)]
pub struct Replica {
    store: Arc<Store>,
}

impl Replica {
    /// Opens the copy at `path`, and makes an empty one if there is none; its folder must exist.
    ///
    /// # Errors
    /// As [`SqliteLedger::open`]. A file that is a ledger of its own is [`LedgerError::Corrupt`], and left alone.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let store = SqliteLedger::open(path)?.store;
        let replica = Self { store };
        replica.mark().map_err(|failure| failure.at(&replica.store.path))?;
        Ok(replica)
    }

    /// Makes a new file a copy of nothing yet.
    fn mark(&self) -> Outcome<()> {
        let mut connection = self.store.lock();
        // Whatever the power takes away is read from the journal again.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if find(&tx)?.is_some() {
            return Ok(());
        }
        if !dump::is_empty(&tx)? {
            return Err(Failure::record("this file", &"a ledger of its own, not a copy of one"));
        }
        set_mark(&tx, &Mark::START)?;
        tx.commit()?;
        Ok(())
    }

    /// Where news of jobs waits for whoever passes it on.
    pub fn outbox(&self) -> Outbox {
        Outbox { store: Arc::clone(&self.store) }
    }

    /// Which ledger it is a copy of, and the last entry in it.
    pub async fn place(&self) -> Result<(LedgerId, Mark), LedgerError> {
        call(&self.store, |connection| Ok((ledger(connection)?, mark(connection)?))).await
    }

    /// All that is not over.
    pub async fn state(&self) -> Result<LedgerState, LedgerError> {
        call(&self.store, |connection| {
            let tx = connection.transaction()?;
            query::state(&tx)
        })
        .await
    }

    /// Empties it, to become a copy of this ledger from its first entry on.
    pub async fn begin(&self, of: LedgerId) -> Result<(), LedgerError> {
        call(&self.store, move |connection| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            dump::clear(&tx)?;
            set(&tx, of, &Mark::START)?;
            tx.commit()?;
            Ok(())
        })
        .await
    }

    /// Replaces all that is in it by an export as it was at the mark `at`. `next` gives it piece by piece, none at its end.
    pub async fn restore<F>(&self, of: LedgerId, at: Mark, mut next: F) -> Result<(), LedgerError>
    where
        F: FnMut() -> Result<Option<Vec<u8>>, LedgerError> + Send + 'static,
    {
        call(&self.store, move |connection| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut restorer = Restorer::new(&tx);
            while let Some(piece) = next()? {
                restorer.feed(&piece)?;
            }
            restorer.finish()?;
            set(&tx, of, &at)?;
            tx.commit()?;
            Ok(())
        })
        .await
    }

    /// Replaces all that is in it by an export of another ledger, as the beginning of a new journal. Returns how many rows.
    pub async fn import(
        &self,
        mut from: impl BufRead + Send + 'static,
    ) -> Result<u64, LedgerError> {
        call(&self.store, move |connection| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let n_rows = archive::restore(&tx, &mut from)?;
            set_mark(&tx, &Mark::START)?;
            tx.commit()?;
            Ok(n_rows)
        })
        .await
    }

    /// Applies entries that follow on what is in it, all in one transaction; those that are in it already are left out. Returns
    /// how far it has come.
    pub async fn apply(&self, entries: Vec<Placed>) -> Result<Mark, LedgerError> {
        call(&self.store, move |connection| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut last = mark(&tx)?;
            for placed in entries {
                if placed.mark.seq <= last.seq {
                    continue;
                }
                if placed.mark.seq != last.seq + 1 {
                    let what = format!("entry {} of the journal", placed.mark.seq);
                    return Err(Failure::record(&what, &format!("follows on {}", last.seq)));
                }
                let Entry { at, changes, events } = &placed.entry;
                write::apply_all(&tx, *at, changes, events.as_ref())?;
                outbox::forget(&tx, placed.told)?;
                last = placed.mark;
            }
            set_mark(&tx, &last)?;
            tx.commit()?;
            Ok(last)
        })
        .await
    }

    /// Applies an entry that `append` puts into the journal behind the mark it is given: both or neither, but for an answer that
    /// is lost. What a ledger must refuse is refused before anything is put anywhere. `append` is told too up to which event news
    /// has been passed on, and says where the entry is.
    pub async fn write_through<F>(&self, entry: Arc<Entry>, append: F) -> Result<Mark, LedgerError>
    where
        F: FnOnce(&Mark, u64) -> Result<Mark, LedgerError> + Send + 'static,
    {
        call(&self.store, move |connection| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let before = mark(&tx)?;
            let Entry { at, changes, events } = entry.as_ref();
            write::apply_all(&tx, *at, changes, events.as_ref())?;
            let after = append(&before, outbox::told(&tx)?)?;
            set_mark(&tx, &after)?;
            // If this fails, the entry is in the journal alone: the same commit again finds it there.
            tx.commit()?;
            Ok(after)
        })
        .await
    }

    /// Does something while nothing is committed.
    pub async fn between_commits<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        call(&self.store, move |_| Ok(work()?)).await
    }

    /// Exports one moment of it, piece by piece, beside the commits that go on. Returns how far it had come.
    pub async fn export<F>(&self, piece_bytes: usize, piece: F) -> Result<Mark, LedgerError>
    where
        F: FnMut(&Mark, Vec<u8>) -> Result<(), LedgerError> + Send + 'static,
    {
        let path = self.store.path.clone();
        let run = move || {
            let export = || -> Outcome<Mark> {
                let mut connection = super::reader::connect(&path)?;
                let tx = connection.transaction()?;
                let (last, mut piece) = (mark(&tx)?, piece);
                dump::pieces(&tx, piece_bytes, &mut |bytes| piece(&last, bytes))?;
                Ok(last)
            };
            export().map_err(|failure| failure.at(&path))
        };
        let lost = |lost| LedgerError::Unavailable { source: Box::new(lost) };
        tokio::task::spawn_blocking(run).await.map_err(lost)?
    }
}

/// Which ledger a file is a copy of, and how far it has come.
///
/// # Errors
/// As [`super::SqliteReader::open`]; a ledger of its own is [`LedgerError::Corrupt`].
pub fn copied(path: &Path) -> Result<(LedgerId, Mark), LedgerError> {
    if !path.is_file() {
        return Err(LedgerError::Missing { path: path.display().to_string() });
    }
    let read = || -> Outcome<(LedgerId, Mark)> {
        let connection = super::reader::connect(path)?;
        Ok((ledger(&connection)?, mark(&connection)?))
    };
    read().map_err(|failure| failure.at(path))
}

/// Whether a file is a copy of a ledger.
pub(super) fn is_copy(connection: &Connection) -> Outcome<bool> {
    Ok(find(connection)?.is_some())
}

fn find(connection: &Connection) -> Outcome<Option<(i64, String)>> {
    let sql = "SELECT seq, chain FROM copied";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn mark(connection: &Connection) -> Outcome<Mark> {
    let found = find(connection)?;
    let (seq, chain) =
        found.ok_or_else(|| Failure::record("this file", &"not a copy of a ledger"))?;
    Ok(Mark { seq: query::natural("the last entry", seq)?, chain })
}

fn ledger(connection: &Connection) -> Outcome<LedgerId> {
    let id: Vec<u8> = connection.query_row("SELECT ledger FROM meta", [], |row| row.get(0))?;
    let id = Uuid::from_slice(&id).map_err(|error| Failure::record("the ledger's id", &error))?;
    Ok(LedgerId::from_uuid(id))
}

fn set(tx: &Transaction<'_>, of: LedgerId, at: &Mark) -> Outcome<()> {
    tx.execute("UPDATE meta SET ledger = ?1", [of.uuid().as_bytes().as_slice()])?;
    set_mark(tx, at)
}

fn set_mark(tx: &Transaction<'_>, at: &Mark) -> Outcome<()> {
    let sql = "INSERT OR REPLACE INTO copied (only_row, seq, chain) VALUES (1, ?1, ?2)";
    tx.prepare_cached(sql)?.execute(rusqlite::params![whole(at.seq)?, at.chain])?;
    Ok(())
}
