//! The ledger's format: which versions there are, and how a file comes to the newest. Never loses a row.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use spillway_core::error::LedgerError;
use uuid::Uuid;

use super::error::{Failure, Outcome};

/// One script per format; the n-th (from 1) brings a file from format n-1 to n. Only ever appended to.
const MIGRATIONS: [&str; 5] = [
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
    include_str!("v4.sql"),
    include_str!("v5.sql"),
];

/// The format this Spillway writes, kept in SQLite's `user_version`. It covers the tables and the JSON in them.
pub const FORMAT: u32 = 5;

const _: () = assert!(MIGRATIONS.len() == 5 && FORMAT == 5, "every format has its script");

/// Marks a SQLite file as a ledger (`application_id`): "SPLW" in ASCII. Another program's file is left alone.
const APPLICATION_ID: i32 = 0x5350_4c57;

/// What a file is found to be.
pub(super) enum Found {
    /// A file without a table.
    Empty,
    /// A ledger of this format, at most [`FORMAT`].
    Ledger(u32),
}

/// Looks what the file is. Reads only.
pub(super) fn examine(connection: &Connection, path: &Path) -> Result<Found, LedgerError> {
    let read = || -> Outcome<(i32, i64, u32)> {
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get(0));
        let application: i32 =
            connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let n_tables: i64 = number("SELECT count(*) FROM sqlite_master")?;
        let format = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        Ok((application, n_tables, format))
    };
    let (application, n_tables, format) = read().map_err(|failure| failure.at(path))?;
    if application == 0 && n_tables == 0 && format == 0 {
        return Ok(Found::Empty);
    }
    if application != APPLICATION_ID {
        let detail = format!("{} is not a Spillway ledger", path.display());
        return Err(LedgerError::Corrupt { detail });
    }
    if FORMAT < format {
        return Err(LedgerError::TooNew { found: format, supported: FORMAT });
    }
    Ok(Found::Ledger(format))
}

/// Brings the file to [`FORMAT`] in one transaction; a new one gets its id.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let from = match examine(connection, path)? {
        Found::Empty => 0,
        Found::Ledger(format) => format,
    };
    if from == FORMAT {
        return Ok(());
    }
    run_scripts(connection, from).map_err(|failure| failure.at(path))?;
    tracing::info!(path = %path.display(), from, to = FORMAT, "ledger brought to its newest format");
    Ok(())
}

fn run_scripts(connection: &mut Connection, from: u32) -> Outcome<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    finish(&tx, from)?;
    if from == 0 {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.execute(
            "INSERT INTO meta (only_row, ledger, n_launches, n_jobs) VALUES (1, ?1, 0, 0)",
            [Uuid::new_v4().as_bytes().as_slice()],
        )?;
    }
    tx.commit()?;
    Ok(())
}

/// Drops all that is there, and makes the tables of an older format, or the newest, without a row.
pub(super) fn begin(tx: &Transaction<'_>, format: u32) -> Outcome<()> {
    if FORMAT < format {
        return Err(LedgerError::TooNew { found: format, supported: FORMAT }.into());
    }
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut statement = tx.prepare(sql)?;
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(statement);
    for table in tables {
        tx.execute_batch(&format!("DROP TABLE {table}"))?;
    }
    for script in MIGRATIONS.iter().take(n_scripts(format)?) {
        tx.execute_batch(script)?;
    }
    Ok(())
}

/// Brings the tables of a format to the newest.
pub(super) fn finish(tx: &Transaction<'_>, from: u32) -> Outcome<()> {
    for script in MIGRATIONS.iter().skip(n_scripts(from)?) {
        tx.execute_batch(script)?;
    }
    tx.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}

fn n_scripts(format: u32) -> Outcome<usize> {
    usize::try_from(format).map_err(|error| Failure::record("user_version", &error))
}
