//! Takes messages off the job queue: every one becomes a job, an order to end one, a duplicate, or a dead letter.

use std::collections::BTreeSet;
use std::sync::Arc;

use spillway_core::array::Indexes;
use spillway_core::change::EndedJob;
use spillway_core::dependency;
use spillway_core::effect::{DeadLetter, Receipt};
use spillway_core::input::Delivery;
use spillway_core::job::{BodyHash, JobSpec, StopCause};
use spillway_core::message::{self, Parsed, Rejection, Request, code};
use spillway_core::{
    Asked, Change, Effect, Gate, Heard, Job, JobId, JobState, JobTarget, Pausable, QueueName,
};

use crate::engine::{Cx, Engine};
use crate::limits;

/// What happens to a delivery.
pub(crate) enum Fate {
    /// It is durable with this step, or was before: delete it.
    Delete,
    /// It may make sense later: let it come again.
    Leave,
    /// It never will.
    Reject { code: &'static str, reason: String },
}

/// What is told of `spillway.coalesce` where the installation has nothing to run children in one task with.
const NOT_SHARED: &str =
    "spillway.coalesce: has no effect: the dispatcher has no runner-image and log-group";

impl Engine {
    /// Takes deliveries. Deleting them is an effect, so it happens after the jobs are durable.
    pub(crate) fn receive(&mut self, cx: &mut Cx, deliveries: Vec<Delivery>) {
        let mut receipts: Vec<Receipt> = Vec::new();
        for delivery in deliveries {
            let n_changes = cx.changes.len();
            let mut asked = None;
            let fate = match message::parse_with(&delivery.body, &self.definitions) {
                Ok(parsed) => {
                    asked = Some(asked_for(&parsed.request, &delivery));
                    self.take_request(cx, &delivery, parsed)
                }
                Err(rejection) if rejection.code == code::UNKNOWN_DEFINITION => {
                    self.take_unresolved(cx, &delivery, &rejection)
                }
                Err(rejection) => rejected(&rejection),
            };
            match fate {
                Fate::Delete => {
                    self.unknown_yet.remove(&delivery.message_id);
                    // One that came again changes nothing, and is told once. What it led to comes behind it.
                    if let Some(asked) = asked.filter(|_| n_changes < cx.changes.len()) {
                        cx.changes.insert(n_changes, heard(&delivery, asked));
                    }
                    receipts.push(delivery.receipt);
                }
                Fate::Leave => {}
                Fate::Reject { code, reason } => {
                    let code = code.to_owned();
                    let asked = Asked::Refused { code: code.clone(), reason: reason.clone() };
                    cx.changes.push(heard(&delivery, asked));
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
                if let Some(unknown) = self.unknown_queue("jobQueue", &spec.queue) {
                    return unknown;
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
                self.unknown_yet(cx, delivery, code::UNKNOWN_DEFINITION, reason)
            }
            Request::Schedule(request) => self.take_schedule(cx, delivery, *request),
            Request::Pause { target, is_paused } => self.set_gate(cx, delivery, target, is_paused),
            Request::ResetBreaker { target } => self.reset_breaker(cx, delivery, &target),
            Request::ApproveBurst { hash } => self.approve_burst(cx, delivery, hash),
            Request::Cancel { target, reason } => self.end(cx, delivery, target, &reason, false),
            Request::Terminate { target, reason } => self.end(cx, delivery, target, &reason, true),
        }
    }

    /// What becomes of a message for a queue that is not served; none if it is.
    pub(crate) fn unknown_queue(&self, place: &str, queue: &QueueName) -> Option<Fate> {
        if self.config.queues.contains(queue) {
            return None;
        }
        let known: Vec<&str> = self.config.queues.iter().map(QueueName::as_str).collect();
        let reason = format!(
            "{place}: there is no queue {:?} (hint: the queues are {})",
            queue.as_str(),
            known.join(", ")
        );
        Some(Fate::Reject { code: "UNKNOWN_QUEUE", reason })
    }

    /// Pauses or resumes a queue or pool. Orders may come twice and out of order: the one that was sent last counts.
    fn set_gate(
        &mut self,
        cx: &mut Cx,
        delivery: &Delivery,
        target: Pausable,
        is_paused: bool,
    ) -> Fate {
        match &target {
            Pausable::Queue(queue) => {
                if let Some(unknown) = self.unknown_queue("jobQueue", queue) {
                    return unknown;
                }
            }
            Pausable::Pool(name) if self.config.pools.iter().all(|pool| pool.name != *name) => {
                let known = self.config.pools.iter().map(|pool| pool.name.as_str());
                let known: Vec<&str> = known.collect();
                let reason = format!(
                    "spillway.pool: there is no pool {:?} (hint: the pools are {})",
                    name.as_str(),
                    known.join(", ")
                );
                return Fate::Reject { code: "UNKNOWN_POOL", reason };
            }
            Pausable::Pool(_) => {}
        }
        let ordered_at = delivery.sent_at.unwrap_or(cx.now);
        let before = self.gates.get(&target).copied();
        if before.is_none_or(|gate| gate.ordered_at < ordered_at) {
            let gate = Gate { is_paused, ordered_at };
            self.gates.insert(target.clone(), gate);
            cx.changes.push(Change::PutGate { target, gate });
            if !is_paused {
                self.replan_by(cx.now);
            }
        }
        Fate::Delete
    }

    /// A job whose definition is not there. It may have been taken when it still was.
    fn take_unresolved(&mut self, cx: &Cx, delivery: &Delivery, rejection: &Rejection) -> Fate {
        if let Some((queue, token, body_hash)) = message::identity(&delivery.body) {
            let id = JobId::derive(&queue, token.as_deref().unwrap_or(&delivery.message_id));
            if self.known(id) == Some(body_hash) {
                return Fate::Delete;
            }
        }
        self.unknown_yet(cx, delivery, rejection.code, told(rejection))
    }

    /// The hash of a job that there is or was.
    pub(crate) fn known(&self, id: JobId) -> Option<BodyHash> {
        let ended = self.ended.get(&id).map(|ended| ended.body_hash);
        self.jobs.get(&id).map(|job| job.body_hash).or(ended)
    }

    pub(crate) fn add_job(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        mut spec: JobSpec,
        sender: Option<&str>,
        body_hash: BodyHash,
        mut warnings: Vec<String>,
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
        if let Some((code, reason)) = self.refused_dependency(id, &spec) {
            return Fate::Reject { code, reason };
        }
        if !self.config.shares_tasks && spec.coalesce.take().is_some() {
            warnings.push(NOT_SHARED.to_owned());
        }
        let seq = self.n_jobs;
        let n_nodes = spec.gang.as_ref().map_or(0, |gang| gang.n_nodes());
        let n_children = spec.array.map_or(n_nodes, |array| array.indexes.size);
        self.n_jobs += 1 + u64::from(n_children);
        let (unmet, mut state) = match self.judge_all(&spec) {
            Ok(unmet) => (unmet, self.admit(cx, &spec, sender)),
            Err(never) => {
                let reason = dependency::never_met(never);
                (BTreeSet::new(), JobState::Failed { at: cx.now, reason })
            }
        };
        let is_held = !unmet.is_empty();
        if matches!(state, JobState::Runnable { .. }) && (is_held || spec.array.is_some()) {
            state = JobState::Pending;
        }
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
        self.open_array(&job, None);
        if let Some(ended) = EndedJob::of(body_hash, &job.state) {
            self.ended.insert(id, ended);
            self.shelve_array(id);
            self.note_settled(id);
            return Fate::Delete;
        }
        self.jobs.insert(id, Box::new(job.clone()));
        self.limit_job(id);
        self.wait_for(&job, unmet);
        match &job.state {
            JobState::Pending if !is_held => self.release_children(cx.now, id),
            JobState::Runnable { .. } => {
                self.join_line(id);
                self.note_arrival(cx.now);
            }
            JobState::Submitted
            | JobState::Pending
            | JobState::Starting { .. }
            | JobState::Running { .. }
            | JobState::Succeeded { .. }
            | JobState::Failed { .. } => {}
        }
        self.note_arrived(cx, id);
        Fate::Delete
    }

    /// The queue is not ordered: the message that this one means may be behind it. How old this one is says nothing of that, since
    /// nobody may have read the queue for hours: what counts is for how long it has come again and again.
    pub(crate) fn unknown_yet(
        &mut self,
        cx: &Cx,
        delivery: &Delivery,
        code: &'static str,
        reason: String,
    ) -> Fate {
        let since = *self.unknown_yet.entry(delivery.message_id.clone()).or_insert(cx.now);
        if cx.now.duration_since(since) < limits::CONSISTENCY_GRACE {
            return Fate::Leave;
        }
        self.unknown_yet.remove(&delivery.message_id);
        Fate::Reject { code, reason }
    }

    /// `CancelJob` ends what no host has yet; `TerminateJob` ends all. What has ended stays as it is.
    fn end(
        &mut self,
        cx: &mut Cx,
        delivery: &Delivery,
        target: JobTarget,
        reason: &str,
        wherever_it_is: bool,
    ) -> Fate {
        let whole = target.job.whole();
        let is_open = self.jobs.contains_key(&whole);
        if !is_open && !self.ended.contains_key(&whole) {
            let reason = format!("jobId: there is no job {whole}");
            return self.unknown_yet(cx, delivery, "UNKNOWN_JOB", reason);
        }
        let indexes = self.indexes_of(whole);
        let asks_for =
            |index: u32| target.indexes.is_none_or(|asked| asked.ord_of(index).is_some());
        let has_it = match (target.job.index(), indexes) {
            (Some(index), Some(indexes)) => indexes.ord_of(index).is_some(),
            (Some(_), None) => false,
            (None, Some(indexes)) => {
                (0..indexes.size).filter_map(|ord| indexes.index_of(ord)).any(asks_for)
            }
            (None, None) => target.indexes.is_none(),
        };
        if !has_it {
            let reason = format!("jobId: there is no job {target}");
            return Fate::Reject { code: "UNKNOWN_JOB", reason };
        }
        if !is_open {
            return Fate::Delete;
        }
        if indexes.is_none() {
            self.end_record(cx, whole, reason, wherever_it_is);
            return Fate::Delete;
        }
        if target == JobTarget::from(whole) && self.is_untouched(whole) {
            // No child has begun: they end as one.
            let state = JobState::Failed { at: cx.now, reason: reason.to_owned() };
            self.move_job(cx, whole, state, None);
            return Fate::Delete;
        }
        let only = target.job.index().map(|first| Indexes { first, ..Indexes::of_size(1) });
        let (without_record, with_record) = self.children_within(whole, only.or(target.indexes));
        self.end_children(cx, whole, &without_record, reason);
        for child in with_record {
            self.end_record(cx, child, reason, wherever_it_is);
        }
        Fate::Delete
    }

    /// Ends one job that has a record.
    fn end_record(&mut self, cx: &mut Cx, id: JobId, reason: &str, wherever_it_is: bool) {
        let Some(job) = self.jobs.get(&id) else { return };
        let reason = reason.to_owned();
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
    }
}

/// What a message that could be read asks for, for the record.
fn asked_for(request: &Request, delivery: &Delivery) -> Asked {
    match request {
        Request::Submit { spec, client_token } => {
            let token = client_token.as_deref().unwrap_or(&delivery.message_id);
            Asked::Submit { job: JobId::derive(&spec.queue, token) }
        }
        Request::Register { name, .. } | Request::Deregister { name, .. } => {
            Asked::Define { name: name.clone() }
        }
        Request::Schedule(request) => Asked::Schedule { name: request.name.clone() },
        Request::Pause { target, is_paused: true } => Asked::Pause { target: target.clone() },
        Request::Pause { target, is_paused: false } => Asked::Resume { target: target.clone() },
        Request::ResetBreaker { target } => Asked::ResetBreaker { target: target.clone() },
        Request::ApproveBurst { hash } => Asked::Approve { hash: *hash },
        Request::Cancel { target, reason } => Asked::end(target, reason, false),
        Request::Terminate { target, reason } => Asked::end(target, reason, true),
    }
}

fn heard(delivery: &Delivery, asked: Asked) -> Change {
    let (message, sender) = (delivery.message_id.clone(), delivery.sender.clone());
    Change::Heard(Box::new(Heard { message, sender, asked }))
}

fn rejected(rejection: &Rejection) -> Fate {
    Fate::Reject { code: rejection.code, reason: told(rejection) }
}

pub(crate) fn told(rejection: &Rejection) -> String {
    let hint = rejection.hint.as_ref().map(|h| format!(" (hint: {h})"));
    format!("{rejection}{}", hint.unwrap_or_default())
}
