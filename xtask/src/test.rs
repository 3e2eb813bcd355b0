//! `cargo xtask test`: every test there is, in three stages, the quickest first.

use std::process::Command;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::localstack::LocalStack;
use crate::shell::{Runner, Shell, say};
use crate::summary::Summary;
use crate::venv::Venv;

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// Unit, property, scenario, contract and CLI tests: no Python, no AWS SDK
    Pure,
    /// The adapters' tests, and the whole command line
    Aws,
    /// Everything over the wire, on LocalStack
    Localstack,
}

/// All that is pure, what makes documents and random problems and traces included: the SDK is left alone, and so is nothing else.
pub(crate) const PURE: [&str; 10] = [
    "--workspace",
    "--exclude",
    "spillway-aws",
    "--exclude",
    "spillway-dynamodb",
    "--exclude",
    "spillway-wire-tests",
    "--no-default-features",
    "--features",
    "xtask/docs,xtask/bench,spillway/otel",
];

/// What needs the SDK, besides the CLI.
pub(crate) const WITH_SDK: [&str; 6] =
    ["-p", "spillway-aws", "-p", "spillway-dynamodb", "-p", "spillway-wire-tests"];

/// The adapters' tests that need no emulator.
const ADAPTERS: &str = "(package(spillway-aws) + package(spillway-dynamodb)) - binary(wire)";

/// What rustc needs for the largest SDK crate in the release profile, in GiB.
const SDK_CRATE_GIB: u64 = 5;

/// Runs one stage or all. Whether all passed.
pub(crate) fn run(shell: &Shell, only: Option<Stage>) -> bool {
    let mut summary = Summary::default();
    stages(shell, only, &mut summary);
    summary.print();
    summary.is_good()
}

/// Runs one stage or all.
pub(crate) fn stages(shell: &Shell, only: Option<Stage>, summary: &mut Summary) {
    let runner = shell.runner();
    let is_asked = |stage| only.is_none_or(|only| only == stage);
    if is_asked(Stage::Pure) {
        summary.stage("pure", || pure(shell, runner));
    }
    if is_asked(Stage::Aws) {
        summary.stage("aws", || aws(shell, runner));
    }
    if is_asked(Stage::Localstack) {
        summary.stage("localstack", || localstack(shell, runner));
    }
}

fn pure(shell: &Shell, runner: Runner) -> Result<()> {
    await_chromium(shell);
    shell.run("pure tests", tests(shell, runner, &PURE))?;
    if runner == Runner::Nextest {
        // nextest does not run the examples in documentation.
        let mut examples = shell.cargo(&["test", "--quiet", "--doc"]);
        examples.args(PURE);
        shell.run("documentation examples", examples)?;
    }
    Ok(())
}

/// Waits until nobody installs Chromium any more, and says loudly if it is not there: the test that needs it passes without it.
fn await_chromium(shell: &Shell) {
    // Whoever installs it beside other work holds a lock on this file.
    if let Ok(file) = std::fs::File::open(shell.target().join("chromium.lock")) {
        file.lock().ok();
    }
    let is_there = |folder: std::path::PathBuf| folder.join("chromium").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(is_there) {
        say(
            "warning: SKIPPED, as there is no Chromium: nobody looks at the page of `spillway report` in a browser",
        );
        say("hint: apt-get install -y --no-install-recommends chromium");
    }
}

fn aws(shell: &Shell, runner: Runner) -> Result<()> {
    shell.run("the whole command line", release_build(shell))?;
    // By itself: it shares no features with what is above.
    let runner_of_tasks = shell.cargo(&["build", "--release", "-p", "spillway-runner"]);
    shell.run("the runner of shared tasks", runner_of_tasks)?;
    let adapters = with_sdk(shell, runner, ADAPTERS, &["--lib"]);
    shell.run("adapter tests", adapters)
}

