//! An entry as it is in the table: packed, with a digest that chains it to the one before it, and cut where it is too large for an item.

use std::fmt::Write as _;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use sha2::{Digest, Sha256};
use spillway_core::error::LedgerError;
use spillway_core::table::{Condition, Field, Item, Key, Write};

use super::corrupt;
use super::store::{bytes, number, text};
use crate::ledger::{Entry, FORMAT, Mark, Placed};
use crate::limits;

/// A middle way between time and size.
const LEVEL: u8 = 5;

/// An entry, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    digest: [u8; 32],
}

impl Packed {
    pub(super) fn new(entry: &Entry) -> Result<Self, LedgerError> {
        let json = serde_json::to_vec(entry).map_err(|error| corrupt("an entry", &error))?;
        let digest = Sha256::digest(&json).into();
        Ok(Self { bytes: compress_to_vec(&json, LEVEL), digest })
    }

    /// Where it is if it follows on `before`.
    pub(super) fn behind(&self, before: &Mark) -> Mark {
        chained(before, &self.digest)
    }

    pub(super) fn n_bytes(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    fn n_parts(&self) -> usize {
        let fits = self.bytes.len() <= limits::JOURNAL_PIECE_BYTES;
        if fits { 0 } else { self.bytes.len().div_ceil(limits::JOURNAL_PIECE_BYTES) }
    }

    /// The parts that do not fit into the entry's own item; they count once that is there.
    pub(super) fn parts(&self, seq: u64, epoch: u64) -> impl Iterator<Item = Write> {
        let pieces = self.bytes.chunks(limits::JOURNAL_PIECE_BYTES).take(self.n_parts());
        pieces.enumerate().map(move |(at, piece)| Write {
            key: Key::new(parts_of(seq), part(epoch, at)),
            item: Some(Item::from([("data".to_owned(), Field::Bytes(piece.to_vec()))])),
            only_if: None,
        })
    }

    /// The entry's own item.
    pub(super) fn write(&self, at: &Mark, epoch: u64, told: u64) -> Write {
        let content = match self.n_parts() {
            0 => ("data".to_owned(), Field::Bytes(self.bytes.clone())),
            n => ("parts".to_owned(), Field::Number(u64::try_from(n).unwrap_or(u64::MAX))),
        };
        let item = Item::from([
            content,
            ("epoch".to_owned(), Field::Number(epoch)),
            ("format".to_owned(), Field::Number(FORMAT.into())),
            ("told".to_owned(), Field::Number(told)),
            ("chain".to_owned(), Field::Text(at.chain.clone())),
        ]);
        Write { key: key(at.seq), item: Some(item), only_if: Some(Condition::Absent) }
    }
}

/// What an entry's own item says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) mark: Mark,
    pub(super) epoch: u64,
    pub(super) told: u64,
    /// Its bytes, or how many parts they are in.
    pub(super) content: Result<Vec<u8>, u64>,
}

impl Stored {
    pub(super) fn read(seq: u64, item: &Item) -> Result<Self, LedgerError> {
        let format = number(item, "format")?;
        if u64::from(FORMAT) < format {
            let found = u32::try_from(format).unwrap_or(u32::MAX);
            return Err(LedgerError::TooNew { found, supported: FORMAT });
        }
        let content = match item.get("parts") {
            Some(_) => Err(number(item, "parts")?),
            None => Ok(bytes(item, "data")?.to_vec()),
        };
        Ok(Self {
            mark: Mark { seq, chain: text(item, "chain")?.to_owned() },
            epoch: number(item, "epoch")?,
            told: number(item, "told")?,
            content,
        })
    }

    /// Unpacks it; its bytes have been put together.
    pub(super) fn unpack(self, before: &Mark, bytes: &[u8]) -> Result<Placed, LedgerError> {
        let what = format!("entry {} of the journal", self.mark.seq);
        let json = decompress_to_vec_with_limit(bytes, limits::ENTRY_BYTES_MAX)
            .map_err(|error| corrupt(&what, &error))?;
        if chained(before, &Sha256::digest(&json).into()) != self.mark {
            return Err(corrupt(&what, &"it does not follow on the entry before it"));
        }
        let entry = serde_json::from_slice(&json).map_err(|error| corrupt(&what, &error))?;
        Ok(Placed { mark: self.mark, entry, told: self.told })
    }
}

/// The mark of an entry with this digest behind another.
fn chained(before: &Mark, digest: &[u8; 32]) -> Mark {
    let seq = before.seq + 1;
    let mut chain = Sha256::new();
    chain.update(before.chain.as_bytes());
    chain.update(seq.to_be_bytes());
    chain.update(digest);
    let hex = chain.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string does not fail.
        write!(hex, "{byte:02x}").ok();
        hex
    });
    Mark { seq, chain: hex }
}

/// The partition of all entries.
pub(super) const ENTRIES: &str = "entry";

/// An entry's place; places are in the order of their numbers.
pub(super) fn place(seq: u64) -> String {
    format!("{seq:020}")
}

pub(super) fn key(seq: u64) -> Key {
    Key::new(ENTRIES, place(seq))
}

/// The partition of an entry's parts, whoever wrote them.
pub(super) fn parts_of(seq: u64) -> String {
    format!("part#{seq:020}")
}

pub(super) fn part(epoch: u64, at: usize) -> String {
    format!("{epoch:020}#{at:06}")
}
