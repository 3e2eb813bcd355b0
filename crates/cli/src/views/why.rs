//! Why a job waits, as people and scripts see it.

mod change;
mod variant;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use spillway_core::job::JobStatus;
use spillway_core::plan::WaitReason;
use spillway_core::{Expectation, HostId, Job, JobId, VariantOrd};
use spillway_engine::HeldBack;
use spillway_planner::explain::job::{Alternative, Counts, Obstacle, Start, Way};

use super::expected::ExpectedView;
use super::plan::frontier::span;
use super::plan::limits::sum_key;
use super::{span_text, time_text};
use crate::output::{Field, Page, Tone, View};
use crate::prices::PricesView;
use change::ChangeView;
pub use variant::VariantCostView;

/// How many jobs are ahead of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Jobs that wait and came earlier.
    pub n_ahead: u32,
    /// Those of them that are alike: same needs, same rules, like duration. They go first.
    pub n_ahead_alike: u32,
}

/// So many offerings that would not do, and why.
#[derive(Debug, Serialize)]
pub struct ObstacleView {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u32,
}

/// What everything on offer says to the job.
#[derive(Debug, Serialize)]
pub struct OfferingsView {
    /// Offerings in all.
    pub n_offerings: u32,
    /// Those that would do now.
    pub n_would_do: u32,
    /// The others, each counted once.
    pub obstacles: Vec<ObstacleView>,
    /// When the first pool that cools down and would do is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_retry: Option<Timestamp>,
}

/// The answer of `why`.
#[derive(Debug, Serialize)]
pub struct WhyView {
    /// The job.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// AWS Batch's state.
    pub status: JobStatus,
    /// The reason, as a word that scripts can go by.
    pub code: &'static str,
    /// The reason, with its numbers.
    pub reason: String,
    /// For how long it has waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_s: Option<i64>,
    /// Its place in line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// When it should start at the earliest, if running jobs end when they are expected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_start_at: Option<Timestamp>,
    /// How long it is expected to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_duration: Option<ExpectedView>,
    /// What everything on offer says to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offerings: Option<OfferingsView>,
    /// Of a job with variants, each with what it would cost, the cheapest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantCostView>,
    /// The smallest changes that would start it now or for less, those first that cost least.
    pub changes: Vec<ChangeView>,
    /// What else the ledger knows.
    pub notes: Vec<String>,
    /// The prices it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<PricesView>,
    #[serde(skip)]
    expected: Option<String>,
}

impl WhyView {
    fn new(job: &Job, code: &'static str, reason: String) -> Self {
        Self {
            id: job.id,
            name: job.spec.name.to_string(),
            status: job.state.status(),
            code,
            reason,
            waited_s: None,
            place: None,
            expected_start_at: None,
            expected_duration: None,
            offerings: None,
            variants: Vec::new(),
            changes: Vec::new(),
            notes: Vec::new(),
            prices: None,
            expected: None,
        }
    }

    /// Says that a job in line is not offered a place, and why.
    pub fn set_held_back(&mut self, why: Option<&HeldBack>) {
        if let Some(why) = why {
            self.code = why.code();
            self.reason = why.to_string();
        }
    }

    /// Says what would end a wait that no purchase ends.
    pub fn set_ways_out(&mut self, ways: Vec<String>) {
        self.notes.splice(0..0, ways);
    }

    /// Of a job that the dispatcher has not looked at.
    pub fn unseen(job: &Job) -> Self {
        Self::new(job, "not-looked-at", "accepted; the dispatcher has not looked at it yet".into())
    }

