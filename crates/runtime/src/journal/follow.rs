//! Brings a copy up to the journal's end.

use std::sync::Arc;

use spillway_core::error::LedgerError;
use spillway_core::table::Table;
use tokio::runtime::Handle;
use tracing::info;

use super::corrupt;
use super::head::{Head, SnapshotMark};
use super::store::Journal;
use crate::ledger::{Mark, Replica};

/// Takes in all that is new. Returns the head that it has come up to; none if nobody has ever led.
///
/// # Errors
/// [`LedgerError::Unavailable`] if either is out of reach, [`LedgerError::Corrupt`] if the journal is not continuous.
pub async fn follow<T: Table + 'static>(
    journal: &Arc<Journal<T>>,
    copy: &Replica,
) -> Result<Option<Head>, LedgerError> {
    let mut n_begun = 0;
    loop {
        let Some(head) = journal.head().await? else { return Ok(None) };
        let (ledger, at) = copy.place().await?;
        let is_other = ledger != head.ledger || head.last.seq < at.seq;
        // A journal that begins with an import has a mark before its first entry.
        let has_diverged = head.last.seq == at.seq && head.last != at && at != Mark::START;
        if is_other || has_diverged {
            begin(journal, copy, &head, &mut n_begun).await?;
            continue;
        }
        if head.last == at {
            return Ok(Some(head));
        }
        if let Some(snapshot) = head.snapshot.as_ref().filter(|_| at == Mark::START)
            && !restore(journal, copy, &head, snapshot).await?
        {
            continue;
        }
        match take_in(journal, copy, &head).await {
            Ok(Progress::Whole) => return Ok(Some(head)),
            // Older entries are deleted once there is a snapshot.
            Ok(Progress::Gap) => {
                let now = journal.head().await?.ok_or_else(|| journal.headless())?;
                let snapshot = now.snapshot.as_ref().filter(|snapshot| at.seq < snapshot.at.seq);
                let Some(snapshot) = snapshot else {
                    let (_, at) = copy.place().await?;
                    let error = format!("entry {} is missing", at.seq + 1);
                    return Err(corrupt(journal.name(), &error));
                };
                restore(journal, copy, &now, snapshot).await?;
            }
            // A copy of what the table was before it was restored from a backup.
            Err(LedgerError::Corrupt { .. }) if n_begun == 0 && at != Mark::START => {
                begin(journal, copy, &head, &mut n_begun).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

enum Progress {
    /// The copy has come up to the head.
    Whole,
    /// The next entry is not there.
    Gap,
}

async fn take_in<T: Table>(
    journal: &Journal<T>,
    copy: &Replica,
    head: &Head,
) -> Result<Progress, LedgerError> {
    let (_, mut at) = copy.place().await?;
    while at.seq < head.last.seq {
        let entries = journal.behind(&at).await?;
        if entries.is_empty() {
            return Ok(Progress::Gap);
        }
        at = copy.apply(entries).await?;
    }
    Ok(Progress::Whole)
}

/// Makes the copy one of this ledger, from its beginning.
async fn begin<T: Table + 'static>(
    journal: &Arc<Journal<T>>,
    copy: &Replica,
    head: &Head,
    n_begun: &mut u32,
) -> Result<(), LedgerError> {
    if 1 < *n_begun {
        return Err(corrupt(journal.name(), &"its entries do not follow on each other"));
    }
    *n_begun += 1;
    info!(journal = journal.name(), ledger = %head.ledger, "the copy is made again");
    copy.begin(head.ledger).await
}

/// Makes the copy what the snapshot holds. False if that has been deleted meanwhile: there is a newer one.
async fn restore<T: Table + 'static>(
    journal: &Arc<Journal<T>>,
    copy: &Replica,
    head: &Head,
    snapshot: &SnapshotMark,
) -> Result<bool, LedgerError> {
    let (handle, source) = (Handle::current(), Arc::clone(journal));
    let (mut next, of) = (0, snapshot.clone());
    let piece = move || {
        if of.n_pieces <= next {
            return Ok(None);
        }
        let piece = handle.block_on(source.piece(&of, next))?;
        next += 1;
        let missing = || LedgerError::Missing { path: format!("piece {next} of a snapshot") };
        piece.map(Some).ok_or_else(missing)
    };
    match copy.restore(head.ledger, snapshot.at.clone(), piece).await {
        Ok(()) => Ok(true),
        Err(error @ LedgerError::Missing { .. }) => {
            let now = journal.head().await?.ok_or_else(|| journal.headless())?;
            if now.snapshot.as_ref() == Some(snapshot) {
                return Err(corrupt(journal.name(), &error));
            }
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
