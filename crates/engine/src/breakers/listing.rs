//! Who waits for which breaker: what a job rests on, and whether it may start beside it. Decides nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use spillway_core::container::ContainerSpec;
use spillway_core::{BreakerId, Job, JobId, JobSpec, VariantOrd};

use super::Breakers;
use super::calls::{CREATE_FLEET, RUN_TASK};
use crate::dispatch::HeldBack;
use crate::engine::Engine;
use crate::lane::Lane;

/// The images that a job cannot do without, and the call that starts it if that names roles of its own. One that has alternatives
/// can do without an image that not all of them run.
pub(crate) fn rests_on(spec: &JobSpec) -> Box<[BreakerId]> {
    let mut images: BTreeSet<&str> = BTreeSet::new();
    let own = spec.container.image.as_str();
    let listed = spec.variants.iter().flat_map(|variants| variants.listed());
    if listed.into_iter().all(|variant| variant.image == own) {
        images.insert(own);
    }
    let others = spec.task.iter().flat_map(|task| &task.others);
    images.extend(others.map(|other| other.container.image.as_str()));
    let nodes = spec.gang.iter().flat_map(|gang| &gang.groups);
    images.extend(nodes.map(|group| group.container.image.as_str()));
    let images = images.into_iter().map(BreakerId::image);
    images.chain(call_with_roles(&spec.container)).collect()
}

/// The call that starts a task of this job: with roles of its own it may be denied where others are not.
pub(super) fn start_call(spec: &JobSpec) -> BreakerId {
    call_with_roles(&spec.container).unwrap_or_else(|| BreakerId::call(RUN_TASK))
}

fn call_with_roles(container: &ContainerSpec) -> Option<BreakerId> {
    let roles = [&container.job_role_arn, &container.execution_role_arn];
    let roles: Vec<&str> = roles.into_iter().flatten().map(String::as_str).collect();
    (!roles.is_empty())
        .then(|| BreakerId::call(&format!("{RUN_TASK} with {}", roles.join(" and "))))
}

/// The image that an attempt runs as one of its alternatives; of several containers, each.
pub(super) fn images_of(spec: &JobSpec, variant: VariantOrd) -> Vec<BreakerId> {
    let main = spec.variant(variant).map_or(&spec.container.image, |own| &own.image);
    let others = spec.task.iter().flat_map(|task| &task.others);
    let others = others.map(|other| &other.container.image);
    std::iter::once(main).chain(others).map(|image| BreakerId::image(image)).collect()
}

impl Engine {
    /// Why no host is bought for a job, if that is because of a breaker: buying is not allowed, is done in vain, or hosts of its
    /// architecture do not register.
    pub fn why_not_bought(&self, job: &Job) -> Option<HeldBack> {
        let hosts = job.spec.arch.filter(|_| job.spec.variants.is_none()).map(BreakerId::host);
        let ids = [Some(BreakerId::call(CREATE_FLEET)), Some(BreakerId::spend()), hosts];
        ids.into_iter().flatten().find_map(|target| {
            let breaker = self.breakers.get(&target)?.clone();
            Some(HeldBack::BreakerOpen { target, breaker })
        })
    }
}

impl Breakers {
    /// Those that jobs of a lane wait for, open or being probed.
    fn of_lane<'a>(&'a self, lane: &'a Lane) -> impl Iterator<Item = &'a BreakerId> {
        self.of(&lane.rests_on)
    }

    /// Those of these that are not closed, and that of the call that starts everything.
    pub(super) fn of<'a>(&'a self, ids: &'a [BreakerId]) -> impl Iterator<Item = &'a BreakerId> {
        let is_of_start = |id: &BreakerId| id.kind == spillway_core::BreakerKind::Call;
        let has_own_call = ids.iter().any(is_of_start);
        let all = self.open.keys();
        all.filter(move |id| {
            ids.contains(id) || (!has_own_call && is_of_start(id) && id.subject == RUN_TASK)
        })
    }

    /// Why no job of a lane may start: one that it waits for is open, and no probe may go.
    pub(crate) fn shut(&self, now: Timestamp, lane: &Lane) -> Option<HeldBack> {
        if self.is_empty() {
            return None;
        }
        self.of_lane(lane).find_map(|id| {
            let breaker = self.get(id).filter(|breaker| !breaker.is_due(now))?;
            Some(HeldBack::BreakerOpen { target: id.clone(), breaker: breaker.clone() })
        })
    }

    /// Why not all jobs of a lane may start: one that it waits for is not closed.
    pub(crate) fn broken(&self, lane: &Lane) -> Option<HeldBack> {
        let id = self.of_lane(lane).next()?;
        let breaker = self.get(id)?.clone();
        Some(HeldBack::BreakerOpen { target: id.clone(), breaker })
    }

    /// Those that the first job of a lane to start is a probe of.
    pub(crate) fn probed_by<'a>(&'a self, lane: &'a Lane) -> Vec<&'a BreakerId> {
        if self.is_empty() { Vec::new() } else { self.of_lane(lane).collect() }
    }

    /// Whether a job that rests on these may start: all are closed, or a probe may go.
    pub(super) fn may_start(&self, now: Timestamp, ids: &[BreakerId]) -> bool {
        self.of(ids).all(|id| self.get(id).is_none_or(|breaker| breaker.is_due(now)))
    }

    /// The job whose attempts are a probe: of a node, its main one.
    pub(super) fn prober(job: JobId) -> JobId {
        if job.node_index().is_some() { job.whole() } else { job }
    }
}
