//! `cron(minutes hours day-of-month month day-of-week year)` as Amazon EventBridge Scheduler reads it (user guide, "Cron-based
//! schedules"): six fields, 1 is Sunday, and one of the two days is `?`. Times are civil: which instants they are is said by a
//! time zone elsewhere.

use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Span, ToSpan as _};

use super::ScheduleError;

/// The years that EventBridge knows.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// When a schedule is due, in civil time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cron {
    minutes: Numbers,
    hours: Numbers,
    months: Numbers,
    years: Numbers,
    day: Day,
}

/// Numbers that a field names, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Numbers(Vec<i16>);

impl Numbers {
    fn contains(&self, n: i16) -> bool {
        self.0.binary_search(&n).is_ok()
    }

    /// The first that is at least `n`.
    fn from(&self, n: i16) -> Option<i16> {
        self.0.get(self.0.partition_point(|known| *known < n)).copied()
    }
}

/// Which days of a month.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Day {
    /// These, by number.
    Of(Numbers),
    /// The last.
    Last,
    /// The last from Monday to Friday.
    LastWorkday,
    /// The one from Monday to Friday that is nearest to this, within the month.
    WorkdayNear(i16),
    /// These of the week; 1 is Sunday.
    OfWeek(Numbers),
    /// The last such day of the week.
    LastOfWeek(i16),
    /// The n-th such day of the week.
    NthOfWeek(i16, i16),
}

fn wrong(field: &str, text: &str, why: &str) -> ScheduleError {
    ScheduleError(format!("{text:?} is no {field} of a cron expression: {why}"))
}

impl FromStr for Cron {
    type Err = ScheduleError;

    /// What is between the brackets.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, of_month, month, of_week, year] = fields.as_slice() else {
            let n = fields.len();
            return Err(ScheduleError(format!(
                "a cron expression has six fields (minutes, hours, day of month, month, day of week, year), not {n}"
            )));
        };
        let cron = Self {
            minutes: numbers("minute", minutes, &(0..=59), &[])?,
            hours: numbers("hour", hours, &(0..=23), &[])?,
            months: numbers("month", month, &(1..=12), &MONTHS)?,
            years: numbers("year", year, &YEARS, &[])?,
            day: day(of_month, of_week)?,
        };
        let first = Date::constant(*YEARS.start(), 1, 1).at(0, 0, 0, 0);
        if cron.next_from(first).is_none() {
            return Err(ScheduleError(format!("there is no such time as cron({text})")));
        }
        Ok(cron)
    }
}

fn day(of_month: &str, of_week: &str) -> Result<Day, ScheduleError> {
    match (of_month, of_week) {
        ("?", "?") => Err(ScheduleError("only one of the two days may be ?".to_owned())),
        ("?", of_week) => day_of_week(of_week),
        (of_month, "?") => day_of_month(of_month),
        (_, _) => Err(ScheduleError(
            "one of the two days, of the month or of the week, must be ?".to_owned(),
        )),
    }
}

fn day_of_month(text: &str) -> Result<Day, ScheduleError> {
    const FIELD: &str = "day of month";
    match text {
        "L" => return Ok(Day::Last),
        "LW" => return Ok(Day::LastWorkday),
        _ => {}
    }
    let Some(near) = text.strip_suffix('W') else {
        return Ok(Day::Of(numbers(FIELD, text, &(1..=31), &[])?));
    };
    let near = near.parse().ok().filter(|n| (1..=31).contains(n));
    near.map(Day::WorkdayNear).ok_or_else(|| wrong(FIELD, text, "W follows a day, as in 15W"))
}

fn day_of_week(text: &str) -> Result<Day, ScheduleError> {
    const FIELD: &str = "day of week";
    let one = |text: &str| value(FIELD, text, &(1..=7), &DAYS);
    if text == "L" {
        return Ok(Day::OfWeek(Numbers(vec![7])));
    }
    if let Some(last) = text.strip_suffix('L') {
        return Ok(Day::LastOfWeek(one(last)?));
    }
    let Some((day, n)) = text.split_once('#') else {
        return Ok(Day::OfWeek(numbers(FIELD, text, &(1..=7), &DAYS)?));
    };
    let n = n.parse().ok().filter(|n| (1..=5).contains(n));
    let n = n.ok_or_else(|| wrong(FIELD, text, "1 to 5 follows #, as in 3#2"))?;
    Ok(Day::NthOfWeek(one(day)?, n))
}

/// A number, or its name; names begin with the first number.
fn value(
    field: &str,
    text: &str,
    range: &std::ops::RangeInclusive<i16>,
    names: &[&str],
) -> Result<i16, ScheduleError> {
    let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let by_name = by_name.and_then(|at| i16::try_from(at).ok()).map(|at| range.start() + at);
    let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = by_name.or_else(|| text.parse().ok().filter(|_| is_plain));
    number.filter(|n| range.contains(n)).ok_or_else(|| {
        wrong(field, text, &format!("it is not within {} to {}", range.start(), range.end()))
    })
}

