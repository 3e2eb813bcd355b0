//! The shared ledger's table over DynamoDB: the port [`spillway_core::table::Table`] and nothing else.
//!
//! It decides nothing: a write becomes a call, an answer an item, an error code what the caller does next. It never reads anything but
//! what is there now, and never retries beyond what the SDK does by itself. What the items mean it does not know.

mod connect;
mod error;
mod item;
pub mod limits;
mod table;

pub use connect::{Place, connect};
pub use table::DynamoTable;
