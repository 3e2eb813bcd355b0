//! Takes messages off the job queue: every one becomes a job, an order to end one, a duplicate, or a dead letter.

use std::sync::Arc;

use spillway_core::effect::{DeadLetter, Receipt};
use spillway_core::input::Delivery;
use spillway_core::job::{BodyHash, JobSpec, StopCause};
use spillway_core::message::{self, Parsed, Rejection, Request, code};
use spillway_core::{Change, Effect, Job, JobId, JobState, QueueName};

use crate::engine::{Cx, Engine};
use crate::limits;

/// What happens to a delivery.
enum Fate {
    /// It is durable with this step, or was before: delete it.
    Delete,
    /// It may make sense later: let it come again.
    Leave,
    /// It never will.
    Reject { code: &'static str, reason: String },
}

impl Engine {
    /// Takes deliveries. Deleting them is an effect, so it happens after the jobs are durable.
    pub(crate) fn receive(&mut self, cx: &mut Cx, deliveries: Vec<Delivery>) {
        let mut receipts: Vec<Receipt> = Vec::new();
        for delivery in deliveries {
            let fate = match message::parse_with(&delivery.body, &self.definitions) {
                Ok(parsed) => self.take_request(cx, &delivery, parsed),
                Err(rejection) if rejection.code == code::UNKNOWN_DEFINITION => {
                    self.take_unresolved(cx, &delivery, &rejection)
                }
                Err(rejection) => rejected(&rejection),
            };
            match fate {
                Fate::Delete => receipts.push(delivery.receipt),
                Fate::Leave => {}
                Fate::Reject { code, reason } => {
                    let code = code.to_owned();
                    let Delivery { receipt, message_id, body, .. } = delivery;
                    let letter = DeadLetter { receipt, message_id, body, code, reason };
                    cx.effects.push(Effect::DeadLetter(letter));
                }
            }
        }
        if !receipts.is_empty() {
            cx.effects.push(Effect::DeleteMessages { receipts });
        }
    }

    fn take_request(&mut self, cx: &mut Cx, delivery: &Delivery, parsed: Parsed) -> Fate {
        let Parsed { request, warnings, body_hash } = parsed;
        match request {
            Request::Submit { spec, client_token } => {
                if !self.config.queues.contains(&spec.queue) {
                    let known: Vec<&str> =
                        self.config.queues.iter().map(QueueName::as_str).collect();
                    let reason = format!(
                        "jobQueue: there is no queue {:?} (hint: the queues are {})",
                        spec.queue.as_str(),
                        known.join(", ")
                    );
                    return Fate::Reject { code: "UNKNOWN_QUEUE", reason };
                }
                let token = client_token.as_deref().unwrap_or(&delivery.message_id);
                let id = JobId::derive(&spec.queue, token);
                let sender = delivery.sender.as_deref();
                self.add_job(cx, id, *spec, sender, body_hash, warnings)
            }
            Request::Register { name, content, client_token } => {
                let token = client_token.unwrap_or_else(|| delivery.message_id.clone());
                // One that has come before is known by its token.
                if let Some(record) = self.definitions.register(name, token, *content, cx.now) {
                    cx.changes.push(Change::PutDefinition(Box::new(record)));
                }
                Fate::Delete
            }
            Request::Deregister { name, revision } => {
                if let Some(record) = self.definitions.deregister(&name, revision, cx.now) {
                    cx.changes.push(Change::PutDefinition(Box::new(record)));
                    return Fate::Delete;
                }
                if self.definitions.was_registered(&name, revision) {
                    return Fate::Delete;
                }
                let reason = format!("jobDefinition: there is no job definition {name}:{revision}");
                unknown_yet(cx, delivery, code::UNKNOWN_DEFINITION, reason)
            }
            Request::Cancel { job, reason } => self.end_job(cx, delivery, job, reason, false),
            Request::Terminate { job, reason } => self.end_job(cx, delivery, job, reason, true),
        }
    }