fn localstack(shell: &Shell, runner: Runner) -> Result<()> {
    // Before the emulator is started: building takes minutes on a cold machine.
    shell.run("the whole command line", release_build(shell))?;
    let wire = || {
        let binaries = ["--test", "contract_aws", "--test", "localstack", "--test", "wire"];
        with_sdk(
            shell,
            runner,
            "binary(contract_aws) + binary(localstack) + binary(wire)",
            &binaries,
        )
    };
    let mut build = wire();
    build.arg("--no-run");
    shell.run("build the tests on LocalStack", build)?;

    let venv = Venv::ready(shell)?;
    python_checks(shell, &venv)?;

    let running = LocalStack::start_for_tests(shell, &venv)?;
    let mut over_the_wire = wire();
    over_the_wire
        .env("SPILLWAY_TEST_ENDPOINT", running.endpoint())
        .env("SPILLWAY_TEST_PYTHON", venv.program("python"))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("SPILLWAY_BIN", shell.target().join("release").join("spillway"));
    let result = shell.run("tests on LocalStack", over_the_wire);
    if result.is_err() {
        say(&running.last_words());
    }
    running.stop()?;
    result
}

/// Format, lints and tests of everything in Python, and of the template.
fn python_checks(shell: &Shell, venv: &Venv) -> Result<()> {
    let python = |args: &[&str]| {
        let mut command = shell.command(venv.program("python"));
        command.env("PYTHONDONTWRITEBYTECODE", "1").args(["-m"]).args(args);
        command
    };
    shell.run("ruff format", python(&["ruff", "format", "--check", "localstack", "infra"]))?;
    shell.run("ruff check", python(&["ruff", "check", "localstack", "infra"]))?;
    let mut lint = shell.command(venv.program("cfn-lint"));
    lint.arg("infra/spillway.yaml");
    shell.run("cfn-lint", lint)?;
    shell.run("tests of infra/", python(&["pytest", "-q", "-p", "no:cacheprovider", "infra"]))?;
    for (title, args) in [
        ("mypy", &["mypy"][..]),
        ("tests of localstack/", &["pytest", "-q", "-p", "no:cacheprovider"]),
    ] {
        let mut plugin = python(args);
        plugin.current_dir(shell.root().join("localstack"));
        shell.run(title, plugin)?;
    }
    Ok(())
}

/// The CLI as it is shipped. `-p` and not the workspace: the SDK is built with exactly these features, once.
fn release_build(shell: &Shell) -> Command {
    shell.cargo(&["build", "--release", "-p", "spillway", "--jobs", &sdk_jobs().to_string()])
}

/// Tests that need the SDK, some of them. Always one selection of packages: with another one the crates below the SDK would
/// have other features, and it would be built again.
fn with_sdk(shell: &Shell, runner: Runner, filter: &str, otherwise: &[&str]) -> Command {
    let jobs = sdk_jobs().to_string();
    let mut args = vec!["--release"];
    args.extend(WITH_SDK);
    match runner {
        Runner::Nextest => args.extend(["--build-jobs", &jobs, "-E", filter]),
        Runner::CargoTest => args.extend(["--jobs", &jobs].iter().chain(otherwise)),
    }
    tests(shell, runner, &args)
}

fn tests(shell: &Shell, runner: Runner, args: &[&str]) -> Command {
    let is_ci = std::env::var_os("CI").is_some();
    let mut command = match runner {
        Runner::Nextest => {
            let profile = if is_ci { "ci" } else { "default" };
            shell.cargo(&["nextest", "run", "--profile", profile, "--no-tests", "warn"])
        }
        Runner::CargoTest => shell.cargo(&["test", "--no-fail-fast"]),
    };
    if is_ci && std::env::var_os(PROPERTY_SEED).is_none() {
        command.env(PROPERTY_SEED, CI_PROPERTY_SEED);
    }
    command.args(args);
    command
}

/// What proptest draws its inputs from; where it is not set, from new ones each time.
const PROPERTY_SEED: &str = "PROPTEST_RNG_SEED";

/// In CI a failure says something about the change: the same inputs are drawn each time. New ones are drawn wherever else tests run.
const CI_PROPERTY_SEED: &str = "20261128";

/// How many compilers may run at once while the SDK is built, so that memory is enough.
pub(crate) fn sdk_jobs() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let gib = available_gib().unwrap_or(SDK_CRATE_GIB);
    let by_memory = usize::try_from(gib / SDK_CRATE_GIB).unwrap_or(cores);
    by_memory.clamp(1, cores)
}

/// `MemAvailable` of the system.
fn available_gib() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("no MemAvailable")?;
    Ok(kib.parse::<u64>()? / (1024 * 1024))
}
