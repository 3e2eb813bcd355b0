//! Tells of what happened: events and spans for people, metrics for machines. Changes nothing.
//!
//! No body, environment or command is ever told; ids are fields of events, never labels of metrics.

use jiff::Timestamp;
use metrics::{counter, gauge};
use spillway_core::effect::PoolFault;
use spillway_core::host::HostStatus;
use spillway_core::job::{Attempt, JobStatus};
use spillway_core::plan::WaitReason;
use spillway_core::task::CloudEvent;
use spillway_core::{
    Answer, BreakerKind, Change, Effect, Host, HostState, Input, JobState, LaunchState, Market,
    MicroUsd, MicroUsdPerHour,
};
use spillway_engine::Engine;
use tracing::{Span, debug, info, info_span, warn};

use crate::telemetry;

const STATUSES_OPEN: [HostStatus; 6] = [
    HostStatus::Requested,
    HostStatus::Launched,
    HostStatus::Registered,
    HostStatus::Draining,
    HostStatus::Terminating,
    HostStatus::Lost,
];

/// The span of one call, with the ids it is about.
pub(super) fn call_span(effect: &Effect) -> Span {
    let api = super::perform::api(effect);
    match effect {
        Effect::Launch(request) => {
            info_span!("call", api, launch_id = %request.launch, n_hosts = request.count)
        }
        Effect::RunTask(request) => {
            info_span!("call", api, job_id = %request.job, attempt = %request.attempt)
        }
        Effect::StopTask { job, attempt, .. } | Effect::ReadReport { job, attempt, .. } => {
            info_span!("call", api, job_id = %job, attempt = %attempt)
        }
        Effect::Drain { host, .. } => info_span!("call", api, host_id = %host),
        Effect::Terminate { hosts } => info_span!("call", api, n_hosts = hosts.len()),
        Effect::DeadLetter(letter) => info_span!("call", api, message_id = %letter.message_id),
        Effect::Deregister { .. }
        | Effect::Observe { .. }
        | Effect::RefreshCatalog
        | Effect::DeleteMessages { .. }
        | Effect::DeleteEvents { .. } => info_span!("call", api),
    }
}

/// An input that is about to be taken; returns what kind it is.
pub(super) fn input(input: &Input) -> &'static str {
    let kind = match input {
        Input::Received(_) => "messages",
        Input::Events(deliveries) => {
            for delivery in deliveries {
                if let Some(CloudEvent::SpotInterruption { id }) = &delivery.event {
                    counter!(telemetry::SPOT_NOTICES).increment(1);
                    info!(instance_id = %id, "EC2 takes an instance back");
                }
            }
            "events"
        }
        Input::Answered(answer) => {
            if let Answer::Launch { launch, result: Ok(given) } = answer {
                for error in &given.errors {
                    let fault = fault(error.fault);
                    counter!(telemetry::POOL_REFUSALS, "fault" => fault).increment(1);
                    let pool = error.pool.as_ref().map(ToString::to_string);
                    info!(launch_id = %launch, pool, code = %error.code, "a pool gave nothing");
                }
            }
            "answer"
        }
        Input::Tick => "tick",
    };
    counter!(telemetry::STEPS, "input" => kind).increment(1);
    kind
}

const fn fault(fault: PoolFault) -> &'static str {
    match fault {
        PoolFault::NoCapacity => "no-capacity",
        PoolFault::Unsupported => "unsupported",
        PoolFault::QuotaReached => "quota",
        PoolFault::SubnetFull => "subnet-full",
        PoolFault::Other => "other",
    }
}

