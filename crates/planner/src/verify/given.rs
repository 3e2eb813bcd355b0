//! The form of a plan as anybody may hand it in, and what it claims of itself.

use serde::Deserialize;

use super::certificate::Certificate;

/// A plan: groups of equal hosts with what runs on each, and claims. Other keys are ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GivenPlan {
    /// The hosts.
    pub instances: Vec<GivenHosts>,
    /// What they cost, per hour.
    pub cost_usd_per_hour: Option<f64>,
    /// What any plan costs at least, per hour.
    pub lower_bound_usd_per_hour: Option<f64>,
    /// What they are billed.
    pub cost_usd: Option<f64>,
    /// What any plan is billed at least.
    pub lower_bound_usd: Option<f64>,
    /// How much dearer than the bound the plan is, as a part of the bound.
    pub gap: Option<f64>,
    /// The proof of the bound.
    pub certificate: Option<Certificate>,
}

/// So many equal hosts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GivenHosts {
    /// The instance type.
    #[serde(rename = "type")]
    pub instance_type: String,
    /// `on-demand` or `spot`.
    pub market: String,
    /// The availability zone.
    pub az: String,
    /// How many.
    pub count: u64,
    /// What is on each at once: indices of job lines, and how many of each.
    pub jobs_per_instance: Option<Vec<(usize, u64)>>,
    /// What runs on each when: indices of job lines, how many of each, and the second after the launch they start at.
    pub runs: Option<Vec<(usize, u64, f64)>>,
}