/// `*`, `n`, `a-b`, each perhaps with `/step`, and lists of them. A range may go past the end and on from the beginning, as
/// FRI-MON does.
fn numbers(
    field: &str,
    text: &str,
    range: &std::ops::RangeInclusive<i16>,
    names: &[&str],
) -> Result<Numbers, ScheduleError> {
    let mut all = std::collections::BTreeSet::new();
    for item in text.split(',') {
        let (span, step) = match item.split_once('/') {
            Some((span, step)) => {
                let step = step.parse().ok().filter(|step: &i16| 0 < *step);
                let step = step.ok_or_else(|| wrong(field, text, "a whole number follows /"))?;
                (span, Some(step))
            }
            None => (item, None),
        };
        let (from, to) = match span.split_once('-') {
            Some((from, to)) => {
                (value(field, from, range, names)?, value(field, to, range, names)?)
            }
            None if span == "*" => (*range.start(), *range.end()),
            None => {
                let from = value(field, span, range, names)?;
                // `5/15` is from 5 to the end.
                (from, if step.is_some() { *range.end() } else { from })
            }
        };
        let size = range.end() - range.start() + 1;
        let to = if to < from { to + size } else { to };
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
        all.extend((from..=to).step_by(step).map(|n| if *range.end() < n { n - size } else { n }));
    }
    Ok(Numbers(all.into_iter().collect()))
}

impl Cron {
    /// The first such minute that is not before `from`. None after the last year.
    pub fn next_from(&self, from: DateTime) -> Option<DateTime> {
        // Within a day only whole minutes count: a minute that has begun is over.
        let is_whole = from.second() == 0 && from.subsec_nanosecond() == 0;
        let minute: Span = if is_whole { 0.minutes() } else { 1.minute() };
        let from = from.date().at(from.hour(), from.minute(), 0, 0).checked_add(minute).ok()?;
        let mut date = from.date();
        let mut first = (i16::from(from.hour()), i16::from(from.minute()));
        loop {
            let year = self.years.from(date.year())?;
            if year != date.year() {
                date = Date::new(year, 1, 1).ok()?;
                first = (0, 0);
            }
            if !self.months.contains(i16::from(date.month())) {
                date = date.first_of_month().checked_add(1.month()).ok()?;
                first = (0, 0);
                continue;
            }
            if self.day.is(date)
                && let Some((hour, minute)) = self.time_from(first)
            {
                return Some(date.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0));
            }
            date = date.tomorrow().ok()?;
            first = (0, 0);
        }
    }

    /// The first time of a day that is not before this hour and minute.
    fn time_from(&self, (hour, minute): (i16, i16)) -> Option<(i16, i16)> {
        if self.hours.contains(hour)
            && let Some(minute) = self.minutes.from(minute)
        {
            return Some((hour, minute));
        }
        Some((self.hours.from(hour + 1)?, self.minutes.from(0)?))
    }
}

impl Day {
    fn is(&self, date: Date) -> bool {
        let day = i16::from(date.day());
        let last = i16::from(date.days_in_month());
        let of_week = i16::from(date.weekday().to_sunday_one_offset());
        match self {
            Self::Of(days) => days.contains(day),
            Self::Last => day == last,
            Self::LastWorkday => day == workday_near(date, last),
            Self::WorkdayNear(near) => *near <= last && day == workday_near(date, *near),
            Self::OfWeek(days) => days.contains(of_week),
            Self::LastOfWeek(wanted) => of_week == *wanted && last < day + 7,
            Self::NthOfWeek(wanted, n) => of_week == *wanted && (day - 1) / 7 + 1 == *n,
        }
    }
}

