//! Writes what has happened, one row each, in the commit that makes it true. A row names what it is about and what no other record
//! keeps; the rest is looked up when it is read. Rows are never changed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use spillway_core::change::Change;
use spillway_core::host::{DrainCause, HostStatus};
use spillway_core::job::{Attempt, Job};
use spillway_core::{
    ApprovedBurst, Asked, AuditDetail, AuditKind, Breaker, BreakerId, BreakerState, Burst, Heard,
    HeldBurst, Host, HostState, JobId, JobState, Launch, LaunchState, ScheduleRecord,
};

use super::error::{Failure, Outcome};
use super::query;
use super::query::children::{self, Arrays};
use super::write::{json, whole};

/// A row that is about to be written.
pub(super) struct Row {
    kind: AuditKind,
    job: Option<(i64, JobId)>,
    detail: AuditDetail,
}

impl Row {
    fn new(kind: AuditKind, detail: AuditDetail) -> Self {
        Self { kind, job: None, detail }
    }

    fn of(kind: AuditKind, job: (i64, JobId), detail: AuditDetail) -> Self {
        Self { kind, job: Some(job), detail }
    }
}

/// A commit: what its changes say of each other.
pub(super) struct Commit<'c> {
    now: Timestamp,
    /// The messages of new jobs.
    heard: BTreeMap<JobId, &'c Heard>,
    /// The schedules that sent new jobs.
    scheduled: BTreeMap<JobId, &'c ScheduleRecord>,
    /// The time of its rows, once one is written.
    at: Option<i64>,
    arrays: Arrays,
}

impl<'c> Commit<'c> {
    pub(super) fn new(now: Timestamp, changes: &'c [Change]) -> Self {
        let (mut heard, mut scheduled) = (BTreeMap::new(), BTreeMap::new());
        for change in changes {
            if let Change::Heard(message) = change
                && let Asked::Submit { job } = message.asked
            {
                heard.insert(job, message.as_ref());
            }
            if let Change::PutSchedule(record) = change
                && let Some(last) = &record.last
            {
                scheduled.insert(last.job, record.as_ref());
            }
        }
        Self { now, heard, scheduled, at: None, arrays: Arrays::default() }
    }

    /// What happens with a change that is about to be applied.
    pub(super) fn rows(&mut self, tx: &Transaction<'_>, change: &Change) -> Outcome<Vec<Row>> {
        Ok(match change {
            Change::AddJob(job) => vec![self.added(job)?],
            Change::AddChild { id, state } => self.moved(tx, *id, state, None)?,
            Change::MoveJob { id, state, ended } => self.moved(tx, *id, state, ended.as_deref())?,
            Change::EndChildren { array, runs, state } => {
                let count = runs.iter().map(|(first, last)| last.saturating_sub(*first) + 1).sum();
                let detail = AuditDetail {
                    status: Some(state.status()),
                    count: Some(count),
                    reason: state.reason_after(None).map(str::to_owned),
                    ..AuditDetail::default()
                };
                let job = place(tx, *array, &mut self.arrays)?;
                let row = |seq| Row::of(AuditKind::JobChildrenEnded, (seq, *array), detail);
                job.map(|(seq, _)| row(seq)).into_iter().collect()
            }
            Change::PutHost(host) => of_host(tx, host)?,
            Change::PutLaunch(launch) => of_launch(tx, launch)?,
            Change::PutBreaker { target, breaker } => {
                of_breaker(tx, target, breaker.as_deref())?.into_iter().collect()
            }
            Change::PutBurst(burst) => of_burst(tx, burst)?,
            Change::Heard(heard) => of_message(tx, heard, &mut self.arrays)?.into_iter().collect(),
            Change::Learn { .. }
            | Change::Cool { .. }
            | Change::PutKind { .. }
            | Change::PutSpot { .. }
            | Change::PutBoots(_)
            | Change::PutDefinition(_)
            | Change::PutSchedule(_)
            | Change::PutGate { .. }
            | Change::PutShare { .. }
            | Change::PutSpending { .. }
            | Change::Counters { .. } => Vec::new(),
        })
    }

