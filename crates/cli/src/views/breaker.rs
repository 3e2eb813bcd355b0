//! What is left alone after failures, as people and scripts see it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use spillway_core::{Breaker, BreakerId, BreakerKind, BreakerState};

use super::time_text;
use crate::output::{Field, Lines, Page, Rows, Tone, View};

/// One breaker in a list.
#[derive(Debug, Serialize)]
pub struct BreakerRow {
    /// What it is about.
    pub kind: BreakerKind,
    /// Which of those.
    pub subject: String,
    /// `open`, or `half-open` while a probe is under way.
    pub state: &'static str,
    /// Since when it has been open.
    pub since: Timestamp,
    /// How often it has failed.
    pub n_failed: u32,
    /// When a probe may go next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_probe_at: Option<Timestamp>,
    /// What AWS said last.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

impl From<(&BreakerId, &Breaker)> for BreakerRow {
    fn from((id, breaker): (&BreakerId, &Breaker)) -> Self {
        Self {
            kind: id.kind,
            subject: id.subject.clone(),
            state: match breaker.state {
                BreakerState::Open { .. } => "open",
                BreakerState::HalfOpen { .. } => "half-open",
            },
            since: breaker.since,
            n_failed: breaker.n_failed,
            next_probe_at: breaker.probe_at(),
            reason: breaker.reason.clone(),
            remedy: remedy(id),
        }
    }
}

/// What to do about a breaker.
pub(crate) fn remedy(id: &BreakerId) -> String {
    let subject = &id.subject;
    let mend = match id.kind {
        BreakerKind::Image => format!(
            "push {subject}, or let the hosts' or the execution role pull it; jobs that name a wrong tag can be cancelled"
        ),
        BreakerKind::Call => format!("allow {subject} as docs/iam.md lists it"),
        BreakerKind::Host => format!(
            "look at the console output of the instance, the AMI for {subject}, its role and its route to ECS"
        ),
        BreakerKind::Quota => format!(
            "ask for more of EC2's vCPU quota {subject} in Service Quotas, or say in limits.vcpu-quotas what there is; other \
             instances of the account count against it"
        ),
        BreakerKind::Spend => "see with `spillway cost --by host,type,market --since 1h` what was paid and with `spillway jobs list` \
            how attempts ended: machines come and go before any of their jobs is done"
            .to_owned(),
    };
    format!("{mend}; a probe finds it mended by itself, `spillway breakers reset {id}` at once")
}

/// The answer of `breakers list`.
#[derive(Debug, Serialize)]
pub struct BreakerList {
    /// Those that are not closed.
    pub breakers: Vec<BreakerRow>,
}

impl View for BreakerList {
    fn page(&self, page: &mut Page) {
        let header = ["KIND", "SUBJECT", "STATE", "SINCE", "FAILED", "NEXT PROBE", "REASON"];
        let mut table = Rows::new(&header);
        for row in &self.breakers {
            table.row([
                row.kind.to_string().into(),
                row.subject.as_str().into(),
                Field::toned(row.state, Tone::Warning),
                time_text(row.since).into(),
                row.n_failed.to_string().into(),
                row.next_probe_at.map_or_else(|| "under way".to_owned(), time_text).into(),
                row.reason.as_str().into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.breakers.iter().try_for_each(|row| lines.item(row))
    }
}

/// The answer of `breakers reset`.
#[derive(Debug, Serialize)]
pub struct ResetView {
    target: String,
    sent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Value>,
}

impl ResetView {
    /// An order that is sent.
    pub fn new(target: &BreakerId) -> Self {
        Self { target: target.to_string(), sent: true, message: None }
    }

    /// The same, shown and not sent.
    #[must_use]
    pub fn with_message(self, message: Value) -> Self {
        Self { sent: false, message: Some(message), ..self }
    }
}

impl View for ResetView {
    fn page(&self, page: &mut Page) {
        match &self.message {
            Some(message) => page.line(message.to_string()),
            None => page.line(self.target.clone()),
        }
    }
}
