//! The command line of Spillway: parses arguments, puts the parts together, prints. It decides nothing about jobs or
//! machines, and prints only in `output`.

pub mod args;
mod asked;
mod books;
pub mod commands;
pub mod config;
pub mod context;
mod dispatch;
pub mod docs;
pub mod error;
pub mod exit;
mod files;
pub mod ledger;
pub mod logging;
mod news;
pub mod offers;
mod outbox;
pub mod output;
pub mod pick;
pub mod prices;
pub mod send;
mod sender;
mod spool;
pub mod views;
pub mod wait;
mod why;
mod world;

#[cfg(feature = "aws")]
pub mod cloud;
#[cfg(not(feature = "aws"))]
mod cloudless;
#[cfg(feature = "aws")]
mod shared;
#[cfg(not(feature = "aws"))]
use cloudless as shared;

#[cfg(feature = "otel")]
mod traces;
#[cfg(not(feature = "otel"))]
mod untraced;
#[cfg(not(feature = "otel"))]
use untraced as traces;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::args::Cli;
use crate::context::Context;

/// The whole command line, for man pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the process to its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let context = Context::of_process(cli.global.clone());
    match run(&cli, &context) {
        Ok(status) => status.into(),
        Err(error) => {
            let verdict = error::verdict(&error);
            output::print_error(&error, &verdict);
            verdict.status.into()
        }
    }
}

fn run(cli: &Cli, context: &Context) -> anyhow::Result<exit::ExitStatus> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let status = runtime.block_on(commands::run(&cli.command, context));
    // A blocking call that is still under way must not hold up the end of the process.
    runtime.shutdown_background();
    status
}
