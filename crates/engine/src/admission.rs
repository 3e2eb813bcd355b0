//! Looks, before anything is bought, whether a job can ever run: what the operator allows, and what EC2 has.

use std::sync::Arc;

use jiff::Timestamp;
use spillway_core::gang::{NodeGroup, node_spec};
use spillway_core::job::JobSpec;
use spillway_core::{Answer, Catalog, DemandKey, Effect, JobId, JobState, PoolId};

use crate::engine::{Cx, Engine};
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

    /// The rule of the operator that a job breaks, with any of its nodes.
    fn refusal(&self, spec: &JobSpec, sender: Option<&str>) -> Option<String> {
        let Some(gang) = &spec.gang else { return self.config.jobs.refusal(spec, sender) };
        let of_group = |group| self.config.jobs.refusal(&node_spec(spec, group), sender);
        let refusal = gang.groups.iter().find_map(of_group)?;
        let of_nodes = "jobDefinition.nodeProperties.nodeRangeProperties[].container";
        Some(refusal.replace("jobDefinition.containerProperties", of_nodes))
    }

    pub(crate) fn admit_by_catalog(&self, now: Timestamp, spec: &JobSpec) -> JobState {
        let key = |need, arch, gpu_kinds| DemandKey {
            need,
            arch,
            gpu_kinds,
            market: spec.market,
            expected_secs: None,
            patience_secs: 0,
        };
        let keys: Vec<DemandKey> = match &spec.gang {
            None => vec![key(spec.resources, spec.arch, spec.gpu_kinds)],
            Some(gang) => {
                let of_group = |g: &NodeGroup| key(g.resources, g.arch, g.gpu_kinds);
                gang.groups.iter().map(of_group).collect()
            }
        };
        let admitted = keys.iter().map(|key| {
            let admitted = spillway_planner::admit(key, &self.catalog, &self.config.plan);
            admitted.map_err(|no_fit| format!("Job fits no host: {no_fit}"))
        });
        let admitted: Result<(), String> = admitted.collect();
        match admitted.and_then(|()| self.admit_together(spec)) {
            Ok(()) => JobState::Runnable { since: now },
            Err(reason) => JobState::Failed { at: now, reason },
        }
    }

    /// Whether the limits leave room for all nodes of a job at once, if nothing else ran.
    fn admit_together(&self, spec: &JobSpec) -> Result<(), String> {
        let Some(gang) = &spec.gang else { return Ok(()) };
        let limits = &self.config.limits;
        let n_nodes = gang.n_nodes();
        if let Some(max) = limits.hosts_max.filter(|max| *max < n_nodes) {
            let text = format!(
                "Job fits no fleet: {n_nodes} nodes need a host each, and max-hosts is {max}"
            );
            return Err(text);
        }
        let of_group =
            |g: &NodeGroup| u64::from(g.resources.cpu.get()) * u64::from(g.last - g.first + 1);
        let cpu: u64 = gang.groups.iter().map(of_group).sum();
        if let Some(max) = limits.cpu_max.filter(|max| u64::from(max.get()) < cpu) {
            let text = format!(
                "Job fits no fleet: its nodes need {cpu} CPU units together, and max-vcpus is {max}"
            );
            return Err(text);
        }
        Ok(())
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
        let catalog = Catalog::new(as_of, allowed.collect()).with_learned(&self.learned);
        let catalog = catalog.with_hazards(|pool, prior| self.memory.hazard(now, pool, prior));
        // What a planner remembers of a catalog stays good as long as it is the same.
        if *self.catalog != catalog {
            self.catalog = Arc::new(catalog);
        }
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
        match answer {
            Answer::Launch { launch, result } => self.take_launch(cx, launch, result),
            Answer::Terminate { hosts, result } => self.take_termination(cx, &hosts, &result),
            Answer::Drain { host, result } => self.take_drain(cx, host, &result),
            Answer::RunTask { job, attempt, result } => self.take_start(cx, job, attempt, result),
            Answer::StopTask { job, attempt, result } => {
                self.take_stop(cx, job, attempt, &result);
            }
            Answer::Observe { asked_at, snapshot } => self.take_snapshot(cx, asked_at, &snapshot),
            Answer::Catalog { result } => self.take_catalog(cx, result),
        }
    }
}
