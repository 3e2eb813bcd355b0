//! What a plan says of its own cost, bound and gap, held against what has been derived.

use super::bound::Proven;
use super::feasible::Feasible;
use super::given::GivenPlan;
use super::terms::Terms;

/// Something a plan says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// What it costs.
    Cost,
    /// What any plan costs at least.
    Bound,
    /// How far the one is above the other.
    Gap,
}

/// A claim that is not so.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum WrongClaim {
    /// Of the cost.
    #[error("the plan says it costs ${said}, its hosts cost ${is}")]
    Cost {
        /// In the plan.
        said: f64,
        /// Added up.
        is: f64,
    },
    /// Of the bound.
    #[error("the plan says no plan costs less than ${said}, its certificate proves ${is}")]
    Bound {
        /// In the plan.
        said: f64,
        /// Derived.
        is: f64,
    },
    /// Of a bound that no certificate proves, and that is above the plan's own cost.
    #[error("the plan says no plan costs less than ${said}, and costs ${cost} itself")]
    BoundAboveCost {
        /// In the plan.
        said: f64,
        /// Added up.
        cost: f64,
    },
    /// Of the gap.
    #[error("the plan says its gap is {said}, it is {is}")]
    Gap {
        /// In the plan.
        said: f64,
        /// Derived.
        is: f64,
    },
}

impl Feasible {
    /// The cost in dollars per hour; for a bill, in dollars.
    pub fn usd(&self, terms: &Terms) -> f64 {
        let unit = if terms.times.is_some() { 3.6e15 } else { 1e6 };
        float(self.cost) / unit
    }
}

impl Proven {
    /// The bound in dollars per hour; for a bill, in dollars.
    pub fn usd(&self, terms: &Terms) -> f64 {
        let unit = if terms.times.is_some() { 3.6e9 } else { 1e6 };
        float(self.bound.into()) / unit
    }
}

/// Holds what the plan says of itself against what it costs and what is proven, if anything is.
///
/// # Errors
/// The first claim that is not so, to half a millionth of a dollar.
pub fn claims(
    terms: &Terms,
    plan: &GivenPlan,
    feasible: &Feasible,
    proven: Option<&Proven>,
) -> Result<Vec<Claim>, WrongClaim> {
    let is_bill = terms.times.is_some();
    let said_cost = if is_bill { plan.cost_usd } else { plan.cost_usd_per_hour };
    let said_bound = if is_bill { plan.lower_bound_usd } else { plan.lower_bound_usd_per_hour };
    let cost = feasible.usd(terms);
    let mut held = Vec::new();
    if let Some(said) = said_cost {
        if is_other(said, cost) {
            return Err(WrongClaim::Cost { said, is: cost });
        }
        held.push(Claim::Cost);
    }
    let bound = proven.map(|proven| proven.usd(terms));
    match (said_bound, bound) {
        (Some(said), Some(is)) if is_other(said, is) => {
            return Err(WrongClaim::Bound { said, is });
        }
        (Some(said), None) if cost < said && is_other(said, cost) => {
            return Err(WrongClaim::BoundAboveCost { said, cost });
        }
        (Some(_), Some(_)) => held.push(Claim::Bound),
        (Some(_) | None, None) | (None, Some(_)) => {}
    }
    if let (Some(said), Some(bound)) = (plan.gap, bound.or(said_bound)) {
        let is = if 0.0 < bound { cost / bound - 1.0 } else { 0.0 };
        if GAP_TOLERANCE < (said - is).abs() || !said.is_finite() {
            return Err(WrongClaim::Gap { said, is });
        }
        held.push(Claim::Gap);
    }
    Ok(held)
}

/// Amounts that agree to this agree: half of the smallest unit that prices have.
const USD_TOLERANCE: f64 = 0.5e-6;

const GAP_TOLERANCE: f64 = 1e-9;

fn is_other(said: f64, is: f64) -> bool {
    // Large amounts have fewer digits after the point.
    let tolerance = USD_TOLERANCE + is.abs() * 1e-15;
    !said.is_finite() || tolerance <= (said - is).abs()
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "compared to a millionth")]
fn float(n: u128) -> f64 {
    n as f64
}
