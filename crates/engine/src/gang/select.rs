//! Which multi-node jobs a pool is asked about, and why it is not asked about the others. Buys and places nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use spillway_core::{Job, JobId, QueueName};

use crate::dispatch::{HeldBack, IsMeant};
use crate::engine::Engine;
use crate::in_use::Together;

/// Who is asked about in a pool, and who is not.
#[derive(Debug, Default)]
pub(crate) struct GangSelection {
    /// The first first.
    pub(crate) asked: Vec<JobId>,
    /// Those of the pool that are not, and why.
    pub(crate) held: Vec<(JobId, HeldBack)>,
}

impl Engine {
    /// The multi-node jobs that a pool is asked about now, in the order in which they go: not those whose queue is paused, nor
    /// those whose caps, reservations or counters leave no room for all of their nodes, beside others that go first, nor those
    /// that have found what they wait for in another pool (`kept`).
    pub(crate) fn gang_selection(
        &self,
        now: Timestamp,
        pool: Option<usize>,
        is_meant: &dyn IsMeant,
        kept: &BTreeSet<JobId>,
    ) -> GangSelection {
        let dispatch = self.dispatch(now);
        let mut selection = GangSelection::default();
        let mut line = Vec::new();
        for (place, id, lane) in self.gangs.iter() {
            let Some(job) = self.jobs.get(&id) else { continue };
            if kept.contains(&id) || !is_meant.is_meant(&lane.queue) {
                continue;
            }
            if let Some(why) = dispatch.shut(lane) {
                selection.held.push((id, why));
            } else if self.is_asked_in(job, pool) {
                line.push((dispatch.rank(lane), place, id, lane));
            }
        }
        line.sort_unstable_by(|a, b| (&a.0, a.1, a.2).cmp(&(&b.0, b.1, b.2)));
        let mut reserved = BTreeMap::new();
        let mut first: Vec<Together<'_>> = Vec::new();
        for (_, _, id, lane) in line {
            let gang = self.jobs.get(&id).and_then(|job| job.spec.gang.as_ref());
            let Some((need, n_nodes)) = gang.and_then(|g| Some((g.need()?, g.n_nodes()))) else {
                continue;
            };
            let together = Together { lane, need, n_hosts: n_nodes.into() };
            let queue: &QueueName = &lane.queue;
            let of_queue = reserved.entry(queue).or_insert_with(|| dispatch.reservation(queue));
            let cpu = u64::from(need.cpu.get());
            let refusal = match of_queue {
                Some(reservation) if !reservation.allows(cpu) => {
                    Some(HeldBack::ComputeReservation { queue: queue.clone() })
                }
                Some(_) | None => self.in_use.refusal_of_all(&self.config, &first, &together),
            };
            if let Some(why) = refusal {
                selection.held.push((id, why));
                continue;
            }
            if let Some(reservation) = of_queue {
                reservation.take(cpu);
            }
            first.push(together);
            selection.asked.push(id);
        }
        selection
    }

    /// Why multi-node jobs that could run are not asked about in any pool.
    pub(crate) fn held_back_gangs(&self, now: Timestamp) -> BTreeMap<JobId, HeldBack> {
        let in_stages = self.stages();
        let kept = BTreeSet::new();
        let of_stages =
            in_stages.iter().map(|stage| self.gang_selection(now, stage.pool, stage, &kept));
        let mut held: BTreeMap<JobId, HeldBack> =
            of_stages.flat_map(|selection| selection.held).collect();
        held.extend(self.gangs.blocked().map(|id| (id, HeldBack::NodesToEnd)));
        // Where all pools are paused there is no stage.
        let dispatch = self.dispatch(now);
        for (_, id, lane) in self.gangs.iter() {
            held.extend(dispatch.shut(lane).map(|why| (id, why)));
        }
        held
    }

    /// Whether a pool is one that may hold all nodes of a job; where room of a pool is kept for it, only that one.
    fn is_asked_in(&self, job: &Job, pool: Option<usize>) -> bool {
        let Some(at) = pool else { return true };
        let held_in = self.gangs.held_in(job.id);
        if let Some(held_in) = held_in.filter(|held_in| !self.is_pool_paused(*held_in)) {
            return held_in == at;
        }
        // It is told that it fits nowhere by the first of them.
        let fits = self.admit_in(pool, &job.spec).is_ok();
        fits || self.pool_of_gang(job) == pool
    }

    /// The pool that is asked first for all nodes of a job: that in which room is kept for it, else the first of its queue's that is
    /// not paused and could hold them.
    pub(crate) fn pool_of_gang(&self, job: &Job) -> Option<usize> {
        if self.config.pools.is_empty() {
            return None;
        }
        let is_open = |pool: &usize| !self.is_pool_paused(*pool);
        if let Some(held_in) = self.gangs.held_in(job.id).filter(is_open) {
            return Some(held_in);
        }
        let pools = self.config.pools_of(&job.spec.queue);
        let mut open = pools.iter().copied().filter(is_open);
        if self.admit_somewhere(&job.spec).is_err() {
            return open.next();
        }
        open.find(|pool| self.admit_in(Some(*pool), &job.spec).is_ok())
    }
}
