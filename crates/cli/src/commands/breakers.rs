//! `spillway breakers`: list what is left alone after failures, and close one. To close is a message, as every order is; what reads
//! reads the ledger.

use anyhow::Result;
use clap::{Args, Subcommand};
use spillway_core::{BreakerId, BreakerKind, message};

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::output::Format;
use crate::sender;
use crate::views::breaker::{BreakerList, BreakerRow, ResetView};

/// The verbs of `breakers`.
#[derive(Debug, Subcommand)]
pub enum BreakersCommand {
    /// List what is left alone after failures
    #[command(long_about = LIST_ABOUT)]
    List,
    /// Use something again without waiting for its probe
    #[command(long_about = RESET_ABOUT)]
    Reset(ResetArgs),
}

const LIST_ABOUT: &str = "\
Lists what the dispatcher leaves alone after failures: images that cannot be pulled, calls that are not allowed, architectures whose \
hosts do not register, and buying where hosts come and go and run nothing to its end. Says since when, how often it failed, what went wrong, and when a single probe tries it again; if that \
succeeds, everything goes on by itself.

Examples:
  spillway breakers list
  spillway breakers list --format json | jq -r '.breakers[].subject'";

const RESET_ABOUT: &str = "\
Asks the dispatcher to use something again at once that it leaves alone, as if its probe had succeeded. What still fails is left \
alone again.

Examples:
  spillway breakers reset image registry.example.org/align:7
  spillway breakers reset call ecs:RunTask
  spillway breakers reset host arm64
  spillway breakers reset quota spot/standard
  spillway breakers reset spend fleet";

/// Flags of `breakers reset`.
#[derive(Debug, Args)]
pub struct ResetArgs {
    /// What it is about: image, call, host, quota or spend
    #[arg(value_name = "KIND")]
    pub kind: BreakerKind,
    /// Which of those, as `breakers list` shows it
    #[arg(value_name = "SUBJECT")]
    pub subject: String,
    /// Print the message and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs one of them.
pub async fn run(command: &BreakersCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        BreakersCommand::List => list(context),
        BreakersCommand::Reset(args) => reset(args, context).await,
    }
}

fn list(context: &Context) -> Result<ExitStatus> {
    let open = ledger::reader(context.config()?)?.breakers()?;
    let breakers: Vec<BreakerRow> = open.iter().map(BreakerRow::from).collect();
    let has_none = breakers.is_empty();
    context.output.show(&BreakerList { breakers })?;
    if context.output.format() == Format::Human && has_none {
        context.output.note("there are none: nothing is left alone");
    }
    Ok(ExitStatus::Ok)
}

async fn reset(args: &ResetArgs, context: &Context) -> Result<ExitStatus> {
    if args.subject.is_empty() {
        let hint = "`spillway breakers list` shows them";
        return Err(Complaint::usage("SUBJECT is empty".to_owned()).hint(hint).into());
    }
    let target = BreakerId { kind: args.kind, subject: args.subject.clone() };
    let order = message::reset_breaker(&target);
    let view = ResetView::new(&target);
    if args.dry_run {
        context.output.show(&view.with_message(order))?;
        return Ok(ExitStatus::Ok);
    }
    sender::send(&order, &format!("the order to use {target} again"), context.config()?).await?;
    context.output.note(&format!("the dispatcher has been asked to use {target} again"));
    context.output.show(&view)?;
    Ok(ExitStatus::Ok)
}
