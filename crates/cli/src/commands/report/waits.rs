//! For how long jobs waited: quantiles by nearest rank, as in the score of a simulated run, and columns of waits that are about as long.

use jiff::SignedDuration;

use super::gather::{percent, thousandths};
use crate::views::report::WaitBin;

/// Where columns begin, in seconds.
const EDGES_SECS: [i64; 14] =
    [0, 1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400];

/// All waits: eight bytes for each.
#[derive(Debug, Default)]
pub(super) struct Waits(Vec<i64>);

impl Waits {
    pub(super) fn add(&mut self, wait: SignedDuration) {
        let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.0.push(millis.max(0));
    }

    /// In seconds; none of none.
    pub(super) fn quantile(&mut self, percent: usize) -> Option<f64> {
        let rank = (self.0.len() * percent).div_ceil(100).checked_sub(1)?;
        let (_, nth, _) = (rank < self.0.len()).then(|| self.0.select_nth_unstable(rank))?;
        Some(thousandths(*nth))
    }

    pub(super) fn mean(&self) -> Option<f64> {
        let sum: i128 = self.0.iter().map(|millis| i128::from(*millis)).sum();
        let mean = sum.checked_div(i128::try_from(self.0.len()).ok()?)?;
        i64::try_from(mean).ok().map(thousandths)
    }

    /// The columns, down to the last that is not empty.
    pub(super) fn bins(&self) -> Vec<WaitBin> {
        let mut counts = vec![0_u64; EDGES_SECS.len()];
        for millis in &self.0 {
            let bin = EDGES_SECS.partition_point(|edge| edge * 1000 <= *millis).saturating_sub(1);
            if let Some(count) = counts.get_mut(bin) {
                *count += 1;
            }
        }
        let all: u64 = counts.iter().sum();
        let n_shown = counts.iter().rposition(|n| 0 < *n).map_or(0, |last| last + 1);
        let ends = EDGES_SECS.iter().skip(1).copied().map(Some).chain([None]);
        let bins = EDGES_SECS.into_iter().zip(ends).zip(counts);
        let bin = |((from_s, until_s), jobs)| WaitBin {
            from_s,
            until_s,
            jobs,
            percent: percent(jobs.into(), all.into()),
        };
        bins.map(bin).take(n_shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(secs: &[i64]) -> Waits {
        let mut waits = Waits::default();
        for secs in secs {
            waits.add(SignedDuration::from_secs(*secs));
        }
        waits
    }

    #[test]
    fn quantiles_are_waits_that_somebody_had() {
        let mut all = waits(&(1..=100).rev().collect::<Vec<i64>>());

        assert_eq!(
            (all.quantile(50), all.quantile(95), all.quantile(100)),
            (Some(50.0), Some(95.0), Some(100.0))
        );
        assert_eq!(all.mean(), Some(50.5));
        assert_eq!((waits(&[]).quantile(50), waits(&[]).mean()), (None, None));
    }

    #[test]
    fn every_wait_is_in_one_column() {
        let bins = waits(&[0, 0, 1, 4, 5, 61, 119, 100_000]).bins();

        let counts: Vec<u64> = bins.iter().map(|bin| bin.jobs).collect();
        assert_eq!(counts, [2, 2, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((bins[13].from_s, bins[13].until_s), (86_400, None));
        assert_eq!(waits(&[7]).bins().len(), 3);
        assert!(waits(&[]).bins().is_empty());
    }
}
