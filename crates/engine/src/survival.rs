//! How long something still lasts, from how long its like lasted: a life table, with those that were cut short counted as having
//! lasted at least so long.
//!
//! The product-limit estimate of E. L. Kaplan and P. Meier ("Nonparametric estimation from incomplete observations", Journal of
//! the American Statistical Association 53, 1958) for grouped times, as actuaries make it (S. J. Cutler, F. Ederer, "Maximum
//! utilization of the life table method", Journal of Chronic Diseases 8, 1958): with `d` ends and `c` cut short in a bucket that
//! `n` reached, of those alive the part `d / (n - c/2)` ends in it.

use spillway_core::durations::{Durations, N_BUCKETS, bucket_end, bucket_of};

/// One, in parts.
const ONE: u64 = 1 << 32;

/// What has outlasted all that was seen is expected to last half as long again: the mean excess of a Pareto tail of index 3.
const BEYOND_PART: u32 = 2;

/// More that has faded changes nothing any more; it bounds the arithmetic.
const FADED_MAX: u64 = 1 << 30;

/// The part of all that a high estimate leaves above it: a tenth.
const HIGH_LEAVES: u64 = ONE / 10;

/// So much of all ends in one bucket.
#[derive(Debug, Clone, Copy)]
struct Mass {
    /// Where the bucket begins and ends.
    from: u32,
    to: u32,
    /// The mean of those that end in it.
    mean: u32,
    /// How many do, in parts of [`ONE`].
    part: u64,
    /// The parts that end after it, and the sum of their parts times when they end.
    later: u64,
    later_sum: u128,
}

/// An estimate of how long something lasts.
#[derive(Debug, Clone)]
pub(crate) struct Survival {
    masses: Vec<Mass>,
    n_ended: u32,
    mean: u32,
    high: u32,
}

impl Survival {
    /// From what was seen, and the ages of those that still last. None if nothing has ended.
    ///
    /// Those that still last are all there; of those that ended most may have faded. So what is left of these stands for those
    /// too: else, where thousands run and a few hundred are remembered, most would seem to outlast everything.
    pub(crate) fn of(seen: &Durations, ages: impl Iterator<Item = (u32, u32)>) -> Option<Self> {
        let n_ended = seen.n_ended();
        if n_ended == 0 {
            return None;
        }
        let mut ended = [(0_u64, 0_u64); N_BUCKETS];
        let mut cut_short = [0_u64; N_BUCKETS];
        let mut n_left = 0_u64;
        let mut last = 0;
        let n_counted = u64::from(n_ended) + u64::from(seen.n_cut_short());
        let each = 1 + seen.n_faded().min(FADED_MAX) / n_counted;
        for line in seen.lines() {
            if let (Some(ended), Some(cut)) =
                (ended.get_mut(line.bucket), cut_short.get_mut(line.bucket))
            {
                let (n, n_cut) = (u64::from(line.n_ended), u64::from(line.n_cut_short));
                *ended = (n * each, line.sum.saturating_mul(each));
                *cut += n_cut * each;
                n_left += (n + n_cut) * each;
                last = last.max(line.bucket);
            }
        }
        for (age, count) in ages {
            let bucket = bucket_of(age);
            if let Some(cut) = cut_short.get_mut(bucket) {
                *cut += u64::from(count);
                n_left += u64::from(count);
                last = last.max(bucket);
            }
        }
        let mut masses: Vec<Mass> = Vec::new();
        let mut alive = ONE;
        let mut from = 0;
        for (bucket, ((n, sum), cut)) in ended.into_iter().zip(cut_short).enumerate() {
            let to = bucket_end(bucket);
            if let Some(mean) = sum.checked_div(n) {
                let exposed = (2 * n_left).saturating_sub(cut).max(2 * n);
                let part = share(alive, 2 * n, exposed);
                let mean = u32::try_from(mean).unwrap_or(to);
                masses.push(Mass { from, to, mean, part, later: 0, later_sum: 0 });
                alive -= part;
            }
            n_left -= n + cut;
            from = to;
        }
        if 0 < alive {
            let from = bucket_end(last);
            let mean = from.saturating_add(from / BEYOND_PART);
            masses.push(Mass { from, to: mean, mean, part: alive, later: 0, later_sum: 0 });
        }
        let (mut later, mut later_sum, mut high) = (0, 0, 0);
        for mass in masses.iter_mut().rev() {
            (mass.later, mass.later_sum) = (later, later_sum);
            later += mass.part;
            later_sum += u128::from(mass.part) * u128::from(mass.mean);
            if high == 0 && HIGH_LEAVES <= later {
                high = mass.to;
            }
        }
        let mean = (later_sum + u128::from(ONE / 2)) / u128::from(ONE);
        let mean = u32::try_from(mean).unwrap_or(u32::MAX);
        Some(Self { masses, n_ended, mean: mean.max(1), high })
    }

    /// How many have ended.
    pub(crate) const fn n_ended(&self) -> u32 {
        self.n_ended
    }

    /// How long one lasts in the mean.
    pub(crate) const fn mean(&self) -> u32 {
        self.mean
    }

    /// Nine in ten last at most so long.
    pub(crate) const fn high(&self) -> u32 {
        self.high
    }

