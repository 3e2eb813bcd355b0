//! Keeps the journal short: from time to time a snapshot takes the place of its entries. Those since the snapshot before are left, so
//! that a standby never finds a gap.

use std::sync::{Arc, PoisonError};

use spillway_core::error::LedgerError;
use spillway_core::table::{Table, TableError};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::head::{Head, SnapshotMark};
use super::leader::Leader;
use super::store::Journal;
use super::{entry, unavailable};
use crate::ledger::Replica;
use crate::limits;

/// What compaction needs of a leader.
#[derive(Debug)]
pub struct Compaction<T> {
    journal: Arc<Journal<T>>,
    copy: Replica,
    head: Arc<std::sync::Mutex<Head>>,
}

impl<T: Table + 'static> Leader<T> {
    /// For [`keep_short`].
    pub fn compaction(&self) -> Compaction<T> {
        Compaction {
            journal: Arc::clone(&self.journal),
            copy: self.copy.clone(),
            head: Arc::clone(&self.head),
        }
    }
}

/// Makes snapshots until `stop`, or until another leads.
pub async fn keep_short<T: Table + 'static>(compaction: Compaction<T>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(limits::SNAPSHOT_LOOK) => {}
        }
        if !compaction.is_due() {
            continue;
        }
        match compaction.snapshot(limits::SNAPSHOT_PACE).await {
            Ok(()) => {}
            Err(error @ LedgerError::Fenced { .. }) => {
                warn!(%error, "no more snapshots are made");
                return;
            }
            Err(error) => warn!(%error, "no snapshot was made"),
        }
    }
}

impl<T: Table + 'static> Compaction<T> {
    fn head(&self) -> Head {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the journal is longer than it should be: then writing a snapshot at most doubles what is written in all.
    pub fn is_due(&self) -> bool {
        let head = self.head();
        let last = head.snapshot.as_ref().map_or(0, |snapshot| snapshot.n_bytes);
        limits::JOURNAL_BYTES.max(last) < head.n_bytes
    }

    /// Makes a snapshot, then deletes what nobody needs any more.
    pub async fn snapshot(&self, pace: std::time::Duration) -> Result<(), LedgerError> {
        let snapshot = self.write(pace).await?;
        let before = self.name(snapshot.clone()).await?;
        info!(seq = snapshot.at.seq, n_bytes = snapshot.n_bytes, "snapshot of the ledger made");
        let Some(before) = before else { return Ok(()) };
        self.journal.delete_snapshot(&before).await?;
        let up_to = entry::place(before.at.seq);
        for place in self.journal.delete(entry::ENTRIES, Some(&up_to)).await? {
            if let Ok(seq) = place.parse() {
                self.journal.delete(&entry::parts_of(seq), None).await?;
            }
        }
        Ok(())
    }

    /// Writes the pieces. They do not count yet.
    async fn write(&self, pace: std::time::Duration) -> Result<SnapshotMark, LedgerError> {
        let (handle, journal) = (Handle::current(), Arc::clone(&self.journal));
        let epoch = self.head().epoch;
        let written = Arc::new(std::sync::Mutex::new((0_u64, 0_u64)));
        let count = Arc::clone(&written);
        let piece = move |at: &crate::ledger::Mark, bytes: Vec<u8>| {
            let (n_pieces, n_bytes) = *count.lock().unwrap_or_else(PoisonError::into_inner);
            let n = handle.block_on(journal.put_piece((at.seq, epoch, n_pieces), &bytes))?;
            *count.lock().unwrap_or_else(PoisonError::into_inner) = (n_pieces + 1, n_bytes + n);
            std::thread::sleep(pace);
            Ok(())
        };
        let at = self.copy.export(limits::JOURNAL_PIECE_BYTES, piece).await?;
        let (n_pieces, n_bytes) = *written.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(SnapshotMark { at, epoch, n_pieces, n_bytes })
    }

    /// Makes it count. Returns the one before.
    async fn name(&self, snapshot: SnapshotMark) -> Result<Option<SnapshotMark>, LedgerError> {
        let (handle, journal, head) =
            (Handle::current(), Arc::clone(&self.journal), Arc::clone(&self.head));
        let name = move || {
            let known = head.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let next = Head { snapshot: Some(snapshot), n_bytes: 0, ..known.next() };
            let written = match handle.block_on(journal.table.write(vec![next.write(Some(&known))]))
            {
                Ok(()) => Ok(next),
                Err(TableError::Refused) => {
                    let now = handle.block_on(journal.head())?.ok_or_else(|| journal.headless())?;
                    if now == next { Ok(next) } else { Err(journal.fenced(now.epoch)) }
                }
                Err(error @ TableError::Call(_)) => Err(unavailable(error)),
            };
            *head.lock().unwrap_or_else(PoisonError::into_inner) = written?;
            Ok(known.snapshot)
        };
        self.copy.between_commits(name).await
    }
}
