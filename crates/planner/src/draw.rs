//! Numbers that look drawn by lot and are the same every time: a fixed sequence for searching, never for anything
//! that must not be guessed.

/// A linear congruential sequence with Knuth's constants; its upper bits are good enough to choose by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) const fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    /// Another sequence, begun where this one is.
    pub(crate) fn branch(&mut self) -> Self {
        let (high, low) = (u64::from(self.next()), u64::from(self.next()));
        Self(high << 32 | low)
    }

    fn next(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 32).unwrap_or(0)
    }

    /// From 0 up to, not including, 1.
    pub(crate) fn part(&mut self) -> f64 {
        f64::from(self.next()) / 4_294_967_296.0
    }

    /// From 0 up to, not including, `n`; 0 for 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let drawn = (u64::from(self.next()) * u64::try_from(n).unwrap_or(0)) >> 32;
        usize::try_from(drawn).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_the_limit_is_drawn_and_none_else() {
        let mut draw = Draw::new();
        let mut times = [0_u32; 5];

        for _ in 0..1000 {
            times[draw.below(5)] += 1;
        }

        assert!(times.iter().all(|n| (100..300).contains(n)), "{times:?}");
    }
}
