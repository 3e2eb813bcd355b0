//! Who pays for what, and over which time a cost is counted: days, weeks and months of the calendar, in UTC. Only what is said and what
//! is remembered; what follows when a budget is spent is the control loop's concern.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use crate::id::{QueueName, ShareId};

/// Who pays: everybody together pay what the hosts cost, a share of a queue what its attempts carry of that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Payer {
    /// All together.
    All,
    /// The jobs of a share.
    Share {
        /// Its queue.
        queue: QueueName,
        /// Which of its shares.
        share: ShareId,
    },
}

/// A stretch of the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetPeriod {
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday (ISO 8601).
    Week,
    /// From the first to the first.
    Month,
}

impl BudgetPeriod {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the one that this day is in, and the first of the next. The calendar's ends have no day after them.
    pub fn around(self, day: Date) -> (Date, Date) {
        let back = |n: i8| day.checked_sub(i64::from(n).days()).unwrap_or(day);
        let first = match self {
            Self::Day => day,
            Self::Week => back(day.weekday().to_monday_zero_offset()),
            Self::Month => day.first_of_month(),
        };
        let next = match self {
            Self::Day => first.tomorrow(),
            Self::Week => first.checked_add(7.days()),
            Self::Month => first.last_of_month().tomorrow(),
        };
        (first, next.unwrap_or(Date::MAX))
    }
}

impl fmt::Display for BudgetPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no period of a budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{said:?} is no period of a budget: it is day, week or month")]
pub struct UnknownPeriod {
    /// What was said.
    pub said: String,
}

impl FromStr for BudgetPeriod {
    type Err = UnknownPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|period| period.as_str() == text);
        known.ok_or_else(|| UnknownPeriod { said: text.to_owned() })
    }
}

/// The day, in UTC.
pub fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// When a day begins, in UTC.
pub fn midnight(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn periods_begin_at_midnight_on_monday_and_on_the_first() {
        let around = |period: BudgetPeriod, text| period.around(day(text));

        let leap = (day("2028-02-29"), day("2028-03-01"));
        assert_eq!(around(BudgetPeriod::Day, "2028-02-29"), leap);
        let week = (day("2025-12-29"), day("2026-01-05"));
        for text in ["2025-12-29", "2026-01-01", "2026-01-04"] {
            assert_eq!(around(BudgetPeriod::Week, text), week, "{text}");
        }
        let month = (day("2026-12-01"), day("2027-01-01"));
        assert_eq!(around(BudgetPeriod::Month, "2026-12-31"), month);
    }

    #[test]
    fn a_word_that_is_no_period_is_answered_with_those_there_are() {
        assert_eq!("week".parse(), Ok(BudgetPeriod::Week));
        let error = "year".parse::<BudgetPeriod>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"year\" is no period of a budget: it is day, week or month"
        );
    }

    proptest! {
        /// So that no time is in none and none is in two.
        #[test]
        fn every_time_is_in_one_period_and_the_next_begins_where_it_ends(sec in 0_i64..4_000_000_000) {
            let at = Timestamp::from_second(sec).unwrap();
            for period in BudgetPeriod::ALL {
                let (first, next) = period.around(day_of(at));

                prop_assert!(midnight(first) <= at && at < midnight(next));
                prop_assert_eq!(period.around(next).0, next);
                prop_assert_eq!(period.around(first), (first, next));
            }
        }
    }
}
