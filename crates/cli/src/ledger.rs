//! The ledger's file as commands see it: readers open it at any time, `serve` takes it for itself.

use std::path::Path;

use anyhow::{Context as _, Result};
use spillway_core::error::LedgerError;
use spillway_core::port::LedgerReader;
use spillway_runtime::ledger::{SqliteLedger, SqliteReader};

/// Whatever can read a ledger.
pub type Reader = dyn LedgerReader;

/// Opens it for reading, with the dispatcher up or down.
pub fn reader(path: &Path) -> Result<Box<Reader>, LedgerError> {
    Ok(Box::new(SqliteReader::open(path)?))
}

/// Takes it for a dispatcher; makes the file and its folder where there is none.
pub fn writer(path: &Path) -> Result<SqliteLedger> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|source| LedgerError::Unavailable { source: Box::new(source) })
            .with_context(|| format!("cannot make the ledger's folder {}", folder.display()))?;
    }
    Ok(SqliteLedger::open(path)?)
}
