//! `spillway cancel JOB`.

use anyhow::Result;
use clap::Args;
use spillway_core::JobTarget;

use crate::context::Context;
use crate::exit::ExitStatus;
use crate::send::{self, Ending};

pub(crate) const LONG_ABOUT: &str = "\
Asks the dispatcher to end a job that has not been given to a machine yet. A job that is STARTING or RUNNING goes on; \
use `spillway terminate` for that.

An array's id stands for all its children.

Examples:
  spillway cancel 3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11 --reason 'wrong input'
  spillway cancel ID:100-199 --reason 'wrong input'";

/// Flags of `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The job's id; of an array's children one (`ID:INDEX`) or some (`ID:FIRST-LAST`, `ID:FIRST-LAST:STEP`)
    #[arg(value_name = "JOB")]
    pub job: JobTarget,
    /// Why, for the job's record
    #[arg(long, value_name = "TEXT", default_value = "cancelled from the command line")]
    pub reason: String,
    /// Print the message and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Sends the message.
pub async fn run(args: &CancelArgs, context: &Context) -> Result<ExitStatus> {
    send::end_job(Ending::Cancel, args.job, &args.reason, args.dry_run, context).await
}
