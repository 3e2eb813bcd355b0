//! The running hash of a trace: a text of gigabytes, so it is taken eight bytes at a time. Not for anything an adversary could
//! gain by colliding.

use std::fmt;

/// Odd, and without a pattern: the fractional part of the golden ratio.
const PHI: u64 = 0x9e37_79b9_7f4a_7c15;

/// A running 64-bit hash; what is written into it counts, in which pieces does not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Digest {
    hash: u64,
    /// Bytes that do not make a word yet, the first of them lowest.
    rest: u64,
    n_rest: u32,
    n_words: u64,
}

impl Digest {
    /// Hashes what `text` would print.
    pub(crate) fn add(&mut self, text: fmt::Arguments<'_>) {
        // Writing into a hash cannot fail; only a broken `Debug` could, and its text up to there counts.
        let _ = fmt::Write::write_fmt(self, text);
    }

    /// The hash so far.
    pub(crate) fn get(&self) -> u64 {
        let mut last = *self;
        let n_bytes = self.n_words.wrapping_mul(8).wrapping_add(u64::from(self.n_rest));
        last.word(self.rest);
        last.word(n_bytes);
        last.hash ^ (last.hash >> 32)
    }

    const fn word(&mut self, word: u64) {
        let mixed = (self.hash ^ word).wrapping_mul(PHI);
        self.hash = mixed.rotate_left(29) ^ (mixed >> 32);
        self.n_words = self.n_words.wrapping_add(1);
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut bytes = text.as_bytes();
        while 0 < self.n_rest
            && let Some((byte, after)) = bytes.split_first()
        {
            self.rest |= u64::from(*byte) << (8 * self.n_rest);
            self.n_rest += 1;
            bytes = after;
            if self.n_rest == 8 {
                let word = self.rest;
                (self.rest, self.n_rest) = (0, 0);
                self.word(word);
            }
        }
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        for byte in tail {
            self.rest |= u64::from(*byte) << (8 * self.n_rest);
            self.n_rest += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&str]) -> u64 {
        let mut digest = Digest::default();
        for piece in pieces {
            digest.add(format_args!("{piece}"));
        }
        digest.get()
    }

    #[test]
    fn the_text_counts_and_not_its_pieces() {
        let text = "a text that is longer than a few words of eight bytes";

        assert_eq!(of(&[text]), of(&[&text[..3], &text[3..4], "", &text[4..31], &text[31..]]));
        assert_ne!(of(&[text]), of(&[&text[1..]]));
        assert_ne!(of(&["a"]), of(&["a\0"]));
        assert_ne!(of(&["12345678", "x"]), of(&["x", "12345678"]));
    }
}
