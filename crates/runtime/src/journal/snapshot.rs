//! A snapshot: an export of the copy, in items. It counts once the head names it.

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use spillway_core::error::LedgerError;
use spillway_core::table::{Field, Item, Key, Table, Write};

use super::head::SnapshotMark;
use super::store::{Journal, bytes};
use super::{corrupt, unavailable};
use crate::limits;

/// It is written once and read seldom: size counts.
const LEVEL: u8 = 7;

/// Where the pieces of a snapshot are.
fn partition(seq: u64, epoch: u64) -> String {
    format!("snapshot#{seq:020}#{epoch:020}")
}

fn key(seq: u64, epoch: u64, at: u64) -> Key {
    Key::new(partition(seq, epoch), format!("{at:08}"))
}

impl<T: Table> Journal<T> {
    /// Writes a piece; returns how many bytes that were.
    pub(super) async fn put_piece(
        &self,
        (seq, epoch, at): (u64, u64, u64),
        piece: &[u8],
    ) -> Result<u64, LedgerError> {
        let packed = compress_to_vec(piece, LEVEL);
        let n_bytes = u64::try_from(packed.len()).unwrap_or(u64::MAX);
        let item = Item::from([("data".to_owned(), Field::Bytes(packed))]);
        let write = Write { key: key(seq, epoch, at), item: Some(item), only_if: None };
        self.table.write(vec![write]).await.map_err(unavailable)?;
        Ok(n_bytes)
    }

    /// Reads a piece; none if it is not there any more.
    pub(super) async fn piece(
        &self,
        of: &SnapshotMark,
        at: u64,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(item) = self.get(&key(of.at.seq, of.epoch, at)).await? else { return Ok(None) };
        // A piece is cut before it is packed.
        let piece =
            decompress_to_vec_with_limit(bytes(&item, "data")?, limits::JOURNAL_PIECE_BYTES);
        piece.map(Some).map_err(|error| corrupt("a piece of a snapshot", &error))
    }

    /// Deletes a snapshot that does not count any more.
    pub(super) async fn delete_snapshot(&self, of: &SnapshotMark) -> Result<(), LedgerError> {
        self.delete(&partition(of.at.seq, of.epoch), None).await.map(drop)
    }
}
