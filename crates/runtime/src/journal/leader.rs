//! The ledger as its leader writes it, and the lease that it keeps meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use spillway_core::change::{Change, LedgerState};
use spillway_core::error::LedgerError;
use spillway_core::port::Ledger;
use spillway_core::table::Table;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use super::entry::Packed;
use super::head::Head;
use super::lease::{Lease, Tenure};
use super::store::Journal;
use crate::ledger::{Entry, EventRule, Replica};
use crate::limits;

/// What a leader has: the ledger to write, and the lease to keep.
#[derive(Debug)]
pub struct Leader<T> {
    pub(super) journal: Arc<Journal<T>>,
    pub(super) copy: Replica,
    pub(super) head: Arc<Mutex<Head>>,
    pub(super) events: Option<EventRule>,
    pub(super) lease: Lease,
    pub(super) tenure: Tenure,
    /// When the renewal that is under way was first tried.
    pub(super) asked_at: Option<Instant>,
}

impl<T: Table + 'static> Leader<T> {
    /// The ledger; it refuses every write once another leads.
    pub fn ledger(&self) -> JournalLedger<T> {
        JournalLedger {
            journal: Arc::clone(&self.journal),
            copy: self.copy.clone(),
            head: Arc::clone(&self.head),
            events: self.events.clone(),
            tenure: self.tenure.clone(),
        }
    }

    /// Its epoch.
    pub const fn epoch(&self) -> u64 {
        self.lease.epoch
    }

    /// What it may do at the moment.
    pub fn tenure(&self) -> Tenure {
        self.tenure.clone()
    }

    /// Says again and again that it leads. Ends only when that is not so any more, and then with why.
    ///
    /// It must not share a task with what may take seconds, such as a plan.
    pub async fn keep(&mut self) -> LedgerError {
        loop {
            tokio::time::sleep(limits::LEASE_RENEW).await;
            if let Err(error @ LedgerError::Fenced { .. }) = self.renew().await {
                self.tenure.end(Instant::now());
                return error;
            }
        }
    }

    /// Says once that it leads.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`] if another does by now; any other says nothing.
    pub async fn renew(&mut self) -> Result<(), LedgerError> {
        let next = Lease { n_renewals: self.lease.n_renewals + 1, ..self.lease.clone() };
        // If this renewal was tried before, it may be in the table since then: observers count from there.
        let asked_at = *self.asked_at.get_or_insert_with(Instant::now);
        let asked = timeout(limits::LEASE_CALL_MAX, self.renewed(next.clone())).await;
        let error = match asked {
            Ok(Ok(())) => {
                debug!(n_renewals = next.n_renewals, "lease renewed");
                self.lease = next;
                self.tenure.renewed(asked_at);
                self.asked_at = None;
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(late) => LedgerError::Unavailable { source: Box::new(late) },
        };
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        warn!(%error, cause, "the lease is not renewed");
        Err(error)
    }

    async fn renewed(&self, next: Lease) -> Result<(), LedgerError> {
        if self.journal.renew(&self.lease, &next).await? {
            return Ok(());
        }
        let now = self.journal.lease().await?.ok_or_else(|| self.journal.headless())?;
        // An answer that was lost.
        if now == next { Ok(()) } else { Err(self.journal.fenced(now.epoch)) }
    }

    /// Gives the lease back, so that a standby need not wait for its end. What was begun must be over.
    pub async fn release(mut self) -> Result<(), LedgerError> {
        self.tenure.end(Instant::now());
        if self.asked_at.is_some() {
            // A renewal whose answer was lost may be in the table or not.
            self.renew().await?;
            self.tenure.end(Instant::now());
        }
        let n_renewals = self.lease.n_renewals + 1;
        self.renewed(Lease { is_released: true, n_renewals, ..self.lease.clone() }).await
    }
}

/// The ledger in the journal, for the one that leads.
#[derive(Debug)]
pub struct JournalLedger<T> {
    journal: Arc<Journal<T>>,
    copy: Replica,
    head: Arc<Mutex<Head>>,
    events: Option<EventRule>,
    tenure: Tenure,
}

impl<T: Table + 'static> Ledger for JournalLedger<T> {
    async fn load(&mut self) -> Result<LedgerState, LedgerError> {
        self.copy.state().await
    }

    async fn commit(&mut self, now: Timestamp, changes: &[Change]) -> Result<(), LedgerError> {
        let entry = Entry { at: now, changes: changes.to_vec(), events: self.events.clone() };
        let packed = Packed::new(&entry)?;
        let (journal, head, handle) =
            (Arc::clone(&self.journal), Arc::clone(&self.head), Handle::current());
        let append = move |before: &_, told| {
            let known = head.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let next = handle.block_on(journal.append(&known, before, told, &packed))?;
            let at = next.last.clone();
            *head.lock().unwrap_or_else(PoisonError::into_inner) = next;
            Ok(at)
        };
        self.copy.write_through(Arc::new(entry), append).await.map(drop)
    }

    fn may_act(&self) -> bool {
        self.tenure.holds()
    }
}
