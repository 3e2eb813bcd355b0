//! Kinds of jobs: which jobs are expected to take equally long. A guess that only estimates rest on, never a promise.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::IdError;
use crate::job::JobSpec;
use crate::variant::VariantOrd;

/// A kind of jobs: the first eight bytes of a SHA-256 over its [name](kind_name). Two kinds that collide would share
/// their estimates; nothing else follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KindId(u64);

impl KindId {
    /// The kind of a job.
    pub fn of(spec: &JobSpec) -> Self {
        Self::named(&kind_name(spec))
    }

    /// The kind of a job that is run as one of its alternatives.
    pub fn of_variant(spec: &JobSpec, variant: VariantOrd) -> Self {
        Self::named(&kind_name_of_variant(spec, variant))
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        Self(digest.iter().take(8).fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for KindId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong =
            || IdError { text: text.to_owned(), expected: "a kind of jobs (16 hex digits)" };
        u64::from_str_radix(text, 16).map(Self).map_err(|_| wrong())
    }
}

impl TryFrom<String> for KindId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<KindId> for String {
    fn from(kind: KindId) -> Self {
        kind.to_string()
    }
}

/// What the jobs of a kind have in common, for people.
///
/// A job definition's name says it where there is one: `definition align`. Otherwise it is the job's name without its
/// numbers, the image without tag and digest, the program that is run, and what the job needs, because a larger machine
/// is often asked for a larger input: `job align-#, repo/bwa, sh, 2 vCPU, 4GiB`.
pub fn kind_name(spec: &JobSpec) -> String {
    if let Some(definition) = &spec.definition {
        return format!("definition {definition}");
    }
    let mut name = format!("job {}", without_numbers(spec.name.as_str()));
    name.push_str(", ");
    name.push_str(without_tag(&spec.container.image));
    if let Some(program) = spec.container.command.first() {
        name.push_str(", ");
        name.push_str(program);
    }
    format!("{name}, {}", spec.resources)
}

/// The same for a job that is run as one of its alternatives: what it lists takes its own time, and is of its own kinds.
pub fn kind_name_of_variant(spec: &JobSpec, variant: VariantOrd) -> String {
    if spec.variant(variant).is_none() {
        return kind_name(spec);
    }
    format!("{}, variant {variant}", kind_name(&spec.as_variant(variant)))
}

/// A name with each of its numbers replaced by `#`. A part between `-` and `_` that is all hexadecimal, with a digit in
/// it, is a number too: array indices, run numbers, hashes and UUIDs.
fn without_numbers(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for part in name.split_inclusive(['-', '_']) {
        let (word, end) = match part.strip_suffix(['-', '_']) {
            Some(word) => (word, &part[word.len()..]),
            None => (part, ""),
        };
        let has_digit = word.bytes().any(|b| b.is_ascii_digit());
        if has_digit && word.bytes().all(|b| b.is_ascii_hexdigit()) {
            text.push('#');
        } else {
            let mut in_number = false;
            for c in word.chars() {
                let is_digit = c.is_ascii_digit();
                if !is_digit {
                    text.push(c);
                } else if !in_number {
                    text.push('#');
                }
                in_number = is_digit;
            }
        }
        text.push_str(end);
    }
    text
}

/// An image without its tag and its digest: a new release of a program is the same kind of work.
fn without_tag(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let last = image.rfind('/').map_or(0, |at| at + 1);
    image[last..].find(':').map_or(image, |at| &image[..last + at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_hashes_and_array_indices_do_not_make_another_kind() {
        assert_eq!(without_numbers("align-0017"), "align-#");
        assert_eq!(without_numbers("sample12_lane3-sort"), "sample#_lane#-sort");
        assert_eq!(
            without_numbers("nf-7d0e7c4b-61a5-4a8e-9a6b-0c5d2f4381e9"),
            without_numbers("nf-11111111-2222-3333-4444-555555555555"),
        );
        assert_eq!(without_numbers("face-add"), "face-add");
    }

    #[test]
    fn a_new_release_of_an_image_is_the_same_kind_of_work() {
        assert_eq!(without_tag("host:5000/a/tool:1.2"), "host:5000/a/tool");
        assert_eq!(without_tag("repo/tool@sha256:abc"), "repo/tool");
        assert_eq!(without_tag("busybox"), "busybox");
    }

    #[test]
    fn a_kind_is_written_and_read_as_text() {
        let kind = KindId::named("definition align");

        assert_eq!(kind.to_string().parse(), Ok(kind));
        assert_eq!(KindId(1).to_string(), "0000000000000001");
        assert!("no".parse::<KindId>().is_err());
    }
}