    /// How long one that has lasted for `age` still lasts in the mean, at least 1.
    pub(crate) fn left(&self, age: u32) -> u32 {
        let at = self.masses.partition_point(|mass| mass.to <= age);
        let Some(mass) = self.masses.get(at) else { return (age / BEYOND_PART).max(1) };
        // Of those that end in the bucket it is in, those are left that end after it.
        let width = u64::from(mass.to - mass.from).max(1);
        let (here, ends_at) = if age <= mass.from {
            (mass.part, mass.mean)
        } else {
            let part = mass.part * u64::from(mass.to - age) / width;
            let middle = age + (mass.to - age) / 2;
            (part, if age < mass.mean { mass.mean } else { middle })
        };
        let parts = u128::from(here + mass.later);
        let sum = u128::from(here) * u128::from(ends_at) + mass.later_sum;
        let Some(ends_at) = sum.checked_div(parts) else { return (age / BEYOND_PART).max(1) };
        u32::try_from(ends_at).unwrap_or(u32::MAX).saturating_sub(age).max(1)
    }
}

/// `alive` times `n` over `of`.
fn share(alive: u64, n: u64, of: u64) -> u64 {
    let part = u128::from(alive) * u128::from(n) / u128::from(of.max(1));
    u64::try_from(part).unwrap_or(u64::MAX).min(alive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ended: &[u32], cut_short: &[u32]) -> Durations {
        let mut durations = Durations::default();
        for secs in ended {
            durations.ended(*secs);
        }
        for secs in cut_short {
            durations.cut_short(*secs);
        }
        durations
    }

    fn survival(ended: &[u32], cut_short: &[u32]) -> Survival {
        Survival::of(&seen(ended, cut_short), std::iter::empty()).unwrap()
    }

    #[test]
    fn what_always_lasted_equally_long_is_expected_to_the_second() {
        let equal = survival(&[1_000; 20], &[]);

        assert_eq!(equal.mean(), 1_000);
        assert_eq!(equal.left(0), 1_000);
        assert_eq!(equal.left(600), 400);
        assert_eq!(equal.left(999), 1);
        assert!(equal.left(1_000) <= 200, "{}", equal.left(1_000));
    }

    #[test]
    fn without_any_cut_short_the_mean_is_the_mean() {
        let ended: Vec<u32> = (1..=500).map(|n| n * 7).collect();

        let estimate = survival(&ended, &[]);

        let mean = ended.iter().sum::<u32>() / 500;
        assert!(estimate.mean().abs_diff(mean) <= 1, "{} {mean}", estimate.mean());
        assert!((3_150..=3_150 * 5 / 4).contains(&estimate.high()), "{}", estimate.high());
    }

    /// Half of all take 100 s, half 1,000 s, and everything is cut short at 400 s: those that ended took 100 s in the mean, but
    /// half lasted longer than any that ended.
    #[test]
    fn those_that_were_cut_short_count_as_having_lasted_at_least_so_long() {
        let estimate = survival(&[100; 50], &[400; 50]);

        // Half of 100 and half of half as long again as the bucket of 400.
        assert!((325..=400).contains(&estimate.mean()), "{}", estimate.mean());
        assert!(400 <= estimate.high());
    }

    #[test]
    fn one_that_has_outlasted_the_short_ones_is_expected_to_be_a_long_one() {
        let estimate = survival(&[&[100; 50][..], &[1_000; 50][..]].concat(), &[]);

        assert_eq!(estimate.left(0), 550);
        assert_eq!(estimate.left(200), 800);
    }

    #[test]
    fn one_that_has_outlasted_all_is_expected_to_take_half_as_long_again() {
        assert_eq!(survival(&[100; 5], &[]).left(4_000), 2_000);
        assert_eq!(survival(&[1; 5], &[]).left(1), 1);
    }

    /// At the start of a wave only the short ones have ended; those that still run say that most take longer.
    #[test]
    fn those_that_still_run_are_counted() {
        let seen = seen(&[60; 10], &[]);

        let naive = Survival::of(&seen, std::iter::empty()).unwrap();
        let estimate = Survival::of(&seen, [(60, 45), (61, 45)].into_iter()).unwrap();

        assert_eq!(naive.mean(), 60);
        assert!(80 < estimate.mean(), "{}", estimate.mean());
    }

    /// Three thousand of 30 to 90 s run at any time, and of the tens of thousands that have ended a few hundred are remembered.
    #[test]
    fn what_has_faded_counts_against_those_that_still_run() {
        let mut seen = Durations::default();
        for n in 0..50_000_u32 {
            seen.ended(30 + n * 7 % 61);
        }
        let running = (0..90).map(|age| (age, 40 * (90 - age.max(30)) / 60));

        let estimate = Survival::of(&seen, running).unwrap();

        assert!(estimate.mean().abs_diff(60) <= 3, "{}", estimate.mean());
        assert!(estimate.left(0).abs_diff(60) <= 3, "{}", estimate.left(0));
    }

    #[test]
    fn the_expected_end_never_moves_back() {
        let ended: Vec<u32> = (1..200).map(|n: u32| n * n % 977 + 1).collect();
        let estimate = survival(&ended, &[50, 60, 2_000]);
        let mut before = 0;
        for age in 0..3_000 {
            let end = age + estimate.left(age);
            assert!(before <= end + end / 20, "{age}: {end} after {before}");
            before = end;
        }
    }

    #[test]
    fn of_nothing_there_is_no_estimate() {
        assert!(Survival::of(&seen(&[], &[7]), [(9, 1)].into_iter()).is_none());
    }
}
