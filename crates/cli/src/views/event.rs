//! What has happened, as people and scripts see it: one line each.

use jiff::Timestamp;
use serde::Serialize;
use spillway_core::job::JobStatus;
use spillway_core::launch::PoolChoice;
use spillway_core::{
    AuditEvent, AuditKind, FailureCategory, HostId, JobId, JobName, LaunchId, Market, MicroUsd,
    MicroUsdPerHour, PoolId, QueueName,
};

use super::{time_text, usd, usd_text};
use crate::output::{Field, Lines, Page, Rows, Tone, View};

/// One event.
#[derive(Debug, Serialize)]
pub struct EventRow {
    /// Its number: where a reader goes on.
    pub n: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// What kind of thing happened.
    pub kind: AuditKind,
    /// To which job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The job's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_name: Option<JobName>,
    /// The job's queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// The state that it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    /// Which attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Which launch; also the client token of its `CreateFleet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchId>,
    /// Which host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// EC2's id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// What hosts, and what for. Of a launch the first choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolView>,
    /// What one such host costs per hour, as known then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_usd_per_hour: Option<f64>,
    /// All that a launch may take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<ChoiceView>,
    /// How many hosts, or children.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// What an attempt or a host cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// The container's exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Whose fault the end of an attempt was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCategory>,
    /// Why a message was refused, as a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What an order or a breaker is about; of a job the schedule that sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// SQS's id of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Who sent it: SQS's `SenderId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// AWS's id of the request that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip)]
    price: Option<MicroUsdPerHour>,
    #[serde(skip)]
    dearest: Option<MicroUsdPerHour>,
    #[serde(skip)]
    cost: Option<MicroUsd>,
}

/// A type in a zone and market.
#[derive(Debug, Serialize)]
pub struct PoolView {
    instance_type: String,
    zone: String,
    market: Market,
}

impl From<PoolId> for PoolView {
    fn from(pool: PoolId) -> Self {
        let PoolId { instance_type, zone, market } = pool;
        Self { instance_type, zone: zone.to_string(), market }
    }
}

/// One of the pools that a launch may take, with its price then.
#[derive(Debug, Serialize)]
pub struct ChoiceView {
    pool: PoolView,
    price_usd_per_hour: f64,
}

impl From<PoolChoice> for ChoiceView {
    fn from(PoolChoice { pool, price }: PoolChoice) -> Self {
        Self { pool: pool.into(), price_usd_per_hour: price.as_usd_f64() }
    }
}

impl From<AuditEvent> for EventRow {
    fn from(event: AuditEvent) -> Self {
        let AuditEvent { n, at, kind, job, of, detail } = event;
        let (job_name, queue) = of.unzip();
        Self {
            n,
            at,
            kind,
            job,
            job_name,
            queue,
            status: detail.status,
            attempt: detail.attempt.map(spillway_core::AttemptOrd::get),
            launch: detail.launch,
            host: detail.host,
            instance_id: detail.instance.map(|id| id.to_string()),
            pool: detail.pool.map(Into::into),
            price_usd_per_hour: detail.price.map(MicroUsdPerHour::as_usd_f64),
            dearest: detail.choices.iter().map(|choice| choice.price).max(),
            choices: detail.choices.into_iter().map(Into::into).collect(),
            count: detail.count,
            cost_usd: detail.cost.map(usd),
            exit_code: detail.exit_code,
            failure: detail.failure,
            code: detail.code,
            reason: detail.reason,
            target: detail.target,
            message_id: detail.message,
            sender: detail.sender,
            request_id: detail.request_id,
            price: detail.price,
            cost: detail.cost,
        }
    }
}

impl EventRow {
    /// What it happened to.
    fn subject(&self) -> String {
        let of_job = self.job.map(|job| job.to_string());
        let of_host = || self.instance_id.clone().or_else(|| self.host.map(|id| id.to_string()));
        let of_launch = || self.launch.map(|id| id.to_string());
        let subject = of_job.or_else(of_host).or_else(of_launch);
        subject.or_else(|| self.target.clone()).unwrap_or_else(|| "-".to_owned())
    }

