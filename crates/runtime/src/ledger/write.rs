//! Writes the changes of a step: all of them, or none.

mod children;
mod nodes;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;
use spillway_core::change::Change;
use spillway_core::job::{Attempt, Job, JobState, JobStatus};
use spillway_core::{
    Breaker, BreakerId, Burst, Host, JobId, JobName, KindHistory, KindId, Launch, LaunchState,
    MicroUsd, Pausable, Payer,
};

use super::audit;
use super::error::{BadChange, Failure, Outcome};
use super::outbox::{self, EventRule};
use super::query::children::Arrays;

/// Writes `changes` in one transaction, in their order, and what is news of them.
pub(super) fn commit(
    connection: &mut Connection,
    now: Timestamp,
    changes: &[Change],
    events: Option<&EventRule>,
) -> Outcome<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    apply_all(&tx, now, changes, events)?;
    tx.commit()?;
    Ok(())
}

/// Writes several commits as one: all of them, each with its own time, or none.
pub(super) fn commit_together(
    connection: &mut Connection,
    commits: &[(Timestamp, Vec<Change>)],
    events: Option<&EventRule>,
) -> Outcome<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (now, changes) in commits {
        apply_all(&tx, *now, changes, events)?;
    }
    tx.commit()?;
    Ok(())
}

/// The same, in a transaction of the caller's.
pub(super) fn apply_all(
    tx: &Transaction<'_>,
    now: Timestamp,
    changes: &[Change],
    events: Option<&EventRule>,
) -> Outcome<()> {
    let mut commit = audit::Commit::new(now, changes);
    for change in changes {
        let news = events.map(|rule| outbox::news(tx, rule, change)).transpose()?.flatten();
        let happened = commit.rows(tx, change)?;
        apply(tx, change, commit.arrays())?;
        commit.put(tx, &happened)?;
        if let Some((id, state)) = news {
            outbox::put(tx, id, state, now)?;
        }
    }
    tx.prepare_cached("UPDATE meta SET committed_at = ?1")?.execute([now.to_string()])?;
    Ok(())
}

