//! Begins a journal with what another ledger holds: an import.

use std::sync::{Arc, Mutex, PoisonError};

use spillway_core::error::LedgerError;
use spillway_core::table::{Table, TableError};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::head::{Head, SnapshotMark};
use super::store::Journal;
use super::unavailable;
use crate::ledger::{Mark, Replica};
use crate::limits;

/// Makes what `copy` holds the beginning of the journal: a snapshot before its first entry.
///
/// # Errors
/// [`LedgerError::NotEmpty`] if a dispatcher has ever led here, or another import was quicker; nothing is changed then.
pub async fn found<T: Table + 'static>(
    journal: &Arc<Journal<T>>,
    copy: &Replica,
) -> Result<(), LedgerError> {
    let taken = || LedgerError::NotEmpty { path: journal.name().to_owned() };
    if journal.head().await?.is_some() {
        return Err(taken());
    }
    // Whoever else imports at the same time writes other pieces.
    let epoch = Uuid::new_v4().as_u64_pair().0;
    let (handle, target) = (Handle::current(), Arc::clone(journal));
    let written = Arc::new(Mutex::new((0_u64, 0_u64)));
    let count = Arc::clone(&written);
    let piece = move |_: &Mark, bytes: Vec<u8>| {
        let mut written = count.lock().unwrap_or_else(PoisonError::into_inner);
        let (n_pieces, n_bytes) = *written;
        let n = handle.block_on(target.put_piece((0, epoch, n_pieces), &bytes))?;
        *written = (n_pieces + 1, n_bytes + n);
        Ok(())
    };
    copy.export(limits::JOURNAL_PIECE_BYTES, piece).await?;
    let (n_pieces, n_bytes) = *written.lock().unwrap_or_else(PoisonError::into_inner);
    let (ledger, _) = copy.place().await?;
    // Not the mark of a journal that begins with nothing.
    let at = Mark { seq: 0, chain: Uuid::new_v4().simple().to_string() };
    let snapshot = SnapshotMark { at: at.clone(), epoch, n_pieces, n_bytes };
    let head = Head { ledger, last: at, snapshot: Some(snapshot), ..Head::new() };
    match journal.table.write(vec![head.write(None)]).await {
        Ok(()) => Ok(()),
        Err(TableError::Refused) if journal.head().await?.as_ref() == Some(&head) => Ok(()),
        Err(TableError::Refused) => Err(taken()),
        Err(error @ TableError::Call(_)) => Err(unavailable(error)),
    }
}
