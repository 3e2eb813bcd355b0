//! The verbs, one file each. A verb gathers, calls, and answers with a view; it prints only through `output`.

pub mod approve;
pub mod batch_api;
pub mod breakers;
pub mod budgets;
pub mod calibration;
pub mod cancel;
pub mod completions;
pub mod config;
pub mod cost;
pub mod definitions;
pub mod demo;
pub mod doctor;
pub mod end;
pub mod events;
pub mod hosts;
pub mod init;
pub mod jobs;
pub mod ledger;
pub mod logs;
pub mod plan;
pub mod prices;
pub mod queues;
pub mod report;
pub mod schedules;
pub mod serve;
pub mod simulate;
pub mod submit;
pub mod terminate;
pub mod top;
pub mod why;

use anyhow::Result;

use crate::args::Command;
use crate::context::Context;
use crate::exit::ExitStatus;

/// Runs one verb.
pub async fn run(command: &Command, context: &Context) -> Result<ExitStatus> {
    match command {
        Command::Serve(args) => Box::pin(serve::run(args, context)).await,
        Command::Submit(args) => Box::pin(submit::run(args, context)).await,
        Command::BatchApi(args) => Box::pin(batch_api::run(args, context)).await,
        Command::Jobs(command) => Box::pin(jobs::run(command, context)).await,
        Command::Logs(args) => Box::pin(logs::run(args, context)).await,
        Command::Hosts(command) => hosts::run(command, context),
        Command::Queues(command) => Box::pin(queues::run(command, context)).await,
        Command::Breakers(command) => Box::pin(breakers::run(command, context)).await,
        Command::Approve(args) => Box::pin(approve::run(args, context)).await,
        Command::Pools(command) => Box::pin(queues::run_pools(command, context)).await,
        Command::Definitions(command) => Box::pin(definitions::run(command, context)).await,
        Command::Schedules(command) => Box::pin(schedules::run(command, context)).await,
        Command::Calibration(args) => calibration::run(args, context),
        Command::Ledger(command) => Box::pin(ledger::run(command, context)).await,
        Command::Events(args) => Box::pin(events::run(args, context)).await,
        Command::Cost(args) => Box::pin(cost::run(args, context)).await,
        Command::Budgets(args) => budgets::run(args, context),
        Command::Report(args) => report::run(args, context),
        Command::Cancel(args) => Box::pin(cancel::run(args, context)).await,
        Command::Terminate(args) => Box::pin(terminate::run(args, context)).await,
        Command::Plan(args) => Box::pin(plan::run(args, context)).await,
        Command::Prices(args) => Box::pin(prices::run(args, context)).await,
        Command::Top(args) => top::run(args, context),
        Command::Why(args) => Box::pin(why::run(args, context)).await,
        Command::Simulate(args) => simulate::run(args, context),
        Command::Demo(args) => Box::pin(demo::run(args, context)).await,
        Command::Init(args) => Box::pin(init::run(args, context)).await,
        Command::Doctor(args) => Box::pin(doctor::run(args, context)).await,
        Command::Config(command) => config::run(command, context),
        Command::Completions(args) => completions::run(args, context),
    }
}
