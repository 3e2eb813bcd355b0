//! What commands answer: serializable values and how people read them. They are built from core's types and print
//! nothing themselves. Field names are public API.

pub mod array;
mod asked;
pub mod attempt;
pub mod breaker;
pub mod budget;
pub mod burst;
pub mod calibration;
pub mod container;
pub mod cost;
pub mod definition;
pub mod event;
pub mod expected;
pub mod host;
pub mod job;
pub mod log;
pub mod nodes;
pub mod plan;
pub mod prices;
pub mod queue;
pub mod report;
pub mod schedule;
pub mod score;
pub mod timeline;
pub mod top;
pub mod variant;
pub mod wait;
pub mod why;

use jiff::{SignedDuration, Timestamp};
use spillway_core::MicroUsd;

/// An amount in dollars, for JSON: the ledger's own sums are integers.
pub(crate) fn usd(amount: MicroUsd) -> f64 {
    amount.as_usd_f64()
}

/// An amount for people. One that four decimals would hide is not shown as nothing.
pub(crate) fn usd_text(amount: MicroUsd) -> String {
    if (1..100).contains(&amount.get()) { "<$0.0001".to_owned() } else { amount.to_string() }
}

/// How long ago, or for how long, in whole seconds: `3m 20s`.
pub(crate) fn span_text(span: SignedDuration) -> String {
    let whole = SignedDuration::from_secs(span.as_secs().max(0));
    format!("{whole:#}")
}

/// A moment, to the second: `2026-11-23 13:45:01Z`.
pub(crate) fn time_text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_too_small_to_show_is_not_shown_as_nothing() {
        assert_eq!(usd_text(MicroUsd::new(99)), "<$0.0001");
        assert_eq!(usd_text(MicroUsd::new(700)), "$0.0007");
        assert_eq!(usd_text(MicroUsd::ZERO), "$0.00");
    }
}