fn apply(tx: &Transaction<'_>, change: &Change, arrays: &mut Arrays) -> Outcome<()> {
    match change {
        Change::AddJob(job) => add_job(tx, job),
        Change::AddChild { id, state } => match id.node_index() {
            Some(node) => nodes::add_node(tx, *id, node, state),
            None => children::add_child(tx, *id, state, arrays),
        },
        Change::EndChildren { array, runs, state } => {
            children::end_children(tx, *array, runs, state, arrays)
        }
        Change::MoveJob { id, state, ended } if id.index().is_some() => {
            children::move_child(tx, *id, state, ended.as_deref(), arrays)
        }
        Change::MoveJob { id, state, ended } => match id.node_index() {
            Some(node) => nodes::move_node(tx, *id, node, state, ended.as_deref()),
            None => move_job(tx, *id, state, ended.as_deref()),
        },
        Change::PutHost(host) => put_host(tx, host),
        Change::PutLaunch(launch) => put_launch(tx, launch),
        Change::Learn { instance_type, registered } => {
            let sql = "INSERT INTO learned (instance_type, registered) VALUES (?1, ?2)
                ON CONFLICT (instance_type) DO UPDATE SET registered = excluded.registered";
            tx.prepare_cached(sql)?.execute(params![instance_type, json(registered)?])?;
            Ok(())
        }
        Change::Cool { pool, cooldown } => {
            let key = (&pool.instance_type, pool.zone.as_str(), pool.market.to_string());
            let Some(cooldown) = cooldown else {
                let sql = "DELETE FROM cooling
                    WHERE instance_type = ?1 AND zone = ?2 AND market = ?3";
                tx.prepare_cached(sql)?.execute(params![key.0, key.1, key.2])?;
                return Ok(());
            };
            let sql = "INSERT INTO cooling (instance_type, zone, market, cooldown)
                VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (instance_type, zone, market)
                DO UPDATE SET cooldown = excluded.cooldown";
            tx.prepare_cached(sql)?.execute(params![key.0, key.1, key.2, json(cooldown)?])?;
            Ok(())
        }
        Change::PutKind { kind, history } => put_kind(tx, *kind, history.as_deref()),
        Change::PutSpot { instance_type, zone, evidence } => {
            let sql = "INSERT INTO spot (instance_type, zone, evidence) VALUES (?1, ?2, ?3)
                ON CONFLICT (instance_type, zone) DO UPDATE SET evidence = excluded.evidence";
            let row = params![instance_type, zone.as_str(), json(evidence)?];
            tx.prepare_cached(sql)?.execute(row)?;
            Ok(())
        }
        Change::PutDefinition(record) => {
            let sql = "INSERT INTO definitions (name, revision, record) VALUES (?1, ?2, ?3)
                ON CONFLICT (name, revision) DO UPDATE SET record = excluded.record";
            let row = params![record.name.as_str(), record.revision, json(record)?];
            tx.prepare_cached(sql)?.execute(row)?;
            Ok(())
        }
        Change::PutSchedule(record) => {
            let sql = "INSERT INTO schedules (name, record) VALUES (?1, ?2)
                ON CONFLICT (name) DO UPDATE SET record = excluded.record";
            let row = params![record.spec.name.as_str(), json(record)?];
            tx.prepare_cached(sql)?.execute(row)?;
            Ok(())
        }
        Change::PutGate { target, gate } => {
            let (kind, name) = match target {
                Pausable::Queue(name) => ("queue", name.as_str()),
                Pausable::Pool(name) => ("pool", name.as_str()),
            };
            let sql = "INSERT INTO gates (kind, name, gate) VALUES (?1, ?2, ?3)
                ON CONFLICT (kind, name) DO UPDATE SET gate = excluded.gate";
            tx.prepare_cached(sql)?.execute(params![kind, name, json(gate)?])?;
            Ok(())
        }
        Change::PutBreaker { target, breaker } => put_breaker(tx, target, breaker.as_deref()),
        Change::PutBurst(burst) => put_burst(tx, burst),
        Change::PutShare { queue, share, used } => {
            let Some(used) = used else {
                let sql = "DELETE FROM shares WHERE queue = ?1 AND share = ?2";
                tx.prepare_cached(sql)?.execute([queue.as_str(), share.as_str()])?;
                return Ok(());
            };
            let sql = "INSERT INTO shares (queue, share, used) VALUES (?1, ?2, ?3)
                ON CONFLICT (queue, share) DO UPDATE SET used = excluded.used";
            tx.prepare_cached(sql)?.execute(params![
                queue.as_str(),
                share.as_str(),
                json(used)?
            ])?;
            Ok(())
        }
        // It is in the audit record, with what it led to.
        Change::Heard(_) => Ok(()),
        Change::PutSpending { day, payer, spent } => put_spending(tx, *day, payer, *spent),
        Change::PutBoots(boots) => {
            tx.prepare_cached("UPDATE meta SET boots = ?1")?.execute([json(boots)?])?;
            Ok(())
        }
        Change::Counters { n_launches, n_jobs } => {
            let sql = "UPDATE meta SET n_launches = ?1, n_jobs = ?2";
            tx.prepare_cached(sql)?.execute([whole(*n_launches)?, whole(*n_jobs)?])?;
            Ok(())
        }
    }
}

