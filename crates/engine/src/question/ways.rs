//! The classes of a job's alternatives, and what the planner is told of each.

use std::collections::BTreeMap;
use std::iter;

use jiff::Timestamp;
use spillway_core::{DemandKey, Job, JobClass, VariantOrd, Way};

use super::Forecasts;
use crate::engine::Engine;
use crate::lane::Lane;
use crate::waiting::{Group, GroupKey};

/// The classes of alternatives that are offered, and what the planner is told of each.
pub(super) type Ways = BTreeMap<Way, (JobClass, DemandKey)>;

impl Engine {
    /// The class of a job.
    pub(crate) fn class_of(&self, job: &Job) -> JobClass {
        JobClass::waiting(job, self.config.patience.of(&job.spec.queue), self.open_variants(job))
    }

    /// Those of a job's alternatives that its queue and share may hold at all; none of a job that has none.
    fn open_variants(&self, job: &Job) -> Vec<VariantOrd> {
        if job.spec.variants.is_none() {
            return Vec::new();
        }
        let lane = Lane::of(&job.spec);
        let ords = job.spec.variant_ords();
        ords.filter(|ord| self.may_hold(&lane, &job.need_as(*ord))).collect()
    }

    /// The classes of a job's alternatives.
    fn ways_of(&self, job: &Job) -> Vec<JobClass> {
        JobClass::ways(job, self.config.patience.of(&job.spec.queue), self.open_variants(job))
    }

    /// The classes of the alternatives of a group's jobs; its own if they have none.
    pub(crate) fn ways_of_group(&self, group: &GroupKey) -> Vec<JobClass> {
        if group.class.choice.is_none() {
            return vec![group.class];
        }
        let first = self.waiting.get(group).and_then(Group::head);
        let first = first.and_then(|(_, first)| self.jobs.get(&first));
        first.map_or_else(|| vec![group.class], |first| self.ways_of(first))
    }

    /// Whether one of them is such.
    pub(crate) fn any_way(&self, group: &GroupKey, is_such: impl FnMut(&JobClass) -> bool) -> bool {
        if group.class.choice.is_none() {
            return iter::once(&group.class).any(is_such);
        }
        self.ways_of_group(group).iter().any(is_such)
    }

    /// What the planner is told of a job's alternatives. All wait as long as the one may that has least patience: it need not be
    /// given up for having waited.
    pub(super) fn keys_of_ways(
        &self,
        now: Timestamp,
        job: &Job,
        forecasts: &mut Forecasts,
    ) -> Vec<(Way, JobClass, DemandKey)> {
        let key =
            |class: JobClass| Some((class.way()?, class, self.demand_key(now, &class, forecasts)));
        let mut keys: Vec<(Way, JobClass, DemandKey)> =
            self.ways_of(job).into_iter().filter_map(key).collect();
        let patience_secs = keys.iter().map(|(.., key)| key.patience_secs).min().unwrap_or(0);
        for (.., key) in &mut keys {
            key.patience_secs = patience_secs;
        }
        keys
    }
}
