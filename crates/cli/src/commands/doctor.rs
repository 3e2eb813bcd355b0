//! INTERIM
use crate::context::Context;
use crate::exit::ExitStatus;
use anyhow::Result;
/// Flags
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {}
/// Runs
pub async fn run(_args: &DoctorArgs, _context: &Context) -> Result<ExitStatus> {
    Ok(ExitStatus::Ok)
}
