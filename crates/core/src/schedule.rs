//! Schedules: jobs that are sent by the clock. What each is, what has become of it, and which of its times are due; who acts on
//! that is the control loop. Pure.

pub mod cron;
mod expression;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use expression::{Expression, ScheduleError, Zone};

use crate::id::{JobId, JobName};

/// A time that is not later than this after its due time is met, not missed: a step may take so long to come.
pub const LATE_MAX: SignedDuration = SignedDuration::from_mins(1);

/// Unless the schedule says otherwise, a missed time is made good for so long (EventBridge Scheduler's own limit on retries).
pub const CATCH_UP_DEFAULT: SignedDuration = SignedDuration::from_hours(24);

/// So many missed times are counted one by one; a count that ends there is at least so many.
const COUNTED_MAX: u32 = 100_000;

/// So many tokens of messages that changed a schedule are remembered: one that comes again is among the last few.
const TOKENS_MAX: usize = 100;

/// The tag by which a schedule's jobs are found.
pub const TAG: &str = "spillway:schedule";

/// What stands for the nominal time where it is the whole value of a parameter, of a variable or of a word of the command.
pub const TIME: &str = "@time";

/// What becomes of times that nobody was there to meet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    /// The last of them is made good, if it is not longer ago than the catch-up window.
    #[default]
    Once,
    /// They are left out.
    Skip,
}

/// What a schedule is to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScheduleSpec {
    /// Its name.
    pub name: JobName,
    /// When.
    pub expression: Expression,
    /// In which time zone.
    pub zone: Zone,
    /// Not before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// Only before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// What becomes of missed times.
    #[serde(default)]
    pub missed: Missed,
    /// How long one is made good.
    pub catch_up: SignedDuration,
    /// The job: `SubmitJob`'s object without a token.
    pub job: Arc<Value>,
}

impl ScheduleSpec {
    /// The token of the job that meets a time: the same time is the same job, however often it is met.
    pub fn token(&self, nominal: Timestamp) -> String {
        format!("schedule:{}:{nominal}", self.name)
    }

    /// The message of the job that meets a time.
    pub fn message(&self, nominal: Timestamp) -> Value {
        let mut job = Value::clone(&self.job);
        put_time(&mut job, nominal);
        if let Some(fields) = job.as_object_mut() {
            set(fields, "tags", TAG, json!(self.name));
            set(fields, "spillway", "clientToken", json!(self.token(nominal)));
        }
        job
    }
}

/// A time that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Firing {
    /// When it was due.
    pub nominal: Timestamp,
    /// The job.
    pub job: JobId,
}

/// A schedule, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// What it is to do.
    pub spec: ScheduleSpec,
    /// Who sent it, by SQS's `SenderId`: its jobs are judged as that sender's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// When it became what it is; where it has no start, a rate counts from here.
    pub created_at: Timestamp,
    /// Whether it is paused.
    #[serde(default)]
    pub paused: bool,
    /// When it was deleted. Its name and tokens stay, so that a message that comes again does not bring it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// The tokens of the messages that made it what it is, the newest last.
    pub tokens: Vec<String>,
    /// The time up to which every due time has been met or missed.
    pub settled_until: Timestamp,
    /// The last time that was met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Firing>,
    /// How many were met.
    #[serde(default)]
    pub n_fired: u64,
    /// How many were not.
    #[serde(default)]
    pub n_missed: u64,
    /// Why the last job could not be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is due of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The time to meet now.
    pub nominal: Option<Timestamp>,
    /// How many are missed for good.
    pub n_missed: u64,
}

impl ScheduleRecord {
    /// A schedule that begins now.
    pub fn new(spec: ScheduleSpec, sender: Option<String>, token: String, now: Timestamp) -> Self {
        let mut record = Self {
            spec,
            sender,
            created_at: now,
            paused: false,
            deleted_at: None,
            tokens: vec![token],
            settled_until: now,
            last: None,
            n_fired: 0,
            n_missed: 0,
            error: None,
        };
        record.begin(now);
        record
    }

    /// What is due before now is nobody's any more; a rate is due at once.
    fn begin(&mut self, now: Timestamp) {
        self.settled_until = now;
        if self.spec.expression.is_rate() && self.spec.start.is_none() {
            self.settled_until = self.anchor() - SignedDuration::from_nanos(1);
        }
    }

    /// From where a rate counts: its start, or the second of its creation.
    fn anchor(&self) -> Timestamp {
        let created = self.created_at;
        let second = Timestamp::from_second(created.as_second()).unwrap_or(created);
        self.spec.start.unwrap_or(second)
    }

    /// Whether a message with this token has been taken before.
    pub fn knows(&self, token: &str) -> bool {
        self.tokens.iter().any(|known| known == token)
    }

    /// Remembers a message.
    fn take_token(&mut self, token: String) {
        self.tokens.push(token);
        let n_old = self.tokens.len().saturating_sub(TOKENS_MAX);
        self.tokens.drain(..n_old);
    }

