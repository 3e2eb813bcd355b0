//! What was predicted against what came: durations of attempts, interruptions of Spot hosts, work lost with them. It reads what
//! the ledger holds and judges nothing.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use spillway_core::host::DrainCause;
use spillway_core::job::ExpectedFrom;
use spillway_core::{
    Attempt, FailureCategory, Hazard, Host, HostId, HostState, Job, Market, MicroUsd,
};

/// Where an expected duration came from, without how much stood behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The job said it.
    Told,
    /// The job said it, and history corrected it.
    ToldCorrected,
    /// Earlier jobs of its kind.
    History,
    /// A guess.
    Prior,
}

impl From<ExpectedFrom> for Source {
    fn from(from: ExpectedFrom) -> Self {
        match from {
            ExpectedFrom::Told => Self::Told,
            ExpectedFrom::ToldCorrected { .. } => Self::ToldCorrected,
            ExpectedFrom::History { .. } => Self::History,
            ExpectedFrom::Prior => Self::Prior,
        }
    }
}

/// Durations that were predicted from one source, of attempts that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurationLine {
    /// The source.
    pub source: Source,
    /// How many attempts.
    pub n: u64,
    /// How long they were expected to run, together.
    pub predicted_secs: u64,
    /// How long they ran, together.
    pub realised_secs: u64,
    /// By how much each was off, together.
    pub error_secs: u64,
    /// How many ran no longer than what nine in ten should have stayed under.
    pub n_within_high: u64,
}

/// How often hosts should be interrupted in a month, in the Spot Advisor's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SpotClass {
    /// Under 5 % of them.
    #[serde(rename = "<5%")]
    Under5,
    /// 5 to 10 %.
    #[serde(rename = "5-10%")]
    Under10,
    /// 10 to 15 %.
    #[serde(rename = "10-15%")]
    Under15,
    /// 15 to 20 %.
    #[serde(rename = "15-20%")]
    Under20,
    /// Over 20 %.
    #[serde(rename = ">20%")]
    Over20,
}

impl From<Hazard> for SpotClass {
    fn from(hazard: Hazard) -> Self {
        // -ln(1 - p) / 730 an hour.
        match hazard.get() {
            0..=70 => Self::Under5,
            71..=144 => Self::Under10,
            145..=222 => Self::Under15,
            223..=305 => Self::Under20,
            306.. => Self::Over20,
        }
    }
}

/// Spot hosts of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpotLine {
    /// The class.
    pub class: SpotClass,
    /// How many hosts.
    pub n_hosts: u64,
    /// How long they ran, together.
    pub host_secs: u64,
    /// How many should have been interrupted, in thousandths.
    pub predicted_milli: u64,
    /// How many were.
    pub realised: u64,
    /// What the attempts that were cut short should have cost.
    pub predicted_loss: MicroUsd,
    /// What they cost.
    pub realised_loss: MicroUsd,
}

/// Predicted against realised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// Durations, by source.
    pub durations: Vec<DurationLine>,
    /// Spot, by class.
    pub spot: Vec<SpotLine>,
}

/// Sums before they are divided, so that small parts are not lost.
#[derive(Debug, Default)]
struct Spot {
    n_hosts: u64,
    host_secs: u64,
    /// Interruptions in a million hours, times seconds.
    hazard_secs: u128,
    realised: u64,
    /// Micro-dollars times interruptions in a million hours, times seconds.
    loss_hazard_secs: u128,
    realised_loss: MicroUsd,
}

const MILLION_HOURS_SECS: u128 = 3_600_000_000;

impl Calibration {
    /// Of these jobs and hosts, at `now`.
    pub fn of<'a, J: Borrow<Job>>(
        jobs: impl IntoIterator<Item = J>,
        hosts: impl IntoIterator<Item = &'a Host>,
        now: Timestamp,
    ) -> Self {
        let mut durations: BTreeMap<Source, DurationLine> = BTreeMap::new();
        let mut spot: BTreeMap<SpotClass, Spot> = BTreeMap::new();
        let mut hazards: BTreeMap<HostId, Hazard> = BTreeMap::new();
        for host in hosts {
            if host.pool.market == Market::Spot && host.instance().is_some() {
                hazards.insert(host.id, host.hazard);
                spot.entry(host.hazard.into()).or_default().add_host(host, now);
            }
        }
        for job in jobs {
            for attempt in &job.borrow().attempts {
                add_duration(&mut durations, attempt);
                if let Some(hazard) = hazards.get(&attempt.host) {
                    spot.entry((*hazard).into()).or_default().add_attempt(*hazard, attempt);
                }
            }
        }
        Self {
            durations: durations.into_values().collect(),
            spot: spot.into_iter().map(|(class, sums)| sums.line(class)).collect(),
        }
    }
}

fn add_duration(lines: &mut BTreeMap<Source, DurationLine>, attempt: &Attempt) {
    let (Some(expected), Some(started_at), None) =
        (attempt.expected, attempt.started_at, attempt.failure)
    else {
        return;
    };
    let source = Source::from(expected.from);
    let line = lines.entry(source).or_insert(DurationLine {
        source,
        n: 0,
        predicted_secs: 0,
        realised_secs: 0,
        error_secs: 0,
        n_within_high: 0,
    });
    let ran = secs(started_at, attempt.stopped_at);
    line.n += 1;
    line.predicted_secs = line.predicted_secs.saturating_add(expected.secs.into());
    line.realised_secs = line.realised_secs.saturating_add(ran);
    line.error_secs = line.error_secs.saturating_add(ran.abs_diff(expected.secs.into()));
    line.n_within_high += u64::from(ran <= expected.high_secs.into());
}

impl Spot {
    fn add_host(&mut self, host: &Host, now: Timestamp) {
        let Some(instance) = host.instance() else { return };
        let (until, cause) = match &host.state {
            HostState::Gone { at, cause, .. } => (*at, Some(*cause)),
            HostState::Draining { cause, .. } | HostState::Terminating { cause, .. } => {
                (now, Some(*cause))
            }
            HostState::Requested
            | HostState::Launched { .. }
            | HostState::Registered { .. }
            | HostState::Lost { .. } => (now, None),
        };
        let ran = secs(instance.launched_at, until);
        let is_reclaimed =
            matches!(cause, Some(DrainCause::SpotInterruption | DrainCause::External));
        self.n_hosts += 1;
        self.host_secs = self.host_secs.saturating_add(ran);
        self.hazard_secs += u128::from(host.hazard.get()) * u128::from(ran);
        self.realised += u64::from(is_reclaimed);
    }

    /// An attempt of cost `c` over `t` seconds is interrupted at each of them with the same chance, and loses what it has cost by
    /// then: `h t c / 2` in the mean.
    fn add_attempt(&mut self, hazard: Hazard, attempt: &Attempt) {
        let held = secs(attempt.placed_at, attempt.stopped_at);
        self.loss_hazard_secs +=
            u128::from(hazard.get()) * u128::from(held) * u128::from(attempt.cost.get()) / 2;
        if attempt.failure == Some(FailureCategory::Spot) {
            self.realised_loss += attempt.cost;
        }
    }

    fn line(self, class: SpotClass) -> SpotLine {
        let whole = |n: u128| u64::try_from(n / MILLION_HOURS_SECS).unwrap_or(u64::MAX);
        SpotLine {
            class,
            n_hosts: self.n_hosts,
            host_secs: self.host_secs,
            predicted_milli: whole(self.hazard_secs * 1_000),
            realised: self.realised,
            predicted_loss: MicroUsd::new(whole(self.loss_hazard_secs)),
            realised_loss: self.realised_loss,
        }
    }
}

fn secs(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}
