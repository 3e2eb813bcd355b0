//! What has come up in each of the last days, as far as it is closed: of hosts that are gone, and of attempts that have ended. What runs is
//! not in it. Always kept, so that a budget that is set in the middle of a month knows what was spent before. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use spillway_core::spending::{day_of, midnight};
use spillway_core::{Change, MicroUsd, Payer};

use crate::limits;

/// A cost that is closed: by when how much of it had come up.
pub(crate) struct Course<F> {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// All of it.
    pub(crate) total: MicroUsd,
    /// What had come up by then; it never falls.
    pub(crate) by: F,
}

impl<F: Fn(Timestamp) -> MicroUsd> Course<F> {
    /// What of it came up in each day. The parts sum to the whole.
    fn by_day(&self) -> Vec<(Date, MicroUsd)> {
        let (mut day, last) = (day_of(self.from), day_of(self.until.max(self.from)));
        let mut before = MicroUsd::ZERO;
        let mut parts = Vec::new();
        while day < last {
            let Ok(next) = day.tomorrow() else { break };
            let by_then = (self.by)(midnight(next)).min(self.total).max(before);
            parts.push((day, by_then.saturating_sub(before)));
            (day, before) = (next, by_then);
        }
        parts.push((last, self.total.saturating_sub(before)));
        parts.retain(|(_, part)| *part != MicroUsd::ZERO);
        parts
    }
}

/// The days.
#[derive(Debug, Default)]
pub(crate) struct DayBooks {
    days: BTreeMap<(Date, Payer), MicroUsd>,
    /// What must be written.
    touched: BTreeSet<(Date, Payer)>,
}

impl DayBooks {
    pub(crate) const fn new(days: BTreeMap<(Date, Payer), MicroUsd>) -> Self {
        Self { days, touched: BTreeSet::new() }
    }

    /// Books a cost to the days in which it came up, and tells what of it to which. What is older than any budget looks back is
    /// forgotten.
    pub(crate) fn book(
        &mut self,
        now: Timestamp,
        payer: &Payer,
        course: &Course<impl Fn(Timestamp) -> MicroUsd>,
    ) -> Vec<(Date, MicroUsd)> {
        let today = day_of(now);
        let oldest = today.checked_sub(limits::SPENDING_DAYS_KEPT.days()).unwrap_or(Date::MIN);
        let mut parts = course.by_day();
        parts.retain(|(day, _)| oldest <= *day);
        for (day, part) in &parts {
            let key = (*day, payer.clone());
            *self.days.entry(key.clone()).or_default() += *part;
            self.touched.insert(key);
        }
        if self.days.first_key_value().is_some_and(|((day, _), _)| *day < oldest) {
            let kept = self.days.split_off(&(oldest, Payer::All));
            let old = std::mem::replace(&mut self.days, kept);
            self.touched.extend(old.into_keys());
        }
        parts
    }

    /// What has come up from one day up to another, that one left out, for those that count.
    pub(crate) fn sum(&self, from: Date, until: Date, counts: impl Fn(&Payer) -> bool) -> MicroUsd {
        let days = self.days.range((from, Payer::All)..);
        let within = days.take_while(|((day, _), _)| *day < until);
        within.filter(|((_, payer), _)| counts(payer)).map(|(_, spent)| *spent).sum()
    }

    /// What must be written.
    pub(crate) fn take_changes(&mut self, changes: &mut Vec<Change>) {
        for (day, payer) in std::mem::take(&mut self.touched) {
            let spent = self.days.get(&(day, payer.clone())).copied();
            changes.push(Change::PutSpending { day, payer, spent });
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use spillway_core::{MicroUsdPerHour, cost};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    const PRICE: MicroUsdPerHour = MicroUsdPerHour::new(3_600_000);

    fn host(from: Timestamp, until: Timestamp) -> Course<impl Fn(Timestamp) -> MicroUsd> {
        let total = cost::bill(PRICE, from, until);
        let by = move |at| cost::billed_by(PRICE, from, until, at);
        Course { from, until, total, by }
    }

    /// At a dollar a second's thousandth: 1,000 micro-dollars a second.
    #[test]
    fn a_bill_over_midnight_is_of_both_days() {
        let mut books = DayBooks::default();
        let (from, until) = (at("2026-01-01T23:00:00Z"), at("2026-01-02T02:00:00Z"));

        books.book(until, &Payer::All, &host(from, until));

        let sum = |from, until| books.sum(day(from), day(until), |_| true).get();
        assert_eq!(sum("2026-01-01", "2026-01-02"), 3_600_000);
        assert_eq!(sum("2026-01-02", "2026-01-03"), 7_200_000);
        assert_eq!(sum("2026-01-01", "2026-01-03"), 10_800_000);
    }

    #[test]
    fn what_no_budget_looks_back_to_is_forgotten_in_the_ledger_too() {
        let mut books = DayBooks::default();
        let hour = SignedDuration::from_hours(1);
        let (first, later) = (at("2026-01-01T01:00:00Z"), at("2026-03-01T01:00:00Z"));
        books.book(first + hour, &Payer::All, &host(first, first + hour));
        books.take_changes(&mut Vec::new());

        books.book(later + hour, &Payer::All, &host(later, later + hour));

        let mut changes = Vec::new();
        books.take_changes(&mut changes);
        let forgotten =
            Change::PutSpending { day: day("2026-01-01"), payer: Payer::All, spent: None };
        assert_eq!((changes.len(), &changes[0]), (2, &forgotten));
    }

    proptest! {
        #[test]
        fn the_days_of_a_bill_sum_to_it(
            launched in 0_i64..400_000,
            lasts in 0_i64..400_000,
            micro in 0_u64..90_000_000,
        ) {
            let price = MicroUsdPerHour::new(micro);
            let from = at("2026-01-01T00:00:00Z") + SignedDuration::from_secs(launched);
            let until = from + SignedDuration::from_secs(lasts);
            let total = cost::bill(price, from, until);
            let course = Course { from, until, total, by: |at| cost::billed_by(price, from, until, at) };

            let parts = course.by_day();

            prop_assert_eq!(parts.iter().map(|(_, part)| *part).sum::<MicroUsd>(), total);
            prop_assert!(parts.windows(2).all(|two| two[0].0 < two[1].0));
        }
    }
}