    /// Becomes something else, or comes back after its end. What it did stays counted.
    pub fn replace(
        &mut self,
        spec: ScheduleSpec,
        sender: Option<String>,
        token: String,
        now: Timestamp,
    ) {
        self.spec = spec;
        self.sender = sender;
        self.created_at = now;
        self.paused = false;
        self.deleted_at = None;
        self.error = None;
        self.take_token(token);
        self.begin(now);
    }

    /// Is deleted.
    pub fn delete(&mut self, token: String, now: Timestamp) {
        self.deleted_at.get_or_insert(now);
        self.take_token(token);
    }

    /// Is paused, or goes on: times of the pause are not made good.
    pub fn pause(&mut self, paused: bool, token: String, now: Timestamp) {
        if self.paused && !paused {
            self.settled_until = self.settled_until.max(now);
        }
        self.paused = paused;
        self.take_token(token);
    }

    /// Whether it may be due at all.
    pub const fn is_active(&self) -> bool {
        !self.paused && self.deleted_at.is_none()
    }

    /// The first time after `after` that it is due, whether or not it is paused.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let spec = &self.spec;
        let just_before = |start: Timestamp| start - SignedDuration::from_nanos(1);
        let after = spec.start.map_or(after, |start| after.max(just_before(start)));
        let next = spec.expression.next_after(after, &spec.zone, self.anchor())?;
        spec.end.is_none_or(|end| next < end).then_some(next)
    }

    /// The next time that is not settled; none if it is paused, deleted or over.
    pub fn next(&self) -> Option<Timestamp> {
        if !self.is_active() {
            return None;
        }
        self.next_after(self.settled_until)
    }

    /// What is due at `now`, by the rule for missed times: at most one.
    pub fn due(&self, now: Timestamp) -> Due {
        let mut due = Due { nominal: None, n_missed: 0 };
        if !self.is_active() {
            return due;
        }
        let patience = match self.spec.missed {
            Missed::Once => self.spec.catch_up.max(LATE_MAX),
            Missed::Skip => LATE_MAX,
        };
        let (mut after, mut last) = (self.settled_until, None);
        let mut n: u64 = 0;
        while let Some(next) = self.next_after(after).filter(|next| *next <= now) {
            n += 1;
            last = Some(next);
            after = next;
            if n == u64::from(COUNTED_MAX) {
                // Nobody was there for very long: what is between is not looked at.
                after = after.max(now - patience);
            }
        }
        due.nominal = last.filter(|nominal| now.duration_since(*nominal) <= patience);
        due.n_missed = n - u64::from(due.nominal.is_some());
        due
    }
}

/// Sets `name` in the object under `key`, which is made where there is none.
fn set(fields: &mut Map<String, Value>, key: &str, name: &str, value: Value) {
    let mut object = match fields.remove(key) {
        Some(Value::Object(object)) => object,
        Some(_) | None => Map::new(),
    };
    object.insert(name.to_owned(), value);
    fields.insert(key.to_owned(), Value::Object(object));
}

/// Puts the time where it is asked for.
fn put_time(job: &mut Value, nominal: Timestamp) {
    let places = [
        "/parameters",
        "/containerOverrides/environment",
        "/containerOverrides/command",
        "/jobDefinition/parameters",
        "/jobDefinition/containerProperties/environment",
        "/jobDefinition/containerProperties/command",
    ];
    for place in places {
        if let Some(value) = job.pointer_mut(place) {
            put(value, &nominal.to_string());
        }
    }
}

