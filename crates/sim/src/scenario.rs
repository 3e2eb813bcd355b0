//! A scenario: a world, a configuration of the control loop, and the jobs that are sent. Read from TOML.
//!
//! Keys that are not known are refused with the nearest name: a misspelt fault that is silently not simulated would be
//! worse than none.

pub mod duration;
pub mod estimate;
mod file;
mod problem;
pub mod random;
mod record;
mod recording;
pub mod workload;

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use spillway_engine::EngineConfig;

use crate::world::WorldConfig;
pub use record::RecordedJob;
pub use recording::SpotRecordings;
use workload::{Sent, Workload};

/// Everything a run depends on.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Its luck, unless another is asked for.
    pub seed: u64,
    /// When it begins.
    pub start: Timestamp,
    /// How much time may pass in it until all is done.
    pub limit: SignedDuration,
    /// Past the limit it goes on for as long as a job ends at least this often; none lets it end there. Some worlds are slow, and slow is not
    /// stuck.
    pub patience: Option<SignedDuration>,
    /// The control loop's configuration.
    pub engine: EngineConfig,
    /// The world, with the seed above.
    pub world: WorldConfig,
    /// What is sent.
    pub workload: Workload,
}

/// A scenario that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what a scenario looks like.
    #[error("{detail}")]
    Invalid {
        /// What is wrong and where, with a `hint:` line if there is something to suggest.
        detail: String,
    },
}

impl ScenarioError {
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid { detail: detail.into() }
    }
}

impl Scenario {
    /// Reads a scenario from a file. Paths in it are relative to it.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = read(path)?;
        let mut scenario = Self::parse(&text, path.parent()).map_err(|error| match error {
            ScenarioError::Invalid { detail } => {
                ScenarioError::Invalid { detail: format!("{}: {detail}", path.display()) }
            }
            read @ ScenarioError::Read { .. } => read,
        })?;
        if scenario.name.is_empty() {
            let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
            scenario.name = stem.unwrap_or_default();
        }
        Ok(scenario)
    }

    /// Reads a scenario from text; `folder` is where its files are.
    pub fn parse(text: &str, folder: Option<&Path>) -> Result<Self, ScenarioError> {
        let file: file::ScenarioFile = toml::from_str(text).map_err(|error| {
            let hint =
                nearest_name(error.message()).map(|name| format!("\nhint: did you mean `{name}`?"));
            ScenarioError::invalid(format!(
                "{}{}",
                error.to_string().trim_end(),
                hint.unwrap_or_default()
            ))
        })?;
        file.resolve(folder)
    }

    /// The same with another luck.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.world.seed = seed;
        self
    }

    /// Everything that is sent, in order of time.
    pub fn messages(&self) -> Vec<Sent> {
        self.workload.messages(self.start, self.seed)
    }
}

fn read(path: &Path) -> Result<String, ScenarioError> {
    std::fs::read_to_string(path)
        .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })
}

/// From "unknown field `sed`, expected one of `seed`, `start`": the name that is nearest, if one is near.
fn nearest_name(message: &str) -> Option<String> {
    let mut quoted = message.strip_prefix("unknown ")?.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let nearest = quoted.min_by_key(|name| distance(unknown, name))?;
    let is_near = distance(unknown, nearest) <= unknown.len().max(3) / 2;
    is_near.then(|| nearest.to_owned())
}

/// Levenshtein's: how many letters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a_char) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (b_char, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(a_char != *b_char);
            diagonal = *above;
            left = replaced.min(diagonal + 1).min(left + 1);
            *above = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        seed = 3
        limit = "2h"

        [engine]
        idle_timeout = "2m"
        hosts_max = 5
        price_max = "$3.50"

        [world]
        boot = ["30s", "50s"]
        interruptions = "10%"
        [[world.pools]]
        type = "c7g.*"
        market = "spot"
        capacity = 2

        [faults]
        event_losses = "1.5%"

        [[workload.jobs]]
        name = "small"
        count = 20
        vcpus = 0.5
        memory = "512MiB"
        duration = ["10s", "60s"]
        exits = { 0 = 9, 3 = 1 }
        every = "2s"
    "#;

    #[test]
    fn a_scenario_is_read_with_its_units() {
        let scenario = Scenario::parse(SMALL, None).unwrap();

        assert_eq!(scenario.engine.idle_timeout, SignedDuration::from_mins(2));
        assert_eq!(scenario.engine.limits.hosts_max, Some(5));
        assert_eq!(scenario.engine.limits.price_max.unwrap().get(), 3_500_000);
        assert_eq!(scenario.world.faults.event_losses.ppm(), 15_000);
        assert_eq!(scenario.world.pools[0].capacity, Some(2));
        assert_eq!(scenario.world.seed, 3);
        let sent = scenario.messages();
        assert_eq!(sent.len(), 20);
        assert_eq!(sent[19].at.duration_since(scenario.start), SignedDuration::from_secs(38));
    }

    #[test]
    fn a_misspelt_key_is_refused_with_the_nearest_name() {
        let error =
            Scenario::parse("[faults]\nevent_loses = \"1%\"", None).unwrap_err().to_string();

        assert!(error.contains("unknown field `event_loses`"), "{error}");
        assert!(error.ends_with("hint: did you mean `event_losses`?"), "{error}");
    }

    #[test]
    fn the_seed_decides_what_is_sent() {
        let scenario = Scenario::parse(SMALL, None).unwrap();
        let bodies = |s: &Scenario| s.messages().into_iter().map(|m| m.body).collect::<Vec<_>>();

        assert_eq!(bodies(&scenario), bodies(&scenario.clone()));
        assert_ne!(bodies(&scenario), bodies(&scenario.clone().with_seed(4)));
    }

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