    fn added(&self, job: &Job) -> Outcome<Row> {
        let kind = match job.state {
            JobState::Failed { .. } => AuditKind::JobRefused,
            JobState::Submitted
            | JobState::Pending
            | JobState::Runnable { .. }
            | JobState::Starting { .. }
            | JobState::Running { .. }
            | JobState::Succeeded { .. } => AuditKind::JobAccepted,
        };
        let mut detail = AuditDetail::default();
        if let Some(heard) = self.heard.get(&job.id) {
            detail.message = Some(heard.message.clone());
            detail.sender.clone_from(&heard.sender);
        } else if let Some(record) = self.scheduled.get(&job.id) {
            detail.target = Some(format!("schedule {}", record.spec.name));
            detail.sender.clone_from(&record.sender);
        }
        Ok(Row::of(kind, (whole(job.seq)?, job.id), detail))
    }

    /// What happens to a job, a child or a node that comes to a state.
    fn moved(
        &mut self,
        tx: &Transaction<'_>,
        id: JobId,
        state: &JobState,
        ended: Option<&Attempt>,
    ) -> Outcome<Vec<Row>> {
        let Some((seq, before)) = place(tx, id, &mut self.arrays)? else {
            return Ok(Vec::new());
        };
        let job = (seq, id);
        let attempt = |ord| AuditDetail { attempt: Some(ord), ..AuditDetail::default() };
        let mut rows = Vec::new();
        if let Some(ended) = ended {
            rows.push(Row::of(AuditKind::AttemptEnded, job, attempt(ended.ord)));
        }
        let status = state.status();
        let detail = || AuditDetail { status: Some(status), ..AuditDetail::default() };
        if before.as_deref() != Some(status.as_str()) {
            rows.push(match state {
                JobState::Starting { attempt: live } => {
                    Row::of(AuditKind::AttemptPlaced, job, attempt(live.ord))
                }
                JobState::Running { attempt: live, .. } => {
                    Row::of(AuditKind::AttemptRunning, job, attempt(live.ord))
                }
                JobState::Submitted | JobState::Pending | JobState::Runnable { .. } => {
                    Row::of(AuditKind::JobWaiting, job, detail())
                }
                JobState::Succeeded { .. } | JobState::Failed { .. } => {
                    Row::of(AuditKind::JobEnded, job, detail())
                }
            });
        }
        // A stop is decided once, in the step that writes it.
        if let Some(live) = state.live_attempt()
            && let Some(stop) = live.stop.as_ref().filter(|stop| stop.since == self.now)
        {
            let reason = Some(stop.cause.reason());
            let detail = AuditDetail { reason, ..attempt(live.ord) };
            rows.push(Row::of(AuditKind::AttemptStopping, job, detail));
        }
        Ok(rows)
    }

    /// The arrays of what it changes.
    pub(super) fn arrays(&mut self) -> &mut Arrays {
        &mut self.arrays
    }

    /// Writes rows behind those that there are.
    pub(super) fn put(&mut self, tx: &Transaction<'_>, rows: &[Row]) -> Outcome<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let at = match self.at {
            Some(at) => at,
            None => self.at_behind(tx)?,
        };
        self.at = Some(at);
        let sql = "INSERT INTO audit (at, kind, job, part, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut statement = tx.prepare_cached(sql)?;
        for Row { kind, job, detail } in rows {
            let said = if *detail == AuditDetail::default() { None } else { Some(json(detail)?) };
            let (seq, part) = job.map_or((None, None), |(seq, id)| (Some(seq), part_of(id)));
            statement.execute(params![at, kind.as_str(), seq, part, said])?;
        }
        Ok(())
    }

    /// A clock may go back between two dispatchers; the order of the rows does not.
    fn at_behind(&self, tx: &Transaction<'_>) -> Outcome<i64> {
        let sql = "SELECT at FROM audit ORDER BY n DESC LIMIT 1";
        let last: Option<i64> =
            tx.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
        Ok(last.unwrap_or(i64::MIN).max(self.now.as_millisecond()))
    }
}

/// The place in line of a job, of a child's array or of a node's job, and the status in its own record, if it has one.
fn place(
    tx: &Transaction<'_>,
    id: JobId,
    arrays: &mut Arrays,
) -> Outcome<Option<(i64, Option<String>)>> {
    if id == id.whole() {
        let sql = "SELECT seq, status FROM jobs WHERE id = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, Some(row.get(1)?)));
        let key = *id.uuid().as_bytes();
        return Ok(tx.prepare_cached(sql)?.query_row([key], row).optional()?);
    }
    if let Some(index) = id.index()
        && let Some(array) = arrays.of(tx, id.whole())?
    {
        return Ok(Some((array.seq, children::status(tx, &array, index)?)));
    }
    let Some((seq, _)) = place(tx, id.whole(), arrays)? else { return Ok(None) };
    Ok(Some((seq, query::status(tx, id)?)))
}

