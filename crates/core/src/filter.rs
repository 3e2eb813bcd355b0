//! Which jobs are meant, by what is known of them: the conditions of `jobs list` and of orders for many jobs. One definition,
//! which every ledger answers to. Decides nothing.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::definition::DefinitionRef;
use crate::id::{JobId, QueueName};
use crate::job::{Job, JobStatus};

/// Which jobs to list. All conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only of this queue.
    pub queue: Option<QueueName>,
    /// Only in one of these states; empty means all.
    pub statuses: Vec<JobStatus>,
    /// Only of such a share of their queue.
    pub share: Option<Glob>,
    /// Only with such a name.
    pub name: Option<Glob>,
    /// Only with all of these tags.
    pub tags: Vec<TagRule>,
    /// Only of this job definition; without a revision, of any.
    pub definition: Option<DefinitionRef>,
    /// Only those accepted within this time.
    pub submitted: TimeRange,
    /// Only those that ended within this time.
    pub ended: TimeRange,
    /// Only where [`Job::reason`] is such a text.
    pub reason: Option<Glob>,
    /// The children of this array, and nothing else; without it, everything but children.
    pub array: Option<JobId>,
    /// Only what comes after this one in the order of the list. It need not meet the conditions. One that is not known has
    /// nothing after it.
    pub after: Option<JobId>,
    /// At most this many, newest first; of children, the largest index first.
    pub limit: usize,
}

impl JobFilter {
    /// Whether a job meets the conditions; its place in the list (`array`, `after`, `limit`) is not asked.
    pub fn matches(&self, job: &Job) -> bool {
        self.matches_spec(job) && self.matches_state(job)
    }

    /// Whether what never changes about a job, and is its array's in a child, meets the conditions.
    pub fn matches_spec(&self, job: &Job) -> bool {
        let spec = &job.spec;
        let has = |rule: &TagRule| {
            let value = spec.tags.get(&rule.key);
            value.is_some_and(|value| rule.value.as_ref().is_none_or(|wanted| wanted == value))
        };
        let is_of = |wanted: &DefinitionRef| {
            spec.definition.as_ref() == Some(&wanted.name)
                && wanted.revision.is_none_or(|n| spec.definition_revision == Some(n))
        };
        self.queue.as_ref().is_none_or(|queue| *queue == spec.queue)
            && self.share.as_ref().is_none_or(|share| share.matches(spec.share().as_str()))
            && self.name.as_ref().is_none_or(|name| name.matches(spec.name.as_str()))
            && self.tags.iter().all(has)
            && self.definition.as_ref().is_none_or(is_of)
            && self.submitted.contains(job.created_at)
    }

    /// Whether where a job stands meets the conditions.
    pub fn matches_state(&self, job: &Job) -> bool {
        let ended_at = job.state.ended_at();
        let reason = job.reason().unwrap_or_default();
        (self.statuses.is_empty() || self.statuses.contains(&job.state.status()))
            && (self.ended.is_always() || ended_at.is_some_and(|at| self.ended.contains(at)))
            && self.reason.as_ref().is_none_or(|wanted| wanted.matches(reason))
    }
}

/// A time between two others, in whole seconds: what is within a second is not told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// Not before the second of this.
    pub from: Option<Timestamp>,
    /// Before the second of this.
    pub until: Option<Timestamp>,
}

impl TimeRange {
    /// Whether it holds every time there is.
    pub const fn is_always(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    /// Whether a time is in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        let second = at.as_second();
        self.from.is_none_or(|from| from.as_second() <= second)
            && self.until.is_none_or(|until| second < until.as_second())
    }
}

/// A tag that a job must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRule {
    /// Its key.
    pub key: String,
    /// Its value; none is any.
    pub value: Option<String>,
}

impl FromStr for TagRule {
    type Err = NoTag;

    /// `KEY` or `KEY=VALUE`.
    fn from_str(text: &str) -> Result<Self, NoTag> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (text, None),
        };
        if key.is_empty() { Err(NoTag) } else { Ok(Self { key: key.to_owned(), value }) }
    }
}

/// A text that names no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give KEY or KEY=VALUE, such as team=genomics")]
pub struct NoTag;

/// A pattern over a whole text: `*` is any characters, `?` is one, all else is itself. Exact in case, unless it was made not
/// to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    pattern: String,
    ignores_case: bool,
}

