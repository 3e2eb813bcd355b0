//! What is simulated: scenario files, benchmark problems and recorded jobs, and under whose decisions.

use std::path::Path;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use jiff::SignedDuration;
use spillway_planner::bill::TimedProblem;
use spillway_sim::scenario::{ScenarioError, SpotRecordings};
use spillway_sim::{Policy, Scenario};

use super::SimulateArgs;
use super::recorded::{self, SizeArgs};
use crate::context::Context;
use crate::error::Complaint;
use crate::{files, offers, world};

/// A scenario, and the flags that say it again.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) scenario: Scenario,
    /// What says that this is what runs.
    flags: String,
}

impl Source {
    /// The flags that replay it, without its seed.
    pub(super) fn flags(&self, policy: Policy) -> String {
        match policy {
            Policy::Spillway => self.flags.clone(),
            Policy::Peer(peer) => format!("{} --policy {}", self.flags, peer.name),
        }
    }
}

/// Everything that is named on the command line, in its order.
pub(super) fn all(args: &SimulateArgs, context: &Context) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in args.scenario.iter().chain(&args.scenarios) {
        let scenario = world::scenario(path)?;
        sources.push(Source { scenario, flags: format!("--scenario {}", path.display()) });
    }
    for path in &args.problem {
        let over = args.arrive_over.unwrap_or_default();
        let scenario = problem(path, over)?;
        let flags = format!("--problem {} --arrive-over '{over:#}'", path.display());
        sources.push(Source { scenario, flags });
    }
    let sources = match &args.jobs {
        Some(path) => with_jobs(path, args.sizes, sources, context)?,
        None => sources,
    };
    let mut sources = match &args.prices {
        Some(path) => with_prices(path, sources)?,
        None => sources,
    };
    if let Some(folder) = &args.spot_traces {
        let recordings = SpotRecordings::read(folder)
            .map_err(|error| Complaint::usage(format!("--spot-traces: {error}")))?;
        for source in &mut sources {
            let end = source.scenario.limit;
            source.scenario.follow_spot(&recordings, end);
            source.flags = format!("{} --spot-traces {}", source.flags, folder.display());
        }
    }
    Ok(sources)
}

/// The same scenarios where nothing is sold but what a price list has.
fn with_prices(path: &Path, sources: Vec<Source>) -> Result<Vec<Source>> {
    let offers = offers::read(path)?;
    let with_them = |mut source: Source| {
        source.scenario.world.offers.clone_from(&offers.offerings);
        if !offers.extras.are_none() {
            source.scenario.world.extras.clone_from(&offers.extras);
        }
        let flags = format!("{} --prices {}", source.flags, path.display());
        Source { flags, ..source }
    };
    Ok(sources.into_iter().map(with_them).collect())
}

/// The same scenarios with the jobs of a record; without any, those jobs in a world that comes with the program.
fn with_jobs(
    path: &Path,
    sizes: SizeArgs,
    sources: Vec<Source>,
    context: &Context,
) -> Result<Vec<Source>> {
    let record = recorded::read(path, sizes)?;
    for (n, why) in [
        (record.n_not_run, "never ran or have not ended"),
        (record.n_wholes, "are multi-node jobs, or arrays, whose children are jobs of their own"),
    ] {
        if 0 < n {
            context.output.note(&format!("{n} left out of {}: they {why}", path.display()));
        }
    }
    if !record.passed_over.is_empty() {
        let columns = record.passed_over.join(", ");
        context.output.note(&format!("columns of {} passed over: {columns}", path.display()));
    }
    let wrong = |error: ScenarioError| Complaint::usage(format!("{}: {error}", path.display()));
    let mut flags = format!("--jobs {}", path.display());
    if let Some(cpu) = sizes.job_vcpus {
        flags = format!("{flags} --job-vcpus {cpu}");
    }
    if let Some(memory) = sizes.job_memory {
        flags = format!("{flags} --job-memory {memory}");
    }
    if sources.is_empty() {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let scenario = Scenario::of_recorded(&name.unwrap_or_default(), &record.jobs);
        return Ok(vec![Source { scenario: scenario.map_err(wrong)?, flags }]);
    }
    let with_them = |source: Source| {
        let flags = format!("{} {flags}", source.flags);
        let scenario = source.scenario.with_recorded(&record.jobs).map_err(wrong)?;
        Ok(Source { scenario, flags })
    };
    sources.into_iter().map(with_them).collect()
}

fn problem(path: &Path, over: SignedDuration) -> Result<Scenario, Complaint> {
    let shown = path.display();
    let text = files::read(path)?;
    let not_json = |error| Complaint::usage(format!("{shown} is not valid JSON: {error}"));
    let value: serde_json::Value = serde_json::from_str(&text).map_err(not_json)?;
    if value.get("time").is_none() {
        return Err(Complaint::usage(format!("{shown}: the problem has no \"time\""))
            .hint("only a problem whose jobs have durations can be simulated"));
    }
    let problem: TimedProblem = serde_path_to_error::deserialize(value)
        .map_err(|error| Complaint::usage(format!("{shown}: {error}")))?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Scenario::of_problem(&name.unwrap_or_default(), &problem, over)
        .map_err(|error| Complaint::usage(format!("{shown}: {error}")))
}

/// For clap: a length of time such as `2h` or `90m`.
pub(super) fn span(text: &str) -> Result<SignedDuration, String> {
    let parsed: Result<SignedDuration, _> = text.parse();
    match parsed {
        Ok(span) if !span.is_negative() => Ok(span),
        Ok(_) | Err(_) => Err("give a duration such as 90s or \"2h 30m\"".to_owned()),
    }
}

/// For clap: the names of all policies.
pub(super) fn policy_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Policy::all().iter().map(Policy::name))
}

pub(super) fn policy(name: &str) -> Result<Policy, Complaint> {
    Policy::named(name).ok_or_else(|| Complaint::usage(format!("there is no policy {name:?}")))
}
