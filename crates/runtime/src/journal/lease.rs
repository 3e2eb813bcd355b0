//! Who leads, and for how long. Times are of one machine's steady clock only: an observer counts from when it first saw the lease as it
//! is, a leader from before it last wrote it, so the leader's count always ends first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spillway_core::error::LedgerError;
use spillway_core::table::{Condition, Field, Item, Key, Write};
use tokio::time::Instant;

use super::store::{number, text};
use crate::limits;

/// The item that says who leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who; another one every time that the leader changes.
    pub owner: String,
    /// Its epoch.
    pub epoch: u64,
    /// How often it has said so.
    pub n_renewals: u64,
    /// How long it is to be taken for the leader after that.
    pub length: Duration,
    /// Whether it has given it back.
    pub is_released: bool,
}

impl Lease {
    pub(super) fn key() -> Key {
        Key::new("ledger", "lease")
    }

    /// Writes it where the one before it is.
    pub(super) fn write(&self, before: Option<&Self>) -> Write {
        let only_if = before.map_or(Condition::Absent, |before| {
            Condition::Holds(vec![
                ("owner", Field::Text(before.owner.clone())),
                ("renewals", Field::Number(before.n_renewals)),
            ])
        });
        let millis = u64::try_from(self.length.as_millis()).unwrap_or(u64::MAX);
        let item = Item::from([
            ("owner".to_owned(), Field::Text(self.owner.clone())),
            ("epoch".to_owned(), Field::Number(self.epoch)),
            ("renewals".to_owned(), Field::Number(self.n_renewals)),
            ("millis".to_owned(), Field::Number(millis)),
            ("released".to_owned(), Field::Number(self.is_released.into())),
        ]);
        Write { key: Self::key(), item: Some(item), only_if: Some(only_if) }
    }

    pub(super) fn read(item: &Item) -> Result<Self, LedgerError> {
        Ok(Self {
            owner: text(item, "owner")?.to_owned(),
            epoch: number(item, "epoch")?,
            n_renewals: number(item, "renewals")?,
            length: Duration::from_millis(number(item, "millis")?),
            is_released: number(item, "released")? != 0,
        })
    }
}

/// What an observer has seen of the lease.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Option<(Lease, Instant)>,
}

impl Watch {
    /// Looks at the lease as it was read just now; whether whoever has it leads no more.
    pub fn is_over(&mut self, lease: Option<&Lease>, now: Instant) -> bool {
        let Some(lease) = lease else { return true };
        if lease.is_released {
            return true;
        }
        match &self.seen {
            Some((seen, since)) if seen == lease => lease.length <= now.duration_since(*since),
            Some(_) | None => {
                self.seen = Some((lease.clone(), now));
                false
            }
        }
    }
}

/// A leader's own view of how long it may act. Clones are one.
#[derive(Debug, Clone)]
pub struct Tenure {
    until: Arc<Mutex<Instant>>,
}

impl Tenure {
    /// From the moment before the lease was asked for.
    pub fn new(asked_at: Instant) -> Self {
        Self { until: Arc::new(Mutex::new(asked_at + limits::LEASE_ACTS)) }
    }

    fn until(&self) -> MutexGuard<'_, Instant> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease was renewed by a call that began then.
    pub fn renewed(&self, asked_at: Instant) {
        let mut until = self.until();
        *until = (*until).max(asked_at + limits::LEASE_ACTS);
    }

    /// Nothing may be begun any more.
    pub fn end(&self, now: Instant) {
        *self.until() = now;
    }

    /// Whether it may act.
    pub fn holds(&self) -> bool {
        Instant::now() < *self.until()
    }
}
