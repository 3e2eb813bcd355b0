//! The item that says which epoch it is and where the journal ends.

use spillway_core::error::LedgerError;
use spillway_core::id::LedgerId;
use spillway_core::table::{Condition, Field, Item, Key, Write};
use uuid::Uuid;

use super::corrupt;
use super::store::{number, text};
use crate::ledger::{FORMAT, Mark};

/// What the head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The ledger's own id.
    pub ledger: LedgerId,
    /// The newest format of anything in the table.
    pub format: u32,
    /// How often the leader has changed.
    pub epoch: u64,
    /// How often this has been written: whoever replaces it names what it replaces.
    pub version: u64,
    /// The last entry.
    pub last: Mark,
    /// Bytes of all entries since the snapshot.
    pub n_bytes: u64,
    /// What stands for all entries up to its mark.
    pub snapshot: Option<SnapshotMark>,
}

/// Which snapshot counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotMark {
    /// The last entry that is in it.
    pub at: Mark,
    /// Who wrote it.
    pub epoch: u64,
    /// How many items it is.
    pub n_pieces: u64,
    /// How many bytes they are.
    pub n_bytes: u64,
}

impl Head {
    /// Of a ledger in which nothing is.
    pub(super) fn new() -> Self {
        Self {
            ledger: LedgerId::from_uuid(Uuid::new_v4()),
            format: FORMAT,
            epoch: 0,
            version: 0,
            last: Mark::START,
            n_bytes: 0,
            snapshot: None,
        }
    }

    pub(super) fn key() -> Key {
        Key::new("ledger", "head")
    }

    /// What is written in the place of this one.
    pub(super) fn next(&self) -> Self {
        Self { version: self.version + 1, format: FORMAT, ..self.clone() }
    }

    /// Writes it where the one before it is.
    pub(super) fn write(&self, before: Option<&Self>) -> Write {
        let only_if = before.map_or(Condition::Absent, |before| {
            let version = ("version", Field::Number(before.version));
            Condition::Holds(vec![("epoch", Field::Number(before.epoch)), version])
        });
        Write { key: Self::key(), item: Some(self.item()), only_if: Some(only_if) }
    }

    fn item(&self) -> Item {
        let mut item = Item::from([
            ("ledger".to_owned(), Field::Text(self.ledger.to_string())),
            ("format".to_owned(), Field::Number(self.format.into())),
            ("epoch".to_owned(), Field::Number(self.epoch)),
            ("version".to_owned(), Field::Number(self.version)),
            ("seq".to_owned(), Field::Number(self.last.seq)),
            ("chain".to_owned(), Field::Text(self.last.chain.clone())),
            ("bytes".to_owned(), Field::Number(self.n_bytes)),
            ("snapshot".to_owned(), Field::Number(0)),
        ]);
        if let Some(snapshot) = &self.snapshot {
            item.extend([
                ("snapshot".to_owned(), Field::Number(snapshot.n_pieces)),
                ("snapshot_seq".to_owned(), Field::Number(snapshot.at.seq)),
                ("snapshot_chain".to_owned(), Field::Text(snapshot.at.chain.clone())),
                ("snapshot_epoch".to_owned(), Field::Number(snapshot.epoch)),
                ("snapshot_bytes".to_owned(), Field::Number(snapshot.n_bytes)),
            ]);
        }
        item
    }

    /// Reads it; a newer format than ours is refused.
    pub(super) fn read(item: &Item) -> Result<Self, LedgerError> {
        let format = u32::try_from(number(item, "format")?)
            .map_err(|error| corrupt("the journal's head", &error))?;
        if FORMAT < format {
            return Err(LedgerError::TooNew { found: format, supported: FORMAT });
        }
        let ledger = text(item, "ledger")?;
        let ledger = ledger.parse().map_err(|error| corrupt("the journal's head", &error))?;
        let snapshot = match number(item, "snapshot")? {
            0 => None,
            n_pieces => Some(SnapshotMark {
                at: Mark {
                    seq: number(item, "snapshot_seq")?,
                    chain: text(item, "snapshot_chain")?.to_owned(),
                },
                epoch: number(item, "snapshot_epoch")?,
                n_pieces,
                n_bytes: number(item, "snapshot_bytes")?,
            }),
        };
        Ok(Self {
            ledger,
            format,
            epoch: number(item, "epoch")?,
            version: number(item, "version")?,
            last: Mark { seq: number(item, "seq")?, chain: text(item, "chain")?.to_owned() },
            n_bytes: number(item, "bytes")?,
            snapshot,
        })
    }
}
