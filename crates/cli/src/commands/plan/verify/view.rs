//! What `plan verify` has found, for people and for scripts.

use std::error::Error;

use serde::Serialize;

use crate::commands::plan::bound::BoundView;
use crate::output::{Field, Page, Rows, Tone, View};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Ok,
    Refused,
    Skipped,
}

/// How a check ended, and what it has seen.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    outcome: Outcome,
    says: String,
}

impl Check {
    pub(super) fn ok(says: impl Into<String>) -> Self {
        Self { outcome: Outcome::Ok, says: says.into() }
    }

    /// There is nothing to check.
    pub(super) fn skipped(says: impl Into<String>) -> Self {
        Self { outcome: Outcome::Skipped, says: says.into() }
    }
}

#[derive(Debug, Serialize)]
struct CheckView {
    check: &'static str,
    outcome: Outcome,
    says: String,
}

/// The answer of `plan verify`.
#[derive(Debug, Serialize)]
pub(super) struct VerifyView {
    /// `accepted` or `refused`.
    verdict: &'static str,
    /// The first thing that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    violated: Option<String>,
    checks: Vec<CheckView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd_per_hour: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_bound_usd_per_hour: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_bound_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<BoundView>,
    #[serde(skip)]
    is_bill: bool,
}

impl VerifyView {
    pub(super) const fn new(is_bill: bool) -> Self {
        Self {
            verdict: "accepted",
            violated: None,
            checks: Vec::new(),
            cost_usd_per_hour: None,
            lower_bound_usd_per_hour: None,
            cost_usd: None,
            lower_bound_usd: None,
            gap: None,
            bound: None,
            is_bill,
        }
    }

    pub(super) const fn is_accepted(&self) -> bool {
        self.violated.is_none()
    }

    pub(super) fn push(&mut self, check: &'static str, done: Check) {
        let Check { outcome, says } = done;
        self.checks.push(CheckView { check, outcome, says });
    }

    /// Adds a check; gives what it found if all is well.
    pub(super) fn check<T, E: Error>(
        &mut self,
        check: &'static str,
        found: Result<T, E>,
        of_found: impl FnOnce(&T) -> Check,
    ) -> Option<T> {
        match found {
            Ok(found) => {
                self.push(check, of_found(&found));
                Some(found)
            }
            Err(error) => {
                let says = error.to_string();
                if self.violated.is_none() {
                    self.verdict = "refused";
                    self.violated = Some(says.clone());
                }
                self.push(check, Check { outcome: Outcome::Refused, says });
                None
            }
        }
    }

    /// What the plan costs, in dollars per hour or in dollars.
    pub(super) const fn cost(&mut self, usd: f64) {
        let slot = if self.is_bill { &mut self.cost_usd } else { &mut self.cost_usd_per_hour };
        *slot = Some(usd);
    }

    /// What is proven, once the cost is known.
    pub(super) fn bound(&mut self, usd: f64, kind: &'static str) {
        let cost = if self.is_bill { self.cost_usd } else { self.cost_usd_per_hour };
        let slot = if self.is_bill {
            &mut self.lower_bound_usd
        } else {
            &mut self.lower_bound_usd_per_hour
        };
        *slot = Some(usd);
        self.gap = cost.filter(|_| 0.0 < usd).map(|cost| cost / usd - 1.0);
        self.bound = cost.map(|_| BoundView::new(kind, self.gap));
    }
}

impl View for VerifyView {
    fn page(&self, page: &mut Page) {
        let mut rows = Rows::new(&["CHECK", "RESULT", ""]);
        for CheckView { check, outcome, says } in &self.checks {
            let (word, tone) = match outcome {
                Outcome::Ok => ("ok", Tone::Good),
                Outcome::Refused => ("refused", Tone::Bad),
                Outcome::Skipped => ("-", Tone::Plain),
            };
            rows.row([(*check).into(), Field::toned(word, tone), says.clone().into()]);
        }
        page.table(rows);
        let per = if self.is_bill { "" } else { "/h" };
        if let Some(cost) = self.cost_usd.or(self.cost_usd_per_hour) {
            page.field("Cost", format!("${cost:.6}{per}"));
        }
        if let Some(bound) = self.lower_bound_usd.or(self.lower_bound_usd_per_hour) {
            page.field("No plan costs less than", format!("${bound:.6}{per}"));
        }
        if let (Some(gap), Some(bound)) = (self.gap, &self.bound) {
            page.field("Gap", format!("{:.3} %: {}", 100.0 * gap, bound.says()));
        }
        match &self.violated {
            None => page.line(Tone::Good.paint(self.verdict)),
            Some(violated) => {
                page.line(format!("{}: {violated}", Tone::Bad.paint(self.verdict)));
            }
        }
    }
}
