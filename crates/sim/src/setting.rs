//! Values of a scenario as people write them: `"90s"`, `["40s", "90s"]`, `"2.5%"`. Held as integers.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A value that could not be read, with what would have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct SettingError {
    /// What was given.
    pub text: String,
    /// What was expected, with its article and an example.
    pub expected: &'static str,
}

/// A probability, or a mean number of times per hour, in millionths. Written in percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u32);

impl Chance {
    /// It never happens.
    pub const NEVER: Self = Self(0);

    /// So many percent.
    pub const fn percent(percent: u32) -> Self {
        Self(percent.saturating_mul(10_000))
    }

    /// So many millionths.
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(ppm)
    }

    /// Millionths.
    pub const fn ppm(self) -> u32 {
        self.0
    }
}

impl FromStr for Chance {
    type Err = SettingError;

    /// `"5%"`, `"0.25%"`: up to four decimals.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error =
            || SettingError { text: text.to_owned(), expected: "a percentage such as \"2.5%\"" };
        let number = text.trim().strip_suffix('%').ok_or_else(error)?.trim();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if number.is_empty() || !digits(whole) || !digits(fraction) || 4 < fraction.len() {
            return Err(error());
        }
        format!("{whole}{fraction:0<4}").parse().map(Self).map_err(|_| error())
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:04}", self.0 / 10_000, self.0 % 10_000);
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Serialize for Chance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Chance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Reads `"90s"`, `"2h 30m"`.
pub(crate) fn parse_span(text: &str) -> Result<SignedDuration, SettingError> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    parsed.filter(|span| !span.is_negative()).ok_or_else(|| SettingError {
        text: text.to_owned(),
        expected: "a duration such as \"90s\" or \"2h 30m\"",
    })
}

/// A length of time that is not negative. Written `"90s"`, `"2h 30m"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub SignedDuration);

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#}", self.0))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_span(&text).map(Self).map_err(de::Error::custom)
    }
}

/// A length of time that is drawn evenly between two ends. Written `["40s", "90s"]`, or `"60s"` for always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// The shortest.
    pub min: SignedDuration,
    /// The longest.
    pub max: SignedDuration,
}

impl Spread {
    /// Between two whole numbers of seconds.
    pub const fn of_secs(min: i64, max: i64) -> Self {
        Self { min: SignedDuration::from_secs(min), max: SignedDuration::from_secs(max) }
    }

    /// Between two whole numbers of milliseconds.
    pub const fn of_millis(min: i64, max: i64) -> Self {
        Self { min: SignedDuration::from_millis(min), max: SignedDuration::from_millis(max) }
    }

    /// The middle.
    pub fn mean(&self) -> SignedDuration {
        (self.min + self.max) / 2
    }
}

impl Serialize for Spread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [Span(self.min), Span(self.max)].serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Spread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpreadVisitor;

        impl<'de> Visitor<'de> for SpreadVisitor {
            type Value = Spread;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"60s\", or two such as [\"40s\", \"90s\"]")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Spread, E> {
                let span = parse_span(text).map_err(E::custom)?;
                Ok(Spread { min: span, max: span })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Spread, A::Error> {
                let too_few = |n| de::Error::invalid_length(n, &"two durations");
                let Span(min) = seq.next_element()?.ok_or_else(|| too_few(0))?;
                let Span(max) = seq.next_element()?.ok_or_else(|| too_few(1))?;
                if seq.next_element::<Span>()?.is_some() {
                    return Err(too_few(3));
                }
                if max < min {
                    return Err(de::Error::custom(
                        "the first of two durations must be the shorter",
                    ));
                }
                Ok(Spread { min, max })
            }
        }

        deserializer.deserialize_any(SpreadVisitor)
    }
}

/// Whether `text` is `pattern`, or begins with what stands before its trailing `*`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Example {
        spread: Spread,
    }

    fn spread(value: &str) -> Result<Spread, toml::de::Error> {
        toml::from_str::<Example>(&format!("spread = {value}")).map(|e| e.spread)
    }

    #[test]
    fn percentages_are_exact() {
        assert_eq!("2.5%".parse(), Ok(Chance(25_000)));
        assert_eq!("0.0001%".parse(), Ok(Chance(1)));
        assert_eq!("1200%".parse(), Ok(Chance(12_000_000)));
        assert!("2.5".parse::<Chance>().is_err());
        assert!("%".parse::<Chance>().is_err());
        assert_eq!(Chance(25_000).to_string(), "2.5%");
        assert_eq!(Chance::percent(100).to_string(), "100%");
    }

    #[test]
    fn a_spread_is_one_duration_or_two_in_order() {
        assert_eq!(spread("\"60s\"").unwrap(), Spread::of_secs(60, 60));
        assert_eq!(spread("[\"40s\", \"1m 30s\"]").unwrap(), Spread::of_secs(40, 90));
        assert!(spread("[\"90s\", \"40s\"]").is_err());
        assert!(spread("[\"90s\"]").is_err());
        assert!(spread("60").is_err());
    }
}
