//! Chance, as a function of the seed.
//!
//! Every draw names its purpose and what it is about, and gets a stream of its own: whether instance `i-1` boots slowly
//! depends on the seed and on `i-1`, not on how many draws came before. So a new draw somewhere moves no other, and a
//! job's luck stays its luck when the rest of a scenario changes.

use std::fmt;

use jiff::SignedDuration;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::fixed;
use crate::fnv::Fnv;
use crate::setting::{Chance, Spread};

/// What is further off than this is never.
const THOUSAND_YEARS_MS: i128 = 1000 * 366 * 24 * 3_600_000;

/// One seed's luck.
#[derive(Debug, Clone, Copy)]
pub struct Dice {
    seed: u64,
}

impl Dice {
    /// The luck of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream for `purpose` and what it is `about`.
    pub fn roll(&self, purpose: &str, about: &dyn fmt::Display) -> Roll {
        let mut seed = [0; 32];
        let words = [self.seed, Fnv::of(&purpose), Fnv::of(about)];
        for (bytes, word) in seed.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Roll(ChaCha8Rng::from_seed(seed))
    }
}

/// A stream of draws.
#[derive(Debug)]
pub struct Roll(ChaCha8Rng);

impl Roll {
    /// 64 even bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// An even draw from `0..n`; zero for `n` of zero. (Multiply and shift: a bias below `n` / 2^64 is none here.)
    pub fn below(&mut self, n: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(n);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Whether something of this chance happens.
    pub fn happens(&mut self, chance: Chance) -> bool {
        chance != Chance::NEVER && self.below(1_000_000) < u64::from(chance.ppm())
    }

    /// An even draw between both ends, to the millisecond.
    pub fn within(&mut self, spread: Spread) -> SignedDuration {
        let (min, max) = (spread.min.as_millis(), spread.max.as_millis());
        let n = u64::try_from(max - min).unwrap_or(0).saturating_add(1);
        let ms = min.saturating_add(self.below(n).into());
        SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
    }

    /// How long until something happens that happens `rate` times per hour on average (exponential); none if never,
    /// or not within a thousand years.
    pub fn wait_for(&mut self, rate: Chance) -> Option<SignedDuration> {
        if rate == Chance::NEVER {
            return None;
        }
        // -ln(u) = (64 - log2(bits)) * ln 2, in q32.
        let minus_log2 = 64 * fixed::ONE - fixed::log2(self.bits().max(1));
        let minus_ln = (i128::from(minus_log2) * i128::from(fixed::LN_2)) >> 32;
        let ms = (minus_ln * 3_600_000 * 1_000_000 / i128::from(rate.ppm())) >> 32;
        let ms = i64::try_from(ms).ok().filter(|ms| i128::from(*ms) < THOUSAND_YEARS_MS)?;
        Some(SignedDuration::from_millis(ms))
    }

    /// A draw that is normal but for its tails (the sum of twelve even ones, less six), in q32, from -6 to 6.
    pub fn normal(&mut self) -> i64 {
        let sum: i64 = (0..12).map(|_| i64::try_from(self.bits() >> 32).unwrap_or(0)).sum();
        sum - 6 * fixed::ONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_answer_and_another_has_another() {
        let dice = Dice::new(7);

        assert_eq!(dice.roll("boot", &"i-1").bits(), dice.roll("boot", &"i-1").bits());
        assert_ne!(dice.roll("boot", &"i-1").bits(), dice.roll("boot", &"i-2").bits());
        assert_ne!(dice.roll("boot", &"i-1").bits(), dice.roll("pull", &"i-1").bits());
        assert_ne!(dice.roll("boot", &"i-1").bits(), Dice::new(8).roll("boot", &"i-1").bits());
    }

    #[test]
    fn draws_stay_within_their_spread() {
        let spread = Spread::of_secs(40, 90);

        for n in 0..1000 {
            let drawn = Dice::new(1).roll("boot", &n).within(spread);
            assert!(spread.min <= drawn && drawn <= spread.max, "{drawn}");
        }
    }

    #[test]
    fn waits_have_the_mean_of_their_rate() {
        let rate: Chance = "200%".parse().unwrap();

        let total: i64 = (0..4000)
            .filter_map(|n| Dice::new(1).roll("spot", &n).wait_for(rate))
            .map(|d| d.as_secs())
            .sum();

        let mean = total / 4000;
        assert!((1700..1900).contains(&mean), "the mean of twice an hour is 1800 s, not {mean}");
    }

    #[test]
    fn chances_come_true_about_as_often_as_they_say() {
        let chance: Chance = "5%".parse().unwrap();

        let n = (0..10_000).filter(|n| Dice::new(3).roll("lost", n).happens(chance)).count();

        assert!((420..580).contains(&n), "{n}");
    }
}
