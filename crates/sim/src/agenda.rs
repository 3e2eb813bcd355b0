//! What will happen, soonest first; of two things at the same time the one that was written down first.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// An ordered list of things to come.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    due: BTreeMap<(Timestamp, u64), T>,
    n_added: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), n_added: 0 }
    }
}

impl<T> Agenda<T> {
    pub(crate) fn add(&mut self, at: Timestamp, what: T) {
        self.due.insert((at, self.n_added), what);
        self.n_added += 1;
    }

    /// When the next thing is due.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next thing that is due by `now`, and when it was due.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, T)> {
        if now < self.next_at()? {
            return None;
        }
        self.due.pop_first().map(|((at, _), what)| (at, what))
    }

    /// All that is to come, in its order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.due.values()
    }

    /// Drops what does not satisfy `keep`.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.due.retain(|_, what| keep(what));
    }
}
