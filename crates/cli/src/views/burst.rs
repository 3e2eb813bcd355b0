//! What awaits approval, and what is approved, as people and scripts see it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use spillway_core::{ApprovedBurst, BurstHash, HeldBurst, MicroUsdPerHour};
use spillway_engine::Engine;

use super::time_text;
use crate::config::Config;
use crate::output::{Field, Page, Tone, View};

/// What is held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldView {
    /// What approves it; none if the dispatcher does not hold it (yet).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<BurstHash>,
    /// What the whole fleet would cost per hour at most.
    pub price_usd_per_hour: f64,
    /// Since when it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    #[serde(skip)]
    text: String,
}

/// What is approved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApprovedView {
    /// What approved it.
    pub hash: BurstHash,
    /// What the whole fleet may cost per hour.
    pub price_usd_per_hour: f64,
    /// When it was approved.
    pub at: Timestamp,
    /// SQS's `SenderId` of whoever did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    #[serde(skip)]
    text: String,
}

/// How a fleet stands to what may be spent without being asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BurstView {
    /// `limits.approve-over`.
    pub approve_over_usd_per_hour: f64,
    /// What all hosts cost per hour, those on their way included.
    pub fleet_usd_per_hour: f64,
    /// What awaits approval, or would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldView>,
    /// What is approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<ApprovedView>,
    #[serde(skip)]
    text: String,
}

impl From<HeldBurst> for HeldView {
    fn from(held: HeldBurst) -> Self {
        let (hash, HeldBurst { price, since }) = (held.hash(), held);
        Self {
            hash: Some(hash),
            price_usd_per_hour: price.as_usd_f64(),
            since: Some(since),
            text: format!(
                "{price} for the whole fleet, since {}; to buy it: spillway approve {hash}",
                time_text(since)
            ),
        }
    }
}

impl HeldView {
    /// What would be held, of which nobody knows yet.
    fn wanted(price: MicroUsdPerHour) -> Self {
        Self {
            hash: None,
            price_usd_per_hour: price.as_usd_f64(),
            since: None,
            text: format!(
                "{price} for the whole fleet would be; `spillway approve` names it once the dispatcher has seen it"
            ),
        }
    }
}

impl From<&ApprovedBurst> for ApprovedView {
    fn from(approved: &ApprovedBurst) -> Self {
        let ApprovedBurst { held, at, sender } = approved;
        let by = sender.as_ref().map_or_else(String::new, |sender| format!(" by {sender}"));
        Self {
            hash: held.hash(),
            price_usd_per_hour: held.price.as_usd_f64(),
            at: *at,
            sender: sender.clone(),
            text: format!("up to {}, at {}{by}", held.price, time_text(*at)),
        }
    }
}

impl BurstView {
    /// How it stands by the ledger; `wanted` is what would be held now, where that is known. None if nothing has to be approved.
    pub(crate) fn of(engine: &Engine, config: &Config, wanted: Option<HeldBurst>) -> Option<Self> {
        let over = config.limits.approve_over.get()?.0;
        let fleet: MicroUsdPerHour = engine.hosts().map(|host| host.price).sum();
        let burst = engine.burst();
        // What is held is what can be approved, as long as it is enough.
        let held = burst.held.filter(|held| wanted.is_none_or(|w| w.price <= held.price));
        let held = held.map(HeldView::from);
        Some(Self {
            approve_over_usd_per_hour: over.as_usd_f64(),
            fleet_usd_per_hour: fleet.as_usd_f64(),
            held: held.or_else(|| wanted.map(|wanted| HeldView::wanted(wanted.price))),
            approved: burst.approved.as_ref().map(ApprovedView::from),
            text: format!("up to {over} without being asked; the fleet costs {fleet}"),
        })
    }

    /// Whether nothing is held and nothing approved.
    pub(crate) const fn is_none(&self) -> bool {
        self.held.is_none() && self.approved.is_none()
    }

    /// Each part with its name.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("Buys", self.text.clone())];
        lines.extend(self.held.as_ref().map(|held| ("Held", held.text.clone())));
        lines.extend(self.approved.as_ref().map(|approved| ("Approved", approved.text.clone())));
        lines
    }

    /// Writes it as fields.
    pub(crate) fn fields(&self, page: &mut Page) {
        for (name, text) in self.lines() {
            let tone = if name == "Held" { Tone::Warning } else { Tone::Plain };
            page.field(name, Field::toned(text, tone));
        }
    }
}

impl View for BurstView {
    fn page(&self, page: &mut Page) {
        self.fields(page);
    }
}

/// The answer to an approval.
#[derive(Debug, Serialize)]
pub struct ApproveView {
    hash: BurstHash,
    sent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Value>,
}

impl ApproveView {
    /// An order that is sent.
    pub const fn new(hash: BurstHash) -> Self {
        Self { hash, sent: true, message: None }
    }

    /// The same, shown and not sent.
    #[must_use]
    pub fn with_message(self, message: Value) -> Self {
        Self { sent: false, message: Some(message), ..self }
    }
}

impl View for ApproveView {
    fn page(&self, page: &mut Page) {
        match &self.message {
            Some(message) => page.line(message.to_string()),
            None => page.line(self.hash.to_string()),
        }
    }
}