fn put(value: &mut Value, time: &str) {
    match value {
        Value::String(text) if text == TIME => time.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| put(item, time)),
        Value::Object(fields) => fields.values_mut().for_each(|field| put(field, time)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(secs)
    }

    fn spec(expression: &str) -> ScheduleSpec {
        ScheduleSpec {
            name: "nightly".parse().unwrap(),
            expression: expression.parse().unwrap(),
            zone: Zone::UTC,
            start: None,
            end: None,
            missed: Missed::Once,
            catch_up: SignedDuration::from_hours(1),
            job: Arc::new(json!({
                "jobName": "n", "jobQueue": "q", "jobDefinition": "d",
                "parameters": {"day": "@time", "mail": "a@time.org"},
                "containerOverrides": {"environment": [{"name": "T", "value": "@time"}]},
            })),
        }
    }

    fn record(expression: &str) -> ScheduleRecord {
        ScheduleRecord::new(spec(expression), None, "t".into(), at(0))
    }

    /// The record after all that was due has been settled.
    fn settle(record: &mut ScheduleRecord, now: Timestamp) -> Option<Timestamp> {
        let due = record.due(now);
        record.n_missed += due.n_missed;
        record.settled_until = now;
        due.nominal
    }

    #[test]
    fn a_rate_is_due_at_once_and_then_once_a_period() {
        let mut record = record("rate(1 hour)");

        assert_eq!(record.next(), Some(at(0)));
        assert_eq!(settle(&mut record, at(0)), Some(at(0)));
        assert_eq!(record.next(), Some(at(3_600)));
        assert_eq!(settle(&mut record, at(3_599)), None);
        assert_eq!(settle(&mut record, at(3_601)), Some(at(3_600)));
    }

    #[test]
    fn of_missed_times_the_last_is_made_good_within_its_window_and_the_others_are_counted() {
        let mut record = record("cron(0 * * * ? *)");

        assert_eq!(settle(&mut record, at(3_600 * 5 + 1_800)), Some(at(3_600 * 5)));
        assert_eq!(record.n_missed, 4);
        record.spec.catch_up = SignedDuration::from_mins(10);
        assert_eq!(settle(&mut record, at(3_600 * 7 + 1_800)), None, "it is too long ago");
        assert_eq!(record.n_missed, 6);
    }

    #[test]
    fn missed_times_that_are_to_be_skipped_are_skipped() {
        let mut record = record("cron(0 * * * ? *)");
        record.spec.missed = Missed::Skip;

        assert_eq!(settle(&mut record, at(3_600 + 59)), Some(at(3_600)), "it is on time");
        assert_eq!(settle(&mut record, at(7_200 + 61)), None);
        assert_eq!(record.n_missed, 1);
    }

    #[test]
    fn a_pause_is_not_made_good() {
        let mut record = record("cron(0 * * * ? *)");

        record.pause(true, "p".into(), at(10));
        assert_eq!((record.next(), record.due(at(9_000)).n_missed), (None, 0));
        record.pause(false, "r".into(), at(9_000));

        assert_eq!(record.next(), Some(at(10_800)));
    }

    #[test]
    fn it_begins_at_its_start_and_ends_before_its_end() {
        let mut record = record("rate(1 hour)");
        (record.spec.start, record.spec.end) = (Some(at(600)), Some(at(600 + 7_200)));

        let times = std::iter::successors(record.next(), |at| record.next_after(*at));

        assert_eq!(times.collect::<Vec<_>>(), [at(600), at(4_200)]);
    }

    #[test]
    fn what_is_replaced_or_comes_back_begins_anew_and_keeps_its_tokens() {
        let mut record = record("cron(0 * * * ? *)");
        record.n_fired = 3;

        record.delete("d".into(), at(5));
        assert_eq!(record.next(), None);
        record.replace(spec("rate(1 day)"), None, "again".into(), at(90));

        assert_eq!((record.next(), record.n_fired), (Some(at(90)), 3));
        assert!(["t", "d", "again"].iter().all(|token| record.knows(token)));
    }

    #[test]
    fn the_message_has_the_time_its_token_and_its_tag() {
        let message = spec("rate(1 hour)").message(at(3_600));

        assert_eq!(message["parameters"]["day"], "2026-01-01T01:00:00Z");
        assert_eq!(message["parameters"]["mail"], "a@time.org");
        assert_eq!(
            message["containerOverrides"]["environment"][0]["value"],
            "2026-01-01T01:00:00Z"
        );
        assert_eq!(message["spillway"]["clientToken"], "schedule:nightly:2026-01-01T01:00:00Z");
        assert_eq!(message["tags"]["spillway:schedule"], "nightly");
    }

    #[test]
    fn years_of_absence_are_not_counted_minute_by_minute() {
        let mut record = record("rate(1 minute)");
        let now = at(86_400 * 3_650);

        assert_eq!(settle(&mut record, now), Some(now));
        assert!(u64::from(COUNTED_MAX) <= record.n_missed);
    }

    proptest! {
        /// Whenever the dispatcher looks, each due time is met once, or missed, and none is left.
        #[test]
        fn every_time_is_met_or_missed_once(
            looks in prop::collection::btree_set(1..86_400_i64, 1..40),
            skip in any::<bool>(),
            catch_up in 0..7_200_i64,
        ) {
            let mut record = record("cron(0/7 * * * ? *)");
            record.spec.missed = if skip { Missed::Skip } else { Missed::Once };
            record.spec.catch_up = SignedDuration::from_secs(catch_up);
            let mut met = Vec::new();
            for look in &looks {
                met.extend(settle(&mut record, at(*look)).map(|nominal| (nominal, at(*look))));
            }

            let last = looks.last().copied().unwrap_or(0);
            let all = (1..=last).filter(|sec| sec % 3_600 % 420 == 0).count();
            let patience = if skip { 60 } else { catch_up.max(60) };
            prop_assert_eq!(met.len() + usize::try_from(record.n_missed).unwrap(), all);
            prop_assert!(met.is_sorted_by(|a, b| a.0 < b.0));
            let is_in_time = |(nominal, look): &(Timestamp, Timestamp)| {
                let late = look.duration_since(*nominal).as_secs();
                (0..=patience).contains(&late)
            };
            prop_assert!(met.iter().all(is_in_time));
        }
    }
}
