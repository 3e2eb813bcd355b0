//! `spillway cost`: what was paid, what for and for whom. Reads the ledger.

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;

use crate::books::{Books, By, Window};
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::output::Format;
use crate::pick::Moment;

pub(crate) const LONG_ABOUT: &str = "\
Shows what the machines cost, what for and for whom: every instance-second that is in the ledger. Jobs carry their share of \
their machine for as long as they held a place on it; the rest was boot, drain, idle, or unused beside them. Work that \
interruptions and dead machines threw away is lost. The parts sum to the bill to the micro-dollar.

Prices are those at which machines were bought, On-Demand and Spot by zone, by the second with a minimum of one minute. \
Traffic, disks, logs and what else AWS bills are not in them. What is nobody's (boot, drain, idle, unused) stands in a row \
without a name where rows are queues, shares, names, definitions or tags. Days and months are UTC; a cost is spread evenly over \
the time in which it came up.

Examples:
  spillway cost
  spillway cost --by day --since 7d
  spillway cost --by queue --by share --since 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z
  spillway cost --by tag:project --csv > costs.csv
  spillway cost --by type,market --format json | jq '.rows[] | select(.saved_usd > 1)'";

/// Flags of `cost`.
#[derive(Debug, Args)]
pub struct CostArgs {
    /// A row for each of these: day, month, queue, share, name, definition, tag:KEY, type, market, zone, host
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub by: Vec<By>,
    /// Only what came up then or later: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Only what came up before then
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Print comma-separated values for a spreadsheet
    #[arg(long)]
    pub csv: bool,
}

/// Shows it.
pub fn run(args: &CostArgs, context: &Context) -> Result<ExitStatus> {
    if args.csv && context.output.format() != Format::Human {
        return Err(Complaint::usage("--csv and --format are two forms of one answer")
            .hint("give one of them")
            .into());
    }
    let now = Timestamp::now();
    let window = Window {
        since: args.since.map_or(Timestamp::MIN, |moment| moment.at(now)),
        until: args.until.map_or(Timestamp::MAX, |moment| moment.at(now)),
    };
    if window.until <= window.since {
        return Err(Complaint::usage("--until is no later than --since").into());
    }
    let reader = ledger::reader(context.config()?)?;
    let view = Books::read(reader.as_ref(), &args.by, now)?.view(window);
    if args.csv {
        context.output.raw(&view.csv()?)?;
    } else {
        context.output.show(&view)?;
    }
    Ok(ExitStatus::Ok)
}
