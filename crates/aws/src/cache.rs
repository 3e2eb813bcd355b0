//! Answers that stay good for a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Values by key, each believed for the same time. The lock is never held over a call.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    lifetime: Duration,
    entries: Mutex<BTreeMap<K, (Instant, V)>>,
}

impl<K: Ord, V: Clone> Cache<K, V> {
    pub(crate) const fn new(lifetime: Duration) -> Self {
        Self { lifetime, entries: Mutex::new(BTreeMap::new()) }
    }

    /// What is known and still believed.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, value) = entries.get(key)?;
        (since.elapsed() < self.lifetime).then(|| value.clone())
    }

    /// What was once known, however old: for when nothing newer can be had.
    pub(crate) fn get_stale(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).map(|(_, value)| value.clone())
    }

    pub(crate) fn put(&self, key: K, value: V) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.insert(key, (Instant::now(), value));
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_believed_for_its_lifetime_and_remembered_beyond_it() {
        let fresh = Cache::new(Duration::from_hours(1));
        fresh.put("a", 1);
        let old = Cache::new(Duration::ZERO);
        old.put("a", 1);

        assert_eq!((fresh.get(&"a"), fresh.get(&"b")), (Some(1), None));
        assert_eq!((old.get(&"a"), old.get_stale(&"a")), (None, Some(1)));
    }

    #[test]
    fn what_is_cleared_is_not_even_stale() {
        let cache = Cache::new(Duration::from_hours(1));
        cache.put("a", 1);

        cache.clear();

        assert_eq!(cache.get_stale(&"a"), None);
    }
}
