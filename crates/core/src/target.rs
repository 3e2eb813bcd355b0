//! Which jobs an order is for, as people write it: `ID`, `ID:INDEX`, `ID:FIRST-LAST` or `ID:FIRST-LAST:STEP`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::array::Indexes;
use crate::id::{IdError, JobId};

/// A job, an array with all its children, one child of an array, or some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobTarget {
    /// The job, the array, or the one child.
    pub job: JobId,
    /// Only those of the array's children that have one of these indexes.
    pub indexes: Option<Indexes>,
}

impl From<JobId> for JobTarget {
    fn from(job: JobId) -> Self {
        Self { job, indexes: None }
    }
}

impl fmt::Display for JobTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(indexes) = self.indexes else { return fmt::Display::fmt(&self.job, f) };
        write!(f, "{}:{}-{}", self.job, indexes.first, indexes.last())?;
        match indexes.step.get() {
            1 => Ok(()),
            step => write!(f, ":{step}"),
        }
    }
}

impl FromStr for JobTarget {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let Some((array, range)) = text.split_once(':').filter(|(_, range)| range.contains('-'))
        else {
            return Ok(text.parse::<JobId>()?.into());
        };
        let indexes = indexes(range).ok_or_else(|| IdError {
            text: text.chars().take(160).collect(),
            expected: "a range of an array's children (ID:FIRST-LAST or ID:FIRST-LAST:STEP)",
        })?;
        Ok(Self { job: array.parse()?, indexes: Some(indexes) })
    }
}

/// `FIRST-LAST` or `FIRST-LAST:STEP`.
pub fn indexes(text: &str) -> Option<Indexes> {
    let (range, step) = match text.split_once(':') {
        Some((range, step)) => (range, step.parse().ok()?),
        None => (text, NonZeroU32::MIN),
    };
    let (first, last) = range.split_once('-')?;
    Indexes::between(first.parse().ok()?, last.parse().ok()?, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_job_a_child_or_a_range_of_children() {
        let id = JobId::derive(&"q".parse().unwrap(), "t");

        let target = |tail: &str| format!("{id}{tail}").parse::<JobTarget>().unwrap();

        assert_eq!(target(""), id.into());
        assert_eq!(target(":7"), id.child(7).into());
        assert_eq!(target(":0-9").indexes, Some(Indexes::of_size(10)));
        assert_eq!(target(":10-20:5").to_string(), format!("{id}:10-20:5"));
        for wrong in [":9-0", ":1-", ":a-b", ":1-2:0", ":1-2:3:4"] {
            assert!(format!("{id}{wrong}").parse::<JobTarget>().is_err(), "{wrong}");
        }
    }
}