impl Glob {
    /// Takes a pattern as it is written.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), ignores_case: false }
    }

    /// The same, whatever the case of ASCII letters.
    pub fn of_any_case(pattern: &str) -> Self {
        Self { pattern: pattern.to_ascii_lowercase(), ignores_case: true }
    }

    /// A pattern that finds `part` anywhere in a text.
    pub fn anywhere(part: &str) -> Self {
        Self::new(format!("*{part}*"))
    }

    /// The pattern as it was written; in lower case, where the case does not matter.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Whether the case of ASCII letters does not matter.
    pub const fn ignores_case(&self) -> bool {
        self.ignores_case
    }

    /// Whether the whole text is such a one.
    pub fn matches(&self, text: &str) -> bool {
        let pattern: Vec<char> = self.pattern.chars().collect();
        let in_case = |c: char| if self.ignores_case { c.to_ascii_lowercase() } else { c };
        let text: Vec<char> = text.chars().map(in_case).collect();
        let (mut at, mut n_read) = (0, 0);
        // Behind the last star, and how much of the text it was left with: if the rest does not fit, it takes one more.
        let mut last_star: Option<(usize, usize)> = None;
        while let Some(found) = text.get(n_read) {
            match pattern.get(at) {
                Some('*') => {
                    at += 1;
                    last_star = Some((at, n_read));
                }
                Some(wanted) if *wanted == '?' || wanted == found => {
                    at += 1;
                    n_read += 1;
                }
                Some(_) | None => {
                    let Some((behind, from)) = last_star else { return false };
                    last_star = Some((behind, from + 1));
                    (at, n_read) = (behind, from + 1);
                }
            }
        }
        pattern.iter().skip(at).all(|rest| *rest == '*')
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

impl FromStr for Glob {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a glob means, as it is defined.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => naive(rest, text),
            (Some(('*', rest)), Some((_, fewer))) => naive(rest, text) || naive(pattern, fewer),
            (None, Some(_)) | (Some(_), None) => false,
            (Some((wanted, rest)), Some((found, fewer))) => {
                (*wanted == '?' || wanted == found) && naive(rest, fewer)
            }
        }
    }

    proptest! {
        #[test]
        fn a_glob_matches_as_its_definition_says(pattern in "[ab?*é]{0,8}", text in "[abé]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<char>>();

            let expected = naive(&chars(&pattern), &chars(&text));

            prop_assert_eq!(Glob::new(pattern).matches(&text), expected);
        }
    }

    #[test]
    fn only_star_and_question_mark_are_wildcards() {
        let matches = |pattern: &str, text: &str| Glob::new(pattern).matches(text);

        assert!(matches("align-*", "align-17") && !matches("align", "align-17"));
        assert!(matches("a[1]*", "a[1]2") && !matches("a[1]*", "a12"));
        assert!(matches("a?c", "abc") && !matches("a?c", "ac") && !matches("A*", "abc"));
        assert!(Glob::of_any_case("Align-*").matches("aLIGN-17"));
        assert!(Glob::anywhere("EC2").matches("Host EC2 (instance i-1) terminated."));
    }

    #[test]
    fn a_range_of_time_begins_with_its_first_second_and_ends_before_its_last() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let from = Some(at("2026-01-01T00:00:00.5Z"));
        let range = TimeRange { from, until: Some(at("2026-01-01T00:00:10Z")) };

        assert!(range.contains(at("2026-01-01T00:00:00.1Z")), "the same second");
        assert!(range.contains(at("2026-01-01T00:00:09.999Z")));
        assert!(!range.contains(at("2026-01-01T00:00:10Z")));
        assert!(!range.contains(at("2025-12-31T23:59:59.999Z")));
    }

    #[test]
    fn a_tag_is_asked_for_by_its_key_or_with_its_value() {
        let rule = |text: &str| text.parse::<TagRule>();

        assert_eq!(rule("a"), Ok(TagRule { key: "a".into(), value: None }));
        assert_eq!(rule("a=b=c"), Ok(TagRule { key: "a".into(), value: Some("b=c".into()) }));
        assert_eq!((rule("=b"), rule("")), (Err(NoTag), Err(NoTag)));
    }
}