/// Changes that are durable now.
pub(super) fn committed(changes: &[Change]) {
    counter!(telemetry::CHANGES).increment(u64::try_from(changes.len()).unwrap_or(u64::MAX));
    for change in changes {
        match change {
            Change::AddJob(job) => {
                debug!(job_id = %job.id, name = %job.spec.name, queue = %job.spec.queue,
                    status = %job.state.status(), "job accepted");
            }
            Change::AddChild { id, state } => {
                let attempt = state.live_attempt().map(|attempt| attempt.ord.get());
                debug!(job_id = %id, status = %state.status(), attempt, "child begun");
            }
            Change::EndChildren { array, runs, state } => {
                let n: u64 = runs.iter().map(|(first, last)| u64::from(last - first) + 1).sum();
                debug!(job_id = %array, n_children = n, status = %state.status(),
                    "children ended that never ran");
            }
            Change::MoveJob { id, state, ended } => {
                if let Some(attempt) = ended {
                    attempt_ended(attempt);
                }
                let attempt = state.live_attempt().map(|attempt| attempt.ord.get());
                let reason = match state {
                    JobState::Failed { reason, .. } => Some(reason.as_str()),
                    JobState::Submitted
                    | JobState::Pending
                    | JobState::Runnable { .. }
                    | JobState::Starting { .. }
                    | JobState::Running { .. }
                    | JobState::Succeeded { .. } => None,
                };
                debug!(job_id = %id, status = %state.status(), attempt, reason, "job moved");
            }
            Change::PutHost(host) => host_moved(host),
            Change::PutLaunch(launch) => match &launch.state {
                LaunchState::Open { n_failed, .. } => {
                    info!(launch_id = %launch.id, market = %launch.market,
                        n_hosts = launch.hosts.len(), n_failed, "launch decided");
                }
                LaunchState::Settled { n_launched, .. } => {
                    info!(launch_id = %launch.id, n_launched, "launch answered");
                }
            },
            Change::PutDefinition(record) => {
                let (definition, status) = (record.reference(), record.status());
                info!(%definition, status, "job definition");
            }
            Change::PutSchedule(record) => {
                let last = record.last.map(|firing| firing.job);
                info!(schedule = %record.spec.name, is_active = record.is_active(),
                    last_job_id = last.map(tracing::field::display), n_fired = record.n_fired,
                    n_missed = record.n_missed, error = record.error, "schedule");
            }
            Change::PutGate { target, gate } => {
                let verb = if gate.is_paused { "paused" } else { "resumed" };
                info!(%target, ordered_at = %gate.ordered_at, "{verb}");
            }
            Change::PutBreaker { target, breaker: Some(breaker) } => {
                let next_probe_at = breaker.probe_at().map(tracing::field::display);
                warn!(%target, reason = breaker.reason, n_failed = breaker.n_failed, next_probe_at,
                    "breaker open");
            }
            Change::PutBreaker { target, breaker: None } => info!(%target, "breaker closed"),
            Change::PutBurst(burst) => {
                if let Some(held) = burst.held {
                    warn!(price_per_hour = %held.price, hash = %held.hash(), "held until approved");
                }
                if let Some(approved) = &burst.approved {
                    let (held, sender) = (approved.held, approved.sender.as_deref());
                    info!(price_per_hour = %held.price, hash = %held.hash(), sender, "approved");
                }
            }
            Change::PutShare { queue, share, used } => {
                debug!(%queue, %share, used = used.map(|used| used.used), "share's use counted");
            }
            Change::Learn { instance_type, registered } => {
                info!(instance_type, %registered, "learnt what a type registers");
            }
            Change::Cool { pool, cooldown: Some(cooldown) } => {
                info!(%pool, until = %cooldown.until, "pool is left alone");
            }
            Change::PutSpot { instance_type, zone, evidence } => {
                debug!(instance_type, %zone, interruptions_milli = evidence.interruptions_milli,
                    host_secs = evidence.host_secs, "learnt how often Spot is interrupted");
            }
            Change::Cool { cooldown: None, .. }
            | Change::PutKind { .. }
            | Change::PutBoots(_)
            | Change::Heard(_)
            | Change::PutSpending { .. }
            | Change::Counters { .. } => {}
        }
    }
}

fn attempt_ended(attempt: &Attempt) {
    let outcome = attempt.failure.map_or_else(|| "succeeded".to_owned(), |f| f.to_string());
    counter!(telemetry::ATTEMPTS, "outcome" => outcome).increment(1);
    add_dollars(telemetry::ATTEMPT_DOLLARS, attempt.cost);
}

