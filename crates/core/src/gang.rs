//! Multi-node parallel jobs: how many nodes, which of them is the main one, and what each runs. Decides nothing.
//!
//! The main node is the job itself: its attempts, its exit code and its retries are the job's. Every other node is a record of
//! its own (`jobId#nodeIndex`) that lives as long as the job and decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::array::child_seq;
use crate::container::ContainerSpec;
use crate::gpu::GpuKinds;
use crate::id::JobId;
use crate::job::{Job, JobSpec, JobState, TimeLimits};
use crate::market::Arch;
use crate::quantity::Resources;
use crate::scheduling::Scheduling;

/// Nodes that run the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeGroup {
    /// The first of them.
    pub first: u32,
    /// The last of them.
    pub last: u32,
    /// The container each runs.
    pub container: ContainerSpec,
    /// What each needs.
    pub resources: Resources,
    /// The architecture their image is for; `None` runs on either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<Arch>,
    /// The kinds of GPU they accept.
    #[serde(default, skip_serializing_if = "GpuKinds::is_any")]
    pub gpu_kinds: GpuKinds,
}

/// The nodes of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gang {
    /// The main node, below the number of nodes.
    pub main: u32,
    /// All nodes, each in one group, in their order.
    pub groups: Vec<NodeGroup>,
}

impl Gang {
    /// How many nodes there are.
    pub fn n_nodes(&self) -> u32 {
        self.groups.last().map_or(0, |group| group.last.saturating_add(1))
    }

    /// What all nodes need together; none if that is more than can be written.
    pub fn need(&self) -> Option<Resources> {
        self.groups.iter().try_fold(Resources::ZERO, |sum, group| {
            let n = group.last.saturating_sub(group.first).saturating_add(1);
            sum.checked_add(&group.resources.checked_mul(n)?)
        })
    }

    /// What a node runs.
    pub fn group_of(&self, node: u32) -> Option<&NodeGroup> {
        self.groups.iter().find(|group| (group.first..=group.last).contains(&node))
    }

    /// All nodes but the main one.
    pub fn others(&self) -> impl Iterator<Item = u32> {
        let main = self.main;
        (0..self.n_nodes()).filter(move |node| *node != main)
    }
}

/// What a job asks for as one of its nodes; the main node's is the job's own.
pub fn node_spec(spec: &JobSpec, group: &NodeGroup) -> JobSpec {
    JobSpec {
        container: group.container.clone(),
        resources: group.resources,
        arch: group.arch,
        gpu_kinds: group.gpu_kinds,
        // What decides of the job is not asked of its nodes.
        memory_growth: None,
        attempt_timeout: None,
        time_limits: TimeLimits { job: None, queue: None, ..spec.time_limits },
        depends_on: Vec::new(),
        // Its place is the job's; what it takes of consumable resources is held by the main node, for all.
        scheduling: spec
            .scheduling
            .clone()
            .map(|own| Box::new(Scheduling { consumes: BTreeMap::new(), ..*own })),
        ..spec.clone()
    }
}

/// A node other than the main one, with this state. None if the job has no such node.
pub fn node_of(job: &Job, node: u32, state: JobState) -> Option<Job> {
    let gang = job.spec.gang.as_ref()?;
    let group = gang.group_of(node).filter(|_| node != gang.main)?;
    Some(node_with(job, node, Arc::new(node_spec(&job.spec, group)), state))
}

/// The same with what it asks for at hand.
pub fn node_with(job: &Job, node: u32, spec: Arc<JobSpec>, state: JobState) -> Job {
    Job {
        id: JobId::node(job.id, node),
        spec,
        body_hash: job.body_hash,
        created_at: job.created_at,
        seq: child_seq(job.seq, node),
        state,
        attempts: Vec::new(),
        warnings: Vec::new(),
    }
}