    /// Of a job that waits for others: why, the most telling first.
    pub fn pending(job: &Job, reasons: Vec<(&'static str, String)>) -> Self {
        let mut reasons = reasons.into_iter();
        let Some((code, reason)) = reasons.next() else { return Self::unseen(job) };
        let mut view = Self::new(job, code, reason);
        view.notes = reasons.map(|(_, reason)| reason).collect();
        view
    }

    /// Of a job on a host.
    pub fn placed(job: &Job, host: &str) -> Self {
        Self::new(job, "on-host", format!("it does not wait: it is on {host}"))
    }

    /// Of a job that is over.
    pub fn ended(job: &Job) -> Self {
        Self::new(job, "ended", "it does not wait: it has ended".into())
    }

    /// Of a job that waits.
    pub fn waiting(
        job: &Job,
        place: Place,
        start: &Start,
        now: Timestamp,
        host: impl Fn(HostId) -> String,
    ) -> Self {
        let (code, reason) = code_and_reason(start, &host);
        let mut view = Self::new(job, code, reason);
        view.place = Some(place);
        if let Some((in_secs, on)) = expected(start, now, &host) {
            let at = now.saturating_add(SignedDuration::from_secs(in_secs)).unwrap_or(now);
            let when = if in_secs == 0 {
                "now".to_owned()
            } else {
                format!("in about {}", span_text(SignedDuration::from_secs(in_secs)))
            };
            view.expected_start_at = Some(at);
            view.expected = Some(format!("{when}{on}"));
        }
        view
    }

    /// Adds what everything on offer says.
    pub fn set_offerings(&mut self, counts: &Counts) {
        if counts.n_offerings == 0 {
            return;
        }
        let obstacles = counts.obstacles.iter();
        self.offerings = Some(OfferingsView {
            n_offerings: counts.n_offerings,
            n_would_do: counts.n_would_do,
            obstacles: obstacles
                .map(|(obstacle, n)| ObstacleView { reason: obstacle_text(*obstacle), count: *n })
                .collect(),
            first_retry: counts.first_retry,
        });
    }

    /// Adds what would start it now.
    pub fn set_changes(&mut self, ways: &[Way], host: impl Fn(HostId) -> String) {
        self.changes = ways.iter().map(|way| ChangeView::new(way, &host)).collect();
    }

    /// Says what its variants would cost, and which is meant to be run.
    pub fn set_variants(&mut self, all: &[Alternative], chosen: VariantOrd) {
        self.variants = variant::of(all, chosen);
    }

    /// Says how long it is expected to run.
    pub fn set_expected(&mut self, expected: Expectation) {
        self.expected_duration = Some(expected.into());
    }

    /// Adds what else the ledger knows.
    pub fn set_notes(&mut self, notes: Vec<String>) {
        self.notes = notes;
    }

    /// Says which prices it is for.
    pub fn set_prices(&mut self, prices: Option<PricesView>) {
        self.prices = prices;
    }

    /// Says for how long it has waited.
    pub const fn set_since(&mut self, waited: SignedDuration) {
        self.waited_s = Some(waited.as_secs());
    }
}

fn code_and_reason(start: &Start, host: &impl Fn(HostId) -> String) -> (&'static str, String) {
    match start {
        Start::Now { host: id } => {
            ("starts-next", format!("the next plan starts it on {}", host(*id)))
        }
        Start::Boots { host: id, .. } => {
            ("host-boots", format!("room is kept for it on {}", host(*id)))
        }
        Start::Bought { pool, .. } => {
            ("bought-next", format!("the next plan buys a host for it: {pool}"))
        }
        Start::Waits { reason: None, .. } => {
            ("left-waiting", "the plan leaves it waiting and does not say why".to_owned())
        }
        Start::Waits { reason: Some(reason), .. } => (wait_code(reason), reason.to_string()),
    }
}

pub(crate) const fn wait_code(reason: &WaitReason) -> &'static str {
    match reason {
        WaitReason::TooLarge(_) => "too-large",
        WaitReason::CoolingDown { .. } => "cooling-down",
        WaitReason::LimitReached { .. } => "limit-reached",
        WaitReason::NoCatalog => "no-catalog",
        WaitReason::RoomExpected { .. } => "room-expected",
        WaitReason::StartRate { .. } => "start-rate",
    }
}

