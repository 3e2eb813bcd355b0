//! What to run, as the dispatcher writes it into one variable:
//!
//! ```text
//! 1 key=5f1d job=290f9993-9821-5417-9e19-119b12a9b481 size=1000 parallel=4 timeout=3600 stop=30 children=0-49,55:3:2
//! ```
//!
//! A child is `INDEX[-LAST][:ATTEMPT[:COUNTED]]`: its index or a run of them, the number of its attempt, and how many attempts
//! AWS Batch would have counted with this one. Unsaid they are 1. What is not known is refused: it may change what is run.

use std::str::FromStr;
use std::time::Duration;

/// The most children: a slip must not fill the memory.
const CHILDREN_MAX: usize = 10_000;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Marks the lines of the report, so that no line of a child's is taken for one.
    pub(crate) key: String,
    /// The array's id.
    pub(crate) job: String,
    /// How many children the array has.
    pub(crate) size: u32,
    /// How many run side by side.
    pub(crate) parallel: usize,
    /// How long each may run.
    pub(crate) timeout: Option<Duration>,
    /// How long each has between SIGTERM and SIGKILL.
    pub(crate) stop: Duration,
    /// The children, in the order in which they start.
    pub(crate) children: Vec<PlannedChild>,
}

/// A child to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlannedChild {
    /// Its index.
    pub(crate) index: u32,
    /// The number of its attempt.
    pub(crate) attempt: u32,
    /// The same as AWS Batch counts.
    pub(crate) counted: u32,
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some("1") {
            return Err("is not of version 1".to_owned());
        }
        let (mut key, mut job, mut size, mut children) = (None, None, None, None);
        let (mut parallel, mut timeout, mut stop) = (1, None, 30);
        for word in words {
            let (name, value) =
                word.split_once('=').ok_or_else(|| format!("{word:?} is no name=value"))?;
            match name {
                "key" => key = Some(value.to_owned()),
                "job" => job = Some(value.to_owned()),
                "size" => size = Some(number(value)?),
                "parallel" => parallel = number(value)?,
                "timeout" => timeout = Some(number(value)?),
                "stop" => stop = number(value)?,
                "children" => children = Some(self::children(value)?),
                _ => return Err(format!("{name:?} is not known")),
            }
        }
        let missing = |name: &str| format!("{name} is missing");
        let parallel = usize::try_from(parallel).unwrap_or(usize::MAX);
        Ok(Self {
            key: key.filter(|key: &String| !key.is_empty()).ok_or_else(|| missing("key"))?,
            job: job.ok_or_else(|| missing("job"))?,
            size: size.ok_or_else(|| missing("size"))?,
            parallel: parallel.max(1),
            timeout: timeout.map(|secs: u32| Duration::from_secs(secs.into())),
            stop: Duration::from_secs(stop.into()),
            children: children.ok_or_else(|| missing("children"))?,
        })
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{text:?} is no whole number"))
}

fn children(text: &str) -> Result<Vec<PlannedChild>, String> {
    let mut children = Vec::new();
    for run in text.split(',') {
        let mut parts = run.split(':');
        let indexes = parts.next().unwrap_or_default();
        let attempt = parts.next().map_or(Ok(1), number)?;
        let counted = parts.next().map_or(Ok(1), number)?;
        if parts.next().is_some() {
            return Err(format!("{run:?} is no child"));
        }
        let (first, last) = match indexes.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(indexes)?, number(indexes)?),
        };
        for index in first..=last {
            if CHILDREN_MAX <= children.len() {
                return Err(format!("has more than {CHILDREN_MAX} children"));
            }
            children.push(PlannedChild { index, attempt, counted });
        }
    }
    Ok(children)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_with_its_runs_of_children() {
        let plan: Plan = "1 key=k job=j size=90 parallel=4 timeout=60 stop=5 children=0-2,7:3:2"
            .parse()
            .unwrap();

        let children: Vec<_> =
            plan.children.iter().map(|c| (c.index, c.attempt, c.counted)).collect();
        assert_eq!(children, [(0, 1, 1), (1, 1, 1), (2, 1, 1), (7, 3, 2)]);
        assert_eq!((plan.parallel, plan.size), (4, 90));
        assert_eq!(
            (plan.timeout, plan.stop),
            (Some(Duration::from_mins(1)), Duration::from_secs(5))
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for wrong in [
            "",
            "2 key=k job=j size=1 children=0",
            "1 job=j size=1 children=0",
            "1 key=k job=j size=1",
            "1 key=k job=j size=1 children=",
            "1 key=k job=j size=1 children=0 colour=blue",
            "1 key=k job=j size=1 children=0-4294967295",
            "1 key=k job=j size=1 children=0:1:1:1",
            "1 key=k job=j size=-1 children=0",
        ] {
            assert!(wrong.parse::<Plan>().is_err(), "{wrong}");
        }
    }
}
