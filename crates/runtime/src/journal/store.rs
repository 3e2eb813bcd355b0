//! Reads and writes the journal's items. What a refusal means is worked out by reading: it may be that the write was made before and
//! its answer lost, or that another leads.

use spillway_core::error::LedgerError;
use spillway_core::table::{Field, Item, Key, Table, TableError, Write};

use super::entry::{self, Packed, Stored};
use super::head::Head;
use super::lease::Lease;
use super::{corrupt, unavailable};
use crate::ledger::{Mark, Placed};
use crate::limits;

/// The journal in a table.
#[derive(Debug, Clone)]
pub struct Journal<T> {
    pub(super) table: T,
    /// What it is called, for people.
    pub(super) name: String,
}

impl<T: Table> Journal<T> {
    /// The journal in this table, which people know by this name.
    pub fn new(table: T, name: impl Into<String>) -> Self {
        Self { table, name: name.into() }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its head; none if no dispatcher has ever led here.
    pub async fn head(&self) -> Result<Option<Head>, LedgerError> {
        let item = self.get(&Head::key()).await?;
        item.as_ref().map(Head::read).transpose()
    }

    /// Its lease; none if no dispatcher has ever led here.
    pub async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        let item = self.get(&Lease::key()).await?;
        item.as_ref().map(Lease::read).transpose()
    }

    pub(super) async fn get(&self, key: &Key) -> Result<Option<Item>, LedgerError> {
        self.table.get(key).await.map_err(unavailable)
    }

    /// Takes the lead from whoever held `seen`, in one transaction. None if somebody else was quicker.
    pub(super) async fn seize(
        &self,
        owner: &str,
        seen: Option<&Lease>,
    ) -> Result<Option<(Head, Lease)>, LedgerError> {
        loop {
            let before = self.head().await?;
            let mut head = before.as_ref().map_or_else(Head::new, Head::next);
            head.epoch += 1;
            let lease = Lease {
                owner: owner.to_owned(),
                epoch: head.epoch,
                n_renewals: 0,
                length: limits::LEASE,
                is_released: false,
            };
            let writes = vec![lease.write(seen), head.write(before.as_ref())];
            let refused = match self.table.write(writes).await {
                Ok(()) => return Ok(Some((head, lease))),
                Err(TableError::Refused) => None,
                Err(error @ TableError::Call(_)) => Some(error),
            };
            // Whether it was written is seen from who has it.
            let now = self.lease().await?;
            if now.as_ref() == Some(&lease) {
                let head = self.head().await?.ok_or_else(|| self.headless())?;
                return Ok((head.epoch == lease.epoch).then_some((head, lease)));
            }
            if let Some(error) = refused {
                return Err(unavailable(error));
            }
            if now.as_ref() != seen {
                return Ok(None);
            }
            // The one that is deposed wrote an entry meanwhile.
        }
    }

    /// Writes the lease where the one before it is. False if that is not there any more.
    pub(super) async fn renew(&self, before: &Lease, after: &Lease) -> Result<bool, LedgerError> {
        match self.table.write(vec![after.write(Some(before))]).await {
            Ok(()) => Ok(true),
            Err(TableError::Refused) => Ok(false),
            Err(error @ TableError::Call(_)) => Err(unavailable(error)),
        }
    }

    /// Puts an entry behind the mark `before`, in one transaction with the head. Returns the head as it is then.
    pub(super) async fn append(
        &self,
        head: &Head,
        before: &Mark,
        told: u64,
        packed: &Packed,
    ) -> Result<Head, LedgerError> {
        let at = packed.behind(before);
        let mut head = head.clone();
        if head.last == *before {
            for part in packed.parts(at.seq, head.epoch) {
                self.table.write(vec![part]).await.map_err(unavailable)?;
            }
        }
        loop {
            // If they differ it was written, but is not in the copy: that could not be written then.
            if head.last == *before {
                let n_bytes = head.n_bytes + packed.n_bytes();
                let next = Head { last: at.clone(), n_bytes, ..head.next() };
                let writes = vec![next.write(Some(&head)), packed.write(&at, head.epoch, told)];
                match self.table.write(writes).await {
                    Ok(()) => return Ok(next),
                    Err(TableError::Refused) => {}
                    Err(error @ TableError::Call(_)) => return Err(unavailable(error)),
                }
            }
            // What a refusal means: it was written and the answer lost, the head has got another snapshot, or another leads.
            let now = self.head().await?.ok_or_else(|| self.headless())?;
            if now.epoch != head.epoch {
                return Err(self.fenced(now.epoch));
            }
            if now.last == at {
                return Ok(now);
            }
            if now.last != *before || now == head {
                let error =
                    "a commit that was given up had been written; start over from the ledger";
                return Err(corrupt(&self.name, &error));
            }
            head = now;
        }
    }

