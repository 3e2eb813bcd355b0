//! Runs a scenario from a file, or random ones by their seeds, and prints the score: for measuring and for hunting.
//!
//! ```text
//! cargo run --release -p spillway-sim --example run -- FILE [--seed N] [--runs N] [--trace FILE]
//! cargo run --release -p spillway-sim --example run -- random [--seed N] [--runs N]
//! ```
//!
//! Every run is made twice; unequal hashes, a violation or a run that does not come to rest end it with exit code 1.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use spillway_sim::run::{self, Outcome};
use spillway_sim::scenario::{Scenario, random};

type AnyError = Box<dyn std::error::Error>;

struct Arguments {
    what: String,
    seed: Option<u64>,
    n_runs: u64,
    trace: Option<String>,
}

fn arguments() -> Result<Arguments, AnyError> {
    let mut words = std::env::args().skip(1);
    let what = words.next().ok_or("the first argument is a scenario's file, or `random`")?;
    let mut arguments = Arguments { what, seed: None, n_runs: 1, trace: None };
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--seed" => arguments.seed = Some(value.parse()?),
            "--runs" => arguments.n_runs = value.parse()?,
            "--trace" => arguments.trace = Some(value),
            _ => return Err(format!("unknown flag {flag}").into()),
        }
    }
    Ok(arguments)
}

fn scenario(arguments: &Arguments, nth: u64) -> Result<Scenario, AnyError> {
    if arguments.what == "random" {
        return Ok(random::random(arguments.seed.unwrap_or(0) + nth));
    }
    let scenario = Scenario::load(Path::new(&arguments.what))?;
    let seed = arguments.seed.unwrap_or(scenario.seed) + nth;
    Ok(scenario.with_seed(seed))
}

fn run_once(scenario: &Scenario, trace: Option<&str>) -> Result<Outcome, AnyError> {
    let Some(path) = trace else { return Ok(run::run(scenario, None)?) };
    let mut out = BufWriter::new(File::create(path)?);
    let outcome = run::run(scenario, Some(&mut out))?;
    out.flush()?;
    Ok(outcome)
}

#[expect(clippy::print_stdout, reason = "it is a program for people")]
fn main() -> Result<ExitCode, AnyError> {
    let arguments = arguments()?;
    let mut n_bad = 0;
    for nth in 0..arguments.n_runs {
        let scenario = scenario(&arguments, nth)?;
        let first = run_once(&scenario, arguments.trace.as_deref())?;
        let is_single = arguments.n_runs == 1;
        let same = is_single || run_once(&scenario, None)?.trace_hash == first.trace_hash;
        let is_good = same && first.converged && first.n_violations == 0;
        if is_single {
            println!("{}", serde_json::to_string_pretty(&first)?);
        }
        if !is_good {
            n_bad += 1;
            let (seed, n) = (scenario.seed, first.n_violations);
            println!("seed {seed}: same {same}, converged {}, {n} violations", first.converged);
            for violation in first.violations.iter().take(5) {
                println!("    {violation}");
            }
        }
    }
    println!("{} runs, {n_bad} bad", arguments.n_runs);
    Ok(if n_bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
