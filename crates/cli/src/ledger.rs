//! INTERIM
use spillway_core::error::LedgerError;
use spillway_core::port::LedgerReader;
use std::path::Path;
/// Whatever can read a ledger.
pub type Reader = dyn LedgerReader;
/// Opens
pub fn reader(path: &Path) -> Result<Box<Reader>, LedgerError> {
    Err(LedgerError::Missing { path: path.display().to_string() })
}
