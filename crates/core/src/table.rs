//! A table of small items that several dispatchers share: the port under a ledger that one of them leads. It is what DynamoDB
//! offers and no more: items under a key of two parts, read as they are now, written together on conditions.

use std::collections::BTreeMap;
use std::future::Future;

use crate::error::CloudError;

/// What an item is found by. Items of one partition are in the order of the second part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The partition.
    pub partition: String,
    /// Its place in there.
    pub sort: String,
}

impl Key {
    /// The key with these parts.
    pub fn new(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { partition: partition.into(), sort: sort.into() }
    }
}

/// A value in an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// What is under a key.
pub type Item = BTreeMap<String, Field>;

/// What must hold of the item that a write meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is none.
    Absent,
    /// There is one, and these fields of it have these values.
    Holds(Vec<(&'static str, Field)>),
}

/// One item to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub key: Key,
    /// What is there afterwards; none deletes.
    pub item: Option<Item>,
    /// On what condition.
    pub only_if: Option<Condition>,
}

/// Why nothing was read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A condition does not hold: nothing was written. After a lost answer it may be that the same write was made before.
    #[error("a condition of the write does not hold")]
    Refused,
    /// The call itself failed.
    #[error(transparent)]
    Call(#[from] CloudError),
}

/// The table.
pub trait Table: Send + Sync {
    /// The item under a key, as it is now.
    fn get(&self, key: &Key) -> impl Future<Output = Result<Option<Item>, TableError>> + Send;

    /// Items of a partition behind `after`, in order, as they are now: some of them; none if there are no more.
    fn list(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(String, Item)>, TableError>> + Send;

    /// Makes all writes or none. At most 100, of 4 MB together, each of another item.
    fn write(&self, writes: Vec<Write>) -> impl Future<Output = Result<(), TableError>> + Send;
}
