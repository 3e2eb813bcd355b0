//! The driver's view of the clock: it never goes back.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::limits;

/// A clock that stands still rather than go back a little.
#[derive(Debug)]
pub(super) struct Steady<T> {
    clock: Arc<T>,
    last: Timestamp,
}

/// What it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The time, not before any that was read.
    At(Timestamp),
    /// Somebody set the clock back by so much that standing still would stop every timer. The reader must start over
    /// from this time.
    SetBack { now: Timestamp, by: SignedDuration },
}

impl<T: Clock> Steady<T> {
    pub(super) fn new(clock: Arc<T>) -> Self {
        let last = clock.now();
        Self { clock, last }
    }

    /// The time that was read last; at first, that it started from.
    pub(super) const fn last(&self) -> Timestamp {
        self.last
    }

    pub(super) fn clock(&self) -> &Arc<T> {
        &self.clock
    }

    pub(super) fn read(&mut self) -> Reading {
        let now = self.clock.now();
        let by = self.last.duration_since(now);
        if limits::CLOCK_STEP_MAX < by {
            self.last = now;
            return Reading::SetBack { now, by };
        }
        self.last = self.last.max(now);
        Reading::At(self.last)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Hand(Mutex<Timestamp>);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }

        async fn sleep_until(&self, _at: Timestamp) {}
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn a_clock_set_back_a_little_stands_still_and_one_set_back_far_is_told() {
        let hand = Arc::new(Hand(Mutex::new(at(1_000))));
        let mut steady = Steady::new(Arc::clone(&hand));
        let mut set = |secs: i64| {
            *hand.0.lock().unwrap() = at(secs);
            steady.read()
        };

        assert_eq!(set(1_001), Reading::At(at(1_001)));
        assert_eq!(set(995), Reading::At(at(1_001)));
        assert_eq!(set(1_002), Reading::At(at(1_002)));
        let by = SignedDuration::from_secs(502);
        assert_eq!(set(500), Reading::SetBack { now: at(500), by });
        assert_eq!(set(501), Reading::At(at(501)));
    }
}
