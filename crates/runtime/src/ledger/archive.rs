//! A ledger out of its file and back into one, as lines of JSON: to move it, to keep it, to look into it with other tools.

use std::io::{BufRead, Write};
use std::path::Path;

use rusqlite::TransactionBehavior;
use spillway_core::error::LedgerError;

use super::error::{Failure, Outcome};
use super::restore::Restorer;
use super::{SqliteLedger, SqliteReader, dump, reader, replica};

/// How much is read at once.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Writes all that the ledger at `path` holds, as it is at one moment; the dispatcher is not held up by it. Returns how many lines.
///
/// # Errors
/// As [`SqliteReader::open`], and [`LedgerError::Unavailable`] if it cannot be written.
pub fn export(path: &Path, to: &mut dyn Write) -> Result<u64, LedgerError> {
    // It says what is wrong with a file that is no ledger.
    drop(SqliteReader::open(path)?);
    let mut run = || -> Outcome<u64> {
        let mut connection = reader::connect(path)?;
        let tx = connection.transaction()?;
        let mut n_lines = 0;
        dump::lines(&tx, &mut |line| {
            n_lines += 1;
            to.write_all(line.as_bytes())
                .and_then(|()| to.write_all(b"\n"))
                .map_err(|source| LedgerError::Unavailable { source: Box::new(source) })?;
            Ok(())
        })?;
        Ok(n_lines)
    };
    run().map_err(|failure| failure.at(path))
}

/// Puts an export into the ledger at `path`, which is made if there is none. Returns how many rows.
///
/// # Errors
/// [`LedgerError::NotEmpty`] if something has been committed to it, [`LedgerError::Corrupt`] if the export is torn or is none; it
/// stays as it was then.
/// Otherwise as [`SqliteLedger::open`].
pub fn import(path: &Path, from: &mut dyn BufRead) -> Result<u64, LedgerError> {
    let ledger = SqliteLedger::open(path)?;
    let mut connection = ledger.store.lock();
    let mut run = || -> Outcome<u64> {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if replica::is_copy(&tx)? {
            return Err(Failure::record(
                "this file",
                &"a copy of a ledger in a table; import into that",
            ));
        }
        if !dump::is_empty(&tx)? {
            return Err(LedgerError::NotEmpty { path: path.display().to_string() }.into());
        }
        let n_rows = restore(&tx, from)?;
        tx.commit()?;
        Ok(n_rows)
    };
    run().map_err(|failure| failure.at(path))
}

/// Feeds an export to a ledger within a transaction.
pub(super) fn restore(tx: &rusqlite::Transaction<'_>, from: &mut dyn BufRead) -> Outcome<u64> {
    let mut restorer = Restorer::new(tx);
    let mut piece = Vec::with_capacity(BUFFER_BYTES);
    loop {
        piece.clear();
        let unreadable = |source| LedgerError::Unavailable { source: Box::new(source) };
        let available = from.fill_buf().map_err(unreadable)?;
        if available.is_empty() {
            return restorer.finish();
        }
        piece.extend_from_slice(available);
        let n_bytes = piece.len();
        from.consume(n_bytes);
        restorer.feed(&piece)?;
    }
}
