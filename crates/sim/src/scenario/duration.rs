//! How long jobs run: distributions in integers, the same on every machine.

use std::fmt;

use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor, value};

use crate::dice::Roll;
use crate::fixed;
use crate::setting::{Span, Spread};

/// The 95th percentile of the normal distribution, times 10,000.
const Z_95: i128 = 16_449;

/// How durations are spread. In TOML:
///
/// | written | meaning |
/// | --- | --- |
/// | `"60s"` | always this |
/// | `["10s", "60s"]` | evenly between |
/// | `{ median = "60s", p95 = "10m", max = "2h" }` | log-normal: half are shorter than the median, 5 % longer than `p95` |
/// | `{ quantiles = ["5s", "20s", "1m", "40m"] }` | evenly between neighbours, as many in each gap |
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distribution {
    /// Evenly between two ends.
    Even(Spread),
    /// Log-normal.
    LogNormal {
        /// Half are shorter.
        median: SignedDuration,
        /// One in twenty is longer.
        p95: SignedDuration,
        /// None is longer.
        max: SignedDuration,
    },
    /// Given by its quantiles: at least two, ascending.
    Quantiles(Vec<SignedDuration>),
}

fn millis(duration: SignedDuration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(0)
}

fn from_millis(ms: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// `median` times a log-normal factor, of which the 95th percentile is the ratio `p95`; to the millisecond.
pub(super) fn times_log_normal(
    median: SignedDuration,
    p95: (u64, u64),
    roll: &mut Roll,
) -> SignedDuration {
    let per_z = fixed::log2_ratio(p95.0, p95.1);
    let exponent = (i128::from(per_z) * i128::from(roll.normal()) * 10_000 / Z_95) >> 32;
    let exponent = i64::try_from(exponent).unwrap_or(0);
    from_millis(fixed::mul_exp2(millis(median), exponent))
}

impl Distribution {
    /// One duration, to the millisecond.
    pub fn draw(&self, roll: &mut Roll) -> SignedDuration {
        match self {
            Self::Even(spread) => roll.within(*spread),
            Self::LogNormal { median, p95, max } => {
                let ratio = (millis(*p95).max(1), millis(*median).max(1));
                times_log_normal(*median, ratio, roll).min(*max)
            }
            Self::Quantiles(quantiles) => {
                let n_gaps = u64::try_from(quantiles.len().saturating_sub(1)).unwrap_or(0);
                let gap = usize::try_from(roll.below(n_gaps)).unwrap_or(0);
                match quantiles.get(gap..) {
                    Some([low, high, ..]) => roll.within(Spread { min: *low, max: *high }),
                    Some([only]) => *only,
                    Some([]) | None => SignedDuration::ZERO,
                }
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    median: Option<Span>,
    p95: Option<Span>,
    max: Option<Span>,
    quantiles: Option<Vec<Span>>,
}

impl Table {
    fn resolve(self) -> Result<Distribution, &'static str> {
        match (self.median, self.p95, self.quantiles) {
            (Some(Span(median)), Some(Span(p95)), None) => {
                if p95 < median {
                    return Err("`p95` must not be less than `median`");
                }
                let max = self.max.map_or(p95.saturating_mul(10), |Span(max)| max);
                Ok(Distribution::LogNormal { median, p95, max })
            }
            (None, None, Some(quantiles)) if self.max.is_none() => {
                let quantiles: Vec<SignedDuration> =
                    quantiles.into_iter().map(|Span(s)| s).collect();
                if quantiles.len() < 2 || !quantiles.is_sorted() {
                    return Err("`quantiles` must be at least two durations in ascending order");
                }
                Ok(Distribution::Quantiles(quantiles))
            }
            _ => Err("a distribution is `{ median, p95, max }` or `{ quantiles }`"),
        }
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DistributionVisitor;

        impl<'de> Visitor<'de> for DistributionVisitor {
            type Value = Distribution;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a duration, two durations, or a table of `median` and `p95` or of `quantiles`",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Distribution, E> {
                Spread::deserialize(value::StrDeserializer::new(text)).map(Distribution::Even)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Distribution, A::Error> {
                Spread::deserialize(value::SeqAccessDeserializer::new(seq)).map(Distribution::Even)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Distribution, A::Error> {
                let table = Table::deserialize(value::MapAccessDeserializer::new(map))?;
                table.resolve().map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(DistributionVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    #[derive(Debug, Deserialize)]
    struct Example {
        duration: Distribution,
    }

    fn parse(value: &str) -> Result<Distribution, toml::de::Error> {
        toml::from_str::<Example>(&format!("duration = {value}")).map(|e| e.duration)
    }

    fn sorted_secs(distribution: &Distribution) -> Vec<i64> {
        let draw = |n: i32| distribution.draw(&mut Dice::new(1).roll("duration", &n)).as_secs();
        let mut secs: Vec<i64> = (0..4000).map(draw).collect();
        secs.sort_unstable();
        secs
    }

    #[test]
    fn a_log_normal_has_its_median_its_95th_percentile_and_its_maximum() {
        let distribution =
            parse("{ median = \"100s\", p95 = \"1000s\", max = \"3000s\" }").unwrap();

        let secs = sorted_secs(&distribution);

        assert!((92..108).contains(&secs[2000]), "{}", secs[2000]);
        assert!((850..1150).contains(&secs[3800]), "{}", secs[3800]);
        assert_eq!(secs[3999], 3000);
    }

    #[test]
    fn quantiles_are_met() {
        let distribution = parse("{ quantiles = [\"0s\", \"10s\", \"20s\", \"1000s\"] }").unwrap();

        let secs = sorted_secs(&distribution);

        let n_short = secs.iter().filter(|s| **s < 20).count();
        assert!(
            (2550..2800).contains(&n_short),
            "two of three gaps end at 20 s: {n_short} of 4000"
        );
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        assert!(parse("60").is_err());
        assert!(parse("{ median = \"5s\" }").is_err());
        assert!(parse("{ median = \"5s\", p95 = \"1s\" }").is_err());
        assert!(parse("{ quantiles = [\"9s\", \"1s\"] }").is_err());
        assert!(parse("{ medean = \"5s\" }").is_err());
    }
}
