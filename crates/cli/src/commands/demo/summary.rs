//! The end of a demo: every job accounted for, and what it cost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use spillway_core::job::JobStatus;
use spillway_core::message::{self, Request};
use spillway_core::{FailureCategory, Job, JobId};
use spillway_sim::Score;

use super::follow::End;
use crate::exit::ExitStatus;
use crate::output::{Field, Page, Rows, Tone, View};
use crate::views::job::{self, StatusCount};
use crate::views::score::{as_view, hosts_table, percent, score_fields};
use crate::world::World;

/// Why jobs failed.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct FailureCount {
    /// The category of the last attempt; `refused` for a job that was never tried.
    failure: String,
    count: u64,
    /// One of them, in words.
    example: String,
}

/// The answer of `demo`.
#[derive(Debug, Serialize)]
pub(super) struct DemoView {
    /// How many different jobs were sent.
    n_jobs_sent: usize,
    /// How many messages were sent, with those that came twice and those that are no job.
    n_messages_sent: usize,
    /// How many jobs are in each state.
    jobs: Vec<StatusCount>,
    /// Why jobs failed.
    failures: Vec<FailureCount>,
    /// Jobs that are nowhere though all is over. There must be none.
    unaccounted: Vec<JobId>,
    /// Whether every job ended and every machine was given back.
    all_over: bool,
    #[serde(serialize_with = "as_view")]
    score: Score,
    /// How much less it cost than one On-Demand machine per job, in percent.
    saved_percent: f64,
    elapsed_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<PathBuf>,
    #[serde(skip)]
    end: End,
}

impl DemoView {
    pub(super) fn new(
        world: &World,
        jobs: &[Job],
        end: End,
        elapsed: Duration,
        kept: Option<&Path>,
    ) -> Self {
        let bodies = world.bodies();
        let sent = sent_jobs(&bodies);
        let known: BTreeSet<JobId> = jobs.iter().map(|job| job.id).collect();
        let all_over = end == End::AllOver;
        // Before that some are still to be sent or to be taken from the queue.
        let missing = sent.difference(&known).filter(|_| all_over);
        let unaccounted = missing.copied().collect();
        let score = world.look(|cloud, now| Score::of(jobs, cloud, now));
        let alone = score.on_demand_one_vm_per_job;
        let saved_percent = percent(alone.saturating_sub(score.bill.total), alone);
        Self {
            n_jobs_sent: sent.len(),
            n_messages_sent: bodies.len(),
            jobs: status_counts(jobs),
            failures: failure_counts(jobs),
            unaccounted,
            all_over,
            score,
            saved_percent,
            elapsed_s: elapsed.as_secs_f64(),
            ledger: kept.map(Path::to_owned),
            end,
        }
    }

    /// Whether every job is accounted for. That some fail is part of the story.
    pub(super) const fn status(&self) -> ExitStatus {
        match self.end {
            End::Interrupted => ExitStatus::Interrupted,
            End::TimeUp => ExitStatus::NotConverged,
            End::AllOver if self.unaccounted.is_empty() => ExitStatus::Ok,
            End::AllOver => ExitStatus::Infeasible,
        }
    }
}

/// The jobs that messages ask for. One that comes twice is one; one that is no job is none.
fn sent_jobs(bodies: &[String]) -> BTreeSet<JobId> {
    let mut sent = BTreeSet::new();
    for body in bodies {
        let Ok(parsed) = message::parse(body) else { continue };
        if let Request::Submit { spec, client_token: Some(token) } = parsed.request {
            sent.insert(JobId::derive(&spec.queue, &token));
        }
    }
    sent
}

fn status_counts(jobs: &[Job]) -> Vec<StatusCount> {
    let count = |status: JobStatus| {
        let n = jobs.iter().filter(|job| job.state.status() == status).count();
        StatusCount { status, count: u64::try_from(n).unwrap_or(u64::MAX) }
    };
    JobStatus::ALL.into_iter().map(count).filter(|c| 0 < c.count).collect()
}

fn failure_counts(jobs: &[Job]) -> Vec<FailureCount> {
    let mut counts: BTreeMap<Option<FailureCategory>, FailureCount> = BTreeMap::new();
    for job in jobs {
        let spillway_core::JobState::Failed { reason, .. } = &job.state else { continue };
        let failure = job.attempts.last().and_then(|attempt| attempt.failure);
        let count = counts.entry(failure).or_insert_with(|| FailureCount {
            failure: failure.map_or_else(|| "refused".to_owned(), |f| f.to_string()),
            count: 0,
            example: format!("{}: {reason}", job.spec.name),
        });
        count.count += 1;
    }
    counts.into_values().collect()
}

impl View for DemoView {
    fn page(&self, page: &mut Page) {
        let accounted = match (self.all_over, self.unaccounted.len()) {
            (true, 0) => Field::toned("every job ended, every machine was given back", Tone::Good),
            (true, n) => Field::toned(format!("{n} jobs are unaccounted for"), Tone::Bad),
            (false, _) => Field::toned("stopped before everything was over", Tone::Warning),
        };
        page.field(
            "Sent",
            format!("{} jobs in {} messages", self.n_jobs_sent, self.n_messages_sent),
        );
        page.field("Result", accounted);
        score_fields(page, &self.score);
        page.field("Took", format!("{:.1} s", self.elapsed_s));
        if let Some(ledger) = &self.ledger {
            let ledger = ledger.display();
            page.field("Ledger", format!("{ledger}: spillway jobs list --ledger {ledger}"));
        }
        page.table(hosts_table(&self.score.hosts));
        let mut states = Rows::new(&["STATUS", "JOBS"]);
        for StatusCount { status, count } in &self.jobs {
            let name = Field::toned(status.to_string(), job::tone(*status));
            states.row([name, count.to_string().into()]);
        }
        page.table(states);
        let mut failures = Rows::new(&["FAILED BY", "JOBS", "ONE OF THEM"]);
        for failure in &self.failures {
            failures.row([
                failure.failure.as_str().into(),
                failure.count.to_string().into(),
                failure.example.as_str().into(),
            ]);
        }
        page.table(failures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_comes_twice_is_one_job_and_no_job_is_none() {
        let scenario = crate::world::built_in(super::super::SCENARIO).unwrap();
        let bodies: Vec<String> = scenario.messages().into_iter().map(|sent| sent.body).collect();

        let sent = sent_jobs(&bodies);

        assert_eq!(sent.len() + 2, bodies.len(), "one message is no job, one comes twice");
        assert!(200 < sent.len(), "{}", sent.len());
    }
}