    /// A job whose definition is not there. It may have been taken when it still was.
    fn take_unresolved(&self, cx: &Cx, delivery: &Delivery, rejection: &Rejection) -> Fate {
        if let Some((queue, token, body_hash)) = message::identity(&delivery.body) {
            let id = JobId::derive(&queue, token.as_deref().unwrap_or(&delivery.message_id));
            if self.known(id) == Some(body_hash) {
                return Fate::Delete;
            }
        }
        unknown_yet(cx, delivery, rejection.code, told(rejection))
    }

    /// The hash of a job that there is or was.
    fn known(&self, id: JobId) -> Option<BodyHash> {
        self.jobs.get(&id).map(|job| job.body_hash).or(self.ended.get(&id).copied())
    }

    fn add_job(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        spec: JobSpec,
        sender: Option<&str>,
        body_hash: BodyHash,
        warnings: Vec<String>,
    ) -> Fate {
        if let Some(known) = self.known(id) {
            if known == body_hash {
                return Fate::Delete;
            }
            let reason = format!(
                "spillway.clientToken: job {id} exists with this token and another body \
                 (hint: a new job needs a new token)"
            );
            return Fate::Reject { code: "TOKEN_REUSED", reason };
        }
        let seq = self.n_jobs;
        self.n_jobs += 1;
        let state = self.admit(cx, &spec, sender);
        let job = Job {
            id,
            spec: Arc::new(spec),
            body_hash,
            created_at: cx.now,
            seq,
            state,
            attempts: Vec::new(),
            warnings,
        };
        cx.changes.push(Change::AddJob(Box::new(job.clone())));
        if job.state.status().is_terminal() {
            self.ended.insert(id, body_hash);
            return Fate::Delete;
        }
        if matches!(job.state, JobState::Runnable { .. }) {
            let first = self.arrivals.map_or(cx.now, |(first, _)| first);
            self.arrivals = Some((first, cx.now));
        }
        self.jobs.insert(id, job);
        self.limit_job(id);
        self.join_line(id);
        Fate::Delete
    }

    /// `CancelJob` ends a job that no host has yet; `TerminateJob` ends any. One that has ended stays as it is.
    fn end_job(
        &mut self,
        cx: &mut Cx,
        delivery: &Delivery,
        id: JobId,
        reason: String,
        wherever_it_is: bool,
    ) -> Fate {
        let Some(job) = self.jobs.get(&id) else {
            if self.ended.contains_key(&id) {
                return Fate::Delete;
            }
            let reason = format!("jobId: there is no job {id}");
            return unknown_yet(cx, delivery, "UNKNOWN_JOB", reason);
        };
        match &job.state {
            JobState::Submitted | JobState::Pending | JobState::Runnable { .. } => {
                self.leave_line(id);
                self.move_job(cx, id, JobState::Failed { at: cx.now, reason }, None);
            }
            JobState::Starting { .. } | JobState::Running { .. } if wherever_it_is => {
                self.stop_attempt(cx, id, StopCause::Terminated { reason });
            }
            JobState::Starting { .. }
            | JobState::Running { .. }
            | JobState::Succeeded { .. }
            | JobState::Failed { .. } => {}
        }
        Fate::Delete
    }
}

/// The queue is not ordered: the message that this one means may be behind it.
fn unknown_yet(cx: &Cx, delivery: &Delivery, code: &'static str, reason: String) -> Fate {
    let sent_at = delivery.sent_at.unwrap_or(cx.now);
    if cx.now.duration_since(sent_at) < limits::CONSISTENCY_GRACE {
        return Fate::Leave;
    }
    Fate::Reject { code, reason }
}

fn rejected(rejection: &Rejection) -> Fate {
    Fate::Reject { code: rejection.code, reason: told(rejection) }
}

fn told(rejection: &Rejection) -> String {
    let hint = rejection.hint.as_ref().map(|h| format!(" (hint: {h})"));
    format!("{rejection}{}", hint.unwrap_or_default())
}
