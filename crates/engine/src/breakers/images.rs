//! Images that cannot be pulled: one bad tag must not have a fleet bought for it. What becomes of the jobs whose pulls failed is
//! `retry`'s concern.

use spillway_core::task::TaskReport;
use spillway_core::{AttemptOrd, BreakerId, JobId, JobSpec, VariantOrd};

use super::listing::{images_of, rests_on};
use super::{Breakers, Rule};
use crate::engine::{Cx, Engine};
use crate::lane::Lane;
use crate::limits;

const RULE: Rule = Rule {
    n_failed_max: limits::IMAGE_FAILURES_MAX,
    first: limits::IMAGE_PROBE,
    longest: limits::BREAKER_PROBE_MAX,
};

/// The agent's words for an image that it could not get (ECS developer guide, "`CannotPullContainer` task errors").
const NOT_PULLED: &str = "CannotPullContainer";

/// The same where the host's disk is full: its fault, not the image's.
const DISK_FULL: &str = "no space left on device";

impl Engine {
    /// An attempt's containers run: its images are there.
    pub(crate) fn note_pulled(&mut self, cx: &mut Cx, id: JobId) {
        if self.breakers.is_empty() && self.breakers.failing.is_empty() {
            return;
        }
        let Some(job) = self.jobs.get(&id) else { return };
        for image in images_of(&job.spec, job.variant()) {
            self.note_worked(cx, &image);
        }
    }

    /// A task has stopped: what that says of its images.
    pub(crate) fn note_stopped(&mut self, cx: &mut Cx, id: JobId, report: &TaskReport) {
        let Some(job) = self.jobs.get(&id) else { return };
        let Some((image, reason)) = not_pulled(&job.spec, job.variant(), report) else {
            let has_run = report.started_at.is_some() || report.exit_code.is_some();
            if has_run {
                self.note_pulled(cx, id);
            }
            return;
        };
        let reason = reason.to_owned();
        let by_probe = self.breakers.is_probe(Breakers::prober(id), &image);
        self.note_failed(cx, &image, &reason, RULE, by_probe);
        if by_probe {
            self.give_up_image(cx, &image);
        }
    }

    /// An image that no probe could pull for as long as may be is not there: who waits for it fails, as those did that tried it as
    /// often as they may.
    fn give_up_image(&mut self, cx: &mut Cx, image: &BreakerId) {
        let Some(breaker) = self.breakers.get(image) else { return };
        if cx.now.duration_since(breaker.since) < limits::IMAGE_GIVE_UP {
            return;
        }
        let reason = format!("Image {} {breaker}", image.subject);
        let rests = |lane: &Lane| lane.rests_on.contains(image);
        let mut ids: Vec<JobId> = Vec::new();
        for (ord, groups) in self.waiting.by_lane() {
            if self.lanes.get(ord).is_some_and(rests) {
                ids.extend(groups.flat_map(|(_, group)| group.all()));
            }
        }
        let gangs = self.gangs.iter().filter(|(_, _, lane)| rests(lane));
        ids.extend(gangs.map(|(_, id, _)| id));
        self.fail_in_line(cx, &ids, &reason);
    }

    /// Whether a job may start beside the breakers that are open and the budgets that are spent.
    pub(crate) fn is_let_start(&self, cx: &Cx, spec: &JobSpec) -> bool {
        let is_whole = self.breakers.is_empty() || self.breakers.may_start(cx.now, &rests_on(spec));
        is_whole && self.budgets.let_start(&spec.queue, || spec.share())
    }

    /// An attempt has begun: where a probe may go, it is that.
    pub(crate) fn begin_as_probe(&mut self, cx: &mut Cx, id: JobId) {
        if self.breakers.is_empty() {
            return;
        }
        let Some(job) = self.jobs.get(&id) else { return };
        let ids = rests_on(&job.spec);
        let due = |id: &&BreakerId| self.breakers.get(id).is_some_and(|b| b.is_due(cx.now));
        let probed: Vec<BreakerId> = self.breakers.of(&ids).filter(due).cloned().collect();
        if probed.is_empty() {
            return;
        }
        for breaker in &probed {
            self.begin_probe(cx, breaker);
        }
        self.breakers.probes.insert(Breakers::prober(id), probed);
    }

    /// An attempt is over. What it was to show and has not shown is still to be shown.
    pub(crate) fn end_as_probe(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) {
        self.unsent.remove(&(id, ord));
        for breaker in self.breakers.probes.remove(&id).unwrap_or_default() {
            self.probe_again_at(cx, &breaker, cx.now);
        }
    }
}

/// The image that could not be pulled, and how ECS says it; none if the task stopped for another reason.
fn not_pulled<'a>(
    spec: &JobSpec,
    variant: VariantOrd,
    report: &'a TaskReport,
) -> Option<(BreakerId, &'a str)> {
    let is_it = |reason: &&str| reason.contains(NOT_PULLED) && !reason.contains(DISK_FULL);
    let of_containers = report.containers.iter().find_map(|end| {
        let reason = end.reason.as_deref().filter(is_it)?;
        let others = spec.task.iter().flat_map(|task| &task.others);
        let other = others.into_iter().find(|other| other.role.name == end.name);
        let image = other.map(|other| BreakerId::image(&other.container.image));
        Some((image, reason))
    });
    let of_task = [report.container_reason.as_deref(), report.stopped_reason.as_deref()];
    let of_task = of_task.into_iter().flatten().find(is_it).map(|reason| (None, reason));
    let (image, reason) = of_containers.or(of_task)?;
    let image = image.or_else(|| images_of(spec, variant).into_iter().next())?;
    Some((image, reason))
}
