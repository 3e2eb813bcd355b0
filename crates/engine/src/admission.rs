//! Looks, before anything is bought, whether a job can ever run: what the operator allows, and what EC2 has.

use std::sync::Arc;

use jiff::Timestamp;
use spillway_core::gang::{NodeGroup, node_spec};
use spillway_core::job::JobSpec;
use spillway_core::plan::NoFit;
use spillway_core::{
    Answer, Catalog, DemandKey, Effect, JobId, JobState, MicroUsdPerHour, PoolId, QueueName,
    Resources, VariantOrd,
};

use crate::config::{CapKind, Caps};
use crate::engine::{Cx, Engine};
use crate::lane::Lane;
use crate::limits;
use crate::retry::backoff;
use crate::timer::Timer;

impl Engine {
    /// The first state of a new job. Without prices it waits as SUBMITTED until there are some.
    pub(crate) fn admit(&self, cx: &Cx, spec: &JobSpec, sender: Option<&str>) -> JobState {
        if let Some(reason) = self.refusal(spec, sender) {
            return JobState::Failed { at: cx.now, reason };
        }
        if self.raw_catalog.is_none() {
            return JobState::Submitted;
        }
        self.admit_by_catalog(cx.now, spec)
    }

    /// The rule of the operator that a job breaks, with any of its nodes or alternatives.
    fn refusal(&self, spec: &JobSpec, sender: Option<&str>) -> Option<String> {
        let Some(gang) = &spec.gang else {
            return spec.variant_ords().find_map(|ord| self.refusal_of(spec, ord, sender));
        };
        let of_group = |group| self.config.jobs.refusal(&node_spec(spec, group), sender);
        let refusal = gang.groups.iter().find_map(of_group)?;
        let of_nodes = "jobDefinition.nodeProperties.nodeRangeProperties[].container";
        Some(refusal.replace("jobDefinition.containerProperties", of_nodes))
    }

    /// The same with one alternative. What it does not say otherwise is the job's own, and was looked at with that.
    fn refusal_of(&self, spec: &JobSpec, ord: VariantOrd, sender: Option<&str>) -> Option<String> {
        let refusal = self.config.jobs.refusal(&spec.as_variant(ord), sender)?;
        let Some(at) = usize::from(ord.get()).checked_sub(1) else { return Some(refusal) };
        let of_variant = format!("spillway.variants[{at}]");
        Some(refusal.replace("jobDefinition.containerProperties", &of_variant))
    }

    pub(crate) fn admit_by_catalog(&self, now: Timestamp, spec: &JobSpec) -> JobState {
        if let Some(reason) = self.never_allowed(spec) {
            return JobState::Failed { at: now, reason };
        }
        match self.admit_somewhere(spec) {
            Ok(()) => JobState::Runnable { since: now },
            Err(reason) => JobState::Failed { at: now, reason },
        }
    }

    /// What a job asks of a host; a multi-node job, of the hosts of each of its groups of nodes.
    fn keys_of(spec: &JobSpec) -> Vec<DemandKey> {
        let key = |need, arch, gpu_kinds| DemandKey {
            need,
            arch,
            gpu_kinds,
            market: spec.market,
            expected_secs: None,
            patience_secs: 0,
            way: None,
        };
        let of_group = |group: &NodeGroup| key(group.resources, group.arch, group.gpu_kinds);
        match &spec.gang {
            None => vec![key(spec.need_of_task(), spec.arch, spec.gpu_kinds)],
            Some(gang) => gang.groups.iter().map(of_group).collect(),
        }
    }

    /// Whether some pool of its queue could have all that a job needs at once; if none, why the first could not.
    pub(crate) fn admit_somewhere(&self, spec: &JobSpec) -> Result<(), String> {
        let mut first = Ok(());
        for pool in self.config.pools_of(&spec.queue) {
            let pool = (!self.config.pools.is_empty()).then_some(pool);
            match self.admit_in(pool, spec) {
                Ok(()) => return Ok(()),
                Err(reason) => first = first.and(Err(reason)),
            }
        }
        first
    }

    /// Whether a pool could have all that a job needs at once, if nothing else ran: as one of its alternatives.
    pub(crate) fn admit_in(&self, pool: Option<usize>, spec: &JobSpec) -> Result<(), String> {
        let mut first = Ok(());
        for ord in spec.variant_ords() {
            match self.admit_as(pool, &spec.as_variant(ord)) {
                Ok(()) => return Ok(()),
                Err(reason) => first = first.and(Err(reason)),
            }
        }
        match spec.variants {
            Some(_) => first.map_err(|reason| format!("{reason} (nor does any of its variants)")),
            None => first,
        }
    }

