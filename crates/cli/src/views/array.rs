//! Arrays and dependencies as people and scripts see them.

use std::collections::BTreeMap;

use serde::Serialize;
use spillway_core::coalesce::CoalesceRule;
use spillway_core::job::JobStatus;
use spillway_core::{ArraySpec, Dependency, DependencyKind, JobId};

use super::job::{StatusCount, counts_text};
use crate::output::Page;

/// An array, or a child's place in one.
#[derive(Debug, Serialize)]
pub struct ArrayView {
    /// How many children there are.
    pub size: u32,
    /// The first index.
    pub first: u32,
    /// The last index.
    pub last: u32,
    /// From one index to the next.
    pub step: u32,
    /// The child's own index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// How many children may be on hosts at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// How many children share a task, and how many of them run side by side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coalesce: Option<CoalesceRule>,
    /// Whether each child waits for the one before it.
    pub sequential: bool,
    /// How many children are in each state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status_summary: Vec<StatusCount>,
}

impl ArrayView {
    fn new(spec: ArraySpec) -> Self {
        let indexes = spec.indexes;
        Self {
            size: indexes.size,
            first: indexes.first,
            last: indexes.last(),
            step: indexes.step.get(),
            index: None,
            max_concurrency: spec.max_concurrency.map(std::num::NonZeroU32::get),
            coalesce: None,
            sequential: spec.sequential,
            status_summary: Vec::new(),
        }
    }

    /// The view of a child.
    pub fn child(spec: ArraySpec, index: u32) -> Self {
        Self { index: Some(index), ..Self::new(spec) }
    }

    /// The view of an array.
    pub fn whole(spec: ArraySpec, summary: &BTreeMap<JobStatus, u32>) -> Self {
        let count = |status: JobStatus| {
            let count = u64::from(summary.get(&status).copied().unwrap_or(0));
            StatusCount { status, count }
        };
        let status_summary = JobStatus::ALL.into_iter().map(count).collect();
        Self { status_summary, ..Self::new(spec) }
    }

    /// The same of children that share tasks.
    #[must_use]
    pub fn coalesced(self, coalesce: Option<CoalesceRule>) -> Self {
        Self { coalesce, ..self }
    }

    pub(super) fn fields(&self, page: &mut Page) {
        let Self { size, first, last, step, .. } = self;
        let by = if *step == 1 { String::new() } else { format!(" by {step}") };
        let most = self.max_concurrency.map(|max| format!(", at most {max} at once"));
        let order = if self.sequential { ", one after the other" } else { "" };
        let range = format!("{size} children, {first} to {last}{by}");
        if let Some(index) = self.index {
            page.field("Array", format!("index {index} of {range}"));
        } else {
            page.field("Array", format!("{range}{}{order}", most.unwrap_or_default()));
            page.field("Children", counts_text(&self.status_summary));
        }
        if let Some(CoalesceRule { size, parallel }) = self.coalesce {
            page.field("Tasks", format!("of {size} children, {parallel} side by side"));
        }
    }
}

/// A job that another waits for.
#[derive(Debug, Serialize)]
pub struct DependsOn {
    /// Which.
    pub job: JobId,
    /// How it must end.
    pub kind: DependencyKind,
}

impl From<&Dependency> for DependsOn {
    fn from(dependency: &Dependency) -> Self {
        Self { job: dependency.job, kind: dependency.kind }
    }
}

impl DependsOn {
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.job, self.kind)
    }
}
