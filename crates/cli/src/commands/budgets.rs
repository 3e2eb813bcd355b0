//! `spillway budgets`: what is spent of each budget, and whom that stops. Reads the ledger; works with the dispatcher up or down.

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use spillway_core::error::LedgerError;
use spillway_engine::{BudgetStanding, Engine};

use crate::config::Config;
use crate::context::Context;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::output::Format;
use crate::views::budget::{BudgetList, BudgetRow};

pub(crate) const LONG_ABOUT: &str = "\
Lists the budgets of the configuration (`[[budget]]`): what is spent of each in its day, week or month, what is left, and when the \
next begins. Periods are the calendar's, in UTC; weeks begin on Monday.

A budget of everything counts what all machines cost, idle, booting and leaving ones too. One of a queue or a share counts what its \
jobs' attempts carry: their part of their machine for as long as they held a place on it; idle time, boots and what nobody held \
are not in it. Running machines and attempts count with what they have cost so far. Prices are those of `spillway cost`.

When all of it is spent it is `stopped`: nothing of its scope starts and nothing is bought for it until the next period begins or \
the amount is raised. What runs goes on to its end, and that is by how much a budget can be overrun. Jobs wait, and none fails.

Examples:
  spillway budgets
  spillway budgets --format json | jq -r '.budgets[] | select(.state != \"ok\").budget'";

/// Flags of `budgets`.
#[derive(Debug, Args)]
pub struct BudgetsArgs {}

/// Shows them.
pub fn run(_: &BudgetsArgs, context: &Context) -> Result<ExitStatus> {
    let now = Timestamp::now();
    let budgets: Vec<BudgetRow> =
        standings(context.config()?, now)?.iter().map(BudgetRow::from).collect();
    let has_none = budgets.is_empty();
    context.output.show(&BudgetList { as_of: now, budgets })?;
    if context.output.format() == Format::Human && has_none {
        context.output.note("there are none: set one as [[budget]] in spillway.toml");
    }
    Ok(ExitStatus::Ok)
}

/// All budgets as they stand by the ledger. Where there are none the ledger is not read.
pub(crate) fn standings(
    config: &Config,
    now: Timestamp,
) -> Result<Vec<BudgetStanding>, LedgerError> {
    if config.budget.is_empty() {
        return Ok(Vec::new());
    }
    let state = ledger::reader(config)?.state()?;
    Ok(Engine::new(config.engine(), state, now).budget_standings(now))
}
