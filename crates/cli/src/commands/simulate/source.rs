//! What is simulated: scenario files and benchmark problems, and under whose decisions.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use jiff::SignedDuration;
use spillway_planner::bill::TimedProblem;
use spillway_sim::{Policy, Scenario};

use super::SimulateArgs;
use crate::error::Complaint;
use crate::{files, world};

/// A scenario, and the flags that say it again.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) scenario: Scenario,
    path: PathBuf,
    /// For a problem, the time its jobs arrive over.
    arrive_over: Option<SignedDuration>,
}

impl Source {
    /// The flags that replay it, without its seed.
    pub(super) fn flags(&self, policy: Policy) -> String {
        let path = self.path.display();
        let mut flags = match self.arrive_over {
            Some(over) => format!("--problem {path} --arrive-over '{over:#}'"),
            None => format!("--scenario {path}"),
        };
        if let Policy::Peer(peer) = policy {
            flags = format!("{flags} --policy {}", peer.name);
        }
        flags
    }
}

/// Everything that is named on the command line, in its order.
pub(super) fn all(args: &SimulateArgs) -> Result<Vec<Source>, Complaint> {
    let mut sources = Vec::new();
    for path in args.scenario.iter().chain(&args.scenarios) {
        let scenario = world::scenario(path)?;
        sources.push(Source { scenario, path: path.clone(), arrive_over: None });
    }
    for path in &args.problem {
        let over = args.arrive_over.unwrap_or_default();
        let scenario = problem(path, over)?;
        sources.push(Source { scenario, path: path.clone(), arrive_over: args.arrive_over });
    }
    Ok(sources)
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
