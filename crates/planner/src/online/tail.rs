//! How long things last when what is expected of them is a mean.
//!
//! Durations of batch jobs have long tails: most end before what is expected of them, some run for several times as long. Here each is
//! taken for exponential with that mean: a guess, not a fit, that was cheaper on the shipped traces than to take means for
//! certain. It never says when anything does end; it weighs what may be.

use crate::amount::Amount;

/// Of the time by which the last job on a host outlasts the mean one, so much is taken for lost: most of the room that falls
/// free is taken by what comes. Chosen on the shipped traces, of 0 to 0.2.
const LOST_PART: f64 = 0.07;

/// By how much a job outlasts a time that is so far off, in the mean: the integral of `exp(-t / secs)` from there on.
pub(crate) fn outlasting(secs: f64, slack: f64) -> f64 {
    if secs <= 0.0 {
        return 0.0;
    }
    secs * (-slack.max(0.0) / secs).exp()
}

/// How long the longest of `n` equal jobs takes in the mean, as a multiple of one of them: the harmonic number of `n`
/// (A. Renyi, On the theory of order statistics, 1953). By its asymptotic series, within 1 %.
pub(crate) fn longest_of(n: f64) -> f64 {
    const EULER: f64 = 0.577_215_664_9;
    if n <= 1.0 { 1.0 } else { n.ln() + EULER + 0.5 / n - 1.0 / (12.0 * n * n) }
}

/// For how long a host of `n` equal jobs is paid for nothing after the mean one of them, as a multiple of one of them.
pub(crate) fn lost_to_tail(n: f64) -> f64 {
    LOST_PART * (longest_of(n) - 1.0)
}

/// When the last of what a host runs is to be expected to end: not before the last of those that are left by then, each of
/// which may outlast the others. `ends` are what is expected of each, in rising order.
pub(crate) fn last_end(ends: &[(u32, Amount)], paid_until: u32) -> f64 {
    let (mut last, mut n_left, mut later) = (f64::from(paid_until), 0.0, None);
    for (end, _) in ends.iter().rev() {
        // What ends together counts once, whether it is written in one line or in several.
        if later.replace(*end) != Some(*end) {
            n_left += 1.0;
            last = last.max(f64::from(*end) * longest_of(n_left));
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;

    #[test]
    fn a_job_outlasts_what_ends_now_by_all_of_itself_and_what_ends_late_hardly() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6 * b.max(1.0);

        assert!(close(outlasting(600.0, 0.0), 600.0));
        assert!(close(outlasting(600.0, 600.0), 600.0 / std::f64::consts::E));
        assert!(outlasting(600.0, 6_000.0) < 0.1);
        assert!(close(outlasting(0.0, 10.0), 0.0));
    }

    #[test]
    fn the_longest_of_some_takes_the_harmonic_number_of_a_mean() {
        let mut harmonic = 0.0;
        for n in 1..=64_u32 {
            harmonic += 1.0 / f64::from(n);
            let ratio = longest_of(f64::from(n)) / harmonic;
            assert!((ratio - 1.0).abs() < 0.01, "{n}: {ratio}");
        }
    }

    #[test]
    fn some_that_end_about_together_end_later_than_one_and_a_late_one_decides() {
        let ends =
            |ends: &[u32]| ends.iter().map(|end| (*end, Amount::default())).collect::<Vec<_>>();

        assert_eq!(last_end(&ends(&[]), 50).total_cmp(&50.0), Ordering::Equal);
        assert_eq!(last_end(&ends(&[100]), 100).total_cmp(&100.0), Ordering::Equal);
        let several = last_end(&ends(&[98, 99, 100]), 100);
        assert!(170.0 < several && several < 190.0, "{several}");
        let with_a_late_one = last_end(&ends(&[10, 10, 1_000]), 1_000);
        assert_eq!(with_a_late_one.total_cmp(&1_000.0), Ordering::Equal);
    }
}
