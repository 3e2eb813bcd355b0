//! `spillway cancel`.

use anyhow::Result;
use spillway_core::message::Ending;

use super::end::{self, EndArgs};
use crate::context::Context;
use crate::exit::ExitStatus;

pub(crate) const LONG_ABOUT: &str = "\
Asks the dispatcher to end jobs that have not been given to a machine yet: those that are named, and all that meet the \
conditions. A job that is STARTING or RUNNING goes on; use `spillway terminate` for that.

An array's id stands for all its children. With conditions, nothing is sent until --yes says that so many are meant.

Examples:
  spillway cancel 3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11 --reason 'wrong input'
  spillway cancel ID:100-199 --reason 'wrong input'
  spillway cancel --queue nightly --name 'align-*' --dry-run
  spillway cancel --tag run=17 --yes";

/// Sends the orders.
pub async fn run(args: &EndArgs, context: &Context) -> Result<ExitStatus> {
    end::run(Ending::Cancel, args, context).await
}
