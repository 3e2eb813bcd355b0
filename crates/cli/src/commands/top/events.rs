//! The last changes of state that the ledger tells of, newest first. What a record went through before its last change is not
//! told again.

use jiff::Timestamp;
use spillway_core::{Host, HostState, Job, JobState, Launch, LaunchState};

use super::reading::{EVENTS_MAX, Reading};
use crate::views::top::{EventRow, Subject};
use crate::views::usd_text;

/// The last of them.
pub(super) fn events(reading: &Reading) -> Vec<EventRow> {
    let open = reading.state.jobs.iter().filter_map(moved);
    let ended = reading.ended.iter().filter_map(moved);
    let accepted = reading.accepted.iter().filter(|job| is_untouched(job));
    let accepted = accepted.map(|job| (job.created_at, What::Accepted(job)));
    let hosts = reading.hosts.iter().map(|host| (changed(host), What::Host(host)));
    let hosts = hosts.filter_map(|(at, what)| Some((at?, what)));
    let launches = reading.launches.iter().map(|launch| (told(launch), What::Launch(launch)));
    let mut all: Vec<(Timestamp, What<'_>)> =
        open.chain(ended).chain(accepted).chain(hosts).chain(launches).collect();
    // Those of one moment stay in the order of their kinds.
    all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    all.truncate(EVENTS_MAX);
    all.into_iter().map(|(at, what)| what.row(at)).collect()
}

enum What<'a> {
    Accepted(&'a Job),
    Moved(&'a Job),
    Host(&'a Host),
    Launch(&'a Launch),
}

/// Whether nothing has happened to a job but its acceptance.
fn is_untouched(job: &Job) -> bool {
    let waits =
        matches!(job.state, JobState::Submitted | JobState::Pending | JobState::Runnable { .. });
    waits && job.attempts.is_empty()
}

/// When a job came to stand where it stands; nothing for one that has never been given to a host.
fn moved(job: &Job) -> Option<(Timestamp, What<'_>)> {
    let at = match &job.state {
        JobState::Submitted | JobState::Pending => None,
        JobState::Runnable { since } => job.attempts.last().map(|_| *since),
        JobState::Starting { attempt } => Some(attempt.placed_at),
        JobState::Running { started_at, .. } => Some(*started_at),
        JobState::Succeeded { at } | JobState::Failed { at, .. } => Some(*at),
    };
    at.map(|at| (at, What::Moved(job)))
}

fn changed(host: &Host) -> Option<Timestamp> {
    match &host.state {
        // The call that asked for it is told.
        HostState::Requested => None,
        HostState::Launched { instance } => Some(instance.launched_at),
        HostState::Registered { at, .. } | HostState::Gone { at, .. } => Some(*at),
        HostState::Draining { since, .. }
        | HostState::Terminating { since, .. }
        | HostState::Lost { since, .. } => Some(*since),
    }
}

const fn told(launch: &Launch) -> Timestamp {
    match launch.state {
        LaunchState::Open { .. } => launch.decided_at,
        LaunchState::Settled { at, .. } => at,
    }
}

impl What<'_> {
    fn row(&self, at: Timestamp) -> EventRow {
        match self {
            Self::Accepted(job) => row_of_job(at, job, accepted(job)),
            Self::Moved(job) => row_of_job(at, job, state_of(job)),
            Self::Host(host) => EventRow {
                at,
                subject: Subject::Host,
                id: host.id.to_string(),
                name: host.instance().map_or_else(|| "-".to_owned(), |i| i.id.to_string()),
                event: state_of_host(host),
            },
            Self::Launch(launch) => {
                let pool = launch.choices.first().map(|choice| choice.pool.to_string());
                EventRow {
                    at,
                    subject: Subject::Launch,
                    id: launch.id.to_string(),
                    name: pool.unwrap_or_else(|| "-".to_owned()),
                    event: state_of_launch(launch),
                }
            }
        }
    }
}

fn row_of_job(at: Timestamp, job: &Job, event: String) -> EventRow {
    let name = match job.id.index().or(job.id.node_index()) {
        Some(index) => format!("{}:{index}", job.spec.name),
        None => job.spec.name.to_string(),
    };
    EventRow { at, subject: Subject::Job, id: job.id.to_string(), name, event }
}

fn accepted(job: &Job) -> String {
    let queue = &job.spec.queue;
    job.spec.array.map_or_else(
        || format!("accepted in {queue}"),
        |array| format!("accepted in {queue}, {} children", array.indexes.size),
    )
}

fn state_of(job: &Job) -> String {
    let status = job.state.status();
    match &job.state {
        JobState::Starting { attempt } | JobState::Running { attempt, .. } => {
            format!("{status}, attempt {}", attempt.ord)
        }
        JobState::Runnable { .. } => {
            let last = job.attempts.last();
            let failure = last.and_then(|last| last.failure).map(|failure| failure.to_string());
            let failure = failure.unwrap_or_else(|| "ended".to_owned());
            format!("{status} again after {failure}: {}", job.reason().unwrap_or("no reason"))
        }
        JobState::Submitted
        | JobState::Pending
        | JobState::Succeeded { .. }
        | JobState::Failed { .. } => match job.reason() {
            Some(reason) if status.is_terminal() => format!("{status}: {reason}"),
            Some(_) | None => status.to_string(),
        },
    }
}

fn state_of_host(host: &Host) -> String {
    let (status, pool) = (host.status(), &host.pool);
    match &host.state {
        HostState::Gone { cause, bill, .. } => {
            format!("{status}, {cause}, for {}: {pool}", usd_text(*bill))
        }
        HostState::Draining { cause, .. } | HostState::Terminating { cause, .. } => {
            format!("{status}, {cause}: {pool}")
        }
        HostState::Requested
        | HostState::Launched { .. }
        | HostState::Registered { .. }
        | HostState::Lost { .. } => format!("{status}: {pool} at {}", host.price),
    }
}

fn state_of_launch(launch: &Launch) -> String {
    let n_asked = launch.hosts.len();
    match &launch.state {
        LaunchState::Open { n_failed: 0, .. } => format!("{n_asked} hosts asked for"),
        LaunchState::Open { n_failed, .. } => {
            format!("{n_asked} hosts asked for, the call failed {n_failed} times")
        }
        LaunchState::Settled { n_launched, errors, .. } => {
            let why = errors.first().map(|error| format!(": {error}")).unwrap_or_default();
            format!("{n_launched} of {n_asked} hosts launched{why}")
        }
    }
}
