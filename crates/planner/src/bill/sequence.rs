//! A fixed sequence of numbers that look as if drawn: the same in every search, so that a plan is the same too.

/// `SplitMix64` (Steele, Lea and Flood 2014), always from the same beginning.
#[derive(Debug, Clone)]
pub(crate) struct Sequence(u64);

impl Sequence {
    pub(crate) const fn new() -> Self {
        Self(0x5b11_1a7e)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to below `n`; 0 if that is none.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        // The upper half, so that the remainder fits a usize of 32 bits too.
        let drawn = usize::try_from(self.next() >> 33).unwrap_or(0);
        drawn.checked_rem(n).unwrap_or(0)
    }
}
