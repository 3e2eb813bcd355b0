//! A purse of counted work: what searching may cost, the same on every machine.

/// Elementary steps that may still be spent; a million take about a millisecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    given: u64,
    left: u64,
}

impl Work {
    pub(crate) const fn new(steps: u64) -> Self {
        Self { given: steps, left: steps }
    }

    /// Pays for `steps`; the last payment may be short.
    pub(crate) fn spend(&mut self, steps: usize) {
        self.left = self.left.saturating_sub(u64::try_from(steps).unwrap_or(u64::MAX));
    }

    pub(crate) const fn spent(&self) -> u64 {
        self.given - self.left
    }

    /// Whether less than a tenth has been spent.
    pub(crate) const fn is_mostly_left(&self) -> bool {
        self.given / 10 * 9 < self.left
    }

    pub(crate) const fn is_half_spent(&self) -> bool {
        self.left < self.given / 2
    }

    pub(crate) const fn is_spent(&self) -> bool {
        self.left == 0
    }
}
