//! The part of a queue's vCPUs that is kept for shares that have no jobs now (AWS Batch's `computeReservation`).

use std::collections::BTreeSet;

use spillway_core::{QueueName, ShareId};

use super::Dispatch;

/// What the shares of a queue may still take beside what is kept for others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reservation {
    /// CPU.
    pub(super) left: u64,
    /// Whether they hold nothing yet: the first may always start, or one that needs more would never.
    is_first: bool,
}

impl Reservation {
    /// Whether so much CPU may be taken.
    pub(crate) const fn allows(&self, cpu: u64) -> bool {
        self.is_first || cpu <= self.left
    }

    /// So much has been.
    pub(crate) const fn take(&mut self, cpu: u64) {
        self.is_first = false;
        self.left = self.left.saturating_sub(cpu);
    }
}

impl Dispatch<'_> {
    /// What a queue's shares may still take; none if nothing is kept for others.
    pub(crate) fn reservation(&self, queue: &QueueName) -> Option<Reservation> {
        let rules = self.config.queue(queue);
        let percent = u64::from(rules.fair_share?.compute_reservation.min(99));
        // Without a limit there is nothing it could be a part of.
        let most = rules.caps.cpu_max.or(self.config.limits.cpu_max)?;
        if percent == 0 {
            return None;
        }
        let most = u64::from(most.get());
        let mut reserved = most;
        // AWS Batch takes the reserved part to the power of the number of shares that have jobs.
        for _ in self.active_shares(queue) {
            reserved = reserved * percent / 100;
        }
        let held = self.in_use.queue(queue).cpu;
        Some(Reservation { left: (most - reserved).saturating_sub(held), is_first: held == 0 })
    }

    /// The shares of a queue that have jobs, on hosts or in line.
    fn active_shares(&self, queue: &QueueName) -> BTreeSet<ShareId> {
        let of_groups = self.waiting.groups().filter_map(|(key, _)| self.lanes.get(key.lane));
        let in_line = of_groups.chain(self.gangs.iter().map(|(_, _, lane)| lane));
        let mut active: BTreeSet<ShareId> = in_line
            .filter(|lane| lane.queue == *queue && self.shut(lane).is_none())
            .map(crate::lane::Lane::share)
            .collect();
        let with_jobs = self.in_use.shares_of(queue);
        let with_jobs = with_jobs.filter(|share| 0 < self.in_use.share(queue, share).n_jobs);
        active.extend(with_jobs.cloned());
        active
    }
}
