//! The running hash of a trace: a text of gigabytes, so it is taken eight bytes at a time. Not for anything an adversary could
//! gain by colliding.

use std::fmt;

/// Odd, and without a pattern: the fractional part of the golden ratio.
const PHI: u64 = 0x9e37_79b9_7f4a_7c15;

/// How much is gathered before it is hashed.
const GATHERED: usize = 1_024;

/// A running 64-bit hash; what is written into it counts, in which pieces does not.
#[derive(Debug, Clone)]
pub(crate) struct Digest {
    hash: u64,
    n_bytes: u64,
    gathered: Vec<u8>,
}

impl Default for Digest {
    fn default() -> Self {
        Self { hash: 0, n_bytes: 0, gathered: Vec::with_capacity(GATHERED) }
    }
}

impl Digest {
    /// Hashes what `text` would print.
    pub(crate) fn add(&mut self, text: fmt::Arguments<'_>) {
        // Writing into a hash cannot fail; only a broken `Debug` could, and its text up to there counts.
        let _ = fmt::Write::write_fmt(self, text);
    }

    /// The hash so far.
    pub(crate) fn get(&self) -> u64 {
        let (words, tail) = self.gathered.as_chunks::<8>();
        let mut last = [0; 8];
        for (byte, of_tail) in last.iter_mut().zip(tail) {
            *byte = *of_tail;
        }
        let hash = words.iter().chain([&last]).fold(self.hash, |hash, word| mix(hash, *word));
        let hash = mix(hash, self.n_bytes.to_le_bytes());
        hash ^ (hash >> 32)
    }
}

const fn mix(hash: u64, word: [u8; 8]) -> u64 {
    let mixed = (hash ^ u64::from_le_bytes(word)).wrapping_mul(PHI);
    mixed.rotate_left(29) ^ (mixed >> 32)
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut bytes = text.as_bytes();
        self.n_bytes = self.n_bytes.wrapping_add(u64::try_from(bytes.len()).unwrap_or(0));
        while GATHERED <= self.gathered.len() + bytes.len() {
            let (now, later) = bytes.split_at(GATHERED - self.gathered.len());
            self.gathered.extend_from_slice(now);
            bytes = later;
            let (words, _) = self.gathered.as_chunks::<8>();
            self.hash = words.iter().fold(self.hash, |hash, word| mix(hash, *word));
            self.gathered.clear();
        }
        self.gathered.extend_from_slice(bytes);
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
        let long = text.repeat(100);
        assert_eq!(of(&[&long]), of(&[&long[..7], &long[7..3_000], &long[3_000..]]));
        assert_ne!(of(&[&long]), of(&[&long[..long.len() - 1]]));
    }
}
