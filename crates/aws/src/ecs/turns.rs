//! Turns of a call whose token bucket the control loop does not see: it is sent as part of another one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket that refills by one call per interval (the generic cell rate algorithm, ITU-T I.371).
#[derive(Debug)]
pub(super) struct Turns {
    every: Duration,
    /// A full bucket, as the time in which it refills.
    tolerance: Duration,
    /// When the bucket would be full again.
    full_at: Mutex<Option<Instant>>,
}

impl Turns {
    /// `burst` calls (at least one) at once, then one per `every`.
    pub(super) const fn new(burst: u32, every: Duration) -> Self {
        let tolerance = every.saturating_mul(burst.saturating_sub(1));
        Self { every, tolerance, full_at: Mutex::new(None) }
    }

    /// Takes a turn: how long to wait for it. None, and none is taken, if that is longer than `longest`.
    pub(super) fn take(&self, now: Instant, longest: Duration) -> Option<Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = full_at.map_or(now, |at| at.max(now));
        let wait = full.duration_since(now).saturating_sub(self.tolerance);
        if longest < wait {
            return None;
        }
        *full_at = Some(full + self.every);
        Some(wait)
    }

    /// AWS says that the bucket is empty: others draw on it too.
    pub(super) fn empty(&self, now: Instant) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = now + self.tolerance + self.every;
        *full_at = Some(full_at.map_or(empty, |at| at.max(empty)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn waits(turns: &Turns, now: Instant, n: usize) -> Vec<Option<Duration>> {
        (0..n).map(|_| turns.take(now, SECOND * 2)).collect()
    }

    #[test]
    fn a_burst_goes_at_once_and_then_one_per_interval() {
        let (turns, start) = (Turns::new(3, SECOND), Instant::now());
        let none = Some(Duration::ZERO);

        let expected = [none, none, none, Some(SECOND), Some(SECOND * 2), None, None];
        assert_eq!(waits(&turns, start, 7), expected);

        // Who was sent away took no turn.
        assert_eq!(turns.take(start + SECOND * 3, SECOND), none);
        assert_eq!(waits(&turns, start + SECOND * 60, 4), [none, none, none, Some(SECOND)]);
    }

    #[test]
    fn after_a_throttled_call_the_next_waits_an_interval() {
        let (turns, start) = (Turns::new(3, SECOND), Instant::now());

        turns.empty(start);

        assert_eq!(turns.take(start, SECOND), Some(SECOND));
        assert_eq!(turns.take(start, SECOND), None);
    }
}
