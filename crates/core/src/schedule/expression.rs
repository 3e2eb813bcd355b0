//! When a schedule is due: `cron(...)`, `rate(...)` or `at(...)` in a time zone, as Amazon EventBridge Scheduler writes them. Pure:
//! the rules of time zones are part of the program.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cron::Cron;

/// Why a text says no times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScheduleError(pub(super) String);

/// When something is due, without a time zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum When {
    Cron(Box<Cron>),
    Rate(SignedDuration),
    At(DateTime),
}

/// A `ScheduleExpression`, as it was written and as it is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Expression {
    text: String,
    when: When,
}

impl From<Expression> for String {
    fn from(expression: Expression) -> Self {
        expression.text
    }
}

impl TryFrom<String> for Expression {
    type Error = ScheduleError;
    fn try_from(text: String) -> Result<Self, ScheduleError> {
        text.parse()
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Expression {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        let when = if let Some(fields) = inner("cron") {
            When::Cron(Box::new(fields.parse()?))
        } else if let Some(rate) = inner("rate") {
            When::Rate(period(rate)?)
        } else if let Some(at) = inner("at") {
            When::At(at.parse().map_err(|_| {
                ScheduleError(format!("{at:?} is no time: at(2026-01-31T18:00:00) is one"))
            })?)
        } else {
            return Err(ScheduleError(format!(
                "{text:?} is none of cron(...), rate(...) and at(...)"
            )));
        };
        Ok(Self { text: text.to_owned(), when })
    }
}

/// `5 minutes`.
fn period(text: &str) -> Result<SignedDuration, ScheduleError> {
    let wrong = || {
        ScheduleError(format!(
            "{text:?} is no rate: say how many minutes, hours or days, as in rate(5 minutes)"
        ))
    };
    let (n, unit) = text.trim().split_once(' ').ok_or_else(wrong)?;
    let n: u32 = n.parse().ok().filter(|n| 0 < *n).ok_or_else(wrong)?;
    let secs: i64 = match unit.trim() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        _ => return Err(wrong()),
    };
    Ok(SignedDuration::from_secs(secs.saturating_mul(i64::from(n))))
}

/// A time zone of the IANA's list, which comes with the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Zone(TimeZone);

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iana_name().hash(state);
    }
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);
}

impl FromStr for Zone {
    type Err = ScheduleError;

    fn from_str(name: &str) -> Result<Self, ScheduleError> {
        if name == "UTC" {
            return Ok(Self::UTC);
        }
        let zone = TimeZone::get(name);
        zone.map(Self).map_err(|_| {
            ScheduleError(format!("{name:?} is no time zone: Europe/Berlin and UTC are"))
        })
    }
}

impl TryFrom<String> for Zone {
    type Error = ScheduleError;
    fn try_from(name: String) -> Result<Self, ScheduleError> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.to_string()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl Zone {
    /// When it is this civil time: the first of two where clocks are put back, never where they are put forward over it.
    fn first(&self, at: DateTime) -> Option<Timestamp> {
        let ambiguous = self.0.to_ambiguous_timestamp(at);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                ambiguous.earlier().ok()
            }
            AmbiguousOffset::Gap { .. } => None,
        }
    }
}

impl Expression {
    /// Whether it counts from when it began.
    pub const fn is_rate(&self) -> bool {
        matches!(self.when, When::Rate(_))
    }

