//! Breakers: what has failed again and again is left alone, tried by a single probe now and then, and used again once that succeeds.
//! Only what is remembered; what opens and closes one is decided by the control loop.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::quantity::CpuUnits;
use crate::quota::Quota;

/// What a breaker is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerKind {
    /// An image that cannot be pulled; the subject is its reference.
    Image,
    /// A call that is not allowed; the subject is the API call as IAM names it, of a start with roles of its own those too.
    Call,
    /// Hosts that do not register; the subject is their architecture.
    Host,
    /// A quota of the account that EC2 has refused to go beyond; the subject is its name, as `spot/standard`.
    Quota,
    /// Money that is paid without a purpose; the subject is [`BreakerId::FLEET`].
    Spend,
}

impl BreakerKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Image, Self::Call, Self::Host, Self::Quota, Self::Spend];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Call => "call",
            Self::Host => "host",
            Self::Quota => "quota",
            Self::Spend => "spend",
        }
    }
}

impl fmt::Display for BreakerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no kind of breaker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{said:?} is no kind of breaker: it is image, call, host, quota or spend")]
pub struct UnknownBreakerKind {
    /// What was said.
    pub said: String,
}

impl FromStr for BreakerKind {
    type Err = UnknownBreakerKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| UnknownBreakerKind { said: text.to_owned() })
    }
}

/// Which breaker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BreakerId {
    /// What it is about.
    pub kind: BreakerKind,
    /// Which of those.
    pub subject: String,
}

impl BreakerId {
    /// The one subject of [`BreakerKind::Spend`]: whatever money is paid for, it is paid for all hosts alike.
    pub const FLEET: &'static str = "fleet";

    /// That of buying hosts, as far as they are bought in vain.
    pub fn spend() -> Self {
        Self { kind: BreakerKind::Spend, subject: Self::FLEET.to_owned() }
    }

    /// That of a quota.
    pub fn quota(quota: Quota) -> Self {
        Self { kind: BreakerKind::Quota, subject: quota.to_string() }
    }

    /// That of an image.
    pub fn image(reference: &str) -> Self {
        Self { kind: BreakerKind::Image, subject: reference.to_owned() }
    }

    /// That of an API call.
    pub fn call(action: &str) -> Self {
        Self { kind: BreakerKind::Call, subject: action.to_owned() }
    }

    /// That of the hosts of an architecture.
    pub fn host(arch: crate::market::Arch) -> Self {
        Self { kind: BreakerKind::Host, subject: arch.to_string() }
    }
}

impl fmt::Display for BreakerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.subject)
    }
}

/// Where a breaker stands. One that is closed is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum BreakerState {
    /// Left alone until then; after that one probe may go.
    Open {
        /// When.
        probe_at: Timestamp,
    },
    /// A probe is under way.
    HalfOpen {
        /// Since when.
        since: Timestamp,
    },
}

/// A breaker that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Breaker {
    /// What went wrong last, in AWS's words where it was AWS that said it.
    pub reason: String,
    /// Since when it has been open.
    pub since: Timestamp,
    /// How often it has failed in a row.
    pub n_failed: u32,
    /// How many probes have failed.
    pub n_probes: u32,
    /// Of a quota: what may be in use of it, as far as is known; EC2 refused what would have been a vCPU more or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<CpuUnits>,
    /// Where it stands.
    pub state: BreakerState,
}

impl Breaker {
    /// When a probe may go next; none while one is under way.
    pub const fn probe_at(&self) -> Option<Timestamp> {
        match self.state {
            BreakerState::Open { probe_at } => Some(probe_at),
            BreakerState::HalfOpen { .. } => None,
        }
    }

    /// Whether a probe may go now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.probe_at().is_some_and(|at| at <= now)
    }
}

impl fmt::Display for Breaker {
    /// Since when, how often and why, and what comes next; what it is about is said by its id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, since, n_failed, n_probes: _, ceiling, state } = self;
        let times = if *n_failed == 1 { "time" } else { "times" };
        write!(f, "failed {n_failed} {times} since {since:.0}: {reason}; ")?;
        if let Some(ceiling) = ceiling {
            write!(f, "up to {ceiling} vCPUs are bought, ")?;
        }
        match state {
            BreakerState::Open { probe_at } => write!(f, "one probe from {probe_at:.0} on"),
            BreakerState::HalfOpen { .. } => f.write_str("a probe is under way"),
        }
    }
}
