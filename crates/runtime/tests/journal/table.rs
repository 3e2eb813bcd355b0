//! A table in memory, with everything that can go wrong on the way to it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use spillway_core::CloudError;
use spillway_core::table::{Condition, Field, Item, Key, Table, TableError, Write};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// Nothing is written, and that is said.
    Throttled,
    /// Nothing is written, and nobody knows.
    NeverCame,
    /// It is written, and the answer is lost.
    AnswerLost,
    /// It is written behind the next write, and nobody knows until then.
    Late,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) items: BTreeMap<Key, Item>,
    /// What becomes of the next writes; none of them is as it should be.
    pub(crate) writes: VecDeque<Option<Mishap>>,
    late: Vec<Vec<Write>>,
    pub(crate) is_away: bool,
    pub(crate) n_writes: u64,
}

/// The table. Clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryTable(Arc<Mutex<State>>);

fn unsettled() -> TableError {
    let (action, detail) = ("dynamodb:TransactWriteItems".to_owned(), "lost".to_owned());
    TableError::Call(CloudError::Unsettled { action, detail })
}

impl State {
    fn holds(&self, write: &Write) -> bool {
        let found = self.items.get(&write.key);
        match &write.only_if {
            None => true,
            Some(Condition::Absent) => found.is_none(),
            Some(Condition::Holds(fields)) => found.is_some_and(|item| {
                fields.iter().all(|(name, value)| item.get(*name) == Some(value))
            }),
        }
    }

    fn make(&mut self, writes: Vec<Write>) -> Result<(), TableError> {
        self.n_writes += 1;
        assert!(writes.len() <= 100);
        for write in &writes {
            let size: usize =
                write.item.iter().flatten().map(|(name, field)| name.len() + size(field)).sum();
            assert!(size <= 400 * 1024, "an item of {size} bytes");
        }
        if !writes.iter().all(|write| self.holds(write)) {
            return Err(TableError::Refused);
        }
        for Write { key, item, .. } in writes {
            match item {
                Some(item) => self.items.insert(key, item),
                None => self.items.remove(&key),
            };
        }
        Ok(())
    }
}

fn size(field: &Field) -> usize {
    match field {
        Field::Text(text) => text.len(),
        Field::Number(_) => 21,
        Field::Bytes(bytes) => bytes.len(),
    }
}

impl MemoryTable {
    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Table for MemoryTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        let state = self.state();
        if state.is_away { Err(unsettled()) } else { Ok(state.items.get(key).cloned()) }
    }

    async fn list(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Item)>, TableError> {
        let state = self.state();
        if state.is_away {
            return Err(unsettled());
        }
        let from = match after {
            Some(sort) => Bound::Excluded(Key::new(partition, sort)),
            None => Bound::Included(Key::new(partition, "")),
        };
        let items = state.items.range((from, Bound::Unbounded));
        let items = items.take_while(|(key, _)| key.partition == partition);
        // Fewer than are asked for, as a page of DynamoDB may be.
        let items = items.take(limit.min(7));
        Ok(items.map(|(key, item)| (key.sort.clone(), item.clone())).collect())
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        let mut state = self.state();
        if state.is_away {
            return Err(unsettled());
        }
        let result = match state.writes.pop_front().flatten() {
            None => state.make(writes),
            Some(Mishap::Throttled) => {
                let (action, detail) = ("dynamodb:PutItem".to_owned(), "slow down".to_owned());
                return Err(TableError::Call(CloudError::Throttled { action, detail }));
            }
            Some(Mishap::NeverCame) => Err(unsettled()),
            Some(Mishap::AnswerLost) => {
                state.make(writes).ok();
                Err(unsettled())
            }
            Some(Mishap::Late) => {
                state.late.push(writes);
                return Err(unsettled());
            }
        };
        for writes in std::mem::take(&mut state.late) {
            state.make(writes).ok();
        }
        result
    }
}
