//! INTERIM
use crate::context::Context;
use crate::exit::ExitStatus;
use anyhow::Result;
/// Flags
#[derive(Debug, clap::Args)]
pub struct DemoArgs {}
/// Runs
pub async fn run(_args: &DemoArgs, _context: &Context) -> Result<ExitStatus> {
    Ok(ExitStatus::Ok)
}
