//! Waiting for jobs: looks at the ledger again and again until all have ended, the time is up or Ctrl-C.

use std::pin::pin;
use std::time::Duration;

use anyhow::Result;
use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;
use spillway_core::{Job, JobId};
use tokio::time::Instant;

use crate::config::Config;
use crate::config::values::Span;
use crate::context::Context;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::views::job::{StatusCount, counts_text, status_reason};
use crate::views::usd;
use crate::views::wait::{WaitView, WaitedJob};

/// How often the ledger is looked at. A read costs it less than a millisecond.
const POLL: Duration = Duration::from_millis(300);

/// How to wait.
#[derive(Debug, Clone, Copy)]
pub struct WaitRule {
    /// Give up after so long.
    pub timeout: Option<Span>,
    /// End with the exit code of the first container that failed.
    pub pass_exit_code: bool,
}

/// Waits for `jobs` and answers with what became of them.
pub async fn run(jobs: &[JobId], rule: WaitRule, context: &Context) -> Result<ExitStatus> {
    let timeout = rule.timeout.map(|span| Duration::try_from(span.0)).transpose()?;
    let give_up = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let config = context.config()?;
    let mut progress = context.output.progress();
    // One listener for the whole wait: between two of them a signal would be lost.
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let found = loop {
        let found = look(jobs, config)?;
        let n_open = found.iter().filter(|job| !has_ended(job.as_ref())).count();
        if n_open == 0 {
            break found;
        }
        progress.set(&format!("waiting for {n_open} of {}: {}", jobs.len(), stand(&found)));
        let next = Instant::now() + POLL;
        if give_up.is_some_and(|at| at < next) {
            break found;
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            _ = &mut interrupt => return Ok(ExitStatus::Interrupted),
        }
    };
    drop(progress);
    let view = view(jobs, &found);
    context.output.show(&view)?;
    Ok(status(&view, rule.pass_exit_code))
}

fn look(jobs: &[JobId], config: &Config) -> Result<Vec<Option<Job>>, LedgerError> {
    let reader = match ledger::reader(config) {
        // The dispatcher has not been started yet; the jobs wait in the queue.
        Err(LedgerError::Missing { .. }) => return Ok(vec![None; jobs.len()]),
        other => other?,
    };
    jobs.iter().map(|id| reader.job(*id)).collect()
}

fn has_ended(job: Option<&Job>) -> bool {
    job.is_some_and(|job| job.state.status().is_terminal())
}

fn stand(jobs: &[Option<Job>]) -> String {
    let count = |status: JobStatus| {
        let of_status = jobs.iter().flatten().filter(|job| job.state.status() == status).count();
        StatusCount { status, count: u64::try_from(of_status).unwrap_or(u64::MAX) }
    };
    let counts: Vec<StatusCount> = JobStatus::ALL.into_iter().map(count).collect();
    let n_unknown = jobs.iter().filter(|job| job.is_none()).count();
    match (n_unknown, n_unknown == jobs.len()) {
        (0, _) => counts_text(&counts),
        (_, true) => "not accepted yet (is a dispatcher running?)".to_owned(),
        (n, false) => format!("{}, {n} not accepted yet", counts_text(&counts)),
    }
}

fn view(ids: &[JobId], found: &[Option<Job>]) -> WaitView {
    let waited = |(id, job): (&JobId, &Option<Job>)| WaitedJob {
        id: *id,
        status: job.as_ref().map(|job| job.state.status()),
        status_reason: job.as_ref().and_then(status_reason),
        exit_code: job.as_ref().and_then(|job| job.attempts.last()?.exit_code),
        cost_usd: job.as_ref().map(|job| usd(job.cost())).unwrap_or_default(),
    };
    let jobs: Vec<WaitedJob> = ids.iter().zip(found).map(waited).collect();
    WaitView {
        all_ended: jobs.iter().all(|job| job.status.is_some_and(JobStatus::is_terminal)),
        all_succeeded: jobs.iter().all(|job| job.status == Some(JobStatus::Succeeded)),
        jobs,
    }
}

fn status(view: &WaitView, pass_exit_code: bool) -> ExitStatus {
    if view.all_succeeded {
        return ExitStatus::Ok;
    }
    let first_failed = view.jobs.iter().find(|job| job.status == Some(JobStatus::Failed));
    let Some(failed) = first_failed else { return ExitStatus::NotConverged };
    let own = failed.exit_code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
    match own {
        Some(code) if pass_exit_code => ExitStatus::Job(code),
        _ if view.all_ended => ExitStatus::JobsFailed,
        _ => ExitStatus::NotConverged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waited(status: Option<JobStatus>, exit_code: Option<i32>) -> WaitedJob {
        let id = JobId::derive(&"q".parse().unwrap(), "t");
        WaitedJob { id, status, status_reason: None, exit_code, cost_usd: 0.0 }
    }

    fn waited_for(jobs: Vec<WaitedJob>) -> WaitView {
        WaitView {
            all_ended: jobs.iter().all(|j| j.status.is_some_and(JobStatus::is_terminal)),
            all_succeeded: jobs.iter().all(|j| j.status == Some(JobStatus::Succeeded)),
            jobs,
        }
    }

    #[test]
    fn one_failure_among_ended_jobs_is_exit_code_three() {
        let good = waited(Some(JobStatus::Succeeded), Some(0));
        let bad = waited(Some(JobStatus::Failed), Some(42));
        let view = waited_for(vec![good, bad]);

        assert_eq!(status(&view, false), ExitStatus::JobsFailed);
        assert_eq!(status(&view, true).code(), 42);
    }

    #[test]
    fn a_failure_without_an_exit_code_cannot_pass_one_on() {
        let view = waited_for(vec![waited(Some(JobStatus::Failed), None)]);

        assert_eq!(status(&view, true), ExitStatus::JobsFailed);
    }

    #[test]
    fn what_has_not_ended_in_time_is_exit_code_five() {
        let view = waited_for(vec![waited(Some(JobStatus::Running), None), waited(None, None)]);

        assert_eq!(status(&view, false), ExitStatus::NotConverged);
    }

    #[test]
    fn all_succeeded_is_success() {
        let view = waited_for(vec![waited(Some(JobStatus::Succeeded), Some(0))]);

        assert_eq!(status(&view, true), ExitStatus::Ok);
    }
}
