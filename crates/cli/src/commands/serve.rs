//! INTERIM
use crate::context::Context;
use crate::exit::ExitStatus;
use anyhow::Result;
/// Flags
#[derive(Debug, clap::Args)]
pub struct ServeArgs {}
/// Runs
pub async fn run(_args: &ServeArgs, _context: &Context) -> Result<ExitStatus> {
    Ok(ExitStatus::Ok)
}
