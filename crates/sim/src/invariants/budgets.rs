//! Budgets, counted anew from every attempt and every host there ever was: once one is spent, nothing of its scope is started and
//! nothing is bought for it.
//!
//! What counts is what the ledger shows at the moment that the control loop decided in, by its own clock. Only looked at where a budget is
//! set, and then at every attempt that begins and at every launch.

use jiff::Timestamp;
use spillway_core::spending::{day_of, midnight};
use spillway_core::{Attempt, Host, HostState, Job, Launch, LaunchState, MicroUsd, cost};
use spillway_engine::{BudgetRules, BudgetScope};

use super::{Invariants, Moment};
use crate::ledger::MemoryLedger;

/// What is counted while attempts run may be this much less than what each carries when it ends, in millionths of a dollar.
const ROUNDED: u64 = 3;

impl Invariants {
    /// An attempt begins.
    pub(super) fn check_budgets(
        &mut self,
        moment: Moment,
        job: &Job,
        placed_at: Timestamp,
        ledger: &MemoryLedger,
    ) {
        let (queue, share) = (&job.spec.queue, job.spec.share());
        let is_spent = |rules: &&BudgetRules| {
            rules.scope.stops(queue, &share) && is_spent(rules, placed_at, ledger)
        };
        let broken: Vec<String> = self
            .config
            .budgets
            .iter()
            .filter(is_spent)
            .map(|rules| format!("job {} is started, and budget {} is spent", job.id, rules.name))
            .collect();
        for text in broken {
            self.violate("U1", moment, text);
        }
    }

    /// Hosts are to be bought.
    pub(super) fn check_bought(&mut self, moment: Moment, launch: &Launch, ledger: &MemoryLedger) {
        let is_new = !self.open_launches.contains(&launch.id)
            && matches!(launch.state, LaunchState::Open { .. });
        let all = |rules: &&BudgetRules| {
            rules.scope == BudgetScope::Everything && is_spent(rules, launch.decided_at, ledger)
        };
        let spent = self.config.budgets.iter().filter(|_| is_new).find(all);
        if let Some(rules) = spent {
            let text =
                format!("launch {} is decided, and budget {} is spent", launch.id, rules.name);
            self.violate("U1", moment, text);
        }
    }
}

/// Whether at least all of it had been spent by then.
fn is_spent(rules: &BudgetRules, now: Timestamp, ledger: &MemoryLedger) -> bool {
    let (first, next) = rules.period.around(day_of(now));
    let (from, until) = (midnight(first), midnight(next).min(now));
    let (mut spent, mut slack) = (MicroUsd::ZERO, 0_u64);
    if rules.scope == BudgetScope::Everything {
        for host in ledger.all_hosts() {
            spent += of_host(host, until).saturating_sub(of_host(host, from));
        }
    } else {
        let is_its = |job: &Job| rules.scope.stops(&job.spec.queue, &job.spec.share());
        for job in ledger.all_jobs().filter(|job| is_its(job)) {
            for (part, hours) in of_attempts(&job, (from, until), ledger) {
                spent += part;
                slack += ROUNDED + hours;
            }
        }
    }
    rules.amount.get().saturating_add(slack) <= spent.get()
}

/// What a host had cost by then.
fn of_host(host: &Host, at: Timestamp) -> MicroUsd {
    let Some(instance) = host.instance() else { return MicroUsd::ZERO };
    let ended_at = match &host.state {
        HostState::Gone { at, .. } => *at,
        // When its end was seen is not written before its record is closed; it was no sooner than this.
        HostState::Terminating { since, .. } => *since,
        HostState::Requested
        | HostState::Launched { .. }
        | HostState::Registered { .. }
        | HostState::Draining { .. }
        | HostState::Lost { .. } => Timestamp::MAX,
    };
    cost::billed_by(host.price, instance.launched_at, ended_at, at)
}

/// What each attempt of a job has cost between two times, and how many hours of it that were.
fn of_attempts(
    job: &Job,
    (from, until): (Timestamp, Timestamp),
    ledger: &MemoryLedger,
) -> Vec<(MicroUsd, u64)> {
    let mut parts = Vec::new();
    let part = |by: &dyn Fn(Timestamp) -> MicroUsd, placed_at: Timestamp| {
        let hours = until.duration_since(placed_at).as_hours().max(0);
        (by(until).saturating_sub(by(from)), hours.unsigned_abs())
    };
    let live = job.state.live_attempt().filter(|live| !live.awaits_main);
    if let Some((live, host)) = live.and_then(|live| Some((live, ledger.get_host(live.host)?))) {
        let by = |at: Timestamp| {
            job.cost_of(host.price, at.duration_since(live.placed_at), &host.capacity, 0)
        };
        parts.push(part(&by, live.placed_at));
    }
    // How many shared the task of an attempt is in its record and not in the job any more: its cost is taken to come up evenly.
    parts.extend(job.attempts.iter().map(|ended| {
        let by = |at: Timestamp| evenly(ended, at);
        part(&by, ended.placed_at)
    }));
    parts
}

/// What of an attempt's cost had come up by then.
fn evenly(ended: &Attempt, at: Timestamp) -> MicroUsd {
    let millis = |until: Timestamp| {
        u128::try_from(until.duration_since(ended.placed_at).as_millis()).unwrap_or(0)
    };
    if ended.stopped_at <= at {
        return ended.cost;
    }
    let micro = u128::from(ended.cost.get()) * millis(at) / millis(ended.stopped_at).max(1);
    MicroUsd::new(u64::try_from(micro).unwrap_or(u64::MAX))
}
