//! What no policy can be billed less than: a bound that knows all jobs, how long each really runs, and what hosts really hold.
//!
//! Every job that is sent and is bound to run is counted once, with the time its container runs; everything a policy could be
//! blamed or praised for is left out: pulls, starts, boots, gaps, retries, interruptions. The proof is
//! [`spillway_planner::bill::area_bound`]'s: at every moment what a host runs fits on it at once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use spillway_core::message::{self, Request};
use spillway_core::plan::DemandKey;
use spillway_core::{JobId, JobSpec, MicroUsd, Offering};
use spillway_planner::bill::area_bound;

use crate::behaviour::Behaviour;
use crate::catalog::PriceList;
use crate::dice::Dice;
use crate::scenario::Scenario;

const MILLIS_PER_HOUR: u64 = 3_600_000;

/// The least any policy is billed in this scenario, rounded down to a millionth of a dollar.
pub fn bound(scenario: &Scenario) -> MicroUsd {
    let work: Vec<(DemandKey, u64)> = work(scenario).into_iter().collect();
    MicroUsd::new(area_bound(&offerings(scenario), &work) / MILLIS_PER_HOUR)
}

/// What may be bought, with what hosts really register.
fn offerings(scenario: &Scenario) -> Vec<Offering> {
    let (world, engine) = (&scenario.world, &scenario.engine);
    let list = PriceList::new(world);
    let mut offerings = Vec::new();
    for offering in list.catalog(scenario.start).offerings() {
        let is_sold = !world.rule(&offering.pool).is_some_and(|rule| rule.unsupported);
        let is_allowed = engine.offerings.allows(offering)
            && engine.plan.host_cpu_max.is_none_or(|max| offering.capacity.cpu <= max);
        if let Some(shape) = list.shapes.get(&offering.pool.instance_type)
            && is_sold
            && is_allowed
        {
            offerings.push(Offering { capacity: world.registered(shape), ..offering.clone() });
        }
    }
    offerings
}

/// How many milliseconds containers of each kind must run.
fn work(scenario: &Scenario) -> BTreeMap<DemandKey, u64> {
    let mut jobs: BTreeMap<JobId, JobSpec> = BTreeMap::new();
    let mut ended: BTreeSet<JobId> = BTreeSet::new();
    for (ord, sent) in scenario.messages().into_iter().enumerate() {
        let Ok(parsed) = message::parse(&sent.body) else { continue };
        match parsed.request {
            Request::Submit { spec, client_token } => {
                // Without a token each message is a job of its own.
                let token = client_token.unwrap_or_else(|| format!("message {ord}"));
                if scenario.engine.queues.contains(&spec.queue) {
                    jobs.entry(JobId::derive(&spec.queue, &token)).or_insert(*spec);
                }
            }
            Request::Cancel { target, .. } | Request::Terminate { target, .. } => {
                ended.insert(target.job.whole());
            }
            Request::Register { .. }
            | Request::Deregister { .. }
            | Request::Schedule(_)
            | Request::Pause { .. }
            | Request::ResetBreaker { .. }
            | Request::ApproveBurst { .. } => {}
        }
    }
    let mut work: BTreeMap<DemandKey, u64> = BTreeMap::new();
    let dice = Dice::new(scenario.world.seed);
    for (id, spec) in jobs.into_iter().filter(|(id, _)| !ended.contains(id)) {
        // One that waits for others may never run.
        let may_not_run = !spec.depends_on.is_empty();
        // Which alternative a job is run as is a policy's own choice, and so is what that takes.
        let has_choice = spec.variants.is_some();
        if may_not_run || has_choice || spec.array.is_some_and(|array| array.sequential) {
            continue;
        }
        let time_of = |id| run_time(&spec, id, dice).map_or(0, |time| time.as_millis());
        let millis: i128 = match spec.array.map(|array| array.indexes) {
            None => time_of(id),
            Some(indexes) => {
                (0..indexes.size).filter_map(|ord| indexes.child(id, ord)).map(time_of).sum()
            }
        };
        let millis = u64::try_from(millis).unwrap_or(0);
        let key = DemandKey {
            need: spec.resources,
            arch: spec.arch,
            gpu_kinds: spec.gpu_kinds,
            market: spec.market,
            expected_secs: None,
            patience_secs: 0,
            way: None,
        };
        let sum = work.entry(key).or_insert(0);
        *sum = sum.saturating_add(millis);
    }
    work
}

/// How long a job's first attempt runs; none if it never does, or never ends.
fn run_time(spec: &JobSpec, id: JobId, dice: Dice) -> Option<SignedDuration> {
    let behaviour = Behaviour::of(spec, id, dice);
    if behaviour.missing_image || behaviour.never_starts {
        return None;
    }
    match (behaviour.run, spec.attempt_timeout) {
        (Some(run), Some(timeout)) => Some(run.min(timeout)),
        (one, other) => one.or(other),
    }
}
