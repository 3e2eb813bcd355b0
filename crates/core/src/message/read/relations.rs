//! Arrays and dependencies: which children there are, and what the job waits for.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::{Rejection, Warnings, limits};
use crate::array::{ArraySpec, Indexes};
use crate::coalesce::{CoalesceRule, NotCoalescible};
use crate::dependency::{Dependency, DependencyKind};
use crate::id::JobId;
use crate::job::JobSpec;
use crate::message::path::At;
use crate::message::shape::{
    ArrayProperties, Coalesce, DependencyType, IndexRange, JobDependency, Spillway, SpillwayArray,
};

/// The array, if it is one, and the jobs it waits for, each once for each way of waiting.
pub(super) fn relations(
    properties: Option<&ArrayProperties>,
    depends_on: Option<&[JobDependency]>,
    spillway: &Spillway,
) -> Result<(Option<ArraySpec>, Vec<Dependency>), Rejection> {
    let mut array = array(properties, spillway.array.as_ref())?;
    let mut jobs: BTreeSet<Dependency> = BTreeSet::new();
    let at_list = At::Root.key("dependsOn");
    for (ord, dependency) in depends_on.unwrap_or_default().iter().enumerate() {
        let at = at_list.index(ord);
        let (at_id, at_type) = (at.key("jobId"), at.key("type"));
        let is_said = dependency.job_id.as_deref().filter(|id| !id.is_empty());
        match (is_said, dependency.kind, &mut array) {
            (Some(id), None, _) => {
                jobs.insert(Dependency { job: job(&at_id, id)?, kind: DependencyKind::AfterOk });
            }
            (Some(id), Some(DependencyType::NToN), Some(_)) => {
                let job = job(&at_id, id)?;
                if job.index().is_some() {
                    return Err(Rejection::invalid(&at_id, "N_TO_N is between whole arrays")
                        .hint("name the array, without an index"));
                }
                jobs.insert(Dependency { job, kind: DependencyKind::NToN });
            }
            (None, Some(DependencyType::Sequential), Some(array)) => array.sequential = true,
            (Some(_), Some(DependencyType::Sequential), _) => {
                return Err(Rejection::invalid(&at_type, "SEQUENTIAL is said without a jobId")
                    .hint("leave out the jobId to run the children one by one, or the type to wait for the job"));
            }
            (_, Some(kind), None) => {
                let what = match kind {
                    DependencyType::NToN => "N_TO_N is for array jobs",
                    DependencyType::Sequential => "SEQUENTIAL is for array jobs",
                };
                return Err(Rejection::invalid(&at_type, what).hint(
                    "say arrayProperties.size, or leave out the type to wait for the whole job",
                ));
            }
            (None, None | Some(DependencyType::NToN), _) => {
                return Err(Rejection::missing(&at_id).hint("name the job to wait for"));
            }
        }
    }
    let at = At::Root.key("spillway");
    let ours = [
        (at.key("afterAny"), &spillway.after_any, DependencyKind::AfterAny),
        (at.key("afterNotOk"), &spillway.after_not_ok, DependencyKind::AfterNotOk),
    ];
    for (at, ids, kind) in ours {
        for (ord, id) in ids.iter().flatten().enumerate() {
            jobs.insert(Dependency { job: job(&at.index(ord), id)?, kind });
        }
    }
    Ok((array, jobs.into_iter().collect()))
}

fn job(at: &At<'_>, text: &str) -> Result<JobId, Rejection> {
    let job: JobId = text.parse().map_err(|_| {
        Rejection::invalid(at, &format!("{text:?} is not a job id"))
            .hint("an id is a UUID, and of an array's child <id of the array>:<index>")
    })?;
    no_node(at, job)?;
    Ok(job)
}

/// Nodes start and end with their job; nobody waits for one alone, or ends it.
pub(super) fn no_node(at: &At<'_>, job: JobId) -> Result<(), Rejection> {
    if job.node_index().is_none() {
        return Ok(());
    }
    Err(Rejection::invalid(at, &format!("{job} is one node of a multi-node job"))
        .hint("name the job, without '#' and the node"))
}

