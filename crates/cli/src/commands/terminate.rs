//! `spillway terminate JOB`.

use anyhow::Result;
use clap::Args;
use spillway_core::JobTarget;

use crate::context::Context;
use crate::exit::ExitStatus;
use crate::send::{self, Ending};

pub(crate) const LONG_ABOUT: &str = "\
Asks the dispatcher to end a job wherever it is. A running container gets SIGTERM, then SIGKILL after its stop timeout. \
The job is FAILED with the reason given, and is not tried again.

An array's id stands for all its children.

Examples:
  spillway terminate 3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11 --reason 'too expensive'
  spillway terminate ID:17 --reason 'too slow'";

/// Flags of `terminate`.
#[derive(Debug, Args)]
pub struct TerminateArgs {
    /// The job's id; of an array's children one (`ID:INDEX`) or some (`ID:FIRST-LAST`, `ID:FIRST-LAST:STEP`)
    #[arg(value_name = "JOB")]
    pub job: JobTarget,
    /// Why, for the job's record
    #[arg(long, value_name = "TEXT", default_value = "terminated from the command line")]
    pub reason: String,
    /// Print the message and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Sends the message.
pub async fn run(args: &TerminateArgs, context: &Context) -> Result<ExitStatus> {
    send::end_job(Ending::Terminate, args.job, &args.reason, args.dry_run, context).await
}
