//! Lanes: jobs of one queue, share and priority that consume the same and, in line, rest on the same images. Among themselves they go in the order they came; which
//! lane goes first is `dispatch`'s concern.

use std::collections::BTreeMap;
use std::sync::Arc;

use spillway_core::{BreakerId, ConsumableName, JobSpec, QueueName, ShareId};

use crate::breakers::rests_on;

/// What all jobs of a lane have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) queue: QueueName,
    /// None is the share of jobs that name none.
    share: Option<ShareId>,
    pub(crate) priority: u16,
    pub(crate) consumes: BTreeMap<ConsumableName, u64>,
    /// What its jobs wait for where that is left alone. Only those that are in line are told apart by it.
    pub(crate) rests_on: Box<[BreakerId]>,
}

impl Lane {
    /// That of a job that is in line.
    pub(crate) fn in_line(spec: &JobSpec) -> Self {
        Self { rests_on: rests_on(spec), ..Self::of(spec) }
    }

    /// That of a job, whatever it rests on.
    pub(crate) fn of(spec: &JobSpec) -> Self {
        let queue = spec.queue.clone();
        let Some(scheduling) = &spec.scheduling else {
            let consumes = BTreeMap::new();
            return Self { queue, share: None, priority: 0, consumes, rests_on: Box::default() };
        };
        let share = scheduling.share.clone().filter(|share| *share != ShareId::default());
        let consumes = scheduling.consumes.clone();
        let priority = scheduling.priority;
        Self { queue, share, priority, consumes, rests_on: Box::default() }
    }

    #[cfg(test)]
    pub(crate) fn of_queue(queue: &str) -> Self {
        let queue = queue.parse().unwrap();
        let consumes = BTreeMap::new();
        Self { queue, share: None, priority: 0, consumes, rests_on: Box::default() }
    }

    pub(crate) fn share(&self) -> ShareId {
        self.share.clone().unwrap_or_default()
    }

    /// The share as it was named, to find it by.
    #[expect(clippy::ref_option, reason = "maps have it so")]
    pub(crate) const fn named_share(&self) -> &Option<ShareId> {
        &self.share
    }
}

/// A lane, by a number that is good until the next restart. It says nothing of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LaneOrd(u32);

/// All lanes there have been since the start: as many as there are queues, shares, priorities and images in use.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    ords: BTreeMap<Arc<Lane>, LaneOrd>,
    lanes: Vec<Arc<Lane>>,
}

impl Lanes {
    /// The number of a lane, a new one if it has none.
    pub(crate) fn ord(&mut self, lane: Lane) -> LaneOrd {
        if let Some(known) = self.ords.get(&lane) {
            return *known;
        }
        let ord = LaneOrd(u32::try_from(self.lanes.len()).unwrap_or(u32::MAX));
        let lane = Arc::new(lane);
        self.lanes.push(Arc::clone(&lane));
        self.ords.insert(lane, ord);
        ord
    }

    pub(crate) fn get(&self, ord: LaneOrd) -> Option<&Lane> {
        self.lanes.get(usize::try_from(ord.0).ok()?).map(AsRef::as_ref)
    }

    /// The number of a job's lane, if it has one.
    pub(crate) fn known(&self, spec: &JobSpec) -> Option<LaneOrd> {
        self.ords.get(&Lane::in_line(spec)).copied()
    }
}
