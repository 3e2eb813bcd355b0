//! What would end a wait that no purchase ends: the smallest change to the rules, and who holds what the job waits for.

use jiff::Timestamp;
use spillway_core::{Job, JobState, Pausable};
use spillway_engine::{CapKind, Engine, Held, HeldBack, SpentBudget};

use crate::views::breaker::remedy;
use crate::views::time_text;

/// Sentences, most telling first; none where there is nothing to change.
pub(crate) fn ways_out(why: &HeldBack, job: &Job, engine: &Engine, now: Timestamp) -> Vec<String> {
    match why {
        HeldBack::QueuePaused { queue } => {
            let since =
                engine.gates().get(&Pausable::Queue(queue.clone())).map(|gate| gate.ordered_at);
            vec![resumed("queues", queue.as_str(), since)]
        }
        HeldBack::PoolsPaused { pools, .. } => {
            let standings = engine.pool_standings().into_iter();
            let paused = standings.filter(|pool| pools.contains(&pool.rules.name));
            paused
                .map(|pool| {
                    let since = pool.gate.map(|gate| gate.ordered_at);
                    resumed("pools", pool.rules.name.as_str(), since)
                })
                .collect()
        }
        HeldBack::QueueCap { queue, cap } => {
            let standings = engine.queue_standings(now);
            let held = standings.iter().find(|standing| standing.queue == *queue);
            let held = held.map(|standing| standing.held).unwrap_or_default();
            vec![raised(*cap, &held, job, &format!("of the queue {queue}"))]
        }
        HeldBack::ShareCap { queue, share, cap } => {
            let held = engine.held_by_share(queue, share);
            vec![raised(*cap, &held, job, &format!("of the share {share}"))]
        }
        HeldBack::ComputeReservation { queue } => {
            vec![format!("a lower compute-reservation of the queue {queue} would let it start")]
        }
        HeldBack::Consumable { name, needed, free, total } => {
            let more = needed.saturating_sub(*free);
            let takes = |other: &&Job| {
                let scheduling = other.spec.scheduling.as_ref();
                scheduling.is_some_and(|scheduling| scheduling.consumes.contains_key(name))
            };
            let is_live = |other: &&Job| other.state.live_attempt().is_some();
            let holders = engine.jobs().filter(is_live).filter(takes);
            let holder = holders.take(3).map(|other| format!("{} ({})", other.id, other.spec.name));
            let holders: Vec<String> = holder.collect();
            let mut ways = vec![format!(
                "consumable-resources {name}={} would let it start: {more} more than now",
                total.saturating_add(more)
            )];
            if !holders.is_empty() {
                ways.push(format!("{name} is held by {}", holders.join(", ")));
            }
            ways
        }
        HeldBack::Budget(spent) => budget(spent),
        HeldBack::BreakerOpen { target, .. } => vec![remedy(target)],
        HeldBack::NodesToEnd | HeldBack::NoRoom | HeldBack::MakingRoom => Vec::new(),
    }
}

/// By how much a budget would have to be more, and when the next begins without that.
fn budget(budget: &SpentBudget) -> Vec<String> {
    let SpentBudget { name, scope, period, amount, spent, resets_at } = budget;
    // A budget of just what is spent is spent.
    let more = spent.saturating_sub(*amount);
    let raised = format!(
        "an amount of more than {spent} for the budget {name}, which is {amount}, would let it start: {more} more"
    );
    vec![
        raised,
        format!(
            "the next {period} begins {}: {scope} may spend {amount} again",
            time_text(*resets_at)
        ),
    ]
}

fn resumed(what: &str, name: &str, since: Option<Timestamp>) -> String {
    let since = since.map(|at| format!(", paused since {}", time_text(at))).unwrap_or_default();
    format!("`spillway {what} resume {name}` would let it start{since}")
}

/// By how much a cap would have to be higher.
fn raised(cap: CapKind, held: &Held, job: &Job, whose: &str) -> String {
    let need = job.spec.resources;
    let (held, needed) = match cap {
        CapKind::Vcpus => (format!("{} vCPUs", held.cpu), format!("{} more", need.cpu)),
        CapKind::Memory => (held.memory.to_string(), format!("{} more", need.memory)),
        CapKind::Gpus => (format!("{} GPUs", held.gpus), format!("{} more", need.gpus)),
        CapKind::Hosts => (format!("{} hosts", held.n_hosts), "1 more".to_owned()),
        CapKind::Price => (held.price.to_string(), "the price of another place".to_owned()),
    };
    format!("{held} are held: a {cap} {whose} that leaves {needed} would let it start")
}

/// What is known of a job that another waits for.
pub(crate) fn standing_of(job: spillway_core::JobId, engine: &Engine) -> Option<String> {
    let job = engine.jobs().find(|other| other.id == job)?;
    let since = match &job.state {
        JobState::Runnable { since } => Some(*since),
        JobState::Running { started_at, .. } => Some(*started_at),
        JobState::Starting { attempt } => Some(attempt.placed_at),
        JobState::Submitted
        | JobState::Pending
        | JobState::Succeeded { .. }
        | JobState::Failed { .. } => None,
    };
    let since = since.map(|at| format!(" since {}", time_text(at))).unwrap_or_default();
    Some(format!("{} ({}) is {}{since}", job.id, job.spec.name, job.state.status()))
}