fn of_host(tx: &Transaction<'_>, host: &Host) -> Outcome<Vec<Row>> {
    let sql = "SELECT status FROM hosts WHERE id = ?1";
    let key = *host.id.uuid().as_bytes();
    let before: Option<String> =
        tx.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
    let status = host.status();
    if before.as_deref() == Some(&*status.to_string()) {
        return Ok(Vec::new());
    }
    let (kind, cause) = match &host.state {
        // That it is asked for, and that it never came to be, its launch says.
        HostState::Requested | HostState::Gone { instance: None, .. } => return Ok(Vec::new()),
        HostState::Launched { .. } => (AuditKind::HostLaunched, None),
        HostState::Registered { .. } => (AuditKind::HostRegistered, None),
        HostState::Draining { cause, .. } => (AuditKind::HostDraining, Some(*cause)),
        HostState::Terminating { cause, .. } => (AuditKind::HostTerminating, Some(*cause)),
        HostState::Lost { .. } => (AuditKind::HostLost, None),
        HostState::Gone { cause, .. } => (AuditKind::HostGone, Some(*cause)),
    };
    let mut detail = AuditDetail {
        host: Some(host.id),
        instance: host.instance().map(|instance| instance.id.clone()),
        launch: host.launch.filter(|_| kind == AuditKind::HostLaunched),
        pool: Some(host.pool.clone()),
        price: Some(host.price),
        reason: cause.map(|cause| cause.to_string()),
        ..AuditDetail::default()
    };
    let was_leaving = [HostStatus::Draining, HostStatus::Terminating]
        .iter()
        .any(|leaving| before.as_deref() == Some(&*leaving.to_string()));
    let mut rows = Vec::new();
    if cause == Some(DrainCause::SpotInterruption) && !was_leaving {
        rows.push(Row::new(AuditKind::HostInterrupted, detail.clone()));
    }
    if let HostState::Gone { bill, .. } = &host.state {
        detail.cost = Some(*bill);
    }
    rows.push(Row::new(kind, detail));
    Ok(rows)
}

fn of_launch(tx: &Transaction<'_>, launch: &Launch) -> Outcome<Vec<Row>> {
    let sql = "SELECT 1 FROM launches WHERE id = ?1";
    let key = *launch.id.uuid().as_bytes();
    let is_known = tx.prepare_cached(sql)?.exists([key])?;
    let first = launch.choices.first();
    let named = AuditDetail { launch: Some(launch.id), ..AuditDetail::default() };
    let mut rows = Vec::new();
    if !is_known {
        let detail = AuditDetail {
            count: u32::try_from(launch.hosts.len()).ok(),
            pool: first.map(|choice| choice.pool.clone()),
            price: first.map(|choice| choice.price),
            choices: launch.choices.clone(),
            ..named.clone()
        };
        rows.push(Row::new(AuditKind::LaunchDecided, detail));
    }
    match &launch.state {
        LaunchState::Open { n_failed, .. } => {
            if is_known && 0 < *n_failed {
                rows.push(Row::new(AuditKind::LaunchUnanswered, named));
            }
        }
        LaunchState::Settled { n_launched, errors, request_id, .. } => {
            let detail = AuditDetail {
                count: Some(*n_launched),
                reason: Some(errors.join("; ")).filter(|reason| !reason.is_empty()),
                request_id: request_id.clone(),
                ..named
            };
            rows.push(Row::new(AuditKind::LaunchAnswered, detail));
        }
    }
    Ok(rows)
}

/// A breaker's states are told, not how often it has failed meanwhile.
fn of_breaker(
    tx: &Transaction<'_>,
    target: &BreakerId,
    breaker: Option<&Breaker>,
) -> Outcome<Option<Row>> {
    let sql = "SELECT json_extract(breaker, '$.state.kind') FROM breakers
        WHERE kind = ?1 AND subject = ?2";
    let key = [target.kind.as_str(), target.subject.as_str()];
    let before: Option<String> =
        tx.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
    let state = breaker.map(|breaker| breaker.state);
    let kind = match (before.as_deref(), state) {
        (None, None)
        | (Some("open"), Some(BreakerState::Open { .. }))
        | (Some("half-open"), Some(BreakerState::HalfOpen { .. })) => return Ok(None),
        (_, Some(BreakerState::Open { .. })) => AuditKind::BreakerOpened,
        (_, Some(BreakerState::HalfOpen { .. })) => AuditKind::BreakerProbed,
        (Some(_), None) => AuditKind::BreakerClosed,
    };
    let detail = AuditDetail {
        target: Some(target.to_string()),
        reason: breaker.map(|breaker| breaker.reason.clone()),
        ..AuditDetail::default()
    };
    Ok(Some(Row::new(kind, detail)))
}