fn add_job(tx: &Transaction<'_>, job: &Job) -> Outcome<()> {
    let seq = whole(job.seq)?;
    let last_attempt = job.attempts.last().map_or(0, |attempt| attempt.ord.get());
    let sql = "INSERT INTO jobs
        (seq, id, queue, name, status, body_hash, created_at, last_attempt, state,
            definition, revision, created, ended, reason, share)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
        ON CONFLICT (id) DO NOTHING";
    let n_added = tx.prepare_cached(sql)?.execute(params![
        seq,
        job.id.uuid().as_bytes().as_slice(),
        job.spec.queue.as_str(),
        job.spec.name.as_str(),
        job.state.status().as_str(),
        job.body_hash.0.cast_signed(),
        job.created_at.to_string(),
        last_attempt,
        json(&job.state)?,
        job.spec.definition.as_ref().map(JobName::as_str),
        job.spec.definition_revision,
        job.created_at.as_second(),
        ended(&job.state),
        job.reason(),
        job.spec.share().as_str(),
    ])?;
    if n_added == 0 {
        return Err(BadChange::AddedTwice(job.id).into());
    }
    let sql = "INSERT INTO job_tags (key, seq, value) VALUES (?1, ?2, ?3)";
    for (key, value) in &job.spec.tags {
        tx.prepare_cached(sql)?.execute(params![key, seq, value])?;
    }
    let sql = "INSERT INTO specs (seq, spec, warnings) VALUES (?1, ?2, ?3)";
    let spec = json(job.spec.as_ref())?;
    tx.prepare_cached(sql)?.execute(params![seq, spec, json(&job.warnings)?])?;
    for attempt in &job.attempts {
        add_attempt(tx, seq, attempt)?;
    }
    nodes::add_gang(tx, job)?;
    children::add_array(tx, job)
}

/// What a move is held against.
struct Record {
    status: String,
    last_attempt: u32,
}

/// Refuses a move that cannot be; returns the number of the newest attempt that has ended.
fn check_move(
    id: JobId,
    before: &Record,
    state: &JobState,
    ended: Option<&Attempt>,
) -> Outcome<u32> {
    let status: JobStatus =
        before.status.parse().map_err(|error| Failure::record(&format!("job {id}"), &error))?;
    if status.is_terminal() {
        return Err(BadChange::MovedAfterEnd(id, state.status()).into());
    }
    let Some(attempt) = ended else { return Ok(before.last_attempt) };
    let newest = attempt.ord.get();
    if newest <= before.last_attempt {
        return Err(BadChange::AttemptTwice(id, newest).into());
    }
    Ok(newest)
}

fn move_job(
    tx: &Transaction<'_>,
    id: JobId,
    state: &JobState,
    ended: Option<&Attempt>,
) -> Outcome<()> {
    let sql = "SELECT seq, status, last_attempt FROM jobs WHERE id = ?1";
    let before: Option<(i64, Record)> = tx
        .prepare_cached(sql)?
        .query_row([id.uuid().as_bytes().as_slice()], |row| {
            Ok((row.get(0)?, Record { status: row.get(1)?, last_attempt: row.get(2)? }))
        })
        .optional()?;
    let (seq, before) = before.ok_or(BadChange::NeverAdded(id))?;
    let newest = check_move(id, &before, state, ended)?;
    if let Some(attempt) = ended {
        add_attempt(tx, seq, attempt)?;
    }
    let sql = "UPDATE jobs SET status = ?2, state = ?3, last_attempt = ?4, ended = ?5,
        reason = coalesce(?6, reason) WHERE seq = ?1";
    tx.prepare_cached(sql)?.execute(params![
        seq,
        state.status().as_str(),
        json(state)?,
        newest,
        self::ended(state),
        said(state, ended),
    ])?;
    Ok(())
}

/// The second of a job's end.
fn ended(state: &JobState) -> Option<i64> {
    state.ended_at().map(Timestamp::as_second)
}

/// What a move says about why; where it says nothing, what was said before stays.
fn said<'a>(state: &'a JobState, ended: Option<&'a Attempt>) -> Option<&'a str> {
    state.reason_after(ended)
}

fn add_attempt(tx: &Transaction<'_>, seq: i64, attempt: &Attempt) -> Outcome<()> {
    let sql = "INSERT INTO attempts (seq, ord, attempt) VALUES (?1, ?2, ?3)";
    tx.prepare_cached(sql)?.execute(params![seq, attempt.ord.get(), json(attempt)?])?;
    Ok(())
}

fn put_host(tx: &Transaction<'_>, host: &Host) -> Outcome<()> {
    let sql = "INSERT INTO hosts (id, status, host) VALUES (?1, ?2, ?3)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, host = excluded.host";
    tx.prepare_cached(sql)?.execute(params![
        host.id.uuid().as_bytes().as_slice(),
        host.status().to_string(),
        json(host)?
    ])?;
    Ok(())
}

