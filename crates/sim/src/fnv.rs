//! FNV-1a over text as it is written: names random streams and fingerprints traces. Not for anything an adversary
//! could gain by colliding.

use std::fmt;

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A running 64-bit FNV-1a hash; `write!` into it hashes what would have been printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(OFFSET_BASIS)
    }
}

impl Fnv {
    /// The hash of what `value` displays as.
    pub fn of(value: &dyn fmt::Display) -> u64 {
        let mut hash = Self::default();
        hash.add(format_args!("{value}"));
        hash.get()
    }

    /// Hashes what `text` would print.
    pub fn add(&mut self, text: fmt::Arguments<'_>) {
        // Writing into a hash cannot fail; only a broken `Display` could, and its text up to there counts.
        let _ = fmt::Write::write_fmt(self, text);
    }

    /// The hash so far.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(PRIME);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_test_vectors_hold() {
        assert_eq!(Fnv::of(&""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fnv::of(&"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Fnv::of(&"foobar"), 0x8594_4171_f739_67e8);
    }
}
