//! What the ledger remembers of the past to estimate the future from: how long kinds of jobs took, how long hosts booted, how
//! often Spot was taken back.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::catalog::{Hazard, InstanceType};
use crate::durations::{Durations, duration_bucket};
use crate::id::Zone;
use crate::kind::KindId;

/// How long the jobs of one kind took.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KindHistory {
    /// What they have in common, for people.
    pub name: String,
    /// When one last ended.
    pub last_ended: Timestamp,
    /// How long they ran, in seconds: those that ended by themselves, well or not, and those that were cut short.
    pub took: Durations,
    /// The same in thousandths of what they said; only of those that said something.
    pub took_of_told: Durations,
}

/// What was seen of one pool of Spot capacity: interruptions, and how long hosts were exposed to them. Both fade with a
/// [half-life](SpotEvidence::HALF_LIFE_DAYS).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SpotEvidence {
    /// Interruptions, in thousandths.
    pub interruptions_milli: u64,
    /// How long hosts ran, in seconds.
    pub host_secs: u64,
    /// As of when.
    pub as_of: Timestamp,
}

/// A day.
const DAY_SECS: i64 = 24 * 3600;

impl SpotEvidence {
    /// Capacity comes and goes with seasons and with what others buy: what is two weeks old counts half. Interruptions of the last
    /// month are what EC2's own Spot Advisor goes by.
    pub const HALF_LIFE_DAYS: i64 = 14;

    /// What was heard beforehand counts as much as one host that was watched for a month of 730 hours: the Spot Advisor's figures
    /// are parts of instances that were interrupted in a month.
    pub const PRIOR_SECS: u64 = 730 * 3600;

    /// Nothing was seen.
    pub const fn none(as_of: Timestamp) -> Self {
        Self { interruptions_milli: 0, host_secs: 0, as_of }
    }

    /// The same as of `now`, faded by whole days.
    #[must_use]
    pub fn faded(self, now: Timestamp) -> Self {
        // 2^16 * 2^(-1/14)
        const KEPT_A_DAY: u64 = 62_371;
        let days = now.duration_since(self.as_of).as_secs() / DAY_SECS;
        if days <= 0 {
            return self;
        }
        let as_of = self.as_of.saturating_add(SignedDuration::from_secs(days * DAY_SECS));
        let mut faded = Self { as_of: as_of.unwrap_or(now), ..self };
        // After two years nothing is left.
        for _ in 0..days.min(730) {
            faded.interruptions_milli = (faded.interruptions_milli * KEPT_A_DAY) >> 16;
            faded.host_secs = (faded.host_secs * KEPT_A_DAY) >> 16;
        }
        faded
    }

    /// With one more host that ran for `ran`, and was interrupted or not.
    #[must_use]
    pub fn with_host(self, now: Timestamp, ran: SignedDuration, interrupted: bool) -> Self {
        let faded = self.faded(now);
        let ran = u64::try_from(ran.as_secs()).unwrap_or(0);
        Self {
            interruptions_milli: faded.interruptions_milli.saturating_add(if interrupted {
                1_000
            } else {
                0
            }),
            host_secs: faded.host_secs.saturating_add(ran),
            ..faded
        }
    }

    /// How often such a host is interrupted, by this and by what was heard beforehand: the mean of the gamma distribution
    /// that follows from a gamma prior and a Poisson count (Gelman et al., "Bayesian Data Analysis", section 2.6), where the
    /// prior has seen [`Self::PRIOR_SECS`] of a host. Rounded up to a step of a quarter, so that it does not move with every
    /// host.
    pub fn hazard(&self, prior: Hazard) -> Hazard {
        if self.interruptions_milli == 0 && self.host_secs == 0 {
            return prior;
        }
        let prior_secs = u128::from(Self::PRIOR_SECS);
        // Interruptions in a million hours are 3.6e9 interruptions per second; the count is in thousandths.
        let seen = u128::from(self.interruptions_milli) * 3_600_000;
        let heard = u128::from(prior.get()) * prior_secs;
        let rate = (seen + heard).div_ceil(prior_secs + u128::from(self.host_secs));
        match u32::try_from(rate).unwrap_or(u32::MAX) {
            0 => Hazard::NEVER,
            rate => Hazard::per_million_hours(duration_bucket(rate).max(rate)),
        }
    }
}

/// All that the ledger remembers to estimate from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// By kind of jobs.
    pub kinds: BTreeMap<KindId, KindHistory>,
    /// By type and zone.
    pub spot: BTreeMap<(InstanceType, Zone), SpotEvidence>,
    /// How long hosts took from their launch to their registration, in seconds.
    pub boots: Durations,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    const PRIOR: Hazard = Hazard::per_million_hours(70);

    #[test]
    fn without_evidence_the_prior_stands() {
        assert_eq!(SpotEvidence::none(Timestamp::UNIX_EPOCH).hazard(PRIOR), PRIOR);
    }

    #[test]
    fn one_interruption_is_believed_and_a_quiet_year_too() {
        let now = Timestamp::UNIX_EPOCH;
        let interrupted = SpotEvidence::none(now).with_host(now, HOUR, true);
        let mut quiet = SpotEvidence::none(now);
        for _ in 0..8_760 {
            quiet = quiet.with_host(now, HOUR, false);
        }

        let after_one = interrupted.hazard(PRIOR).get();
        let after_a_year = quiet.hazard(PRIOR).get();

        // (70 * 730 + 1,000,000) / 731 = 1,438.
        assert!((1_438..=1_798).contains(&after_one), "{after_one}");
        // 70 * 730 / 9,490 = 5.4.
        assert!((5..=7).contains(&after_a_year), "{after_a_year}");
    }

    #[test]
    fn evidence_counts_half_after_two_weeks() {
        let then = Timestamp::UNIX_EPOCH;
        let evidence = SpotEvidence::none(then).with_host(then, HOUR * 100, true);

        let faded = evidence.faded(then + HOUR * 24 * 14);

        assert!((495..=500).contains(&faded.interruptions_milli), "{faded:?}");
        assert!((178_000..=180_100).contains(&faded.host_secs), "{faded:?}");
        assert_eq!(evidence.faded(then + HOUR * 23), evidence, "by whole days");
    }
}
