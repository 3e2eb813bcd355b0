//! Small conversions that every adapter needs.

use aws_smithy_types::DateTime;
use jiff::Timestamp;

/// An SDK time as ours; none outside the range of either.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    let nanos = i32::try_from(time.subsec_nanos()).ok()?;
    Timestamp::new(time.secs(), nanos).ok()
}

/// Our time as an SDK time, to the second.
pub(crate) fn sdk_time(time: Timestamp) -> DateTime {
    DateTime::from_secs(time.as_second())
}

/// The first `n_max` characters of `text`.
pub(crate) fn cut(text: &str, n_max: usize) -> &str {
    text.char_indices().nth(n_max).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

/// The first 16 hex digits of the SHA-256 of `content`: a name for content that never changes.
pub(crate) fn content_hash(content: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(content.as_bytes());
    let first = digest.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{first:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_fraction() {
        let time = DateTime::from_secs_and_nanos(1_700_000_000, 250_000_000);

        assert_eq!(timestamp(&time).unwrap().to_string(), "2023-11-14T22:13:20.25Z");
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("ab", 5), "ab");
    }

    #[test]
    fn equal_content_has_an_equal_name() {
        assert_eq!(content_hash("a"), "ca978112ca1bbdca");
        assert_ne!(content_hash("a"), content_hash("b"));
    }
}
