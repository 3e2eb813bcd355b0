//! Resources as plain vectors, and the few conversions to floating point that scores need.
//!
//! Sums and comparisons of resources stay in integers; a float made here is a score, never an amount.

use spillway_core::Resources;

/// CPU units, MiB, GPUs.
pub(crate) const DIMS: usize = 3;

/// CPU units, MiB, GPUs, as a vector for the inner loops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount(pub(crate) [u32; DIMS]);

impl Amount {
    pub(crate) fn of(resources: &Resources) -> Self {
        Self([resources.cpu.get(), resources.memory.get(), resources.gpus])
    }

    pub(crate) fn fits(&self, room: &Self) -> bool {
        self.0[0] <= room.0[0] && self.0[1] <= room.0[1] && self.0[2] <= room.0[2]
    }

    /// How many of `self` fit into `room` at once; `u32::MAX` for one that needs nothing.
    pub(crate) fn times_in(&self, room: &Self) -> u32 {
        let mut times = u32::MAX;
        for (need, have) in self.0.iter().zip(room.0) {
            times = times.min(have.checked_div(*need).unwrap_or(u32::MAX));
        }
        times
    }

    /// What is left after taking `n` times `other`; zero where that is more than there is.
    pub(crate) fn less(&self, other: &Self, n: u32) -> Self {
        let mut left = self.0;
        for (left, need) in left.iter_mut().zip(other.0) {
            *left = left.saturating_sub(need.saturating_mul(n));
        }
        Self(left)
    }

    /// The sum with `n` times `other`; saturates.
    pub(crate) fn plus(&self, other: &Self, n: u32) -> Self {
        let mut sum = self.0;
        for (sum, need) in sum.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(need.saturating_mul(n));
        }
        Self(sum)
    }

    /// The smaller of both in every dimension.
    pub(crate) fn clipped_to(&self, other: &Self) -> Self {
        let mut min = self.0;
        for (min, other) in min.iter_mut().zip(other.0) {
            *min = (*min).min(other);
        }
        Self(min)
    }

    pub(crate) fn as_f64(&self) -> [f64; DIMS] {
        self.0.map(f64::from)
    }
}

/// A sum of amounts that may leave the range of [`Amount`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Total(pub(crate) [u64; DIMS]);

impl Total {
    pub(crate) fn add(&mut self, each: &Amount, n: u64) {
        for (sum, need) in self.0.iter_mut().zip(each.0) {
            *sum = sum.saturating_add(u64::from(need).saturating_mul(n));
        }
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (sum, other) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(other);
        }
    }

    /// The same, cut to the range of [`Amount`]: what a host could use of its capacity at most.
    pub(crate) fn clipped(&self) -> Amount {
        Amount(self.0.map(|n| u32::try_from(n).unwrap_or(u32::MAX)))
    }
}

/// For scores only: exact up to 2^53.
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a score needs no more")]
pub(crate) fn score_of(n: u64) -> f64 {
    n as f64
}

/// The whole part, cut to the range of `u128`; not-a-number gives 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "the cast saturates, and whoever asks checks what comes of it"
)]
pub(crate) fn whole_of(x: f64) -> u128 {
    x as u128
}