fn host_moved(host: &Host) {
    let instance = host.instance().map(|instance| instance.id.as_str());
    if matches!(host.state, HostState::Registered { .. }) {
        // Written again with each job that is placed on it.
        debug!(host_id = %host.id, instance_id = instance, pool = %host.pool, "host registered");
    } else {
        info!(host_id = %host.id, instance_id = instance, pool = %host.pool,
            status = %host.status(), "host moved");
    }
    if let HostState::Gone { bill, .. } = &host.state {
        add_dollars(telemetry::HOST_DOLLARS, *bill);
    }
}

/// Counters hold whole numbers and dollars come in fractions: a gauge that only ever grows says the same.
fn add_dollars(name: &'static str, amount: MicroUsd) {
    gauge!(name).increment(amount.as_usd_f64());
}

/// Effects that are about to be put in line.
pub(super) fn effect(effect: &Effect) {
    if let Effect::DeadLetter(letter) = effect {
        let (code, reason) = (letter.code.clone(), &letter.reason);
        warn!(message_id = %letter.message_id, code, reason, "a message can never be a job");
        counter!(telemetry::DEAD_LETTERS, "reason" => code).increment(1);
    }
}

/// How many of everything there is now. Counts every open job; of arrays their children.
pub(super) fn gauges(engine: &Engine, now: Timestamp) {
    let counts = engine.status_counts();
    for status in JobStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
        let n = usize::try_from(counts.get(&status).copied().unwrap_or(0)).unwrap_or(usize::MAX);
        gauge!(telemetry::JOBS, "state" => status.as_str()).set(float(n));
    }
    for status in STATUSES_OPEN {
        for market in [Market::OnDemand, Market::Spot] {
            let is_such = |h: &&Host| h.status() == status && h.pool.market == market;
            let n = engine.hosts().filter(is_such).count();
            let labels = [("status", status.to_string()), ("market", market.to_string())];
            gauge!(telemetry::HOSTS, &labels).set(float(n));
        }
    }
    for budget in engine.api_budgets(now) {
        gauge!(telemetry::API_QUEUE, "bucket" => budget.bucket).set(f64::from(budget.n_waiting));
        let rate = f64::from(budget.rate_milli) / 1_000.0;
        gauge!(telemetry::API_RATE, "bucket" => budget.bucket).set(rate);
    }
    let paid = engine.hosts().filter(|host| host.instance().is_some()).map(|host| host.price);
    let price = paid.fold(MicroUsdPerHour::ZERO, MicroUsdPerHour::saturating_add);
    gauge!(telemetry::FLEET_PRICE).set(price.as_usd_f64());
    for kind in BreakerKind::ALL {
        let n = engine.breakers().keys().filter(|id| id.kind == kind).count();
        gauge!(telemetry::BREAKERS_OPEN, "kind" => kind.as_str()).set(float(n));
    }
    let held = engine.burst().held.map_or(0.0, |held| held.price.as_usd_f64());
    gauge!(telemetry::BURST_HELD).set(held);
    for standing in engine.budget_standings(now) {
        let budget = standing.rules.name.to_string();
        gauge!(telemetry::BUDGET_SPENT, "budget" => budget).set(standing.spent_ratio());
    }
    let report = engine.report();
    gauge!(telemetry::PLAN_BOUND).set(report.bound.as_usd_f64());
    for reason in ["too-large", "cooling-down", "limit-reached", "no-catalog"] {
        let such = report.waiting.iter().filter(|waiting| wait_reason(&waiting.reason) == reason);
        let n: u64 = such.map(|waiting| u64::from(waiting.count)).sum();
        gauge!(telemetry::JOBS_WAITING, "reason" => reason)
            .set(float(usize::try_from(n).unwrap_or(usize::MAX)));
    }
}

const fn wait_reason(reason: &WaitReason) -> &'static str {
    match reason {
        WaitReason::TooLarge(_) => "too-large",
        WaitReason::CoolingDown { .. } => "cooling-down",
        WaitReason::LimitReached { .. } => "limit-reached",
        WaitReason::NoCatalog => "no-catalog",
        WaitReason::RoomExpected { .. } => "room-expected",
        WaitReason::StartRate { .. } => "start-rate",
    }
}

fn float(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}
