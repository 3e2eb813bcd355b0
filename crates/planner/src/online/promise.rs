//! What was told to wait for room, and until when nothing is bought for it: so that the plan of an unchanged world is
//! the same plan again.
//!
//! A promise is bounded by the wait that the plan allowed when it was made. It is forgotten when a host is lost, one that
//! was bought does not come, or one has nothing more to do: it may have been the one that was counted on. And when the
//! dispatcher starts again.

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::plan::{HostView, Plan};
use spillway_core::{HostId, PlanInput};

use crate::amount::Amount;
use crate::bill::host::Run;
use crate::demand::ClassSet;
use crate::online::queue::Queue;

/// When room is to be there, and for how many.
type Expected = Vec<(i64, u32)>;

/// All that waits for room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Promises {
    of_shape: BTreeMap<(ClassSet, Amount), Expected>,
    /// The hosts that were counted on.
    hosts: BTreeSet<HostId>,
    /// All there were.
    known: BTreeSet<HostId>,
    /// How many were bought beside them.
    n_bought: usize,
}

impl Promises {
    /// Forgets what is due, and all of it if a host is gone, has not come, or is idle sooner than was thought.
    pub(crate) fn observe(&mut self, input: &PlanInput) {
        let there: BTreeSet<HostId> = input.hosts.iter().map(|host| host.id).collect();
        let have_come = self.n_bought <= there.difference(&self.known).count();
        let is_idle =
            |host: &&HostView| host.ready && host.busy.is_empty() && host.reserved.is_empty();
        let is_any_idle =
            input.hosts.iter().filter(is_idle).any(|host| self.hosts.contains(&host.id));
        if is_any_idle || !have_come || !self.hosts.is_subset(&there) {
            self.of_shape.clear();
        }
        let now = input.now.as_second();
        for expected in self.of_shape.values_mut() {
            expected.retain(|(at, _)| now < *at);
        }
        self.of_shape.retain(|_, expected| !expected.is_empty());
    }

    /// What jobs of a shape wait for: in how many seconds, and how many of them; the furthest first, since only the most
    /// patient can be meant by it.
    pub(crate) fn of(&self, now: i64, classes: ClassSet, need: Amount) -> Vec<(u32, u32)> {
        let expected = self.of_shape.get(&(classes, need)).into_iter().flatten();
        let from_now = |(at, n): &(i64, u32)| (u32::try_from(at - now).unwrap_or(0), *n);
        let mut expected: Vec<(u32, u32)> = expected.map(from_now).collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        expected
    }

    /// Remembers what waits for room now, and which hosts the plan counts on.
    pub(crate) fn keep(&mut self, input: &PlanInput, queue: &Queue, later: &[Run], plan: &Plan) {
        let now = input.now.as_second();
        self.of_shape = BTreeMap::new();
        for run in later {
            let shape = &queue.world.shapes[run.shape];
            let expected = self.of_shape.entry((shape.classes, shape.need)).or_default();
            expected.push((now + i64::from(run.start.max(1)), run.count));
        }
        let is_used = |host: &&HostView| !host.ready || !host.busy.is_empty();
        self.hosts = input.hosts.iter().filter(is_used).map(|host| host.id).collect();
        self.hosts.extend(plan.placements.iter().map(|placement| placement.host));
        self.known = input.hosts.iter().map(|host| host.id).collect();
        self.n_bought = usize::try_from(plan.n_hosts()).unwrap_or(usize::MAX);
    }
}
