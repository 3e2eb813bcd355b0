//! A dispatcher that does not lead yet: it follows the journal, watches the lease, and takes over when that is over.

use std::path::Path;
use std::sync::{Arc, Mutex};

use spillway_core::error::LedgerError;
use spillway_core::table::Table;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::follow::follow;
use super::leader::Leader;
use super::lease::{Tenure, Watch};
use super::store::Journal;
use crate::health::Health;
use crate::ledger::{EventRule, Outbox, Replica};
use crate::limits;

/// A dispatcher that waits for its turn.
#[derive(Debug)]
pub struct Standby<T> {
    journal: Arc<Journal<T>>,
    copy: Replica,
    /// Who it is, for people.
    who: String,
    events: Option<EventRule>,
    watch: Watch,
}

impl<T: Table + 'static> Standby<T> {
    /// With its copy of the ledger at `path`.
    ///
    /// # Errors
    /// As [`Replica::open`].
    pub fn open(
        journal: Arc<Journal<T>>,
        path: &Path,
        who: impl Into<String>,
    ) -> Result<Self, LedgerError> {
        let copy = Replica::open(path)?;
        Ok(Self { journal, copy, who: who.into(), events: None, watch: Watch::default() })
    }

    /// The same, with news of jobs put into the outbox.
    #[must_use]
    pub fn telling(self, events: Option<EventRule>) -> Self {
        Self { events, ..self }
    }

    /// Where news of jobs waits for whoever passes it on; only a leader may.
    pub fn outbox(&self) -> Outbox {
        self.copy.outbox()
    }

    /// The journal that it follows.
    pub fn journal(&self) -> &Arc<Journal<T>> {
        &self.journal
    }

    /// Its copy of the ledger.
    pub const fn copy(&self) -> &Replica {
        &self.copy
    }

    /// Waits until it leads; none if a stop came first.
    ///
    /// # Errors
    /// What waiting cannot help: the table cannot be read at the first look, it was written by a newer Spillway, or is damaged.
    pub async fn wait(
        &mut self,
        stop: &CancellationToken,
        health: &Health,
    ) -> Result<Option<Leader<T>>, LedgerError> {
        let mut is_first = true;
        while !stop.is_cancelled() {
            health.stands_by();
            match self.look().await {
                Ok(Some(leader)) => {
                    health.leads();
                    return Ok(Some(leader));
                }
                Ok(None) if is_first => {
                    info!(journal = self.journal.name(), "another dispatcher leads; standing by");
                }
                Ok(None) => {}
                Err(error @ LedgerError::Unavailable { .. }) if !is_first => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(%error, cause, "standing by");
                }
                Err(error) => return Err(error),
            }
            is_first = false;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(limits::STANDBY_POLL) => {}
            }
        }
        Ok(None)
    }

    /// Takes in what is new, and takes over if nobody leads.
    pub async fn look(&mut self) -> Result<Option<Leader<T>>, LedgerError> {
        follow(&self.journal, &self.copy).await?;
        let lease = self.journal.lease().await?;
        if !self.watch.is_over(lease.as_ref(), Instant::now()) {
            return Ok(None);
        }
        // Another one every time: who has it is known by it.
        let owner = format!("{} {}", self.who, Uuid::new_v4());
        let asked_at = Instant::now();
        let Some((_, lease)) = self.journal.seize(&owner, lease.as_ref()).await? else {
            return Ok(None);
        };
        // From now on nobody else writes: what the one before wrote last is taken in, and then all is there.
        let head = follow(&self.journal, &self.copy).await?;
        let head = head.ok_or_else(|| self.journal.headless())?;
        if head.epoch != lease.epoch {
            return Ok(None);
        }
        info!(journal = self.journal.name(), epoch = lease.epoch, "this dispatcher leads");
        Ok(Some(Leader {
            journal: Arc::clone(&self.journal),
            copy: self.copy.clone(),
            head: Arc::new(Mutex::new(head)),
            events: self.events.clone(),
            lease,
            tenure: Tenure::new(asked_at),
            asked_at: None,
        }))
    }
}
