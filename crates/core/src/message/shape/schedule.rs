//! Schedules as they are written: Amazon EventBridge Scheduler's words, with AWS Batch's `SubmitJob` as what is to be done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SubmitJob;

/// A job that is sent by the clock. A schedule of that name that is there already becomes this one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateSchedule {
    /// The schedule's name, as a job's is written.
    #[schemars(required, regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"))]
    pub schedule_name: Option<String>,
    /// When: `cron(minutes hours day-of-month month day-of-week year)`, `rate(5 minutes)` or `at(2026-01-31T18:00:00)`, as
    /// EventBridge Scheduler has them.
    #[schemars(required)]
    pub schedule_expression: Option<String>,
    /// In which time zone, by its name in the IANA's list. Unsaid, UTC. A time that clocks skip is skipped, one that they show
    /// twice comes once.
    pub schedule_expression_timezone: Option<String>,
    /// Not before this. A rate counts from here; unsaid, from when the schedule is taken.
    #[schemars(extend("format" = "date-time"))]
    pub start_date: Option<String>,
    /// Only before this.
    #[schemars(extend("format" = "date-time"))]
    pub end_date: Option<String>,
    /// The job, without a `clientToken`: each gets its own from the schedule's name and the time it is due. `@time` stands for
    /// that time where it is the whole value of a parameter, of a variable or of a word of the command. The definition it names
    /// is looked up each time.
    #[schemars(required, with = "SubmitJob")]
    pub job: Option<Value>,
    /// What the message asks for, and what Spillway adds.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default, required)]
    pub spillway: Option<CreateScheduleSpillway>,
}

/// What Spillway adds to a schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateScheduleSpillway {
    /// The version of this format: 1, which is also what is meant without it.
    #[schemars(range(min = 1, max = 1))]
    pub version: Option<i64>,
    /// `CreateSchedule`.
    #[schemars(required)]
    pub action: Option<CreateScheduleAction>,
    /// Makes sending idempotent: a message with a token that came before changes nothing. 1 to 128 characters; without it, the
    /// SQS message id.
    #[schemars(length(min = 1, max = 128))]
    pub client_token: Option<String>,
    /// What becomes of times at which no dispatcher was there. Unsaid, `once`.
    pub missed: Option<MissedRule>,
    /// How long a missed time is made good, in seconds. Unsaid, a day.
    #[schemars(range(min = 0))]
    pub catch_up_seconds: Option<i64>,
}

/// What becomes of times at which no dispatcher was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MissedRule {
    /// The last of them is made good, within `catchUpSeconds`; the others are left out.
    Once,
    /// All are left out.
    Skip,
}

/// The name of EventBridge Scheduler's operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CreateScheduleAction {
    /// Make the schedule, or let it become this.
    CreateSchedule,
}

/// An order about a schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeSchedule {
    /// The schedule's name.
    #[schemars(required)]
    pub schedule_name: Option<String>,
    /// Which order it is.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default, required)]
    pub spillway: Option<ChangeScheduleSpillway>,
}

/// Which order it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeScheduleSpillway {
    /// The version of this format: 1, which is also what is meant without it.
    #[schemars(range(min = 1, max = 1))]
    pub version: Option<i64>,
    /// Which.
    #[schemars(required)]
    pub action: Option<ScheduleAction>,
    /// Makes sending idempotent, as for `CreateSchedule`.
    #[schemars(length(min = 1, max = 128))]
    pub client_token: Option<String>,
}

/// What is to become of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScheduleAction {
    /// It sends no more jobs. Those it sent go on.
    DeleteSchedule,
    /// It sends no jobs until it is resumed.
    PauseSchedule,
    /// It sends jobs again, from the next time on.
    ResumeSchedule,
}