/// What is newly held, and what is newly approved.
fn of_burst(tx: &Transaction<'_>, burst: &Burst) -> Outcome<Vec<Row>> {
    let sql = "SELECT burst FROM bursts";
    let before: Option<String> =
        tx.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    let before: Burst = before
        .map_or_else(|| Ok(Burst::default()), |text| serde_json::from_str(&text))
        .map_err(|error| Failure::record("the burst", &error))?;
    let row = |kind, held: HeldBurst, sender: Option<&String>| {
        let detail = AuditDetail {
            target: Some(format!("burst {}", held.hash())),
            price: Some(held.price),
            sender: sender.cloned(),
            ..AuditDetail::default()
        };
        Row::new(kind, detail)
    };
    let mut rows = Vec::new();
    if let Some(held) = burst.held.filter(|held| before.held != Some(*held)) {
        rows.push(row(AuditKind::BurstHeld, held, None));
    }
    let is_new = |approved: &&ApprovedBurst| before.approved.as_ref() != Some(approved);
    if let Some(approved) = burst.approved.as_ref().filter(is_new) {
        rows.push(row(AuditKind::BurstApproved, approved.held, approved.sender.as_ref()));
    }
    if burst.is_none()
        && let Some(last) = before.approved.map(|approved| approved.held).or(before.held)
    {
        rows.push(row(AuditKind::BurstOver, last, None));
    }
    Ok(rows)
}

/// An order, or a message that was refused; that of a job is told with the job.
fn of_message(tx: &Transaction<'_>, heard: &Heard, arrays: &mut Arrays) -> Outcome<Option<Row>> {
    let mut detail = AuditDetail {
        message: Some(heard.message.clone()),
        sender: heard.sender.clone(),
        ..AuditDetail::default()
    };
    let mut job = None;
    let (kind, target) = match &heard.asked {
        Asked::Submit { .. } => return Ok(None),
        Asked::Cancel { target, job: id, reason } => {
            (job, detail.reason) = (Some(*id), Some(reason.clone()));
            (AuditKind::OrderCancel, Some(target.clone()))
        }
        Asked::Terminate { target, job: id, reason } => {
            (job, detail.reason) = (Some(*id), Some(reason.clone()));
            (AuditKind::OrderTerminate, Some(target.clone()))
        }
        Asked::Pause { target } => (AuditKind::OrderPause, Some(target.to_string())),
        Asked::Resume { target } => (AuditKind::OrderResume, Some(target.to_string())),
        Asked::ResetBreaker { target } => (AuditKind::OrderReset, Some(target.to_string())),
        Asked::Approve { hash } => (AuditKind::OrderApprove, Some(format!("burst {hash}"))),
        Asked::Define { name } => (AuditKind::OrderDefinition, Some(name.to_string())),
        Asked::Schedule { name } => (AuditKind::OrderSchedule, Some(name.to_string())),
        Asked::Refused { code, reason } => {
            (detail.code, detail.reason) = (Some(code.clone()), Some(reason.clone()));
            (AuditKind::MessageRefused, None)
        }
    };
    detail.target = target;
    let seq = job.map(|id| place(tx, id, arrays)).transpose()?.flatten().map(|(seq, _)| seq);
    Ok(Some(Row { kind, job: seq.zip(job), detail }))
}

/// Which part of a job an id names: the index of a child, of a node -1 and less; none for the whole.
pub(super) fn part_of(id: JobId) -> Option<i64> {
    match (id.index(), id.node_index()) {
        (Some(index), _) => Some(i64::from(index)),
        (None, Some(node)) => Some(-1 - i64::from(node)),
        (None, None) => None,
    }
}

/// The id of a part of a job.
pub(super) fn with_part(job: JobId, part: Option<i64>) -> Outcome<JobId> {
    let wrong = |_| Failure::record("a part of a job", &format!("{part:?}"));
    match part {
        None => Ok(job),
        Some(index) if 0 <= index => Ok(job.child(u32::try_from(index).map_err(wrong)?)),
        Some(node) => Ok(job.node(u32::try_from(-1 - node).map_err(wrong)?)),
    }
}
