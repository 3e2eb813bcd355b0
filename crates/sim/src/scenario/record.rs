//! Jobs as they once came and ran, as a scenario: sent again at the same pace, each for as long as it ran.
//!
//! They tell nothing of how long they run, as the real ones mostly did not: whoever decides learns it from those of the same name that
//! have ended.

use jiff::{SignedDuration, Timestamp};
use spillway_core::{ArchRule, CpuUnits, Extras, JobName, MarketRule, MiB, cost};

use super::estimate::Estimate;
use super::workload::{Arrival, JobGroup, Size, Workload};
use super::{Scenario, ScenarioError};

/// How much time may pass after the last arrival, beyond the longest job.
const LIMIT_MORE: SignedDuration = SignedDuration::from_hours(24);

/// A job that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedJob {
    /// Its name. Jobs whose names differ only in numbers are expected to take equally long.
    pub name: JobName,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// How long its container ran.
    pub ran: SignedDuration,
    /// What it needed.
    pub cpu: CpuUnits,
    /// What it needed.
    pub memory: MiB,
    /// What it needed.
    pub gpus: u32,
    /// What its image is for.
    pub architecture: ArchRule,
    /// Where it may run.
    pub market: MarketRule,
    /// What it exited with.
    pub exit_code: u8,
}

impl Scenario {
    /// Recorded jobs in a world and under a configuration with no limits but what is on offer.
    ///
    /// # Errors
    /// If there is no job.
    pub fn of_recorded(name: &str, jobs: &[RecordedJob]) -> Result<Self, ScenarioError> {
        let mut scenario = Self::parse("", None)?;
        name.clone_into(&mut scenario.name);
        scenario.engine.limits.hosts_max = None;
        scenario.engine.limits.cpu_max = None;
        let volume = cost::volume_price(cost::ROOT_VOLUME_GIB_DEFAULT, cost::VOLUME_PRICE_DEFAULT);
        scenario.world.extras = Extras::everywhere(volume);
        scenario.with_recorded(jobs)
    }

    /// The same world and configuration with recorded jobs in place of its own. It begins when the first was submitted, and they are
    /// sent to the first of its queues.
    ///
    /// # Errors
    /// If there is no job, or no queue.
    pub fn with_recorded(self, jobs: &[RecordedJob]) -> Result<Self, ScenarioError> {
        let times = || jobs.iter().map(|job| job.submitted);
        let (Some(start), Some(last)) = (times().min(), times().max()) else {
            return Err(ScenarioError::invalid("the record has no job that ran"));
        };
        let Some(queue) = self.engine.queues.first() else {
            return Err(ScenarioError::invalid("the scenario has no queue to send jobs to"));
        };
        let longest = jobs.iter().map(|job| job.ran).max().unwrap_or_default();
        let group = |job: &RecordedJob| {
            let size = Size::only(job.cpu, job.memory, job.gpus);
            JobGroup {
                architecture: Some(job.architecture.to_string()),
                market: Some(job.market.to_string()),
                estimate: Estimate::Unknown,
                exits: vec![(job.exit_code, 1)],
                arrival: Arrival { at: job.submitted.duration_since(start), ..Arrival::default() },
                ..JobGroup::plain(job.name.clone(), queue.clone(), size, job.ran)
            }
        };
        let groups = jobs.iter().map(group).collect();
        let limit = last.duration_since(start) + longest + LIMIT_MORE;
        let workload = Workload { groups, ..Workload::default() };
        Ok(Self { start, limit: self.limit.max(limit), workload, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(n: u32, at: &str, secs: i64) -> RecordedJob {
        RecordedJob {
            name: format!("align-{n}").parse().unwrap(),
            submitted: at.parse().unwrap(),
            ran: SignedDuration::from_secs(secs),
            cpu: CpuUnits::from_vcpus(1),
            memory: MiB::new(1_024),
            gpus: 0,
            architecture: ArchRule::Any,
            market: MarketRule::OnDemand,
            exit_code: u8::try_from(n % 2).unwrap(),
        }
    }

    #[test]
    fn they_are_sent_as_they_came_run_as_long_and_exit_alike() {
        let jobs = [
            job(2, "2026-11-01T08:10:00Z", 600),
            job(1, "2026-11-01T08:00:00Z", 60),
            job(3, "2026-11-01T09:00:00.5Z", 5),
        ];
        let scenario = Scenario::of_recorded("night", &jobs).unwrap();

        let sent: Vec<Timestamp> = scenario.messages().iter().map(|sent| sent.at).collect();
        let mut submitted = jobs.clone().map(|job| job.submitted);
        submitted.sort();
        assert_eq!(sent, submitted);
        assert_eq!(scenario.start, submitted[0]);
        let outcome = crate::run::run(&scenario, None).unwrap();
        assert_eq!(outcome.n_violations, 0, "{:?}", outcome.violations);
        assert_eq!((outcome.score.jobs.succeeded, outcome.score.jobs.failed), (1, 2));
        let on_demand =
            |hosts: &crate::score::HostCount| hosts.market == spillway_core::Market::OnDemand;
        assert!(outcome.score.hosts.iter().all(on_demand));
    }

    #[test]
    fn a_record_without_jobs_is_no_scenario() {
        assert!(Scenario::of_recorded("none", &[]).is_err());
    }
}