fn put_launch(tx: &Transaction<'_>, launch: &Launch) -> Outcome<()> {
    let status = match launch.state {
        LaunchState::Open { .. } => "open",
        LaunchState::Settled { .. } => "settled",
    };
    let sql = "INSERT INTO launches (id, status, decided_at, launch) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status,
            decided_at = excluded.decided_at, launch = excluded.launch";
    tx.prepare_cached(sql)?.execute(params![
        launch.id.uuid().as_bytes().as_slice(),
        status,
        // Only for the order: the exact time is in the JSON. The years 1677 to 2262 fit.
        i64::try_from(launch.decided_at.as_nanosecond()).unwrap_or(i64::MAX),
        json(launch)?,
    ])?;
    Ok(())
}

fn put_kind(tx: &Transaction<'_>, kind: KindId, history: Option<&KindHistory>) -> Outcome<()> {
    let Some(history) = history else {
        let sql = "DELETE FROM kinds WHERE kind = ?1";
        tx.prepare_cached(sql)?.execute([kind.to_string()])?;
        return Ok(());
    };
    let sql = "INSERT INTO kinds (kind, history) VALUES (?1, ?2)
        ON CONFLICT (kind) DO UPDATE SET history = excluded.history";
    tx.prepare_cached(sql)?.execute(params![kind.to_string(), json(history)?])?;
    Ok(())
}

fn put_breaker(tx: &Transaction<'_>, id: &BreakerId, breaker: Option<&Breaker>) -> Outcome<()> {
    let (kind, subject) = (id.kind.as_str(), id.subject.as_str());
    let Some(breaker) = breaker else {
        let sql = "DELETE FROM breakers WHERE kind = ?1 AND subject = ?2";
        tx.prepare_cached(sql)?.execute([kind, subject])?;
        return Ok(());
    };
    let sql = "INSERT INTO breakers (kind, subject, breaker) VALUES (?1, ?2, ?3)
        ON CONFLICT (kind, subject) DO UPDATE SET breaker = excluded.breaker";
    tx.prepare_cached(sql)?.execute(params![kind, subject, json(breaker)?])?;
    Ok(())
}

fn put_burst(tx: &Transaction<'_>, burst: &Burst) -> Outcome<()> {
    if burst.is_none() {
        tx.prepare_cached("DELETE FROM bursts")?.execute([])?;
        return Ok(());
    }
    let sql = "INSERT INTO bursts (only, burst) VALUES (1, ?1)
        ON CONFLICT (only) DO UPDATE SET burst = excluded.burst";
    tx.prepare_cached(sql)?.execute([json(burst)?])?;
    Ok(())
}

fn put_spending(
    tx: &Transaction<'_>,
    day: Date,
    payer: &Payer,
    spent: Option<MicroUsd>,
) -> Outcome<()> {
    let (queue, share) = match payer {
        Payer::All => ("", ""),
        Payer::Share { queue, share } => (queue.as_str(), share.as_str()),
    };
    let day = day.to_string();
    let Some(spent) = spent else {
        let sql = "DELETE FROM spending WHERE day = ?1 AND queue = ?2 AND share = ?3";
        tx.prepare_cached(sql)?.execute(params![day, queue, share])?;
        return Ok(());
    };
    let sql = "INSERT INTO spending (day, queue, share, micro) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (day, queue, share) DO UPDATE SET micro = excluded.micro";
    tx.prepare_cached(sql)?.execute(params![day, queue, share, whole(spent.get())?])?;
    Ok(())
}

pub(super) fn json<T: Serialize>(value: &T) -> Outcome<String> {
    serde_json::to_string(value).map_err(|error| Failure::record("to be written", &error))
}

/// SQLite's integers are signed.
pub(super) fn whole(n: u64) -> Outcome<i64> {
    i64::try_from(n).map_err(|error| Failure::record("to be written", &error))
}
