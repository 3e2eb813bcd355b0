//! `cargo xtask`: what people and CI run on the whole repository. It decides nothing about Spillway itself, and leaves nothing running.

#[cfg(feature = "bench")]
mod bench_planner;
mod ci;
#[cfg(feature = "docs")]
mod docs;
#[cfg(feature = "bench")]
mod dst;
mod localstack;
mod process;
#[cfg(feature = "bench")]
mod random_problems;
mod shell;
#[cfg(feature = "bench")]
mod soak;
mod summary;
mod test;
mod venv;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::shell::Shell;
use crate::test::Stage;

/// Runs the tests, generates documents, starts the emulator.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test; LocalStack is installed into `target/`, started on loopback and stopped again
    Test {
        /// Only one part
        #[arg(long, value_enum)]
        only: Option<Stage>,
    },
    /// What CI runs: format, lints, then every test
    Ci,
    /// Start LocalStack with Spillway's plugin and agent on 127.0.0.1:4566, until Ctrl-C
    Localstack {
        /// The port
        #[arg(long, default_value_t = 4566)]
        port: u16,
    },
    /// Plan every problem of a folder, have the plans judged, and compare with the best known and with others' ways
    #[cfg(feature = "bench")]
    BenchPlanner(bench_planner::Wanted),
    /// Plan every problem of a folder, have the plans judged, and compare with the best known and with others' ways
    #[cfg(not(feature = "bench"))]
    #[command(disable_help_flag = true)]
    BenchPlanner {
        /// What the optimized build of this program is told; `--help` lists it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Plan problems drawn by lot and see that every promise of the planner is kept
    #[cfg(feature = "bench")]
    RandomProblems(random_problems::Wanted),
    /// Plan problems drawn by lot and see that every promise of the planner is kept
    #[cfg(not(feature = "bench"))]
    #[command(disable_help_flag = true)]
    RandomProblems {
        /// What the optimized build of this program is told; `--help` lists it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Run random scenarios over the simulated AWS, with every fault there is, and check every step
    #[cfg(feature = "bench")]
    Dst(dst::Wanted),
    /// Run random scenarios over the simulated AWS, with every fault there is, and check every step
    #[cfg(not(feature = "bench"))]
    #[command(disable_help_flag = true)]
    Dst {
        /// What the optimized build of this program is told; `--help` lists it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Let a month pass in virtual time: a million jobs, every class of faults, Spot capacity as it was recorded
    #[cfg(feature = "bench")]
    Soak(soak::Wanted),
    /// Let a month pass in virtual time: a million jobs, every class of faults, Spot capacity as it was recorded
    #[cfg(not(feature = "bench"))]
    #[command(disable_help_flag = true)]
    Soak {
        /// What the optimized build of this program is told; `--help` lists it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Write the generated documents in `docs/`, and man pages and completions in `target/dist/`
    Docs,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli.task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            shell::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well. An error is what kept a task from being tried.
fn run(task: &Task) -> anyhow::Result<bool> {
    let shell = Shell::new()?;
    match task {
        Task::Test { only } => Ok(test::run(&shell, *only)),
        Task::Ci => Ok(ci::run(&shell)),
        Task::Localstack { port } => localstack::tour(&shell, *port),
        #[cfg(feature = "bench")]
        Task::BenchPlanner(wanted) => bench_planner::run(shell.root(), wanted),
        #[cfg(not(feature = "bench"))]
        Task::BenchPlanner { args } => run_optimized(&shell, "bench-planner", args),
        #[cfg(feature = "bench")]
        Task::RandomProblems(wanted) => random_problems::run(&shell, wanted),
        #[cfg(not(feature = "bench"))]
        Task::RandomProblems { args } => run_optimized(&shell, "random-problems", args),
        #[cfg(feature = "bench")]
        Task::Dst(wanted) => dst::run(&shell, wanted),
        #[cfg(not(feature = "bench"))]
        Task::Dst { args } => run_optimized(&shell, "dst", args),
        #[cfg(feature = "bench")]
        Task::Soak(wanted) => soak::run(wanted),
        #[cfg(not(feature = "bench"))]
        Task::Soak { args } => run_optimized(&shell, "soak", args),
        Task::Docs => write_docs(&shell),
    }
}

#[cfg(feature = "docs")]
fn write_docs(shell: &Shell) -> anyhow::Result<bool> {
    docs::run(shell)
}

/// Runs this program again, built with the command line in it.
#[cfg(not(feature = "docs"))]
fn write_docs(shell: &Shell) -> anyhow::Result<bool> {
    shell.run("docs", ci::docs_command(shell))?;
    Ok(true)
}

/// Runs this program again, optimized and with the planner in it, from the folder that its arguments are meant in.
#[cfg(not(feature = "bench"))]
fn run_optimized(shell: &Shell, task: &str, args: &[std::ffi::OsString]) -> anyhow::Result<bool> {
    let mut command = ci::optimized(shell, task)?;
    command.args(args).current_dir(std::env::current_dir()?);
    shell.run(task, command)?;
    Ok(true)
}

#[cfg(all(test, feature = "bench"))]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The lines of a page that run this program, without what is said of them.
    fn commands(text: &str) -> Vec<String> {
        let lines = text.lines().map(|line| line.strip_prefix("$ ").unwrap_or(line));
        let of_ours = lines.filter(|line| line.starts_with("cargo xtask "));
        of_ours.map(|line| line.split('#').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn every_task_in_the_pages_is_one_that_there_is() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut n_seen = 0;
        for folder in ["", "docs", "infra", "localstack", "crates/sim", "crates/planner"] {
            for entry in fs::read_dir(root.join(folder)).unwrap() {
                let page = entry.unwrap().path();
                if page.extension().is_none_or(|of| of != "md") {
                    continue;
                }
                for command in commands(&fs::read_to_string(&page).unwrap()) {
                    let words = command.split_whitespace().skip(1);
                    let parsed = Cli::try_parse_from(words);
                    assert!(parsed.is_ok(), "{}: {command}: {parsed:?}", page.display());
                    n_seen += 1;
                }
            }
        }
        assert!(10 < n_seen, "{n_seen}");
    }
}
