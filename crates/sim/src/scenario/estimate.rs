//! How long jobs say they will run: the truth, nothing, one figure for all of a kind, or the truth with an error.
//!
//! People are wrong in two ways. They pad (a bias), and the same guess stands for jobs that differ (a spread). The model
//! has both: what is told is the true duration times `bias`, times a log-normal factor with median 1.

use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor, value};

use super::duration::times_log_normal;
use crate::dice::Roll;
use crate::setting::{Chance, parse_span};

/// What a job tells of its duration. In TOML:
///
/// | written | meaning |
/// | --- | --- |
/// | `tell_duration = true` | the truth (also where nothing is said) |
/// | `tell_duration = false` | nothing |
/// | `estimate = "15m"` | always this |
/// | `estimate = { bias = "130%", p95 = "250%" }` | the truth times 1.3, times a log-normal factor that is beyond 2.5 for 5 % |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimate {
    /// The truth.
    Exact,
    /// Nothing.
    Unknown,
    /// The same for all.
    Always(SignedDuration),
    /// The truth, times a bias, times a log-normal factor.
    Wrong {
        /// The median of what is told over the truth.
        bias: Chance,
        /// The 95th percentile of the factor beyond the bias, at least 100 %.
        p95: Chance,
    },
}

impl Estimate {
    /// What a job that runs for `truth` tells, in whole seconds from 1; none if nothing.
    pub fn draw(&self, truth: SignedDuration, roll: &mut Roll) -> Option<i64> {
        let told = match self {
            Self::Exact => truth,
            Self::Unknown => return None,
            Self::Always(told) => *told,
            Self::Wrong { bias, p95 } => {
                let ms = truth.as_millis().saturating_mul(i128::from(bias.ppm())) / 1_000_000;
                let biased = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
                times_log_normal(biased, (p95.ppm().into(), 1_000_000), roll)
            }
        };
        Some(told.as_secs().max(1))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    bias: Option<Chance>,
    p95: Option<Chance>,
}

/// Without bias, and without error.
const TRUTH: Chance = Chance::percent(100);

impl<'de> Deserialize<'de> for Estimate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EstimateVisitor;

        impl<'de> Visitor<'de> for EstimateVisitor {
            type Value = Estimate;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration, or a table of `bias` and `p95` in percent")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Estimate, E> {
                parse_span(text).map(Estimate::Always).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Estimate, A::Error> {
                let table = Table::deserialize(value::MapAccessDeserializer::new(map))?;
                let (bias, p95) = (table.bias.unwrap_or(TRUTH), table.p95.unwrap_or(TRUTH));
                if p95 < TRUTH {
                    return Err(de::Error::custom("`p95` must be 100% or more"));
                }
                Ok(Estimate::Wrong { bias, p95 })
            }
        }

        deserializer.deserialize_any(EstimateVisitor)
    }
}

/// Both ways of saying it, as far as they do not contradict each other.
pub(super) fn resolve(
    tell_duration: Option<bool>,
    estimate: Option<Estimate>,
) -> Result<Estimate, &'static str> {
    match (tell_duration, estimate) {
        (Some(false), Some(_)) => Err("`tell_duration = false` and an `estimate` are both given"),
        (Some(false), None) => Ok(Estimate::Unknown),
        (Some(true) | None, estimate) => Ok(estimate.unwrap_or(Estimate::Exact)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    #[derive(Debug, Deserialize)]
    struct Example {
        estimate: Estimate,
    }

    fn parse(value: &str) -> Result<Estimate, toml::de::Error> {
        toml::from_str::<Example>(&format!("estimate = {value}")).map(|e| e.estimate)
    }

    #[test]
    fn a_wrong_estimate_has_the_bias_and_the_spread_that_are_written() {
        let estimate = parse("{ bias = \"150%\", p95 = \"300%\" }").unwrap();
        let truth = SignedDuration::from_secs(1000);

        let told = |n: i32| estimate.draw(truth, &mut Dice::new(1).roll("estimate", &n)).unwrap();
        let mut told: Vec<i64> = (0..4000).map(told).collect();
        told.sort_unstable();

        assert!((1420..1580).contains(&told[2000]), "{}", told[2000]);
        assert!((4000..5000).contains(&told[3800]), "{}", told[3800]);
    }

    #[test]
    fn a_guess_for_all_and_the_truth_need_no_luck() {
        let truth = SignedDuration::from_millis(90_400);
        let mut roll = Dice::new(1).roll("estimate", &0);

        assert_eq!(Estimate::Exact.draw(truth, &mut roll), Some(90));
        assert_eq!(Estimate::Unknown.draw(truth, &mut roll), None);
        assert_eq!(parse("\"15m\"").unwrap().draw(truth, &mut roll), Some(900));
        assert_eq!(Estimate::Exact.draw(SignedDuration::ZERO, &mut roll), Some(1));
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(parse("{ p95 = \"80%\" }").is_err());
        assert!(resolve(Some(false), Some(Estimate::Exact)).is_err());
        assert_eq!(resolve(Some(true), None), Ok(Estimate::Exact));
    }
}
