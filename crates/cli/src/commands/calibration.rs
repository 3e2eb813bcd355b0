//! `spillway calibration`: whether what the planner goes by comes true. Reads the ledger.

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use spillway_core::port::JobFilter;
use spillway_engine::calibration::Calibration;

use crate::context::Context;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::views::calibration::CalibrationView;

pub(crate) const LONG_ABOUT: &str = "\
Holds what was predicted against what came. Durations by where they came from: what the job said, that corrected by earlier \
jobs of its kind, their history alone, or a guess. Spot interruptions and the work lost with them, by how many hosts \
in a month were predicted to be interrupted.

Examples:
  spillway calibration
  spillway calibration --jobs 100000 --format json | jq .durations";

/// Flags of `calibration`.
#[derive(Debug, Args)]
pub struct CalibrationArgs {
    /// Of so many jobs, newest first
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub jobs: usize,
}

/// Shows it.
pub fn run(args: &CalibrationArgs, context: &Context) -> Result<ExitStatus> {
    let reader = ledger::reader(context.config()?)?;
    let filter = JobFilter { limit: args.jobs, ..JobFilter::default() };
    let (jobs, hosts) = (reader.jobs(&filter)?, reader.hosts(true)?);
    let calibration = Calibration::of(&jobs, &hosts, Timestamp::now());
    context.output.show(&CalibrationView::from(&calibration))?;
    Ok(ExitStatus::Ok)
}
