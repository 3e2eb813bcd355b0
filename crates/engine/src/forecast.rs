//! How long jobs are expected to run, and how long those that run still will. Estimates only: nothing is promised on them.

use std::num::NonZeroU32;

use spillway_core::job::{Expectation, ExpectedFrom};

use crate::limits;
use crate::survival::Survival;

/// What earlier jobs of a kind, and those that run, tell of the next.
#[derive(Debug, Clone, Default)]
pub struct KindForecast {
    /// How long they took, in seconds.
    pub(crate) took: Option<Survival>,
    /// How long they took, in thousandths of what they said.
    pub(crate) took_of_told: Option<Survival>,
    /// How long the longest took or has run yet, in seconds.
    pub(crate) longest_secs: u32,
}

impl KindForecast {
    /// What is expected of one that says this.
    pub fn of(&self, told_secs: Option<u32>, prior_secs: u32) -> Expectation {
        if let Some(told) = told_secs {
            return match self.correction() {
                None => Expectation {
                    secs: told.max(1),
                    high_secs: with_reserve(told),
                    from: ExpectedFrom::Told,
                },
                Some(of_told) => Expectation {
                    secs: part(told, of_told.mean()).max(1),
                    high_secs: part(told, of_told.high()).max(1),
                    from: ExpectedFrom::ToldCorrected { n: of_told.n_ended() },
                },
            };
        }
        if let Some(took) = &self.took {
            let from = ExpectedFrom::History { n: took.n_ended() };
            return Expectation { secs: took.mean(), high_secs: took.high(), from };
        }
        // None has ended, but some have run for longer than was guessed.
        let at_least = with_reserve(self.longest_secs);
        let (secs, from) = if prior_secs < at_least {
            (at_least, ExpectedFrom::History { n: 0 })
        } else {
            (prior_secs.max(1), ExpectedFrom::Prior)
        };
        Expectation { secs, high_secs: with_reserve(secs), from }
    }

    /// How long one that says this and has run for `ran` seconds still runs, at least 1.
    pub(crate) fn left_secs(&self, told_secs: Option<u32>, prior_secs: u32, ran: u32) -> u32 {
        let left = match (told_secs, self.correction(), &self.took) {
            (Some(told), Some(of_told), _) => {
                let ran_of_told = u64::from(ran) * 1_000 / u64::from(told.max(1));
                let left = of_told.left(u32::try_from(ran_of_told).unwrap_or(u32::MAX));
                part(told, left)
            }
            // What a job says is a little wrong more often than entirely.
            (Some(told), None, _) => told.saturating_sub(ran).max(ran / limits::OVERDUE_LEFT_PART),
            (None, _, Some(took)) => took.left(ran),
            (None, _, None) => prior_secs.saturating_sub(ran).max(ran / 2),
        };
        left.max(1)
    }

    /// How long so many that run one after another still run, the first of which began `ran` seconds ago; at least 1.
    pub(crate) fn waves_left_secs(
        &self,
        waves: NonZeroU32,
        told_secs: Option<u32>,
        prior_secs: u32,
        ran: u32,
    ) -> u32 {
        let n_before = waves.get() - 1;
        if n_before == 0 {
            return self.left_secs(told_secs, prior_secs, ran);
        }
        let each = self.of(told_secs, prior_secs).secs;
        let before = each.saturating_mul(n_before);
        if ran < before {
            before.saturating_add(each).saturating_sub(ran)
        } else {
            self.left_secs(told_secs, prior_secs, ran - before)
        }
    }

    /// What earlier jobs took of what they said, if there are enough to contradict the next one.
    fn correction(&self) -> Option<&Survival> {
        self.took_of_told
            .as_ref()
            .filter(|of_told| limits::TOLD_CORRECTED_AFTER <= of_told.n_ended())
    }
}

fn with_reserve(secs: u32) -> u32 {
    secs.saturating_add(secs / limits::RESERVE_PART).max(1)
}

/// So many thousandths of it.
fn part(secs: u32, milli: u32) -> u32 {
    let part = u64::from(secs) * u64::from(milli) / 1_000;
    u32::try_from(part).unwrap_or(u32::MAX)
}
