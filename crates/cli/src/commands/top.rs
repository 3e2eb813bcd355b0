//! `spillway top`: what a deployment is doing and what that costs, live or once. Reads the ledger; changes and buys nothing.

mod bound;
mod events;
mod gather;
mod reading;
mod reasons;
mod screen;
mod source;

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::config::values::Span;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::output::{Format, Page, View};
use crate::prices::PriceArgs;
use crate::views::top::{TopView, draw};
use source::Source;

pub(crate) const LONG_ABOUT: &str = "\
Shows what a deployment is doing and what that costs: jobs by queue and state, why those that wait do, hosts by type, zone and \
market with how much of them is held, dollars per hour beside what the planner proves to be the least, what was spent today \
(UTC), and what happened last. It reads the ledger, with the dispatcher up or down, and changes nothing.

The bound needs prices: those of the account, or typical ones with --builtin-prices. It is the least for which anything on \
offer could hold what is on hosts now. Reasons to wait are those of `spillway why`.

Keys: q quits, tab and the arrows change the pane and go up and down in it, ? shows all of them. With --once, or with \
--format json, it is printed once.

Examples:
  spillway top
  spillway top --every 10s --builtin-prices
  spillway top --once --width 140
  spillway top --format json | jq '.money.spent_today_usd'";

/// The least time between two readings.
const EVERY_MIN: Duration = Duration::from_millis(200);

/// Flags of `top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// How often to read the ledger; more seldom where reading takes long
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub every: Span,
    /// Print it once, as text
    #[arg(long)]
    pub once: bool,
    /// How wide the text is
    #[arg(long, value_name = "COLUMNS", default_value_t = 100, requires = "once",
        value_parser = clap::value_parser!(u16).range(80..=200))]
    pub width: u16,
    /// Where prices come from
    #[command(flatten)]
    pub prices: PriceArgs,
}

/// What is printed once.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Once<'a> {
    view: &'a TopView,
    #[serde(skip)]
    width: u16,
}

impl View for Once<'_> {
    fn page(&self, page: &mut Page) {
        for line in draw::text(self.view, self.width).lines() {
            page.line(line);
        }
    }
}

/// Shows it.
pub fn run(args: &TopArgs, context: &Context) -> Result<ExitStatus> {
    let every = args.every.0.unsigned_abs();
    if every < EVERY_MIN {
        let least = EVERY_MIN.as_millis();
        return Err(Complaint::usage(format!("--every is less than {least} ms")).into());
    }
    let is_once = args.once || context.output.format() != Format::Human;
    if !is_once && !context.output.is_interactive() {
        return Err(Complaint::usage("there is no terminal to draw on")
            .hint("print it once: spillway top --once")
            .into());
    }
    let mut source = Source::new(context.config()?.clone(), args.prices.choice());
    // What is wrong with the ledger is said before the screen is taken.
    let view = source.read()?;
    if is_once {
        context.output.show(&Once { view: &view, width: args.width })?;
    } else {
        screen::show(view, source, every)?;
    }
    Ok(ExitStatus::Ok)
}
