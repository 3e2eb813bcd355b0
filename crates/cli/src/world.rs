//! INTERIM
use crate::error::Complaint;
use jiff::Timestamp;
use spillway_core::Catalog;
use std::path::Path;
pub struct Scenario;
pub fn scenario(_t: &str, _p: &Path) -> Result<Scenario, Complaint> {
    Ok(Scenario)
}
pub fn catalog(_s: &Scenario, now: Timestamp) -> Catalog {
    spillway_sim::catalog::built_in(now)
}
#[cfg(not(feature = "aws"))]
pub fn no_cloud(what: &str) -> Complaint {
    Complaint::usage(what)
}
