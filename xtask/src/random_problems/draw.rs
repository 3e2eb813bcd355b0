//! A sequence that is as good as drawn by lot, and the same every time for the same seed and number of a case.

/// `SplitMix64`.
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    /// The sequence of one case. Cases do not share theirs, so each can be looked at by itself.
    pub(crate) fn of_case(seed: u64, case: u64) -> Self {
        let mut draw = Self(seed);
        let seed = draw.next();
        Self(seed ^ case.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, `n`; 0 for 0.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        let drawn = (self.next() >> 32) * u64::from(n);
        u32::try_from(drawn >> 32).unwrap_or(0)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// The same with small numbers as likely as large ones: as many of one digit as of two.
    pub(crate) fn magnitude(&mut self, high: u32) -> u32 {
        let exponent = self.below(high.ilog2() + 1);
        (1_u32 << exponent) + self.below(1_u32 << exponent)
    }

    /// Whether something happens that does so many times in a hundred.
    pub(crate) fn percent(&mut self, n: u32) -> bool {
        self.below(100) < n
    }

    /// One of several.
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.index(all.len())]
    }

    /// A place in a list of `n`.
    pub(crate) fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(u32::try_from(n).unwrap_or(u32::MAX))).unwrap_or(0)
    }

    /// A list in another order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            let other = self.index(at + 1);
            list.swap(at, other);
        }
    }
}