/// In how many seconds it should start, and on what.
fn expected(
    start: &Start,
    now: Timestamp,
    host: &impl Fn(HostId) -> String,
) -> Option<(i64, String)> {
    match start {
        Start::Now { .. } => Some((0, String::new())),
        Start::Boots { in_secs, .. } => Some(((*in_secs).into(), ", when the host is up".into())),
        Start::Bought { in_secs, .. } => {
            Some(((*in_secs).into(), ", when the new host is up".into()))
        }
        Start::Waits { reason: Some(WaitReason::RoomExpected { in_secs }), .. } => Some((
            (*in_secs).into(),
            ", where room comes free, as far as durations are known".into(),
        )),
        Start::Waits { room, retry, .. } => {
            let retry_in = retry.map(|at| at.duration_since(now).as_secs().max(0));
            let retry = retry_in.map(|secs| (secs, ", when a dry pool is tried again".to_owned()));
            let room = room.map(|(id, secs)| {
                let on =
                    format!(", on {} as running jobs end, if none ahead takes the room", host(id));
                (i64::from(secs), on)
            });
            [room, retry].into_iter().flatten().min_by_key(|(secs, _)| *secs)
        }
    }
}

fn obstacle_text(obstacle: Obstacle) -> String {
    match obstacle {
        Obstacle::Arch => "of an architecture it is not for".to_owned(),
        Obstacle::Market => "in a market it may not run in".to_owned(),
        Obstacle::TooSmall(dimension) => format!("too small: {dimension}"),
        Obstacle::GpuKind => "with GPUs of a kind it does not accept".to_owned(),
        Obstacle::LeftOut(kind) => format!("left out by {kind}"),
        Obstacle::OverHostSize => "larger than plan.max-host-vcpus".to_owned(),
        Obstacle::Cooling => "cooling down after a lack of capacity".to_owned(),
        Obstacle::OverLimit(kind) => format!("too much for what {} leaves", sum_key(kind)),
    }
}

impl View for WhyView {
    fn page(&self, page: &mut Page) {
        page.field("Job", format!("{} ({})", self.id, self.name));
        let waited = self.waited_s.map_or_else(String::new, |secs| {
            format!(" for {}", span(u32::try_from(secs.max(0)).unwrap_or(u32::MAX)))
        });
        page.field("Status", format!("{}{waited}", self.status));
        let reason = format!("{}: {}", self.code, self.reason);
        page.field("Reason", Field::toned(reason, Tone::Warning));
        if let Some(place) = self.place {
            page.field("In line", place_text(place));
        }
        if let Some(expected) = &self.expected {
            page.field("Starts", expected.as_str());
        }
        if let Some(expected) = &self.expected_duration {
            page.field("Expected", expected.text());
        }
        if let Some(offerings) = &self.offerings {
            let all = offerings.n_offerings;
            page.field("Offerings", format!("{} of {all} would do now", offerings.n_would_do));
            for obstacle in &offerings.obstacles {
                page.field("Offerings", format!("{} of {all} {}", obstacle.count, obstacle.reason));
            }
            if let Some(at) = offerings.first_retry {
                page.field("Next try", time_text(at));
            }
        }
        for variant in &self.variants {
            page.field("Variant", variant.text());
        }
        for change in &self.changes {
            page.field("Change", change.text.as_str());
        }
        for note in &self.notes {
            page.field("Note", note.as_str());
        }
        if let Some(prices) = &self.prices {
            page.field("Prices", prices.source.as_str());
        }
    }
}

fn place_text(place: Place) -> String {
    match (place.n_ahead, place.n_ahead_alike) {
        (0, _) => "first".to_owned(),
        (ahead, 0) => format!("{ahead} ahead, none of them alike"),
        (ahead, alike) => format!("{ahead} ahead, {alike} of them alike and served first"),
    }
}
