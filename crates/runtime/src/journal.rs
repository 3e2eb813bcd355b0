//! The ledger in a table that several dispatchers share: one leads, the others stand by.
//!
//! The table holds the *journal*: every commit as one entry, in order. Whoever works with the ledger has a copy of it in a SQLite file
//! ([`Replica`](crate::ledger::Replica)) that follows the journal, so everything that reads a ledger reads this one, and a standby has
//! nothing to load but what came last.
//!
//! * `head`: the epoch, and where the next entry goes. An entry is written in one transaction with it, on the condition that both are
//!   as its writer knows them. So what a step changes is written together or not at all, and a leader that was deposed writes nothing.
//! * `lease`: who leads, and how often it has said so. Whoever sees no change for the lease's length, by its own clock, takes over: it
//!   writes the lease and the next epoch in one transaction. No two clocks are compared.
//! * entries, parts of entries that do not fit into one item, and snapshots, after which older entries are deleted.

mod compact;
mod entry;
mod follow;
mod found;
mod head;
mod leader;
mod lease;
mod snapshot;
mod standby;
mod store;

use spillway_core::error::LedgerError;
use spillway_core::table::TableError;

pub use compact::{Compaction, keep_short};
pub use follow::follow;
pub use found::found;
pub use head::Head;
pub use leader::{JournalLedger, Leader};
pub use lease::{Lease, Tenure, Watch};
pub use standby::Standby;
pub use store::Journal;

/// A record that is not what it should be.
fn corrupt(what: &str, error: &dyn std::fmt::Display) -> LedgerError {
    LedgerError::Corrupt { detail: format!("{what}: {error}") }
}

/// A call that did nothing, for a caller to whom no condition is of interest.
fn unavailable(error: TableError) -> LedgerError {
    LedgerError::Unavailable { source: Box::new(error) }
}
