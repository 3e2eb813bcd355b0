//! Which jobs a verb is for, by what is known of them: the conditions that `jobs list` and the verbs for many jobs share.
//! Reads only.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use spillway_core::array::Indexes;
use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;
use spillway_core::{
    DefinitionRef, Glob, Job, JobFilter, JobId, OrdSet, QueueName, TagRule, TimeRange,
};

use crate::config::values::duration;
use crate::ledger::Reader;

/// So many jobs are read at a time where all that meet a condition are wanted.
const PAGE_JOBS: usize = 1_000;

/// Conditions on jobs. All must hold.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Conditions, all of which must hold")]
pub struct FilterArgs {
    /// Only of this queue
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<QueueName>,
    /// Only of such a share of the queue (`shareIdentifier`); `*` and `?` as in --name
    #[arg(long, value_name = "GLOB")]
    pub share: Option<Glob>,
    /// Only in these states
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub status: Vec<JobStatus>,
    /// Only with such a name; `*` is any characters, `?` one
    #[arg(long, value_name = "GLOB")]
    pub name: Option<Glob>,
    /// Only with this tag, whatever its value or with this one; several must all be there
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub tag: Vec<TagRule>,
    /// Only of this job definition: NAME or NAME:REVISION
    #[arg(long, value_name = "DEFINITION")]
    pub definition: Option<DefinitionRef>,
    /// Only accepted then or later: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    pub submitted_after: Option<Moment>,
    /// Only accepted before then
    #[arg(long, value_name = "TIME")]
    pub submitted_before: Option<Moment>,
    /// Only ended then or later
    #[arg(long, value_name = "TIME")]
    pub ended_after: Option<Moment>,
    /// Only ended before then
    #[arg(long, value_name = "TIME")]
    pub ended_before: Option<Moment>,
    /// Only where the reason of the end, or of the last attempt's, holds this text; `*` and `?` as in --name
    #[arg(long, value_name = "TEXT")]
    pub status_reason: Option<String>,
    /// The children of this array
    #[arg(long, value_name = "ID")]
    pub array: Option<JobId>,
}

impl FilterArgs {
    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        let Self {
            queue,
            share,
            status,
            name,
            tag,
            definition,
            submitted_after,
            submitted_before,
            ended_after,
            ended_before,
            status_reason,
            array,
        } = self;
        let times = [submitted_after, submitted_before, ended_after, ended_before];
        queue.is_none()
            && share.is_none()
            && status.is_empty()
            && name.is_none()
            && tag.is_empty()
            && definition.is_none()
            && times.into_iter().all(Option::is_none)
            && status_reason.is_none()
            && array.is_none()
    }

    /// The filter that they make, from the beginning of the list and without an end.
    pub fn filter(&self, now: Timestamp) -> JobFilter {
        let range = |from: Option<Moment>, until: Option<Moment>| TimeRange {
            from: from.map(|moment| moment.at(now)),
            until: until.map(|moment| moment.at(now)),
        };
        JobFilter {
            queue: self.queue.clone(),
            share: self.share.clone(),
            statuses: self.status.clone(),
            name: self.name.clone(),
            tags: self.tag.clone(),
            definition: self.definition.clone(),
            submitted: range(self.submitted_after, self.submitted_before),
            ended: range(self.ended_after, self.ended_before),
            reason: self.status_reason.as_deref().map(Glob::anywhere),
            array: self.array,
            after: None,
            limit: usize::MAX,
        }
    }
}

/// A point in time: itself, or so long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// `2026-01-31T18:00:00Z`.
    At(Timestamp),
    /// `2h`.
    Ago(SignedDuration),
}

impl Moment {
    /// When that is, seen from `now`.
    pub(crate) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            // Longer ago than time reaches is its beginning.
            Self::Ago(span) => now.checked_sub(span).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        duration(text).map(Self::Ago).ok_or_else(|| {
            "give a time (2026-01-31T18:00:00Z), or how long ago (2h, 7d)".to_owned()
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::Ago(span) => write!(f, "{span:#}"),
        }
    }
}

/// Gives every job that a filter means to `each`, newest first, with no more than a page of them in memory.
pub(crate) fn each(
    reader: &Reader,
    filter: &JobFilter,
    mut each: impl FnMut(Job),
) -> Result<(), LedgerError> {
    let mut filter = JobFilter { limit: PAGE_JOBS, ..filter.clone() };
    loop {
        let page = reader.jobs(&filter)?;
        let Some(last) = page.last() else { return Ok(()) };
        filter.after = Some(last.id);
        page.into_iter().for_each(&mut each);
    }
}

/// Children of an array, by their ordinal numbers, as few ranges of its indexes.
pub(crate) fn runs(indexes: &Indexes, ords: Vec<u32>) -> Vec<Indexes> {
    let set: OrdSet = ords.into_iter().fold(OrdSet::new(), |mut set, ord| {
        set.insert(ord);
        set
    });
    let run = |(first, last): (u32, u32)| {
        Indexes::between(indexes.index_of(first)?, indexes.index_of(last)?, indexes.step)
    };
    set.runs().filter_map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_that_follow_each_other_are_one_range() {
        let indexes = Indexes::between(100, 199, 5.try_into().unwrap()).unwrap();

        let runs = runs(&indexes, vec![7, 0, 1, 2, 19]);

        let texts = runs.iter().map(|run| (run.first, run.last(), run.size));
        assert_eq!(texts.collect::<Vec<_>>(), [(100, 110, 3), (135, 135, 1), (195, 195, 1)]);
    }

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        let now: Timestamp = "2026-01-31T18:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Moment>().map(|moment| moment.at(now).to_string());

        assert_eq!(at("2026-01-01T00:00:00Z").unwrap(), "2026-01-01T00:00:00Z");
        assert_eq!(at("2h").unwrap(), "2026-01-31T16:00:00Z");
        assert_eq!(at("1h 30m").unwrap(), "2026-01-31T16:30:00Z");
        assert!(at("yesterday").is_err() && at("-2h").is_err());
    }

    #[test]
    fn no_flag_is_no_condition() {
        let none = FilterArgs::default();
        let now = Timestamp::UNIX_EPOCH;

        assert!(none.is_empty());
        assert_eq!(none.filter(now), JobFilter { limit: usize::MAX, ..JobFilter::default() });
        let one = FilterArgs { ended_after: Some(Moment::At(now)), ..FilterArgs::default() };
        assert!(!one.is_empty() && one.filter(now) != none.filter(now));
    }
}
