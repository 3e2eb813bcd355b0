//! What the verifier says to a plan, handed in as anybody would.

use spillway_planner::bill::{Bill, TimeRules, TimedProblem};
use spillway_planner::verify::{Feasible, GivenPlan, Terms, Violation, feasible};

/// 10 seconds to boot, 60 paid at least, an hour to the deadline.
pub(crate) const RULES: TimeRules =
    TimeRules { boot_s: 10.0, min_billed_s: 60.0, deadline_s: 3600.0 };

pub(crate) fn verified(problem: &TimedProblem, bill: &Bill) -> Result<Feasible, Violation> {
    let plan = serde_json::to_value(bill.to_solution()).unwrap();
    let plan: GivenPlan = serde_json::from_value(plan).unwrap();
    feasible(&Terms::of_timed(problem).unwrap(), &plan)
}
