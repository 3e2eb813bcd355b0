//! What stands in for the real cloud in a build without the feature `aws`: it says so, and can do nothing.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use spillway_core::error::LedgerError;

use crate::config::Config;
use crate::error::Complaint;

/// Says that this build cannot do `what`, and which build can.
pub(crate) fn complaint(what: &str) -> Complaint {
    Complaint::usage(format!("this build of spillway has no AWS in it, so it cannot {what}"))
        .hint("build it with its default features: `cargo build --release`")
}

/// A ledger in a table is out of reach.
fn out_of_reach(table: &str) -> LedgerError {
    let source = complaint(&format!("reach the ledger in the table {table}"));
    LedgerError::Unavailable { source: Box::new(source) }
}

/// Cannot.
pub(crate) fn bring_up_to_date(table: &str, _: &Config) -> Result<(), LedgerError> {
    Err(out_of_reach(table))
}

/// Cannot.
pub(crate) async fn import(
    table: &str,
    _: &Config,
    _: BufReader<File>,
) -> Result<u64, LedgerError> {
    std::future::ready(Err(out_of_reach(table))).await
}

/// Cannot.
pub(crate) async fn read_again(table: &str, _: &Config, _: &Path) -> Result<(), LedgerError> {
    std::future::ready(Err(out_of_reach(table))).await
}
