//! `spillway hosts list`.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use spillway_core::HostId;

use crate::context::Context;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::output::Format;
use crate::views::host::{HostList, HostRow};

/// The verbs of `hosts`.
#[derive(Debug, Subcommand)]
pub enum HostsCommand {
    /// List the machines with their price and what is on them
    #[command(long_about = LIST_ABOUT)]
    List(ListArgs),
}

const LIST_ABOUT: &str = "\
Lists the machines that are paid for or asked for, from the ledger.

Examples:
  spillway hosts list
  spillway hosts list --all --format json | jq .cost_usd";

/// Flags of `hosts list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Those that are gone too
    #[arg(long)]
    pub all: bool,
}

/// Runs one of them.
pub fn run(command: &HostsCommand, context: &Context) -> Result<ExitStatus> {
    let HostsCommand::List(args) = command;
    let reader = ledger::reader(context.config()?)?;
    let now = Timestamp::now();
    let mut n_jobs: BTreeMap<HostId, usize> = BTreeMap::new();
    for job in reader.state()?.jobs {
        if let Some(live) = job.state.live_attempt() {
            *n_jobs.entry(live.host).or_default() += 1;
        }
    }
    let hosts = reader.hosts(args.all)?;
    let row = |host| HostRow::new(host, n_jobs.get(&host.id).copied().unwrap_or_default(), now);
    let list = HostList::new(hosts.iter().map(row).collect(), now);
    context.output.show(&list)?;
    if context.output.format() == Format::Human {
        context.output.note(list.summary());
    }
    Ok(ExitStatus::Ok)
}