    fn admit_as(&self, pool: Option<usize>, spec: &JobSpec) -> Result<(), String> {
        let keys = Self::keys_of(spec);
        let fits_no_host = |no_fit: NoFit| format!("Job fits no host: {no_fit}");
        self.admit_by_pool(pool, &keys).map_err(fits_no_host)?;
        let Some(gang) = &spec.gang else { return Ok(()) };
        self.never_together(pool, gang, &keys).map_or(Ok(()), Err)
    }

    /// Whether some pool of a queue has what could hold such a job, with all of its nodes if it has several; if none, why the
    /// first has not.
    pub(crate) fn admit_by_pools(
        &self,
        queue: &QueueName,
        keys: &[DemandKey],
    ) -> Result<(), NoFit> {
        let mut first = Ok(());
        for pool in self.config.pools_of(queue) {
            let pool = (!self.config.pools.is_empty()).then_some(pool);
            match self.admit_by_pool(pool, keys) {
                Ok(()) => return Ok(()),
                Err(no_fit) => first = first.and(Err(no_fit)),
            }
        }
        first
    }

    /// Whether a pool has what could hold each of these.
    pub(crate) fn admit_by_pool(
        &self,
        pool: Option<usize>,
        keys: &[DemandKey],
    ) -> Result<(), NoFit> {
        let catalog = self.catalog_of(pool);
        keys.iter().try_for_each(|key| spillway_planner::admit(key, catalog, &self.config.plan))
    }

    /// A job that alone is more than its queue or share may hold, or than there is of a consumable resource, would wait for ever.
    fn never_allowed(&self, spec: &JobSpec) -> Option<String> {
        let lane = Lane::of(spec);
        let (rules, share) = (self.config.queue(&lane.queue), lane.share());
        let (need, n_nodes) = match &spec.gang {
            None => (spec.need_of_task(), 0),
            Some(gang) => {
                let Some(need) = gang.need() else {
                    return Some(
                        "Job fits no fleet: its nodes need more than can be counted".to_owned(),
                    );
                };
                (need, gang.n_nodes())
            }
        };
        // One alternative that may be held is enough.
        let may_be_held = |ord| self.may_hold(&lane, &spec.resources_of(ord));
        let has_way = spec.gang.is_none() && spec.variant_ords().any(may_be_held);
        let exceeded = |caps: &Caps| {
            if let Some(exceeded) = exceeded(caps, &need).filter(|_| !has_way) {
                Some(exceeded)
            } else if caps.hosts_max.is_some_and(|max| max < n_nodes) {
                Some((CapKind::Hosts, format!("{n_nodes} hosts")))
            } else {
                None
            }
        };
        if let Some((cap, needs)) = exceeded(&rules.caps) {
            return Some(format!("Job needs {needs}, more than {cap} of queue {}", lane.queue));
        }
        if let Some((cap, needs)) = exceeded(&rules.share_caps(&share)) {
            let queue = &lane.queue;
            return Some(format!(
                "Job needs {needs}, more than {cap} of share {share} of queue {queue}"
            ));
        }
        let (name, needs) =
            lane.consumes.iter().find(|(name, needs)| self.config.consumable(name) < **needs)?;
        let total = self.config.consumable(name);
        Some(format!(
            "Job needs {needs} of the consumable resource {name}, of which there are {total}"
        ))
    }

    /// Whether a queue and share may hold so much at all, if they hold nothing else.
    pub(crate) fn may_hold(&self, lane: &Lane, need: &Resources) -> bool {
        let rules = self.config.queue(&lane.queue);
        exceeded(&rules.caps, need).is_none()
            && exceeded(&rules.share_caps(&lane.share()), need).is_none()
    }

    /// Asks for prices, unless that has been done and not been answered.
    pub(crate) fn read_catalog(&mut self, cx: &mut Cx) {
        if !self.reading_catalog {
            self.reading_catalog = true;
            cx.effects.push(Effect::RefreshCatalog);
        }
    }

    /// Takes prices. Old ones stay if there are no new ones.
    pub(crate) fn take_catalog(
        &mut self,
        cx: &mut Cx,
        result: spillway_core::effect::CallResult<Catalog>,
    ) {
        self.reading_catalog = false;
        let Ok(catalog) = result else {
            let pause =
                if self.raw_catalog.is_some() { limits::CALL_RETRY_MAX } else { backoff(3) };
            self.timers.set(cx.now + pause, Timer::Catalog);
            return;
        };
        self.timers.set(cx.now + self.config.catalog_every, Timer::Catalog);
        self.raw_catalog = Some(catalog);
        self.rebuild_catalog(cx.now);
        self.admit_the_submitted(cx);
        self.replan_by(cx.now);
    }

