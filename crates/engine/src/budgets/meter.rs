//! What running attempts have cost so far, without a look at each: a sum of prices, and of prices times beginnings. Decides nothing.

use jiff::Timestamp;
use spillway_core::{MicroUsd, MicroUsdPerHour};

const MILLIS_PER_HOUR: i128 = 3_600_000;

/// What some attempts cost from when each began to count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Meter {
    n: u64,
    /// The sum of their prices, in millionths of a dollar per hour.
    price: i128,
    /// The sum of their prices times their beginnings, in milliseconds since 1970.
    since: i128,
}

impl Meter {
    /// Of none.
    pub(crate) const NONE: Self = Self { n: 0, price: 0, since: 0 };

    /// One more, from then on.
    pub(crate) fn add(&mut self, price: MicroUsdPerHour, since: Timestamp) {
        let price = i128::from(price.get());
        self.n = self.n.saturating_add(1);
        self.price += price;
        self.since += price * i128::from(since.as_millisecond());
    }

    /// One less that was added as this.
    pub(crate) fn take(&mut self, price: MicroUsdPerHour, since: Timestamp) {
        let price = i128::from(price.get());
        self.n = self.n.saturating_sub(1);
        self.price -= price;
        self.since -= price * i128::from(since.as_millisecond());
    }

    /// What they have cost by now. Less than what each carries when it ends by two millionths of a dollar at most and one for each
    /// hour, and never more: so spending never falls because an attempt ends.
    pub(crate) fn by(&self, now: Timestamp) -> MicroUsd {
        let whole = self.price * i128::from(now.as_millisecond()) - self.since;
        let micro = (whole / MILLIS_PER_HOUR).max(0);
        MicroUsd::new(u64::try_from(micro).unwrap_or(u64::MAX))
            .saturating_sub(MicroUsd::new(self.n))
    }

    /// What an hour of them costs.
    pub(crate) fn rate(&self) -> MicroUsdPerHour {
        MicroUsdPerHour::new(u64::try_from(self.price).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use spillway_core::{CpuUnits, MiB, Resources, cost};

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    proptest! {
        /// What is counted while attempts run, and what they carry when they end: never less then, and by next to nothing more.
        #[test]
        fn the_end_of_an_attempt_costs_no_more_than_was_counted_but_for_what_is_rounded(
            attempts in proptest::collection::vec(
                (0_i64..90_000_000, 1_u64..60_000_000, 1_u32..4_096, 1_u32..8_192),
                1..20,
            ),
            until in 90_000_000_i64..180_000_000,
        ) {
            let capacity = Resources::new(CpuUnits::new(4_096), MiB::new(8_192), 0);
            let mut meter = Meter::default();
            let (mut carried, mut slack) = (0_u64, 0_u64);
            for (since, price, cpu, memory) in &attempts {
                let need = Resources::new(CpuUnits::new(*cpu), MiB::new(*memory), 0);
                let price = MicroUsdPerHour::new(*price);
                let held = SignedDuration::from_millis(until - since);
                meter.add(cost::attempt_price(price, &need, &capacity), at(*since));
                carried += cost::attempt_cost(price, held, &need, &capacity).get();
                slack += 3 + held.as_hours().unsigned_abs();
            }

            let counted = meter.by(at(until)).get();

            prop_assert!(counted <= carried, "{counted} of {carried}");
            prop_assert!(carried - counted <= slack, "{counted} of {carried}");
        }

        #[test]
        fn what_is_taken_away_leaves_nothing_behind(
            attempts in proptest::collection::vec((0_i64..90_000_000, 0_u64..60_000_000), 0..20),
        ) {
            let mut meter = Meter::default();
            let each = || attempts.iter().map(|(since, price)| (MicroUsdPerHour::new(*price), at(*since)));
            for (price, since) in each() {
                meter.add(price, since);
            }
            for (price, since) in each() {
                meter.take(price, since);
            }

            prop_assert_eq!(meter, Meter::default());
        }

        #[test]
        fn it_never_falls_as_time_passes(
            since in 0_i64..90_000_000,
            price in 0_u64..60_000_000,
            steps in proptest::collection::vec(0_i64..9_000_000, 0..20),
        ) {
            let mut meter = Meter::default();
            meter.add(MicroUsdPerHour::new(price), at(since));
            let (mut now, mut before) = (since, MicroUsd::ZERO);
            for step in steps {
                now += step;
                prop_assert!(before <= meter.by(at(now)));
                before = meter.by(at(now));
            }
        }
    }
}
