//! What commands answer: serializable values and how people read them. They are built from core's types and print
//! nothing themselves. Field names are public API.

pub mod attempt;
pub mod host;
pub mod job;
pub mod plan;
pub mod score;
pub mod timeline;
pub mod wait;

use jiff::{SignedDuration, Timestamp};
use spillway_core::MicroUsd;

/// An amount in dollars, for JSON: the ledger's own sums are integers.
pub(crate) fn usd(amount: MicroUsd) -> f64 {
    amount.as_usd_f64()
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