    /// What else is known of it.
    fn what(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        let is_first = matches!(self.kind, AuditKind::JobAccepted | AuditKind::JobRefused);
        if let (Some(name), Some(queue), true) = (&self.job_name, &self.queue, is_first) {
            parts.push(format!("{name} in queue {queue}"));
        }
        parts.extend(self.status.map(|status| status.to_string()));
        let host = self.instance_id.as_deref().filter(|_| self.job.is_some());
        if let Some(attempt) = self.attempt {
            let on = host.map(|host| format!(" on {host}")).unwrap_or_default();
            parts.push(format!("attempt {attempt}{on}"));
        }
        parts.extend(self.count.map(|count| self.counted(count)));
        if let Some(PoolView { instance_type, zone, market }) = &self.pool {
            let price = self.price.map(|price| format!(" at {price}")).unwrap_or_default();
            parts.push(format!("{instance_type}/{zone}/{market}{price}"));
        } else if let Some(price) = self.price {
            parts.push(format!("up to {price} for the whole fleet"));
        }
        if let (Some(n @ 1..), Some(dearest)) = (self.choices.len().checked_sub(1), self.dearest) {
            parts.push(format!("or {n} others up to {dearest}"));
        }
        parts.extend(self.exit_code.map(|code| format!("exit code {code}")));
        parts.extend(self.cost.map(|cost| format!("cost {}", usd_text(cost))));
        // Of what is about a job or a host, the subject is that.
        if self.job.is_some() {
            parts.extend(self.target.clone());
        }
        parts.extend(self.code.clone());
        parts.extend(self.reason.clone());
        parts.extend(self.sender.as_ref().map(|sender| format!("sent by {sender}")));
        parts.extend(self.message_id.as_ref().map(|id| format!("message {id}")));
        parts.extend(self.request_id.as_ref().map(|id| format!("request {id}")));
        parts.join(", ").replace(['\n', '\r', '\t'], " ")
    }

    fn counted(&self, count: u32) -> String {
        let noun = match (self.job.is_some(), count) {
            (true, 1) => "child",
            (true, _) => "children",
            (false, 1) => "host",
            (false, _) => "hosts",
        };
        format!("{count} {noun}")
    }
}

const fn tone(kind: AuditKind) -> Tone {
    match kind {
        AuditKind::JobRefused
        | AuditKind::MessageRefused
        | AuditKind::HostLost
        | AuditKind::BreakerOpened => Tone::Bad,
        AuditKind::AttemptStopping
        | AuditKind::LaunchUnanswered
        | AuditKind::HostInterrupted
        | AuditKind::OrderCancel
        | AuditKind::OrderTerminate
        | AuditKind::OrderPause
        | AuditKind::BurstHeld => Tone::Warning,
        AuditKind::JobAccepted
        | AuditKind::JobWaiting
        | AuditKind::JobEnded
        | AuditKind::JobChildrenEnded
        | AuditKind::AttemptPlaced
        | AuditKind::AttemptRunning
        | AuditKind::AttemptEnded
        | AuditKind::LaunchDecided
        | AuditKind::LaunchAnswered
        | AuditKind::HostLaunched
        | AuditKind::HostRegistered
        | AuditKind::HostDraining
        | AuditKind::HostTerminating
        | AuditKind::HostGone
        | AuditKind::OrderResume
        | AuditKind::OrderReset
        | AuditKind::OrderDefinition
        | AuditKind::OrderSchedule
        | AuditKind::BreakerProbed
        | AuditKind::BreakerClosed
        | AuditKind::OrderApprove
        | AuditKind::BurstApproved
        | AuditKind::BurstOver => Tone::Plain,
    }
}

/// The answer of `events`.
#[derive(Debug, Serialize)]
pub struct EventList {
    /// In the order in which they were committed.
    pub events: Vec<EventRow>,
    /// There are older ones that meet the conditions: for those, give this as `--before`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// For those that came or will come behind these, give this as `--after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Lines that others follow, rather than a table of their own.
    #[serde(skip)]
    pub is_followed: bool,
}

impl View for EventList {
    fn page(&self, page: &mut Page) {
        if self.is_followed {
            for row in &self.events {
                let kind = tone(row.kind).paint(&format!("{:18}", row.kind));
                let (at, subject) = (time_text(row.at), row.subject());
                page.line(format!("{at}  {kind}  {subject}  {}", row.what()));
            }
            return;
        }
        let mut table = Rows::new(&["WHEN", "KIND", "SUBJECT", "WHAT"]);
        for row in &self.events {
            table.row([
                time_text(row.at).into(),
                Field::toned(row.kind.to_string(), tone(row.kind)),
                row.subject().into(),
                row.what().into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.events.iter().try_for_each(|row| lines.item(row))
    }
}