fn array(
    properties: Option<&ArrayProperties>,
    ours: Option<&SpillwayArray>,
) -> Result<Option<ArraySpec>, Rejection> {
    let (root, at_size) = (At::Root.key("spillway"), At::Root.key("arrayProperties"));
    let (at, at_size) = (root.key("array"), at_size.key("size"));
    let size = properties.and_then(|properties| properties.size);
    let default = SpillwayArray::default();
    let SpillwayArray { first, last, step, max_concurrency } = ours.unwrap_or(&default);
    let says_nothing = [first, last, step, max_concurrency].into_iter().all(Option::is_none);
    if size.is_none() && says_nothing {
        return Ok(None);
    }
    let first = bounded(&at.key("first"), first.unwrap_or(0), 0, limits::ARRAY_INDEX_MAX)?;
    let step = bounded(&at.key("step"), step.unwrap_or(1), 1, limits::ARRAY_INDEX_MAX)?;
    let step = NonZeroU32::new(step).unwrap_or(NonZeroU32::MIN);
    let max_concurrency = match max_concurrency {
        Some(n) => NonZeroU32::new(bounded(&at.key("maxConcurrency"), *n, 1, u32::MAX)?),
        None => None,
    };
    let size = match size {
        Some(size) => Some(array_size(&at_size, size)?),
        None => None,
    };
    let indexes = match (size, *last) {
        (size, Some(last)) => {
            let at = at.key("last");
            let last = bounded(&at, last, first, limits::ARRAY_INDEX_MAX)?;
            let indexes = Indexes::between(first, last, step)
                .ok_or_else(|| Rejection::invalid(&at, "there is no index in this range"))?;
            // A range says what it says: it may hold one index, as where one child is run again.
            array_size(&at, i64::from(indexes.size.max(limits::ARRAY_SIZE_MIN)))?;
            if let Some(size) = size.filter(|size| *size != indexes.size) {
                let what = format!("{size} children, but spillway.array has {}", indexes.size);
                return Err(Rejection::invalid(&at_size, &what).hint("leave out one of the two"));
            }
            indexes
        }
        (Some(size), None) => {
            let last = (size - 1).checked_mul(step.get()).and_then(|n| n.checked_add(first));
            if last.is_none_or(|last| limits::ARRAY_INDEX_MAX < last) {
                let what = format!("the last index is above {}", limits::ARRAY_INDEX_MAX);
                return Err(Rejection::invalid(&at_size, &what));
            }
            Indexes { first, step, size }
        }
        (None, None) => {
            return Err(Rejection::missing(&at_size).hint("say how many children there are"));
        }
    };
    Ok(Some(ArraySpec { indexes, max_concurrency, sequential: false }))
}

fn array_size(at: &At<'_>, size: i64) -> Result<u32, Rejection> {
    let (min, max) = (limits::ARRAY_SIZE_MIN, limits::ARRAY_SIZE_MAX);
    let in_range = u32::try_from(size).ok().filter(|n| (min..=max).contains(n));
    in_range.ok_or_else(|| {
        Rejection::invalid(at, &format!("an array has {min} to {max} children, not {size}"))
    })
}

fn bounded(at: &At<'_>, n: i64, min: u32, max: u32) -> Result<u32, Rejection> {
    let in_range = u32::try_from(n).ok().filter(|n| (min..=max).contains(n));
    in_range.ok_or_else(|| Rejection::invalid(at, &format!("must be {min} to {max}, not {n}")))
}

/// What is told of `spillway.coalesce` where there are no children.
pub(super) const NO_ARRAY: &str = "has no effect: the job is no array";

/// How many children share a task. A job that is no array may have it of its definition, where it is for those that are.
pub(super) fn coalesce(
    coalesce: Option<&Coalesce>,
    array: Option<ArraySpec>,
    warnings: &mut Warnings,
) -> Result<Option<CoalesceRule>, Rejection> {
    let Some(Coalesce { size, parallel }) = coalesce else { return Ok(None) };
    let root = At::Root.key("spillway");
    let at = root.key("coalesce");
    let at_size = at.key("size");
    let size = size.ok_or_else(|| {
        Rejection::missing(&at_size).hint("say how many children share a task at most")
    })?;
    let size = bounded(&at_size, size, 1, limits::COALESCE_MAX)?;
    let parallel =
        bounded(&at.key("parallel"), parallel.unwrap_or(1), 1, limits::COALESCE_MAX)?.min(size);
    if array.is_none() {
        warnings.add("spillway.coalesce", NO_ARRAY);
        return Ok(None);
    }
    let rule = NonZeroU32::new(size).zip(NonZeroU32::new(parallel));
    Ok(rule.map(|(size, parallel)| CoalesceRule { size, parallel }))
}

/// Refuses a job whose children are to share tasks and cannot.
pub(super) fn check_coalesced(spec: &JobSpec) -> Result<(), Rejection> {
    if spec.coalesce.is_none() {
        return Ok(());
    }
    let root = At::Root.key("spillway");
    let at = root.key("coalesce");
    CoalesceRule::check(spec).map_err(|why| {
        let hint = match why {
            NotCoalescible::NoCommand => {
                "say the command in containerProperties or containerOverrides"
            }
            NotCoalescible::NoArray
            | NotCoalescible::SeveralContainers
            | NotCoalescible::Variants
            | NotCoalescible::NoLog
            | NotCoalescible::OwnLog
            | NotCoalescible::Sequential
            | NotCoalescible::Consumes => "leave it out: each child has a task of its own then",
        };
        Rejection::invalid(&at, &format!("the job {why}")).hint(hint)
    })
}

/// The children that an order is for.
pub(super) fn order_indexes(
    at: &At<'_>,
    job: JobId,
    range: Option<&IndexRange>,
) -> Result<Option<Indexes>, Rejection> {
    let Some(range) = range else { return Ok(None) };
    if job.index().is_some() {
        return Err(Rejection::invalid(at, "jobId names one child already")
            .hint("name the array, without an index"));
    }
    let max = limits::ARRAY_INDEX_MAX;
    let (at_first, at_last) = (at.key("first"), at.key("last"));
    let first =
        bounded(&at_first, range.first.ok_or_else(|| Rejection::missing(&at_first))?, 0, max)?;
    let last =
        bounded(&at_last, range.last.ok_or_else(|| Rejection::missing(&at_last))?, first, max)?;
    let step = bounded(&at.key("step"), range.step.unwrap_or(1), 1, max)?;
    Ok(Indexes::between(first, last, NonZeroU32::new(step).unwrap_or(NonZeroU32::MIN)))
}
