//! `cargo xtask ci`: what CI runs, the cheapest first.

use std::process::Command;

use anyhow::Result;

use crate::shell::Shell;
use crate::summary::Summary;
use crate::test::{self, PURE};

/// Runs everything. Whether all passed.
pub(crate) fn run(shell: &Shell) -> bool {
    let mut summary = Summary::default();
    summary.stage("format", || shell.run("cargo fmt", shell.cargo(&["fmt", "--all", "--check"])));
    summary.stage("lints", || shell.run("clippy", lints(shell)));
    summary.stage("rustdoc", || shell.run("rustdoc", rustdoc(shell)));
    summary.stage("aws lints", || sdk_lints(shell));
    test::stages(shell, None, &mut summary);
    summary.stage("random scenarios", || random_scenarios(shell));
    summary.stage("soak", || soak(shell));
    summary.print();
    summary.is_good()
}

/// Seeds that CI runs each time: a minute of two quiet processors. More by hand: `cargo xtask dst`.
const SEEDS: &str = "2000";

/// This program, optimized and with the planner in it, ready to be given a task. Built with the features that its dependencies
/// have in the command line, which is not built for that: where it has been, most is there.
pub(crate) fn optimized(shell: &Shell, task: &str) -> Result<Command> {
    let cargo = ["build", "--quiet", "--release", "-p", "xtask", "--bin", "xtask"];
    let mut build = shell.cargo(&cargo);
    build.args(["-p", "spillway", "--features", "xtask/bench"]);
    shell.run("this program, optimized", build)?;
    let mut command = shell.command(shell.target().join("release").join("xtask"));
    command.env("CARGO_MANIFEST_DIR", shell.root().join("xtask")).arg(task);
    Ok(command)
}

fn random_scenarios(shell: &Shell) -> Result<()> {
    let mut dst = optimized(shell, "dst")?;
    dst.args(["--seeds", SEEDS]);
    shell.run("random scenarios", dst)
}

/// A month in virtual time with so many jobs: a quarter of a minute. A million by hand: `cargo xtask soak`.
const SOAK_JOBS: &str = "30000";

fn soak(shell: &Shell) -> Result<()> {
    let mut soak = optimized(shell, "soak")?;
    soak.args(["--jobs", SOAK_JOBS]);
    shell.run("soak", soak)
}

/// All but what needs the SDK.
fn lints(shell: &Shell) -> Command {
    let mut clippy = shell.cargo(&["clippy", "--quiet", "--all-targets"]);
    clippy.args(PURE).args(["--", "-D", "warnings"]);
    clippy
}

/// `cargo clippy` would check the SDK, which takes minutes in a form that nothing else can use. Here clippy is the compiler of the
/// workspace's crates in an ordinary build: the SDK and all else that is not ours is there for the stages that follow.
fn sdk_lints(shell: &Shell) -> Result<()> {
    let jobs = test::sdk_jobs().to_string();
    let clippy = |selection: &[&str]| {
        let mut build = shell.cargo(&["build", "--quiet", "--release", "--jobs", &jobs]);
        build.args(selection);
        for package in ROOMS {
            // What clippy compiles is not run.
            let quick = format!("profile.release.package.{package}.opt-level=0");
            build.arg("--config").arg(quick);
        }
        build.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
        // As `cargo clippy -- --no-deps -D warnings` tells it.
        build.env("CLIPPY_ARGS", ["--no-deps", "-D", "warnings", ""].join("__CLIPPY_HACKERY__"));
        build
    };
    // With the features it is shipped with; what is tested without the SDK is looked at without it.
    shell.run("clippy of the command line with the SDK", clippy(&["-p", "spillway"]))?;
    let adapters = [&test::WITH_SDK[..], &["--all-targets"]].concat();
    shell.run("clippy of what else needs the SDK", clippy(&adapters))
}

/// The crates of the workspace that are built with the SDK.
const ROOMS: [&str; 10] = [
    "spillway",
    "spillway-aws",
    "spillway-core",
    "spillway-dynamodb",
    "spillway-engine",
    "spillway-planner",
    "spillway-runtime",
    "spillway-sim",
    "spillway-tests",
    "spillway-wire-tests",
];

fn rustdoc(shell: &Shell) -> Command {
    let mut doc = shell.cargo(&["doc", "--quiet", "--no-deps"]);
    doc.args(PURE).env("RUSTDOCFLAGS", "-D warnings");
    doc
}

/// `xtask docs`, built with the command line in it.
#[cfg(not(feature = "docs"))]
pub(crate) fn docs_command(shell: &Shell) -> Command {
    shell.cargo(&["run", "--quiet", "-p", "xtask", "--features", "docs", "--", "docs"])
}
