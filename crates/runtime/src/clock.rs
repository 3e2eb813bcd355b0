//! The only clock of the program. Everything else is told the time.

use std::future::Future;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the time and waits for it.
pub trait Clock: Send + Sync + 'static {
    /// The time now. May step backwards, as the system's clock may; the driver evens that out.
    fn now(&self) -> Timestamp;

    /// Waits until `at` by this clock; returns at once if that is past. Cancel-safe.
    fn sleep_until(&self, at: Timestamp) -> impl Future<Output = ()> + Send;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        tokio::time::sleep(until(self.now(), at)).await;
    }
}

/// A clock that starts at `epoch` and runs `factor` times as fast as real time: for demonstrations, where an hour
/// passes in a minute.
#[derive(Debug, Clone, Copy)]
pub struct AcceleratedClock {
    factor: NonZeroU32,
    epoch: Timestamp,
    started: Instant,
}

impl AcceleratedClock {
    /// Starts it now.
    pub fn start(factor: NonZeroU32, epoch: Timestamp) -> Self {
        Self { factor, epoch, started: Instant::now() }
    }
}

impl Clock for AcceleratedClock {
    fn now(&self) -> Timestamp {
        let real = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        let factor = i32::try_from(self.factor.get()).unwrap_or(i32::MAX);
        self.epoch.saturating_add(real.saturating_mul(factor)).unwrap_or(Timestamp::MAX)
    }

    async fn sleep_until(&self, at: Timestamp) {
        // The division rounds down and timers round up: a second look makes up for it.
        loop {
            let left = until(self.now(), at);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep((left / self.factor.get()).max(Duration::from_millis(1))).await;
        }
    }
}

/// How long it is from `now` to `at`; nothing if that is past.
fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_hour_passes_in_a_minute_on_a_clock_sixty_times_as_fast() {
        let clock = AcceleratedClock::start(NonZeroU32::new(60).unwrap(), Timestamp::UNIX_EPOCH);
        let real_start = Instant::now();

        clock.sleep_until(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1)).await;

        assert_eq!(real_start.elapsed(), Duration::from_mins(1));
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_is_past_is_not_waited_for() {
        let clock = AcceleratedClock::start(NonZeroU32::MIN, Timestamp::UNIX_EPOCH);
        let real_start = Instant::now();

        clock.sleep_until(Timestamp::UNIX_EPOCH - SignedDuration::from_hours(1)).await;

        assert!(real_start.elapsed().is_zero());
    }
}
