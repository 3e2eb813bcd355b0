//! INTERIM
use crate::context::Context;
use crate::exit::ExitStatus;
use anyhow::Result;
/// Flags
#[derive(Debug, clap::Args)]
pub struct SimulateArgs {}
/// Runs
pub fn run(_args: &SimulateArgs, _context: &Context) -> Result<ExitStatus> {
    Ok(ExitStatus::Ok)
}
