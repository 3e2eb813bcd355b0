//! Spot capacity as it was recorded: each recording is how many instances could be had at each tick, and pools follow them.
//!
//! The form is that of the recordings of "Can't Be Late: Optimizing Spot Instance Savings under Deadlines" (NSDI 2024):
//! `{"metadata": {"gap_seconds": 300}, "data": [1, 1, 0, ...]}`.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use serde::Deserialize;
use spillway_core::{Market, PoolId};

use super::{Scenario, ScenarioError, read};
use crate::cloud::SimCloud;
use crate::setting::Chance;
use crate::world::{PoolPattern, PoolRule, Reclaim, WorldConfig};

/// By how much each pool's recording begins later than the pool's before it: there are fewer recordings than pools, and pools that
/// share one must not run dry together.
const SHIFT: SignedDuration = SignedDuration::from_hours(7);

/// Recordings of a folder.
#[derive(Debug, Clone)]
pub struct SpotRecordings(Vec<Recording>);

/// A recording.
#[derive(Debug, Clone, Deserialize)]
struct Recording {
    metadata: Metadata,
    data: Vec<u32>,
}

#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    gap_seconds: f64,
}

impl SpotRecordings {
    /// Every recording (`*.json`) below a folder, by path, without those in which nothing ever happens.
    ///
    /// # Errors
    /// A file cannot be read or is no recording, or there is none.
    pub fn read(folder: &Path) -> Result<Self, ScenarioError> {
        let mut paths = Vec::new();
        files(folder, &mut paths)?;
        paths.sort();
        let mut recordings = Vec::new();
        for path in paths {
            let invalid = |detail: &dyn std::fmt::Display| {
                ScenarioError::invalid(format!("{}: {detail}", path.display()))
            };
            let recording: Recording = serde_json::from_str(&read(&path)?)
                .map_err(|e| invalid(&format!("it is no recording of Spot capacity: {e}")))?;
            if recording.metadata.gap_seconds < 1.0 {
                return Err(invalid(&"gap_seconds must be at least 1"));
            }
            if recording.data.contains(&0) && recording.data.iter().any(|n| 0 < *n) {
                recordings.push(recording);
            }
        }
        if recordings.is_empty() {
            let text = format!("no recording of Spot capacity (*.json) below {}", folder.display());
            return Err(ScenarioError::invalid(text));
        }
        Ok(Self(recordings))
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), ScenarioError> {
    let unreadable = |source| ScenarioError::Read { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    Ok(())
}

impl Scenario {
    /// Lets every Spot pool that this world sells follow a recording until `end`: while it shows nothing the pool has nothing to give, and
    /// when it first does, what runs there is taken back.
    pub fn follow_spot(&mut self, recordings: &SpotRecordings, end: SignedDuration) {
        let cloud = SimCloud::new(self.world.clone(), self.start);
        let catalog = cloud.price_list(self.start);
        let pools: Vec<PoolId> =
            catalog.offerings().iter().map(|offering| offering.pool.clone()).collect();
        replay(&mut self.world, &pools, &recordings.0, end);
    }
}

impl Recording {
    fn gap(&self) -> SignedDuration {
        SignedDuration::try_from_secs_f64(self.metadata.gap_seconds).unwrap_or_default()
    }

    /// When there was nothing between the start and `end`, read from `shift` on and from its beginning again where it is over.
    fn dry(
        &self,
        shift: SignedDuration,
        end: SignedDuration,
    ) -> Vec<(SignedDuration, SignedDuration)> {
        let gap = self.gap();
        let first = shift.as_millis() / gap.as_millis().max(1);
        let first = usize::try_from(first).unwrap_or(0) % self.data.len().max(1);
        let mut windows: Vec<(SignedDuration, SignedDuration)> = Vec::new();
        let mut at = SignedDuration::ZERO;
        for n in self.data.iter().cycle().skip(first) {
            if end <= at {
                break;
            }
            let until = at + gap;
            match windows.last_mut() {
                Some((_, last)) if *n == 0 && *last == at => *last = until,
                _ if *n == 0 => windows.push((at, until)),
                _ => {}
            }
            at = until;
        }
        windows
    }
}

fn replay(
    world: &mut WorldConfig,
    pools: &[PoolId],
    recordings: &[Recording],
    end: SignedDuration,
) {
    let mut shift = SignedDuration::ZERO;
    let spot = pools.iter().filter(|pool| pool.market == Market::Spot);
    for (pool, recording) in spot.zip(recordings.iter().cycle()) {
        let pattern = PoolPattern {
            instance_type: Some(pool.instance_type.clone()),
            zone: Some(pool.zone.to_string()),
            market: Some(Market::Spot),
        };
        let dry = recording.dry(shift, end);
        let drops = dry.iter().filter(|(from, _)| SignedDuration::ZERO < *from);
        world.reclaims.extend(drops.map(|(from, _)| Reclaim {
            at: *from,
            pools: pattern.clone(),
            part: Chance::percent(100),
        }));
        world.pools.push(PoolRule { pools: pattern, dry, ..PoolRule::default() });
        shift += SHIFT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: i64) -> SignedDuration {
        SignedDuration::from_secs(secs)
    }

    #[test]
    fn a_recording_is_dry_where_it_shows_nothing_and_begins_again() {
        let metadata = Metadata { gap_seconds: 10.0 };
        let recording = Recording { metadata, data: vec![1, 0, 0, 2] };

        let dry = recording.dry(secs(0), secs(80));
        assert_eq!(dry, [(secs(10), secs(30)), (secs(50), secs(70))]);

        let shifted = recording.dry(secs(20), secs(40));
        assert_eq!(shifted, [(secs(0), secs(10)), (secs(30), secs(40))]);
    }
}
