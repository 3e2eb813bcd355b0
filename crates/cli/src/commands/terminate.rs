//! `spillway terminate`.

use anyhow::Result;
use spillway_core::message::Ending;

use super::end::{self, EndArgs};
use crate::context::Context;
use crate::exit::ExitStatus;

pub(crate) const LONG_ABOUT: &str = "\
Asks the dispatcher to end jobs wherever they are: those that are named, and all that meet the conditions. A running \
container gets SIGTERM, then SIGKILL after its stop timeout. A job is FAILED with the reason given, and is not tried again.

An array's id stands for all its children. With conditions, nothing is sent until --yes says that so many are meant.

Examples:
  spillway terminate 3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11 --reason 'too expensive'
  spillway terminate ID:17 --reason 'too slow'
  spillway terminate --array ID --status RUNNING --dry-run
  spillway terminate --queue nightly --submitted-before 12h --yes";

/// Sends the orders.
pub async fn run(args: &EndArgs, context: &Context) -> Result<ExitStatus> {
    end::run(Ending::Terminate, args, context).await
}
