//! `spillway cost`: what was paid, what for and for whom. Reads the ledger.

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use spillway_core::Catalog;

use crate::books::{Books, By, Window};
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::output::Format;
use crate::pick::Moment;
use crate::prices::{self, PriceArgs};

pub(crate) const LONG_ABOUT: &str = "\
Shows what the machines cost, what for and for whom: every instance-second that is in the ledger. Jobs carry their share of \
their machine for as long as they held a place on it; the rest was boot, drain, idle, or unused beside them. Work that \
interruptions and dead machines threw away is lost. The parts sum to the bill to the micro-dollar.

Prices are those at which machines were bought, On-Demand and Spot by zone, by the second with a minimum of one minute. \
What a machine has beside its instance, its root volume and its public address, is in them, and stands in `extras` too: AWS's \
bill has it on lines of its own. Traffic, logs and what else AWS bills are not in them. What is nobody's (boot, drain, idle, unused) stands in a row \
without a name where rows are queues, shares, names, definitions or tags. Days and months are UTC; a cost is spread evenly over \
the time in which it came up.

--one-vm-per-job sets beside it what the jobs would have cost on a machine each: the cheapest that holds the job, On-Demand or \
Spot as the job allows, by today's prices, for as long as the job held its place plus the mean boot of the machines in the \
ledger, and for a minute at least. Work that was lost is not counted there.

Examples:
  spillway cost
  spillway cost --by day --since 7d
  spillway cost --by queue --by share --since 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z
  spillway cost --by tag:project --csv > costs.csv
  spillway cost --one-vm-per-job --by queue --builtin-prices
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
    /// Set beside it what the jobs would have cost on a machine each
    #[arg(long)]
    pub one_vm_per_job: bool,
    /// By which prices.
    #[command(flatten)]
    pub prices: PriceArgs,
    /// Print comma-separated values for a spreadsheet
    #[arg(long)]
    pub csv: bool,
}

/// Shows it.
pub async fn run(args: &CostArgs, context: &Context) -> Result<ExitStatus> {
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
    if !args.one_vm_per_job && args.prices != PriceArgs::default() {
        return Err(Complaint::usage(
            "what was paid is in the ledger: there are no prices to choose",
        )
        .hint("prices are those of --one-vm-per-job")
        .into());
    }
    let config = context.config()?;
    let prices = if args.one_vm_per_job { Some(prices(args, context).await?) } else { None };
    let reader = ledger::reader(config)?;
    let books = match prices {
        Some(prices) => Books::read_beside(reader.as_ref(), &args.by, now, prices)?,
        None => Books::read(reader.as_ref(), &args.by, now)?,
    };
    let view = books.view(window);
    if let Some(n) = view.n_too_large.filter(|n| 0 < *n) {
        let text = format!("{n} attempts are left out of one_vm_per_job: no machine holds them");
        context.output.note(&text);
    }
    if args.csv {
        context.output.raw(&view.csv()?)?;
    } else {
        context.output.show(&view)?;
    }
    Ok(ExitStatus::Ok)
}

/// What the configuration lets be bought.
async fn prices(args: &CostArgs, context: &Context) -> Result<Catalog> {
    let config = context.config()?;
    let (catalog, view) = prices::catalog(&args.prices.choice(), config).await?;
    context.output.note(&format!("a machine for each job by {}", view.source));
    let filter = config.engine().offerings;
    let allowed = catalog.offerings().iter().filter(|offering| filter.allows(offering));
    Ok(Catalog::new(catalog.as_of.unwrap_or_else(Timestamp::now), allowed.cloned().collect()))
}
