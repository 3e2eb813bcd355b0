//! A token bucket of the AWS API, as a schedule: each call is told when it may be sent.

use jiff::{SignedDuration, Timestamp};

/// A bucket of `burst` calls that refills at a steady rate (the generic cell rate algorithm, ITU-T I.371): it needs
/// one number of state and no timer of its own.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    interval: SignedDuration,
    tolerance: SignedDuration,
    /// When the bucket would be full again.
    full_at: Option<Timestamp>,
}

impl Budget {
    /// `burst` calls at once, `per_sec` (at least 1) in the long run.
    pub(crate) fn new(burst: u32, per_sec: u32) -> Self {
        let interval = SignedDuration::from_nanos(1_000_000_000 / i64::from(per_sec.max(1)));
        let n_ahead = i32::try_from(burst.saturating_sub(1)).unwrap_or(i32::MAX);
        Self { interval, tolerance: interval.saturating_mul(n_ahead), full_at: None }
    }

    /// Takes one call out of the bucket; it may be sent at the time returned, `now` or later.
    pub(crate) fn take(&mut self, now: Timestamp) -> Timestamp {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        self.full_at = Some(full_at + self.interval);
        (full_at - self.tolerance).max(now)
    }

    /// When `n` calls (at most a burst) could be sent at once, if none is sent before; `now` or later.
    pub(crate) fn free_at(&self, now: Timestamp, n: u32) -> Timestamp {
        let more = i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX);
        let at = self.full_at.map_or(now, |at| at - self.tolerance + self.interval * more);
        at.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_refill_rate() {
        let mut budget = Budget::new(3, 10);
        let now = Timestamp::UNIX_EPOCH;

        let at: Vec<i64> = (0..5).map(|_| budget.take(now).as_millisecond()).collect();

        assert_eq!(at, [0, 0, 0, 100, 200]);
    }

    #[test]
    fn room_for_several_calls_is_told_beforehand() {
        let mut budget = Budget::new(3, 10);
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(budget.free_at(now, 3), now);

        for _ in 0..3 {
            budget.take(now);
        }

        let free_in = |n| budget.free_at(now, n).duration_since(now).as_millis();
        assert_eq!([1, 2, 3].map(free_in), [100, 200, 300]);
    }

    #[test]
    fn a_rested_bucket_is_full_again() {
        let mut budget = Budget::new(2, 10);
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..10 {
            budget.take(now);
        }

        let later = now + SignedDuration::from_secs(60);

        assert_eq!(budget.take(later), later);
        assert_eq!(budget.take(later), later);
        assert!(later < budget.take(later));
    }
}
