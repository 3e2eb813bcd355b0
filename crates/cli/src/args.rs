//! The command line: verbs and global flags. Each verb's own flags are beside its code in `commands`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::config::Override;
use crate::output::{Color, Format};

const LONG_ABOUT: &str = "\
Spillway runs container jobs from an SQS queue on the cheapest mix of On-Demand and Spot EC2 instances that \
covers them, as ECS tasks, and gives the machines back when they have nothing to do.

One dispatcher (`spillway serve`) owns a ledger. Producers and `spillway submit` send job messages to the queue; \
everything that reads (`jobs`, `hosts`, `plan`) reads the ledger, with the dispatcher up or down.";

const AFTER_HELP: &str = "\
Start here:
  spillway demo                          see it work: no account, no Docker, no configuration
  spillway init                          make what it needs in an account
  spillway doctor                        check an installation before the first job
  spillway serve                         run the dispatcher
  spillway submit --image busybox --vcpus 1 --memory 512MiB --wait -- sh -c 'echo hello'
  spillway jobs list --status RUNNING

Exit codes:
  0  success                             6  the configuration is wrong
  1  a failure of Spillway itself        7  AWS denied a call, or there are no credentials
  2  the command line or its input       8  AWS cannot be reached
  3  a job that was waited for failed    9  the ledger is locked, missing or unreadable
  4  an invariant broke, or infeasible   130  interrupted by Ctrl-C
  5  not finished within the time given";