    pub(super) fn fenced(&self, epoch: u64) -> LedgerError {
        LedgerError::Fenced { path: self.name.clone(), epoch }
    }

    pub(super) fn headless(&self) -> LedgerError {
        corrupt(&self.name, &"the journal has lost its head")
    }

    /// Entries behind `before` that follow on each other, in order: some of them, none if there are no more or the next one is gone.
    pub(super) async fn behind(&self, before: &Mark) -> Result<Vec<Placed>, LedgerError> {
        let after = entry::place(before.seq);
        let listed = self.table.list(entry::ENTRIES, Some(&after), limits::JOURNAL_PAGE).await;
        let mut entries: Vec<Placed> = Vec::new();
        let mut last = before.clone();
        for (place, item) in listed.map_err(unavailable)? {
            let seq: u64 =
                place.parse().map_err(|error| corrupt("the place of an entry", &error))?;
            if seq != last.seq + 1 {
                break;
            }
            let stored = Stored::read(seq, &item)?;
            let placed = self.unpack(stored, &last).await?;
            last = placed.mark.clone();
            entries.push(placed);
        }
        Ok(entries)
    }

    async fn unpack(&self, mut stored: Stored, before: &Mark) -> Result<Placed, LedgerError> {
        let n_parts = match std::mem::replace(&mut stored.content, Ok(Vec::new())) {
            Ok(bytes) => return stored.unpack(before, &bytes),
            Err(n_parts) => n_parts,
        };
        let partition = entry::parts_of(stored.mark.seq);
        let mut whole: Vec<u8> = Vec::new();
        for at in 0..usize::try_from(n_parts).unwrap_or(usize::MAX) {
            let key = Key::new(partition.as_str(), entry::part(stored.epoch, at));
            let missing = || corrupt(&format!("entry {}", stored.mark.seq), &"a part is missing");
            let item = self.get(&key).await?.ok_or_else(missing)?;
            whole.extend_from_slice(bytes(&item, "data")?);
        }
        stored.unpack(before, &whole)
    }

    /// Deletes all items of a partition up to a place, or all.
    pub(super) async fn delete(
        &self,
        partition: &str,
        up_to: Option<&str>,
    ) -> Result<Vec<String>, LedgerError> {
        let mut deleted: Vec<String> = Vec::new();
        loop {
            let listed = self.table.list(partition, None, limits::JOURNAL_PAGE).await;
            let listed = listed.map_err(unavailable)?;
            let is_old = |place: &String| up_to.is_none_or(|up_to| place.as_str() <= up_to);
            let old: Vec<String> =
                listed.into_iter().map(|(place, _)| place).take_while(is_old).collect();
            if old.is_empty() {
                return Ok(deleted);
            }
            for place in old {
                let key = Key::new(partition, place.as_str());
                let write = Write { key, item: None, only_if: None };
                self.table.write(vec![write]).await.map_err(unavailable)?;
                deleted.push(place);
            }
        }
    }
}

pub(super) fn number(item: &Item, name: &str) -> Result<u64, LedgerError> {
    match item.get(name) {
        Some(Field::Number(n)) => Ok(*n),
        Some(Field::Text(_) | Field::Bytes(_)) | None => Err(lacks(name)),
    }
}

pub(super) fn text<'a>(item: &'a Item, name: &str) -> Result<&'a str, LedgerError> {
    match item.get(name) {
        Some(Field::Text(text)) => Ok(text),
        Some(Field::Number(_) | Field::Bytes(_)) | None => Err(lacks(name)),
    }
}

pub(super) fn bytes<'a>(item: &'a Item, name: &str) -> Result<&'a [u8], LedgerError> {
    match item.get(name) {
        Some(Field::Bytes(bytes)) => Ok(bytes),
        Some(Field::Number(_) | Field::Text(_)) | None => Err(lacks(name)),
    }
}

fn lacks(name: &str) -> LedgerError {
    corrupt("an item of the journal", &format!("it has no {name}"))
}
