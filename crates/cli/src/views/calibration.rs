//! What was predicted against what came, for people and scripts.

use jiff::SignedDuration;
use serde::Serialize;
use spillway_engine::calibration::{Calibration, DurationLine, Source, SpotClass, SpotLine};

use super::{span_text, usd};
use crate::output::{Page, Rows, View};

/// Durations from one source, of attempts that succeeded.
#[derive(Debug, Serialize)]
pub struct DurationView {
    /// The source.
    pub source: Source,
    /// How many attempts.
    pub n: u64,
    /// What was expected, in the mean.
    pub predicted_mean_s: f64,
    /// What came, in the mean.
    pub realised_mean_s: f64,
    /// Expected over realised, minus one: positive where too much was expected.
    pub bias: f64,
    /// By how much a prediction was off, in the mean, as a part of what came.
    pub error: f64,
    /// The part that ran no longer than nine in ten should have: 0.9 is right.
    pub within_high: f64,
}

/// Spot hosts that should be interrupted equally often.
#[derive(Debug, Serialize)]
pub struct SpotView {
    /// The part of them that should be interrupted in a month.
    pub class: SpotClass,
    /// How many hosts.
    pub n_hosts: u64,
    /// How long they ran, together.
    pub host_hours: f64,
    /// How many interruptions were predicted.
    pub predicted: f64,
    /// How many came.
    pub realised: u64,
    /// What the work that was lost with them should have cost.
    pub predicted_loss_usd: f64,
    /// What it cost.
    pub realised_loss_usd: f64,
}

/// Predicted against realised.
#[derive(Debug, Serialize)]
pub struct CalibrationView {
    /// Durations, by where they came from.
    pub durations: Vec<DurationView>,
    /// Spot, by predicted class.
    pub spot: Vec<SpotView>,
}

#[expect(clippy::cast_precision_loss, reason = "for a reader's eye")]
fn float(n: u64) -> f64 {
    n as f64
}

/// Nothing of nothing is 0.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { float(part) / float(whole) }
}

impl From<&DurationLine> for DurationView {
    fn from(line: &DurationLine) -> Self {
        Self {
            source: line.source,
            n: line.n,
            predicted_mean_s: ratio(line.predicted_secs, line.n),
            realised_mean_s: ratio(line.realised_secs, line.n),
            bias: ratio(line.predicted_secs, line.realised_secs) - 1.0,
            error: ratio(line.error_secs, line.realised_secs),
            within_high: ratio(line.n_within_high, line.n),
        }
    }
}

impl From<&SpotLine> for SpotView {
    fn from(line: &SpotLine) -> Self {
        Self {
            class: line.class,
            n_hosts: line.n_hosts,
            host_hours: ratio(line.host_secs, 3_600),
            predicted: ratio(line.predicted_milli, 1_000),
            realised: line.realised,
            predicted_loss_usd: usd(line.predicted_loss),
            realised_loss_usd: usd(line.realised_loss),
        }
    }
}

impl From<&Calibration> for CalibrationView {
    fn from(calibration: &Calibration) -> Self {
        Self {
            durations: calibration.durations.iter().map(Into::into).collect(),
            spot: calibration.spot.iter().map(Into::into).collect(),
        }
    }
}

/// A name as serde writes it.
fn name(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

impl View for CalibrationView {
    fn page(&self, page: &mut Page) {
        let span = |secs: f64| {
            span_text(SignedDuration::try_from_secs_f64(secs.round()).unwrap_or_default())
        };
        let header = ["DURATIONS", "ATTEMPTS", "EXPECTED", "TOOK", "BIAS", "ERROR", "WITHIN P90"];
        let mut table = Rows::new(&header);
        for line in &self.durations {
            table.row([
                name(line.source).into(),
                line.n.to_string().into(),
                span(line.predicted_mean_s).into(),
                span(line.realised_mean_s).into(),
                format!("{:+.0} %", 100.0 * line.bias).into(),
                format!("{:.0} %", 100.0 * line.error).into(),
                format!("{:.0} %", 100.0 * line.within_high).into(),
            ]);
        }
        page.table(table);
        let header = [
            "SPOT A MONTH",
            "HOSTS",
            "HOURS",
            "PREDICTED",
            "INTERRUPTED",
            "LOSS PREDICTED",
            "LOST",
        ];
        let mut table = Rows::new(&header);
        for line in &self.spot {
            table.row([
                name(line.class).into(),
                line.n_hosts.to_string().into(),
                format!("{:.1}", line.host_hours).into(),
                format!("{:.2}", line.predicted).into(),
                line.realised.to_string().into(),
                format!("${:.4}", line.predicted_loss_usd).into(),
                format!("${:.4}", line.realised_loss_usd).into(),
            ]);
        }
        page.table(table);
    }
}