    /// The first time it is due after `after`; of a rate, the first of `anchor`, one period later, and so on.
    pub fn next_after(
        &self,
        after: Timestamp,
        zone: &Zone,
        anchor: Timestamp,
    ) -> Option<Timestamp> {
        match &self.when {
            When::At(at) => zone.first(*at).filter(|at| after < *at),
            When::Rate(period) => {
                if after < anchor {
                    return Some(anchor);
                }
                let n = after.duration_since(anchor).as_secs() / period.as_secs() + 1;
                let since = period.as_secs().checked_mul(n)?;
                anchor.checked_add(SignedDuration::from_secs(since)).ok()
            }
            When::Cron(cron) => {
                let mut from = zone.0.to_datetime(after);
                loop {
                    let civil = cron.next_from(from)?;
                    // The clock may show a time twice: what was due the first time is not due again.
                    if let Some(at) = zone.first(civil).filter(|at| after < *at) {
                        return Some(at);
                    }
                    from = civil.checked_add(SignedDuration::from_mins(1)).ok()?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn times(expression: &str, zone: &str, after: &str, n: usize) -> Vec<String> {
        let expression: Expression = expression.parse().unwrap();
        let (zone, anchor): (Zone, _) = (zone.parse().unwrap(), at("2026-01-01T00:00:30Z"));
        let next = |after: &Timestamp| expression.next_after(*after, &zone, anchor);
        let all = std::iter::successors(next(&at(after)), next);
        all.take(n).map(|at| at.to_string()).collect()
    }

    #[test]
    fn a_rate_counts_from_its_anchor() {
        assert_eq!(
            times("rate(5 minutes)", "UTC", "2025-12-31T00:00:00Z", 2),
            ["2026-01-01T00:00:30Z", "2026-01-01T00:05:30Z"]
        );
        assert_eq!(
            times("rate(1 day)", "UTC", "2026-01-02T00:00:30Z", 1),
            ["2026-01-03T00:00:30Z"]
        );
    }

    #[test]
    fn a_time_that_clocks_skip_is_skipped_and_one_that_comes_twice_comes_once() {
        assert_eq!(
            times("cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28T00:00:00Z", 2),
            ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"]
        );
        assert_eq!(
            times("cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        // In the hour that comes the second time nothing is due that was due in the first.
        assert_eq!(
            times("cron(0/30 * * * ? *)", "Europe/Berlin", "2026-10-24T23:50:00Z", 4),
            [
                "2026-10-25T00:00:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T02:00:00Z",
                "2026-10-25T02:30:00Z"
            ]
        );
    }

    #[test]
    fn one_time_is_due_once() {
        let expression = "at(2026-07-01T12:00:00)";

        assert_eq!(
            times(expression, "America/New_York", "2026-01-01T00:00:00Z", 9),
            ["2026-07-01T16:00:00Z"]
        );
    }

    #[test]
    fn what_is_no_expression_or_zone_is_told() {
        let wrong = ["", "5 minutes", "rate(0 minutes)", "rate(5 weeks)", "rate(5)", "at(noon)"];
        for text in wrong {
            assert!(text.parse::<Expression>().is_err(), "{text}");
        }
        assert!("Mars/Olympus".parse::<Zone>().is_err());
        assert_eq!("Europe/Berlin".parse::<Zone>().unwrap().to_string(), "Europe/Berlin");
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let expression: Expression = "cron(0 2 ? * MON-FRI *)".parse().unwrap();
        let text = serde_json::to_string(&(&expression, Zone::UTC)).unwrap();

        assert_eq!(text, r#"["cron(0 2 ? * MON-FRI *)","UTC"]"#);
        let (read, zone): (Expression, Zone) = serde_json::from_str(&text).unwrap();
        assert_eq!((read, zone), (expression, Zone::UTC));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        /// Against looking at every minute of three days around a change of clocks.
        #[test]
        fn in_any_zone_each_time_of_the_clock_is_due_at_its_first_minute(
            zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
            start in prop::sample::select(vec!["2026-03-07T00:00:00Z", "2026-03-28T00:00:00Z", "2026-04-04T00:00:00Z", "2026-10-24T00:00:00Z", "2026-10-31T00:00:00Z"]),
            minute in 0..60_u8,
            hours in "\\*|[0-3]|1-3|\\*/2",
        ) {
            let hours = hours.replace("*/2", "0/2");
            let text = format!("cron({minute} {hours} * * ? *)");
            let (expression, tz): (Expression, Zone) = (text.parse().unwrap(), zone.parse().unwrap());
            let cron: Cron = format!("{minute} {hours} * * ? *").parse().unwrap();
            let start = at(start);
            let mut seen = std::collections::BTreeSet::new();
            let mut expected = Vec::new();
            for n in 0..3 * 24 * 60 {
                let now = start + SignedDuration::from_mins(n);
                let civil = tz.0.to_datetime(now);
                let is_due = cron.next_from(civil) == Some(civil);
                if is_due && seen.insert(civil) && n != 0 {
                    expected.push(now);
                }
            }

            let next = |after: &Timestamp| expression.next_after(*after, &tz, start);
            let end = start + SignedDuration::from_mins(3 * 24 * 60);
            let found: Vec<Timestamp> =
                std::iter::successors(next(&start), next).take_while(|at| *at < end).collect();

            prop_assert_eq!(found, expected);
        }
    }
}
