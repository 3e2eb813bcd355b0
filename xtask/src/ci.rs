//! `cargo xtask ci`: what CI runs, the cheapest first.

use std::process::Command;

use crate::shell::Shell;
use crate::summary::Summary;
use crate::test::{self, PURE};

/// Runs everything. Whether all passed.
pub(crate) fn run(shell: &Shell) -> bool {
    let mut summary = Summary::default();
    summary.stage("format", || shell.run("cargo fmt", shell.cargo(&["fmt", "--all", "--check"])));
    summary.stage("lints", || shell.run("clippy", lints(shell)));
    summary.stage("rustdoc", || shell.run("rustdoc", rustdoc(shell)));
    summary.stage("documents", || shell.run("generated documents", docs_command(shell, true)));
    summary.stage("aws lints", || shell.run("clippy of what needs the SDK", sdk_lints(shell)));
    test::stages(shell, None, &mut summary);
    summary.stage("random scenarios", || shell.run("random scenarios", random_scenarios(shell)));
    summary.stage("soak", || shell.run("soak", soak(shell)));
    summary.print();
    summary.is_good()
}

/// Seeds that CI runs each time: a minute of two quiet processors. More by hand: `cargo xtask dst`.
const SEEDS: &str = "2000";

/// This program, optimized and with the planner in it.
pub(crate) fn optimized(shell: &Shell, task: &str) -> Command {
    let cargo = ["run", "--quiet", "--release", "-p", "xtask", "--features", "bench", "--"];
    let mut command = shell.cargo(&cargo);
    command.arg(task);
    command
}

fn random_scenarios(shell: &Shell) -> Command {
    let mut dst = optimized(shell, "dst");
    dst.args(["--seeds", SEEDS]);
    dst
}

/// A month in virtual time with so many jobs: a quarter of a minute. A million by hand: `cargo xtask soak`.
const SOAK_JOBS: &str = "30000";

fn soak(shell: &Shell) -> Command {
    let mut soak = optimized(shell, "soak");
    soak.args(["--jobs", SOAK_JOBS]);
    soak
}

/// All but what needs the SDK.
fn lints(shell: &Shell) -> Command {
    let mut clippy = shell.cargo(&["clippy", "--quiet", "--all-targets"]);
    clippy.args(PURE).args(["--", "-D", "warnings"]);
    clippy
}

/// Checking the SDK takes some four minutes more, in a form that nothing else can use: CI alone does it.
fn sdk_lints(shell: &Shell) -> Command {
    let jobs = test::sdk_jobs().to_string();
    let mut clippy = shell.cargo(&["clippy", "--quiet", "--all-targets", "--release"]);
    clippy.args(["--jobs", &jobs]).args(test::WITH_SDK).args(["-p", "spillway"]);
    clippy.args(["--", "-D", "warnings"]);
    clippy
}

fn rustdoc(shell: &Shell) -> Command {
    let mut doc = shell.cargo(&["doc", "--quiet", "--no-deps"]);
    doc.args(PURE).env("RUSTDOCFLAGS", "-D warnings");
    doc
}

/// `xtask docs`, built with the command line in it.
pub(crate) fn docs_command(shell: &Shell, check: bool) -> Command {
    let mut docs =
        shell.cargo(&["run", "--quiet", "-p", "xtask", "--features", "docs", "--", "docs"]);
    if check {
        docs.arg("--check");
    }
    docs
}
