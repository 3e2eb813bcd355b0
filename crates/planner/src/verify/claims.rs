//! What a plan says of its own cost, bound and gap, held against what has been derived.

use super::bound::Proven;
use super::feasible::Feasible;
use super::given::GivenPlan;
use super::terms::Terms;

/// What has become of something a plan says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is so.
    Holds,
    /// The plan does not say it.
    NotMade,
    /// It may be so: there is nothing to hold it against.
    Unproven,
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

/// Holds what the plan says it costs against what it costs.
///
/// # Errors
/// It is another amount.
pub fn claimed_cost(
    terms: &Terms,
    plan: &GivenPlan,
    feasible: &Feasible,
) -> Result<Claim, WrongClaim> {
    let said = if terms.times.is_some() { plan.cost_usd } else { plan.cost_usd_per_hour };
    let is = feasible.usd(terms);
    match said {
        None => Ok(Claim::NotMade),
        Some(said) if is_other(said, is) => Err(WrongClaim::Cost { said, is }),
        Some(_) => Ok(Claim::Holds),
    }
}

/// Holds the bound that the plan says it has against what is proven, and against what it costs.
///
/// # Errors
/// It is another amount, or more than the plan itself costs.
pub fn claimed_bound(
    terms: &Terms,
    plan: &GivenPlan,
    feasible: &Feasible,
    proven: Option<&Proven>,
) -> Result<Claim, WrongClaim> {
    let Some(said) = said_bound(terms, plan) else { return Ok(Claim::NotMade) };
    let cost = feasible.usd(terms);
    match proven.map(|proven| proven.usd(terms)) {
        Some(is) if is_other(said, is) => Err(WrongClaim::Bound { said, is }),
        Some(_) => Ok(Claim::Holds),
        None if cost < said && is_other(said, cost) => {
            Err(WrongClaim::BoundAboveCost { said, cost })
        }
        None => Ok(Claim::Unproven),
    }
}

/// Holds the gap that the plan says it has against its cost and its bound.
///
/// # Errors
/// It is another gap.
pub fn claimed_gap(
    terms: &Terms,
    plan: &GivenPlan,
    feasible: &Feasible,
    proven: Option<&Proven>,
) -> Result<Claim, WrongClaim> {
    let Some(said) = plan.gap else { return Ok(Claim::NotMade) };
    let bound = proven.map(|proven| proven.usd(terms));
    let Some(bound) = bound.or_else(|| said_bound(terms, plan)) else {
        return Ok(Claim::Unproven);
    };
    let is = if 0.0 < bound { feasible.usd(terms) / bound - 1.0 } else { 0.0 };
    let differs = !said.is_finite() || GAP_TOLERANCE < (said - is).abs();
    if differs { Err(WrongClaim::Gap { said, is }) } else { Ok(Claim::Holds) }
}

const fn said_bound(terms: &Terms, plan: &GivenPlan) -> Option<f64> {
    if terms.times.is_some() { plan.lower_bound_usd } else { plan.lower_bound_usd_per_hour }
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
