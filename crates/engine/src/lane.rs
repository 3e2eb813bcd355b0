//! Lanes: jobs of one queue, share and priority that consume the same. Among themselves they go in the order they came; which
//! lane goes first is `dispatch`'s concern.

use std::collections::BTreeMap;
use std::sync::Arc;

use spillway_core::{ConsumableName, JobSpec, QueueName, ShareId};

/// What all jobs of a lane have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) queue: QueueName,
    /// None is the share of jobs that name none.
    share: Option<ShareId>,
    pub(crate) priority: u16,
    pub(crate) consumes: BTreeMap<ConsumableName, u64>,
}

impl Lane {
    /// That of a job.
    pub(crate) fn of(spec: &JobSpec) -> Self {
        let queue = spec.queue.clone();
        let Some(scheduling) = &spec.scheduling else {
            return Self { queue, share: None, priority: 0, consumes: BTreeMap::new() };
        };
        let share = scheduling.share.clone().filter(|share| *share != ShareId::default());
        let consumes = scheduling.consumes.clone();
        Self { queue, share, priority: scheduling.priority, consumes }
    }

    #[cfg(test)]
    pub(crate) fn of_queue(queue: &str) -> Self {
        let queue = queue.parse().unwrap();
        Self { queue, share: None, priority: 0, consumes: BTreeMap::new() }
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

/// All lanes there have been since the start: as many as there are queues, shares and priorities in use.
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
        self.ords.get(&Lane::of(spec)).copied()
    }
}
