//! The running hash of a trace, eight bytes at a time. Not for anything an adversary could gain by colliding.

use std::hash::Hasher;

/// Odd, and without a pattern: the fractional part of the golden ratio.
const PHI: u64 = 0x9e37_79b9_7f4a_7c15;

/// A running 64-bit hash of values, the same on every run and every machine of 64 bits that is little-endian.
#[derive(Debug, Clone, Default)]
pub(crate) struct Digest {
    hash: u64,
}

impl Digest {
    const fn mix(&mut self, word: u64) {
        let mixed = (self.hash ^ word).wrapping_mul(PHI);
        self.hash = mixed.rotate_left(29) ^ (mixed >> 32);
    }
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.hash ^ (self.hash >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (byte, of_tail) in last.iter_mut().zip(tail) {
            *byte = *of_tail;
        }
        // With the length, or a text would equal the same with zeros after it.
        self.mix(u64::from_le_bytes(last));
        self.mix(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    fn write_u16(&mut self, number: u16) {
        self.mix(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(u64::try_from(number).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hash;

    use super::*;

    fn of(value: impl Hash) -> u64 {
        let mut digest = Digest::default();
        value.hash(&mut digest);
        digest.finish()
    }

    #[test]
    fn what_differs_in_a_place_a_length_or_a_number_has_another_hash() {
        let text = "a text that is longer than a few words of eight bytes";

        assert_eq!(of(text), of(text.to_owned()));
        assert_ne!(of(text), of(&text[1..]));
        assert_ne!(of("a"), of("a\0"));
        assert_ne!(of(("12345678", "x")), of(("x", "12345678")));
        assert_ne!(of((1_u32, 2_u32)), of((2_u32, 1_u32)));
        assert_ne!(of(vec![1_u64]), of(vec![1_u64, 0]));
        assert_ne!(of(Some(0_u8)), of(None::<u8>));
    }
}
