//! How long jobs are expected to run, and how long those that run still will. Estimates only: nothing is promised on them.

use spillway_core::KindId;

use crate::limits;

/// What is expected of the jobs of one kind that say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forecast {
    told_secs: Option<u32>,
    prior_secs: u32,
}

impl Forecast {
    pub(crate) fn new(_kind: KindId, told_secs: Option<u32>, prior_secs: u32) -> Self {
        Self { told_secs, prior_secs }
    }

    /// How long one takes, in seconds; none if nobody knows.
    pub(crate) fn expected_secs(&self) -> Option<u32> {
        self.told_secs
    }

    /// So long that hardly one takes longer, in seconds.
    pub(crate) fn high_secs(&self) -> u32 {
        let expected = self.told_secs.unwrap_or(self.prior_secs);
        expected.saturating_add(expected / limits::DEADLINE_RESERVE_PART)
    }

    /// How long one that has run for `ran` seconds still takes, at least 1.
    pub(crate) fn left_secs(&self, ran: u32) -> u32 {
        let expected = self.told_secs.unwrap_or(self.prior_secs);
        expected.saturating_sub(ran).max(ran / 10).max(1)
    }
}