    /// Applies the operator's filter, and what was learnt about types and about Spot.
    pub(crate) fn rebuild_catalog(&mut self, now: Timestamp) {
        let Some(raw) = &self.raw_catalog else { return };
        let allowed = raw.offerings().iter().filter(|o| self.config.offerings.allows(o)).cloned();
        let as_of = raw.as_of.unwrap_or(Timestamp::UNIX_EPOCH);
        let catalog = Catalog::new(as_of, allowed.collect());
        let catalog = if self.planner.learns_across_types() {
            catalog.with_learned_of_others(&self.learned)
        } else {
            catalog.with_learned(&self.learned)
        };
        let catalog = catalog.with_hazards(|pool, prior| self.memory.hazard(now, pool, prior));
        // What a planner remembers of a catalog stays good as long as it is the same.
        if *self.catalog != catalog {
            self.catalog = Arc::new(catalog);
            let as_of = self.catalog.as_of.unwrap_or(Timestamp::UNIX_EPOCH);
            let of_pool = |pool: usize| {
                let offerings = self.catalog.offerings().iter();
                let offerings = offerings.filter(|o| self.config.pool_of(o) == Some(pool));
                Arc::new(Catalog::new(as_of, offerings.cloned().collect()))
            };
            self.pool_catalogs = (0..self.config.pools.len()).map(of_pool).collect();
        }
    }

    /// What a host of a pool costs beside its instance, as its price has it.
    pub(crate) fn extras(&self, pool: &PoolId) -> MicroUsdPerHour {
        self.raw_catalog.as_ref().map(|raw| raw.extras().of(&pool.zone)).unwrap_or_default()
    }

    /// What a pool's type costs On-Demand, whether or not that may be bought.
    pub(crate) fn on_demand_price(&self, pool: &PoolId) -> Option<MicroUsdPerHour> {
        self.raw_catalog.as_ref()?.on_demand_price(&pool.instance_type)
    }

    /// Something was learnt of how often a pool's hosts are interrupted.
    pub(crate) fn hazard_learnt(&mut self, cx: &Cx, pool: &PoolId) {
        let prior = self.raw_catalog.as_ref().and_then(|raw| raw.get(pool)).map(|o| o.hazard);
        let hazard = prior.map(|prior| self.memory.hazard(cx.now, pool, prior));
        let planned_with = self.catalog.get(pool).map(|offering| offering.hazard);
        if planned_with.is_some() && planned_with != hazard {
            self.rebuild_catalog(cx.now);
        }
    }

    fn admit_the_submitted(&mut self, cx: &mut Cx) {
        let is_new = |state: &JobState| matches!(state, JobState::Submitted);
        let new: Vec<JobId> =
            self.jobs.values().filter(|job| is_new(&job.state)).map(|job| job.id).collect();
        for id in new {
            let Some(spec) = self.jobs.get(&id).map(|job| Arc::clone(&job.spec)) else { continue };
            let is_held = self.waits.unmet(id).next().is_some();
            let mut state = self.admit_by_catalog(cx.now, &spec);
            if matches!(state, JobState::Runnable { .. }) && (is_held || spec.array.is_some()) {
                state = JobState::Pending;
            }
            self.move_job(cx, id, state, None);
            if !is_held {
                self.release_children(cx.now, id);
            }
            self.join_line(id);
        }
    }

    /// Hands an answer to whoever asked.
    pub(crate) fn take_answer(&mut self, cx: &mut Cx, answer: Answer) {
        if let Some(error) = answer.error() {
            self.calls.failed(cx.now, error);
        }
        match answer {
            Answer::Launch { launch, result } => self.take_launch(cx, launch, result),
            Answer::Terminate { hosts, result } => self.take_termination(cx, &hosts, &result),
            Answer::Drain { host, result } => self.take_drain(cx, host, &result),
            Answer::RunTask { job, attempt, result } => self.take_start(cx, job, attempt, result),
            Answer::StopTask { job, attempt, result } => {
                self.take_stop(cx, job, attempt, &result);
            }
            Answer::Report { job, attempt, result } => {
                self.take_report(cx, job, attempt, &result);
            }
            Answer::Observe { asked_at, snapshot } => self.take_snapshot(cx, asked_at, &snapshot),
            Answer::Catalog { result } => self.take_catalog(cx, result),
        }
    }
}

/// The cap that so much alone is above, and what is above it.
fn exceeded(caps: &Caps, need: &Resources) -> Option<(CapKind, String)> {
    let Resources { cpu, memory, gpus } = *need;
    if caps.cpu_max.is_some_and(|max| max < cpu) {
        Some((CapKind::Vcpus, format!("{cpu} vCPU")))
    } else if caps.memory_max.is_some_and(|max| max < memory) {
        Some((CapKind::Memory, memory.to_string()))
    } else if caps.gpus_max.is_some_and(|max| max < gpus) {
        Some((CapKind::Gpus, format!("{gpus} GPU")))
    } else {
        None
    }
}
