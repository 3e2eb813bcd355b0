//! A token bucket of the AWS API: when the next call may be sent. Slows down where AWS has less to give than it documents.

use jiff::{SignedDuration, Timestamp};

use crate::limits;

/// Thousandths.
pub(crate) const WHOLE: u32 = 1_000;

/// A bucket of so many calls that refills at a steady rate (the generic cell rate algorithm, ITU-T I.371): it needs one number of
/// state and no timer of its own.
///
/// What AWS documents is for an account and a region, and others may use them too. So the rate adapts as TCP's does (additive
/// increase, multiplicative decrease: Chiu and Jain, 1989): a throttled call takes a part of it, and it comes back steadily.
#[derive(Debug, Clone)]
pub(crate) struct Rate {
    /// Between two calls, as AWS documents it.
    interval: SignedDuration,
    /// A full bucket, as the time in which it refills.
    tolerance: SignedDuration,
    /// When the bucket would be full again.
    full_at: Option<Timestamp>,
    /// The part of the documented rate that was left when a call was last throttled, in thousandths; and when that was.
    slowed: Option<(u32, Timestamp)>,
}

impl Rate {
    /// `burst` calls at once, `per_sec` (at least 1) in the long run.
    pub(crate) fn new(burst: u32, per_sec: u32) -> Self {
        let interval = SignedDuration::from_nanos(1_000_000_000 / i64::from(per_sec.max(1)));
        let n_ahead = i32::try_from(burst.saturating_sub(1)).unwrap_or(i32::MAX);
        let tolerance = interval.saturating_mul(n_ahead);
        Self { interval, tolerance, full_at: None, slowed: None }
    }

    /// Takes one call out of the bucket; it may be sent at the time returned, `now` or later.
    pub(crate) fn take(&mut self, now: Timestamp) -> Timestamp {
        let at = self.free_at(now, 1);
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        self.full_at = Some(full_at + self.interval_at(now));
        at
    }

    /// When `n` calls could have been sent, if none is sent before; `now` or later.
    pub(crate) fn free_at(&self, now: Timestamp, n: u32) -> Timestamp {
        let more = i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX);
        let ahead = self.interval_at(now).saturating_mul(more);
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        full_at
            .saturating_sub(self.tolerance)
            .and_then(|at| at.saturating_add(ahead))
            .map_or(now, |at| at.max(now))
    }

    /// A call was throttled: the bucket is empty, and refills more slowly than was thought.
    pub(crate) fn throttled(&mut self, now: Timestamp) {
        let since = self.slowed.map(|(_, at)| now.duration_since(at));
        // What was sent at the same time is throttled for the same reason.
        if since.is_some_and(|since| since < limits::THROTTLES_APART) {
            return;
        }
        let part = self.part_at(now) / 10 * limits::THROTTLED_TENTHS;
        self.slowed = Some((part.max(limits::RATE_MIN_MILLI), now));
        let empty = now + self.tolerance + self.interval_at(now);
        self.full_at = Some(self.full_at.map_or(empty, |at| at.max(empty)));
    }

    /// The part of the documented rate that calls are sent at, in thousandths.
    pub(crate) fn part_at(&self, now: Timestamp) -> u32 {
        let Some((part, at)) = self.slowed else { return WHOLE };
        let back = now.duration_since(at).as_millis() * i128::from(WHOLE);
        let back = back / limits::RATE_BACK_AFTER.as_millis();
        let back = u32::try_from(back).unwrap_or(if back < 0 { 0 } else { WHOLE });
        part.saturating_add(back).min(WHOLE)
    }

    fn interval_at(&self, now: Timestamp) -> SignedDuration {
        let part = self.part_at(now);
        if part == WHOLE {
            return self.interval;
        }
        self.interval * i32::try_from(WHOLE).unwrap_or(i32::MAX)
            / i32::try_from(part.max(1)).unwrap_or(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sec(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_refill_rate() {
        let mut rate = Rate::new(3, 10);
        let now = Timestamp::UNIX_EPOCH;

        let at: Vec<i64> = (0..5).map(|_| rate.take(now).as_millisecond()).collect();

        assert_eq!(at, [0, 0, 0, 100, 200]);
    }

    #[test]
    fn room_for_several_calls_is_told_beforehand() {
        let mut rate = Rate::new(3, 10);
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(rate.free_at(now, 3), now);

        for _ in 0..3 {
            rate.take(now);
        }

        let free_in = |n| rate.free_at(now, n).duration_since(now).as_millis();
        assert_eq!([1, 2, 3].map(free_in), [100, 200, 300]);
    }

    #[test]
    fn a_rested_bucket_is_full_again() {
        let mut rate = Rate::new(2, 10);
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..10 {
            rate.take(now);
        }

        let later = now + SignedDuration::from_secs(60);

        assert_eq!(rate.take(later), later);
        assert_eq!(rate.take(later), later);
        assert!(later < rate.take(later));
    }

    #[test]
    fn a_throttled_call_empties_the_bucket_and_slows_what_follows() {
        let mut rate = Rate::new(100, 10);

        rate.throttled(sec(0));

        assert_eq!(rate.part_at(sec(0)), 700);
        let at: Vec<i64> = (0..3).map(|_| rate.take(sec(0)).as_millisecond()).collect();
        assert_eq!(at, [142, 285, 428], "a tenth of a second, and three sevenths more");
    }

    #[test]
    fn calls_throttled_together_count_once_and_others_add_up_to_a_limit() {
        let mut rate = Rate::new(100, 10);

        rate.throttled(sec(0));
        rate.throttled(sec(0));
        assert_eq!(rate.part_at(sec(0)), 700);

        for n in 1..50 {
            rate.throttled(sec(n));
        }
        assert_eq!(rate.part_at(sec(49)), limits::RATE_MIN_MILLI);
    }

    #[test]
    fn the_documented_rate_comes_back() {
        let mut rate = Rate::new(100, 10);
        rate.throttled(sec(0));

        let back = limits::RATE_BACK_AFTER.as_secs();

        assert_eq!(rate.part_at(sec(back / 10)), 800);
        assert_eq!(rate.part_at(sec(back)), 1_000);
    }
}
