//! How long a job is expected to run, as people and scripts see it.

use jiff::SignedDuration;
use serde::Serialize;
use spillway_core::job::{Expectation, ExpectedFrom};

use super::span_text;

/// How long a job is expected to run.
#[derive(Debug, Clone, Serialize)]
pub struct ExpectedView {
    /// In the mean.
    pub mean_s: u32,
    /// Nine in ten take at most so long.
    pub high_s: u32,
    /// Where that comes from.
    pub from: ExpectedFrom,
}

impl From<Expectation> for ExpectedView {
    fn from(expected: Expectation) -> Self {
        Self { mean_s: expected.secs, high_s: expected.high_secs, from: expected.from }
    }
}

impl ExpectedView {
    /// `to run 10m, nine in ten at most 15m (as the job says)`.
    pub(crate) fn text(&self) -> String {
        let span = |secs: u32| span_text(SignedDuration::from_secs(secs.into()));
        let (mean, high, from) = (span(self.mean_s), span(self.high_s), self.from);
        format!("to run {mean}, nine in ten at most {high} ({from})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_says_where_it_comes_from() {
        let from = ExpectedFrom::History { n: 12 };
        let view = ExpectedView::from(Expectation { secs: 600, high_secs: 900, from });

        let text = "to run 10m, nine in ten at most 15m (from 12 earlier jobs of its kind)";
        assert_eq!(view.text(), text);
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(json["from"], serde_json::json!({"kind": "history", "n": 12}));
    }
}