/// Runs container jobs from a queue on the cheapest EC2 instances that cover them.
#[derive(Debug, Parser)]
#[command(
    name = "spillway",
    version,
    long_about = LONG_ABOUT,
    after_help = AFTER_HELP,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What holds for every verb.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every verb takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// The configuration file [default: ./spillway.toml, else ~/.config/spillway/config.toml]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SPILLWAY_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// The ledger: a SQLite file, or dynamodb:TABLE
    #[arg(long, global = true, value_name = "LEDGER")]
    pub ledger: Option<String>,
    /// The profile of the AWS configuration
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// The AWS region
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Send all AWS calls here, for an emulator
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// How data is printed to stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "SPILLWAY_FORMAT",
        hide_env_values = true
    )]
    pub format: Format,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t)]
    pub color: Color,
    /// Say more on stderr; twice says everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl GlobalArgs {
    /// The configuration keys that flags set.
    pub fn overrides(&self) -> Vec<Override> {
        let flags = [
            ("ledger", "--ledger", self.ledger.clone()),
            ("profile", "--profile", self.profile.clone()),
            ("region", "--region", self.region.clone()),
            ("endpoint-url", "--endpoint-url", self.endpoint_url.clone()),
        ];
        let set = flags
            .into_iter()
            .filter_map(|(key, flag, value)| Some(Override { key, flag, value: value? }));
        set.collect()
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the dispatcher
    #[command(long_about = commands::serve::LONG_ABOUT)]
    Serve(Box<commands::serve::ServeArgs>),
    /// Send jobs to the queue
    #[command(long_about = commands::submit::LONG_ABOUT)]
    Submit(Box<commands::submit::SubmitArgs>),
    /// Answer AWS Batch's API on this machine, for the aws CLI, boto3, Nextflow and others
    #[command(long_about = commands::batch_api::LONG_ABOUT)]
    BatchApi(commands::batch_api::BatchApiArgs),
    /// List, show, retry and wait for jobs
    #[command(subcommand)]
    Jobs(commands::jobs::JobsCommand),
    /// List, show, pause and resume job queues
    #[command(subcommand)]
    Queues(commands::queues::QueuesCommand),
    /// List, show, pause and resume pools of offerings
    #[command(subcommand)]
    Pools(commands::queues::PoolsCommand),
    /// Register, list, show and deregister job definitions
    #[command(subcommand)]
    Definitions(commands::definitions::DefinitionsCommand),
    /// Send jobs by the clock
    #[command(subcommand)]
    Schedules(commands::schedules::SchedulesCommand),
    /// List what is left alone after failures, and use it again
    #[command(subcommand)]
    Breakers(commands::breakers::BreakersCommand),
    /// Approve what is dearer than may be spent without being asked, or show what is held
    #[command(long_about = commands::approve::LONG_ABOUT)]
    Approve(commands::approve::ApproveArgs),
    /// Print what a job's container wrote
    #[command(long_about = commands::logs::LONG_ABOUT)]
    Logs(commands::logs::LogsArgs),
    /// List the machines
    #[command(subcommand)]
    Hosts(commands::hosts::HostsCommand),
    /// See what it is doing and what that costs, live
    #[command(long_about = commands::top::LONG_ABOUT)]
    Top(commands::top::TopArgs),
    /// Say what has happened: who asked for what, what was decided, and at what price
    #[command(long_about = commands::events::LONG_ABOUT)]
    Events(Box<commands::events::EventsArgs>),
    /// Hold predicted durations and interruptions against what came
    #[command(long_about = commands::calibration::LONG_ABOUT)]
    Calibration(commands::calibration::CalibrationArgs),
    /// Say what was paid, what for and for whom
    #[command(long_about = commands::cost::LONG_ABOUT)]
    Cost(commands::cost::CostArgs),
    /// List the budgets: what is spent, what is left, and when the next period begins
    #[command(long_about = commands::budgets::LONG_ABOUT)]
    Budgets(commands::budgets::BudgetsArgs),
    /// Write a page about a time, a queue or a simulated run
    #[command(long_about = commands::report::LONG_ABOUT)]
    Report(commands::report::ReportArgs),
    /// Export, import and verify the ledger
    #[command(subcommand)]
    Ledger(commands::ledger::LedgerCommand),
    /// End jobs that have not been given to a machine yet
    #[command(long_about = commands::cancel::LONG_ABOUT)]
    Cancel(Box<commands::end::EndArgs>),
    /// End jobs wherever they are
    #[command(long_about = commands::terminate::LONG_ABOUT)]
    Terminate(Box<commands::end::EndArgs>),
    /// Show what would be bought, and buy nothing
    #[command(long_about = commands::plan::LONG_ABOUT)]
    Plan(commands::plan::PlanArgs),
    /// List what may be bought, and for how much
    #[command(long_about = commands::prices::LONG_ABOUT)]
    Prices(commands::prices::PricesArgs),
    /// Say why a job waits, when it should start, and what would start it now
    #[command(long_about = commands::why::LONG_ABOUT)]
    Why(commands::why::WhyArgs),
    /// Run a scenario in a simulated cloud
    #[command(long_about = commands::simulate::LONG_ABOUT)]
    Simulate(commands::simulate::SimulateArgs),
    /// See it work on a simulated cloud, in half a minute
    #[command(long_about = commands::demo::LONG_ABOUT)]
    Demo(commands::demo::DemoArgs),
    /// Make what a dispatcher needs in an account
    #[command(long_about = commands::init::LONG_ABOUT)]
    Init(commands::init::InitArgs),
    /// Check the installation
    #[command(long_about = commands::doctor::LONG_ABOUT)]
    Doctor(commands::doctor::DoctorArgs),
    /// Show and check the configuration
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// Print a shell's completion script
    #[command(long_about = commands::completions::LONG_ABOUT)]
    Completions(commands::completions::CompletionsArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::exit::ExitStatus;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_lists_every_exit_code() {
        for status in ExitStatus::ALL {
            let code = status.code().to_string();
            assert!(AFTER_HELP.split_whitespace().any(|word| word == code), "{code}");
        }
    }

    #[test]
    fn global_flags_are_taken_after_the_verb_and_set_keys() {
        let cli = Cli::parse_from(["spillway", "jobs", "list", "--ledger", "a.db", "--region=x"]);

        let overrides = cli.global.overrides();

        let keys: Vec<&str> = overrides.iter().map(|o| o.key).collect();
        assert_eq!(keys, ["ledger", "region"]);
        assert!(matches!(cli.command, Command::Jobs(_)));
    }

    #[test]
    fn every_override_is_a_key_of_the_configuration() {
        let known = crate::config::keys();
        let all = GlobalArgs {
            ledger: Some("a".into()),
            profile: Some("a".into()),
            region: Some("a".into()),
            endpoint_url: Some("a".into()),
            ..GlobalArgs::default()
        };

        for set in all.overrides() {
            assert!(known.iter().any(|key| key.name == set.key), "{}", set.key);
        }
    }
}