/// The day from Monday to Friday that is nearest to a day of the month of `date`, within that month.
fn workday_near(date: Date, near: i16) -> i16 {
    let day = i8::try_from(near).ok().and_then(|near| date.with().day(near).build().ok());
    let last = i16::from(date.days_in_month());
    match day.map(Date::weekday) {
        Some(Weekday::Saturday) if near == 1 => 3,
        Some(Weekday::Saturday) => near - 1,
        Some(Weekday::Sunday) if near == last => near - 2,
        Some(Weekday::Sunday) => near + 1,
        Some(_) | None => near,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cron(text: &str) -> Cron {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn next(text: &str, from: &str) -> String {
        let next = cron(text).next_from(from.parse().unwrap());
        next.map_or_else(|| "never".to_owned(), |at| at.to_string())
    }

    #[test]
    fn the_examples_of_the_user_guide_are_read_as_it_says() {
        // Thursday.
        let from = "2026-01-01T10:00:00";

        assert_eq!(next("0 10 * * ? *", from), "2026-01-01T10:00:00");
        assert_eq!(next("15 12 * * ? *", from), "2026-01-01T12:15:00");
        assert_eq!(next("0 18 ? * MON-FRI *", from), "2026-01-01T18:00:00");
        assert_eq!(next("0 8 1 * ? *", from), "2026-02-01T08:00:00");
        assert_eq!(next("0/15 * * * ? *", "2026-01-01T10:01:00"), "2026-01-01T10:15:00");
        assert_eq!(next("0/10 * ? * MON-FRI *", "2026-01-02T23:55:00"), "2026-01-05T00:00:00");
        assert_eq!(next("0 9 ? * 2#1 *", from), "2026-01-05T09:00:00", "2 is Monday");
        assert_eq!(next("0 10 ? * 6L 2022-2030", from), "2026-01-30T10:00:00");
    }

    #[test]
    fn the_last_day_and_the_nearest_workday_stay_within_their_month() {
        let from = "2026-01-01T00:00:00";

        assert_eq!(next("0 0 L * ? *", "2028-02-01T00:00:00"), "2028-02-29T00:00:00");
        assert_eq!(next("0 0 LW 1 ? *", from), "2026-01-30T00:00:00", "the 31st is a Saturday");
        assert_eq!(next("0 0 10W 1 ? *", from), "2026-01-09T00:00:00", "the 10th is a Saturday");
        assert_eq!(next("0 0 1W 8 ? *", from), "2026-08-03T00:00:00", "not in July");
        assert_eq!(next("0 0 31W 5 ? *", from), "2026-05-29T00:00:00", "not in June");
        assert_eq!(next("0 0 31W 4-5 ? *", from), "2026-05-29T00:00:00", "April has no 31st");
    }

    #[test]
    fn a_range_may_go_past_the_end_of_the_week() {
        assert_eq!(next("0 0 ? * FRI-MON *", "2026-01-06T00:00:00"), "2026-01-09T00:00:00");
        assert_eq!(next("0 22-2/2 * * ? *", "2026-01-06T02:30:00"), "2026-01-06T22:00:00");
    }

    #[test]
    fn leap_days_and_years_are_waited_for() {
        assert_eq!(next("0 0 29 2 ? *", "2026-03-01T00:00:00"), "2028-02-29T00:00:00");
        assert_eq!(next("30 6 1 1 ? 2040", "2026-03-01T00:00:00"), "2040-01-01T06:30:00");
        assert_eq!(next("30 6 1 1 ? 2020", "2026-03-01T00:00:00"), "never");
    }

    #[test]
    fn a_minute_that_has_begun_is_over() {
        assert_eq!(next("* * * * ? *", "2026-12-31T23:59:00.5"), "2027-01-01T00:00:00");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |text: &str| text.parse::<Cron>().unwrap_err().to_string();

        for (text, what) in [
            ("* * * * *", "six fields"),
            ("* * * * * *", "must be ?"),
            ("* * ? * ? *", "only one"),
            ("60 * * * ? *", "not within 0 to 59"),
            ("* 5/0 * * ? *", "follows /"),
            ("* * ? * 2#6 *", "1 to 5 follows #"),
            ("* * W * ? *", "15W"),
            ("* * * FOO ? *", "not within 1 to 12"),
            ("* * 30 2 ? *", "no such time"),
            ("+5 * * * ? *", "not within"),
        ] {
            assert!(said(text).contains(what), "{text}: {}", said(text));
        }
    }

    /// Looks at every minute.
    fn naive(cron: &Cron, from: DateTime) -> Option<DateTime> {
        let mut at = from;
        for _ in 0..60 * 24 * 70 {
            let time = (i16::from(at.hour()), i16::from(at.minute()));
            let is_due = cron.minutes.contains(time.1)
                && cron.hours.contains(time.0)
                && cron.months.contains(i16::from(at.month()))
                && cron.years.contains(at.year())
                && cron.day.is(at.date());
            if is_due {
                return Some(at);
            }
            at = at.checked_add(1.minute()).ok()?;
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn the_next_time_is_the_first_minute_that_is_one(
            minute in "[0-5]?[0-9]|\\*|[0-9]/[1-9]|[0-9],[1-5][0-9]",
            hour in "[0-9]|1[0-9]|\\*|2[0-3]-[0-4]",
            day in "\\* \\* \\?|[1-9] \\* \\?|L \\* \\?|LW \\* \\?|[12]?[1-9]W \\* \\?|\\? \\* [1-7]|\\? \\* [1-7]#[1-4]|\\? \\* [1-7]L",
            from in 0..60_i64 * 24 * 365 * 3,
        ) {
            let cron = cron(&format!("{minute} {hour} {day} *"));
            let from = DateTime::constant(2026, 1, 1, 0, 0, 0, 0)
                .checked_add(from.minutes())
                .unwrap();

            prop_assert_eq!(cron.next_from(from), naive(&cron, from));
        }
    }
}
