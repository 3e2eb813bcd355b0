//! What came of a run.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::Serialize;
use spillway_core::InstanceId;
use spillway_engine::calibration::Calibration;

use super::Runner;
use crate::fault::{Coverage, Fault};
use crate::invariants::Violation;
use crate::score::Score;

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// How good it was.
    pub score: Score,
    /// What must never happen and did, oldest first; the first ones only.
    pub violations: Vec<Violation>,
    /// How many violations there were.
    pub n_violations: u64,
    /// The same by the invariant's name.
    pub n_violations_of: BTreeMap<&'static str, u64>,
    /// Over every input and every step: equal hashes mean equal runs.
    pub trace_hash: u64,
    /// How many inputs the control loop took.
    pub n_events: u64,
    /// Whether all came to rest within the scenario's limit.
    pub converged: bool,
    /// How much time passed in it.
    #[serde(serialize_with = "crate::score::as_seconds")]
    pub lasted: SignedDuration,
    /// Which faults happened, and how often.
    pub coverage: Coverage,
    /// For how long instances were paid that the ledger never had a record of.
    #[serde(serialize_with = "crate::score::as_seconds")]
    pub unrecorded: SignedDuration,
    /// Calls that found their token bucket empty.
    pub n_over_limit: u64,
}

impl Runner<'_, '_> {
    fn unrecorded(&self) -> SignedDuration {
        let hosts = self.ledger.all_hosts();
        let recorded: BTreeSet<&InstanceId> =
            hosts.filter_map(|host| host.instance()).map(|instance| &instance.id).collect();
        let instances = self.cloud.ec2().instances();
        instances
            .filter(|instance| !recorded.contains(&instance.id))
            .map(|instance| {
                let end = instance.ended.map_or(self.now, |(at, _)| at);
                end.duration_since(instance.launched_at)
            })
            .fold(SignedDuration::ZERO, SignedDuration::saturating_add)
    }

    pub(super) fn outcome(self, converged: bool) -> Outcome {
        let mut score = Score::of(self.ledger.all_jobs(), &self.cloud, self.now);
        score.n_crashes = self.n_crashes;
        score.n_doubled_tasks = self.invariants.n_doubled_tasks();
        score.calibration =
            Calibration::of(self.ledger.all_jobs(), self.ledger.all_hosts(), self.now);
        let mut coverage = self.cloud.coverage().clone();
        coverage.add(Fault::Zombie, self.invariants.n_doubled_tasks());
        Outcome {
            score,
            lasted: self.now.duration_since(self.scenario.start),
            coverage,
            unrecorded: self.unrecorded(),
            n_over_limit: self.cloud.n_over_limit(),
            violations: self.invariants.violations().to_vec(),
            n_violations: self.invariants.n_violations().values().sum(),
            n_violations_of: self.invariants.n_violations().clone(),
            trace_hash: self.trace.hash(),
            n_events: self.n_events,
            converged,
        }
    }
}
