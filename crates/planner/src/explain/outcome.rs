//! What a plan comes to, as the few numbers that two plans are compared by.

use spillway_core::plan::{WaitReason, Waiting};
use spillway_core::{MicroUsdPerHour, PlanInput, Planned};

/// How many of jobs that wait do so for room that comes free.
fn expects_room(waiting: &Waiting) -> u64 {
    match waiting.reason {
        // Both get a host that is there or planned, once it has less to do.
        WaitReason::RoomExpected { .. } | WaitReason::StartRate { .. } => waiting.count.into(),
        WaitReason::TooLarge(_)
        | WaitReason::CoolingDown { .. }
        | WaitReason::LimitReached { .. }
        | WaitReason::NoCatalog => 0,
    }
}

/// What a plan comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Jobs that get a place: on hosts there are, on new ones, or where room is expected to come free in time.
    pub n_held: u64,
    /// Jobs that stay waiting.
    pub n_waiting: u64,
    /// New hosts.
    pub n_hosts: u32,
    /// What the new hosts cost together.
    pub price: MicroUsdPerHour,
}

/// How many jobs a question asks about: those that may be run in several ways once.
pub fn n_jobs(input: &PlanInput) -> u64 {
    crate::variants::n_jobs(input)
}

impl Outcome {
    /// What the answer to a question comes to.
    pub fn of(input: &PlanInput, planned: &Planned) -> Self {
        let n_jobs = n_jobs(input);
        let plan = &planned.plan;
        let n_placed: u64 = plan.placements.iter().map(|p| u64::from(p.count)).sum();
        let mut n_bought_for: u64 = 0;
        for launch in &plan.launches {
            let each: u64 = launch.contents.iter().map(|(_, n)| u64::from(*n)).sum();
            n_bought_for = n_bought_for.saturating_add(each.saturating_mul(launch.count.into()));
        }
        let n_expected: u64 = planned.report.waiting.iter().map(expects_room).sum();
        let n_held = n_placed.saturating_add(n_bought_for).saturating_add(n_expected);
        Self {
            n_held,
            n_waiting: n_jobs.saturating_sub(n_held),
            n_hosts: plan.n_hosts(),
            price: plan.price(),
        }
    }

    /// Whether it holds more jobs, or as many for less money.
    pub fn is_better_than(&self, other: &Self) -> bool {
        other.n_held < self.n_held || (other.n_held == self.n_held && self.price < other.price)
    }
}
