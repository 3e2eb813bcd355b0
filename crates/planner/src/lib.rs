//! The optimizer. Sees [`PlanInput`] and [`PlanPolicy`], nothing else.

use spillway_core::plan::{DemandKey, NoFit};
use spillway_core::{Catalog, PlanInput, PlanPolicy, Planned};

/// Decides where work goes and what to buy for the rest. Total: a job that fits nothing is a line in the report.
pub fn plan(_input: &PlanInput, _policy: &PlanPolicy) -> Planned {
    Planned::default()
}

/// Whether some offering of the catalog, within the policy, can hold a job of this kind at all; else what binds.
pub fn admit(_key: &DemandKey, _catalog: &Catalog, _policy: &PlanPolicy) -> Result<(), NoFit> {
    Ok(())
}
