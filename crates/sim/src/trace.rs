//! What happened in a run, in virtual time: JSON lines for people and tools, and a running hash of everything.
//!
//! The lines abbreviate (an observation is its counts); the hash covers every input and every step in full, so that two
//! runs with equal hashes took equal decisions.

use std::hash::{Hash, Hasher};
use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Value, json};
use spillway_core::effect::{CallResult, LaunchRequest, TaskStart};
use spillway_core::{Answer, Effect, Input};
use spillway_engine::Step;

use crate::digest::Digest;

/// Where a trace goes.
pub struct Trace<'a> {
    out: Option<&'a mut dyn Write>,
    hash: Digest,
}

impl std::fmt::Debug for Trace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl<'a> Trace<'a> {
    /// A trace that is written to `out`, or only hashed.
    pub fn new(out: Option<&'a mut dyn Write>) -> Self {
        Self { out, hash: Digest::default() }
    }

    /// The hash so far.
    pub fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// Event number `n`: this input came.
    pub fn input(&mut self, n: u64, now: Timestamp, input: &Input) -> io::Result<()> {
        (n, now).hash(&mut self.hash);
        input.hash(&mut self.hash);
        let Some(out) = &mut self.out else { return Ok(()) };
        writeln!(out, "{}", json!({"n": n, "at": now, "input": input_json(input)}))
    }

    /// This followed.
    pub fn step(&mut self, n: u64, now: Timestamp, step: &Step) -> io::Result<()> {
        step.hash(&mut self.hash);
        let Some(out) = &mut self.out else { return Ok(()) };
        for change in &step.changes {
            writeln!(out, "{}", json!({"n": n, "at": now, "change": change}))?;
        }
        for effect in &step.effects {
            writeln!(out, "{}", json!({"n": n, "at": now, "effect": effect_json(effect)}))?;
        }
        Ok(())
    }

    /// Something happened to the dispatcher itself.
    pub fn note(&mut self, n: u64, now: Timestamp, note: &str) -> io::Result<()> {
        (n, now, note).hash(&mut self.hash);
        let Some(out) = &mut self.out else { return Ok(()) };
        writeln!(out, "{}", json!({"n": n, "at": now, "note": note}))
    }
}

fn input_json(input: &Input) -> Value {
    match input {
        Input::Received(deliveries) => {
            let one = |d: &spillway_core::input::Delivery| json!({"message_id": d.message_id, "receipt": d.receipt.0, "body": d.body});
            json!({"kind": "received", "messages": deliveries.iter().map(one).collect::<Vec<_>>()})
        }
        Input::Events(deliveries) => {
            let events: Vec<_> = deliveries.iter().map(|d| &d.event).collect();
            json!({"kind": "events", "events": events})
        }
        Input::Answered(answer) => answer_json(answer),
        Input::Tick => json!({"kind": "tick"}),
    }
}

fn result_json<T>(result: &CallResult<T>, ok: impl FnOnce(&T) -> Value) -> Value {
    match result {
        Ok(value) => json!({"ok": ok(value)}),
        Err(error) => json!({"error": error.to_string()}),
    }
}

fn done<T>(_: &T) -> Value {
    Value::Null
}

fn answer_json(answer: &Answer) -> Value {
    match answer {
        Answer::Launch { launch, result } => {
            let result = result_json(result, |answer| {
                let instance =
                    |i: &spillway_core::effect::LaunchedInstance| format!("{} {}", i.id, i.pool);
                let error = |e: &spillway_core::effect::PoolError| match &e.pool {
                    Some(pool) => format!("{} in {pool}", e.code),
                    None => e.code.clone(),
                };
                json!({
                    "instances": answer.instances.iter().map(instance).collect::<Vec<_>>(),
                    "errors": answer.errors.iter().map(error).collect::<Vec<_>>(),
                })
            });
            json!({"kind": "launch", "launch": launch, "result": result})
        }
        Answer::Terminate { hosts, result } => {
            json!({"kind": "terminate", "hosts": hosts, "result": result_json(result, done)})
        }
        Answer::Drain { host, result } => {
            json!({"kind": "drain", "host": host, "result": result_json(result, done)})
        }
        Answer::RunTask { job, attempt, result } => {
            let result = result_json(result, |start| match start {
                TaskStart::Started(report) => json!({"started": report}),
                TaskStart::Refused(refusal) => json!({"refused": format!("{refusal:?}")}),
            });
            json!({"kind": "run-task", "job": job, "attempt": attempt, "result": result})
        }
        Answer::StopTask { job, attempt, result } => {
            let result = result_json(result, done);
            json!({"kind": "stop-task", "job": job, "attempt": attempt, "result": result})
        }
        Answer::Observe { asked_at, snapshot } => {
            json!({
                "kind": "observe",
                "asked_at": asked_at,
                "instances": snapshot.instances.as_ref().map(Vec::len),
                "container_instances": snapshot.container_instances.as_ref().map(Vec::len),
                "tasks": snapshot.tasks.as_ref().map(Vec::len),
                "missing_tasks": snapshot.missing_tasks,
            })
        }
        Answer::Catalog { result } => {
            let result = result_json(result, |catalog| json!(catalog.offerings().len()));
            json!({"kind": "catalog", "result": result})
        }
    }
}

fn launch_json(request: &LaunchRequest) -> Value {
    let choice = |c: &spillway_core::launch::PoolChoice| format!("{} {}", c.pool, c.price);
    json!({
        "kind": "launch",
        "launch": request.launch,
        "count": request.count,
        "choices": request.choices.iter().map(choice).collect::<Vec<_>>(),
    })
}

fn effect_json(effect: &Effect) -> Value {
    match effect {
        Effect::Launch(request) => launch_json(request),
        Effect::Terminate { hosts } => {
            let host = |(host, instance): &(_, _)| format!("{host} {instance}");
            json!({"kind": "terminate", "hosts": hosts.iter().map(host).collect::<Vec<_>>()})
        }
        Effect::Drain { host, container_instance } => {
            json!({"kind": "drain", "host": host, "container_instance": container_instance})
        }
        Effect::Deregister { container_instance } => {
            json!({"kind": "deregister", "container_instance": container_instance})
        }
        Effect::RunTask(request) => json!({
            "kind": "run-task",
            "job": request.job,
            "attempt": request.attempt,
            "instance": request.instance,
            "name": request.spec.name,
        }),
        Effect::StopTask { job, attempt, task, reason } => json!({
            "kind": "stop-task", "job": job, "attempt": attempt, "task": task, "reason": reason,
        }),
        Effect::Observe { tasks } => json!({"kind": "observe", "tasks": tasks.len()}),
        Effect::RefreshCatalog => json!({"kind": "refresh-catalog"}),
        Effect::DeleteMessages { receipts } => {
            json!({"kind": "delete-messages", "n": receipts.len()})
        }
        Effect::DeleteEvents { receipts } => json!({"kind": "delete-events", "n": receipts.len()}),
        Effect::DeadLetter(letter) => {
            json!({"kind": "dead-letter", "code": letter.code, "reason": letter.reason})
        }
    }
}
