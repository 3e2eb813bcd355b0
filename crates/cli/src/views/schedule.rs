//! Schedules as people and programs see them.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use spillway_core::schedule::Missed;
use spillway_core::{JobId, ScheduleRecord};

use super::{span_text, time_text};
use crate::output::{Field, Lines, Page, Rows, Tone, View};

/// One schedule.
#[derive(Debug, Serialize)]
pub struct ScheduleView {
    /// Its name.
    pub name: String,
    /// ACTIVE, PAUSED, OVER or DELETED.
    pub status: &'static str,
    /// When it is due.
    pub expression: String,
    /// In which time zone.
    pub timezone: String,
    /// Not before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// Only before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// What becomes of missed times.
    pub missed: Missed,
    /// How long one is made good, in seconds.
    pub catch_up_s: i64,
    /// When it became what it is.
    pub created_at: Timestamp,
    /// When it is due next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// The last time that was met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Its job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_job: Option<JobId>,
    /// How many times were met.
    pub n_fired: u64,
    /// How many were not.
    pub n_missed: u64,
    /// Why the last job could not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The job that it sends.
    pub job: Value,
}

impl From<&ScheduleRecord> for ScheduleView {
    fn from(record: &ScheduleRecord) -> Self {
        let spec = &record.spec;
        let next = record.next();
        let status = match (record.deleted_at, record.paused, next) {
            (Some(_), _, _) => "DELETED",
            (None, true, _) => "PAUSED",
            (None, false, Some(_)) => "ACTIVE",
            (None, false, None) => "OVER",
        };
        Self {
            name: spec.name.to_string(),
            status,
            expression: spec.expression.to_string(),
            timezone: spec.zone.to_string(),
            start: spec.start,
            end: spec.end,
            missed: spec.missed,
            catch_up_s: spec.catch_up.as_secs(),
            created_at: record.created_at,
            next,
            last: record.last.map(|firing| firing.nominal),
            last_job: record.last.map(|firing| firing.job),
            n_fired: record.n_fired,
            n_missed: record.n_missed,
            error: record.error.clone(),
            job: Value::clone(&spec.job),
        }
    }
}

impl ScheduleView {
    fn status(&self) -> Field {
        let tone = match (self.status, &self.error) {
            (_, Some(_)) => Tone::Bad,
            ("ACTIVE", None) => Tone::Good,
            (_, None) => Tone::Plain,
        };
        Field::toned(self.status, tone)
    }
}

impl View for ScheduleView {
    fn page(&self, page: &mut Page) {
        page.field("Schedule", self.name.as_str());
        page.field("Status", self.status());
        page.field("Due", format!("{} {}", self.expression, self.timezone));
        if let Some(at) = self.start {
            page.field("Not before", time_text(at));
        }
        if let Some(at) = self.end {
            page.field("Only before", time_text(at));
        }
        let missed = match self.missed {
            Missed::Once => {
                let span = jiff::SignedDuration::from_secs(self.catch_up_s);
                format!("the last one is made good for {}", span_text(span))
            }
            Missed::Skip => "left out".to_owned(),
        };
        page.field("Missed times", missed);
        page.field("Next", self.next.map_or_else(|| "never".to_owned(), time_text));
        if let (Some(at), Some(job)) = (self.last, self.last_job) {
            page.field("Last", format!("{}, job {job}", time_text(at)));
        }
        page.field("So far", format!("{} met, {} missed", self.n_fired, self.n_missed));
        if let Some(error) = &self.error {
            page.field("Error", Field::toned(error.as_str(), Tone::Bad));
        }
        for line in format!("{:#}", self.job).lines() {
            page.line(line.to_owned());
        }
    }
}

/// Several schedules, by name.
#[derive(Debug, Serialize)]
pub struct ScheduleList {
    /// The schedules.
    pub schedules: Vec<ScheduleView>,
}

impl ScheduleList {
    /// A list in the order given.
    pub fn new(records: &[ScheduleRecord]) -> Self {
        Self { schedules: records.iter().map(ScheduleView::from).collect() }
    }
}

impl View for ScheduleList {
    fn page(&self, page: &mut Page) {
        let header =
            ["NAME", "STATUS", "EXPRESSION", "ZONE", "NEXT", "LAST", "MET", "MISSED", "LAST JOB"];
        let mut table = Rows::new(&header);
        let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), time_text);
        for of in &self.schedules {
            table.row([
                of.name.as_str().into(),
                of.status(),
                of.expression.as_str().into(),
                of.timezone.as_str().into(),
                time(of.next).into(),
                time(of.last).into(),
                of.n_fired.to_string().into(),
                of.n_missed.to_string().into(),
                of.last_job.map_or_else(|| "-".to_owned(), |id| id.to_string()).into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.schedules.iter().try_for_each(|schedule| lines.item(schedule))
    }
}

/// The answer of `schedules next`.
#[derive(Debug, Serialize)]
pub struct Times {
    /// In order.
    pub times: Vec<Timestamp>,
}

impl View for Times {
    fn page(&self, page: &mut Page) {
        for at in &self.times {
            page.line(at.to_string());
        }
    }
}

/// The answer of the verbs that change something.
#[derive(Debug, Serialize)]
pub struct ScheduleOrder {
    schedule: String,
    action: &'static str,
    sent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Value>,
}

impl ScheduleOrder {
    /// An order that is sent.
    pub const fn new(schedule: String, action: &'static str) -> Self {
        Self { schedule, action, sent: true, message: None }
    }

    /// The same, shown and not sent.
    #[must_use]
    pub fn with_message(self, message: Value) -> Self {
        Self { sent: false, message: Some(message), ..self }
    }
}

impl fmt::Display for ScheduleOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.action, self.schedule)
    }
}

impl View for ScheduleOrder {
    fn page(&self, page: &mut Page) {
        match &self.message {
            Some(message) => page.line(message.to_string()),
            None => page.line(self.schedule.clone()),
        }
    }
}
