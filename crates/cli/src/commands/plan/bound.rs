//! How good a plan's bound is, in words.

use serde::Serialize;

/// What kind of proof a bound has, and how much it says about the plan.
#[derive(Debug, Clone, Serialize)]
pub(super) struct BoundView {
    /// `one-job`, `resource`, `exhaustive` or `configuration`.
    kind: &'static str,
    /// `exact`, `tight`, `fair` or `weak`.
    strength: &'static str,
    /// What that means.
    says: String,
}

impl BoundView {
    /// `kind` is the certificate's; the gap is that of the plan.
    pub(super) fn new(kind: &'static str, gap: Option<f64>) -> Self {
        let percent = 100.0 * gap.unwrap_or(f64::INFINITY);
        let rests_on = match kind {
            "one-job" => "it is the price of one host for the most demanding job",
            "resource" => "it rests on prices of vCPUs, memory and GPUs, as if jobs could be split",
            "exhaustive" => "every way to part the jobs was tried",
            _ => "it rests on prices of jobs, proven for whatever fits on each host",
        };
        let (strength, says) = match percent {
            ..=0.0 => ("exact", "no plan is cheaper".to_owned()),
            ..=1.0 => ("tight", format!("no plan is cheaper by more than {percent:.3} %")),
            ..=5.0 => ("fair", format!("the plan is at most {percent:.2} % too dear")),
            _ => (
                "weak",
                format!("the plan may be good all the same: the bound is weak, for {rests_on}"),
            ),
        };
        Self { kind, strength, says }
    }

    pub(super) fn says(&self) -> &str {
        &self.says
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_bound_says_so_and_why() {
        let weak = BoundView::new("resource", Some(0.2));
        let none = BoundView::new("one-job", None);

        assert_eq!((weak.strength, none.strength), ("weak", "weak"));
        assert!(weak.says().contains("the bound is weak"), "{}", weak.says());
        assert!(weak.says().contains("prices of vCPUs"), "{}", weak.says());
    }

    #[test]
    fn a_bound_at_the_price_is_exact() {
        assert_eq!(BoundView::new("configuration", Some(0.0)).strength, "exact");
        assert_eq!(BoundView::new("configuration", Some(0.01)).strength, "tight");
        assert_eq!(BoundView::new("configuration", Some(0.02)).strength, "fair");
    }
}
