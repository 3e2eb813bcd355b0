//! The ledger as commands see it: readers open it at any time, `serve` takes it for itself.

use std::path::Path;

use anyhow::{Context as _, Result};
use spillway_core::error::LedgerError;
use spillway_core::port::LedgerReader;
use spillway_runtime::ledger::{SqliteLedger, SqliteReader};

use crate::config::{Config, LedgerPlace};

/// Whatever can read a ledger.
pub type Reader = dyn LedgerReader;

/// Opens it for reading, with the dispatcher up or down. Of one in a table the copy on this machine is brought up to date first.
pub fn reader(config: &Config) -> Result<Box<Reader>, LedgerError> {
    Ok(Box::new(audit_reader(config)?))
}

/// The same, for what only a ledger in a file keeps.
pub fn audit_reader(config: &Config) -> Result<SqliteReader, LedgerError> {
    match &config.ledger {
        LedgerPlace::File(path) => SqliteReader::open(path),
        LedgerPlace::Table(table) => {
            make_folder(&config.ledger_copy)?;
            crate::shared::bring_up_to_date(table, config)?;
            SqliteReader::open(&config.ledger_copy)
        }
    }
}

/// Opens a file for reading.
pub fn file_reader(path: &Path) -> Result<Box<Reader>, LedgerError> {
    Ok(Box::new(SqliteReader::open(path)?))
}

/// Takes a file for a dispatcher; makes it and its folder where there is none.
pub fn writer(path: &Path) -> Result<SqliteLedger> {
    make_folder(path).with_context(|| format!("cannot make the folder of {}", path.display()))?;
    Ok(SqliteLedger::open(path)?)
}

/// Makes the folder of a file where there is none.
pub fn make_folder(path: &Path) -> Result<(), LedgerError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    std::fs::create_dir_all(folder)
        .map_err(|source| LedgerError::Unavailable { source: Box::new(source) })
}
