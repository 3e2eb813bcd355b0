//! Sends jobs by the clock. The job of a due time and the note that the time is settled are one commit, and the job's token is
//! made from the schedule and the time: whatever happens between, a time is met once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use spillway_core::input::Delivery;
use spillway_core::message::{self, Request, ScheduleOrder, ScheduleRequest};
use spillway_core::schedule::{Firing, ScheduleRecord};
use spillway_core::{Change, JobId, JobName};

use crate::engine::{Cx, Engine};
use crate::intake::{Fate, told, unknown_yet};

/// All schedules, those that were deleted too, and which is due next.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    records: BTreeMap<JobName, ScheduleRecord>,
    next: BTreeSet<(Timestamp, JobName)>,
}

impl Schedules {
    pub(crate) fn new(records: impl IntoIterator<Item = ScheduleRecord>) -> Self {
        let mut schedules = Self::default();
        for record in records {
            schedules.put(record);
        }
        schedules
    }

    fn put(&mut self, record: ScheduleRecord) {
        let name = record.spec.name.clone();
        let next = record.next();
        if let Some(before) = self.records.insert(name.clone(), record)
            && let Some(at) = before.next()
        {
            self.next.remove(&(at, name.clone()));
        }
        self.next.extend(next.map(|at| (at, name)));
    }

    /// When one is due next.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.next.first().map(|(at, _)| *at)
    }

    /// One that is due.
    fn pop_due(&mut self, now: Timestamp) -> Option<ScheduleRecord> {
        let (at, _) = self.next.first()?;
        if now < *at {
            return None;
        }
        let (_, name) = self.next.pop_first()?;
        self.records.get(&name).cloned()
    }
}

impl Engine {
    /// Takes an order about a schedule.
    pub(crate) fn take_schedule(
        &mut self,
        cx: &mut Cx,
        delivery: &Delivery,
        request: ScheduleRequest,
    ) -> Fate {
        let ScheduleRequest { name, order, client_token } = request;
        let token = client_token.unwrap_or_else(|| delivery.message_id.clone());
        let known = self.schedules.records.get(&name).cloned();
        // The queue may give a message again, long after others have followed it.
        if known.as_ref().is_some_and(|record| record.knows(&token)) {
            return Fate::Delete;
        }
        let record = match (order, known) {
            (ScheduleOrder::Create { spec, queue }, known) => {
                if let Some(unknown) = self.unknown_queue("job.jobQueue", &queue) {
                    return unknown;
                }
                let sender = delivery.sender.clone();
                match known {
                    Some(mut record) => {
                        record.replace(*spec, sender, token, cx.now);
                        record
                    }
                    None => ScheduleRecord::new(*spec, sender, token, cx.now),
                }
            }
            (ScheduleOrder::Delete, Some(mut record)) => {
                record.delete(token, cx.now);
                record
            }
            (order, Some(mut record)) if record.deleted_at.is_none() => {
                record.pause(matches!(order, ScheduleOrder::Pause), token, cx.now);
                record
            }
            (ScheduleOrder::Delete | ScheduleOrder::Pause | ScheduleOrder::Resume, _) => {
                let reason = format!("scheduleName: there is no schedule {name}");
                return unknown_yet(cx, delivery, "UNKNOWN_SCHEDULE", reason);
            }
        };
        self.put_schedule(cx, record);
        Fate::Delete
    }

    fn put_schedule(&mut self, cx: &mut Cx, record: ScheduleRecord) {
        cx.changes.push(Change::PutSchedule(Box::new(record.clone())));
        self.schedules.put(record);
    }

    /// Settles every time that is due.
    pub(crate) fn run_schedules(&mut self, cx: &mut Cx) {
        while let Some(mut record) = self.schedules.pop_due(cx.now) {
            let due = record.due(cx.now);
            record.settled_until = cx.now;
            record.n_missed = record.n_missed.saturating_add(due.n_missed);
            if let Some(nominal) = due.nominal {
                match self.send_scheduled(cx, &record, nominal) {
                    Ok(job) => {
                        record.last = Some(Firing { nominal, job });
                        record.n_fired = record.n_fired.saturating_add(1);
                        record.error = None;
                    }
                    Err(reason) => {
                        record.n_missed = record.n_missed.saturating_add(1);
                        record.error = Some(format!("at {nominal}: {reason}"));
                    }
                }
            }
            self.put_schedule(cx, record);
        }
    }

    /// The job of a due time, or why there can be none.
    fn send_scheduled(
        &mut self,
        cx: &mut Cx,
        record: &ScheduleRecord,
        nominal: Timestamp,
    ) -> Result<JobId, String> {
        let body = record.spec.message(nominal).to_string();
        let parsed = message::parse_with(&body, &self.definitions).map_err(|no| told(&no))?;
        let Request::Submit { spec, .. } = parsed.request else {
            return Err("it is no job".to_owned());
        };
        if let Some(Fate::Reject { reason, .. }) = self.unknown_queue("jobQueue", &spec.queue) {
            return Err(reason);
        }
        let id = JobId::derive(&spec.queue, &record.spec.token(nominal));
        if self.known(id).is_some() {
            return Ok(id);
        }
        let sender = record.sender.as_deref();
        match self.add_job(cx, id, *spec, sender, parsed.body_hash, parsed.warnings) {
            Fate::Delete | Fate::Leave => Ok(id),
            Fate::Reject { reason, .. } => Err(reason),
        }
    }

    /// When a schedule sends a job next.
    pub fn next_scheduled(&self) -> Option<Timestamp> {
        self.schedules.next()
    }
}
