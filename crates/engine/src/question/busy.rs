//! What the jobs on hosts hold, and when they are expected to end.

use std::num::NonZeroU32;

use jiff::Timestamp;
use spillway_core::class::whole_secs;
use spillway_core::{Busy, HostId, Job, JobId, KindId, VariantOrd};

use super::Forecasts;
use crate::engine::Engine;
use crate::fleet::{Entry, Run};

impl Engine {
    /// What the jobs on a host hold and when they are expected to end, soonest first.
    pub(crate) fn busy(
        &self,
        now: Timestamp,
        entry: &Entry,
        forecasts: &mut Forecasts,
    ) -> Vec<Busy> {
        let prior_secs = self.config.plan.prior_secs;
        let mut busy: Vec<Busy> = Vec::with_capacity(entry.runs().len());
        for (run, count) in entry.runs() {
            let ran = u32::try_from(now.as_second().saturating_sub(run.since_sec)).unwrap_or(0);
            let forecast = forecasts.of(&self.memory, run.kind);
            let ends_in_secs = forecast.waves_left_secs(run.waves, run.told_secs, prior_secs, ran);
            busy.push(Busy { ends_in_secs, need: run.need, count: *count });
        }
        busy.sort_unstable();
        busy.dedup_by(|later, first| {
            let is_same = (later.ends_in_secs, later.need) == (first.ends_in_secs, first.need);
            if is_same {
                first.count = first.count.saturating_add(later.count);
            }
            is_same
        });
        busy
    }

    /// The kind of a job; that of an array and its children is known.
    pub(crate) fn kind_of(&self, job: &Job) -> KindId {
        self.kind_as(job, job.variant())
    }

    /// The same of a job that is run as one of its alternatives.
    pub(crate) fn kind_as(&self, job: &Job, variant: VariantOrd) -> KindId {
        let is_of_one = job.spec.variants.is_none();
        let array = self.arrays.get(&job.id.whole()).filter(|_| is_of_one);
        let own = || KindId::of_variant(&job.spec, variant);
        array.map_or_else(own, |array| array.place.group.class.kind)
    }

    /// What a job holds on its host.
    pub(crate) fn run_of(&self, id: JobId) -> Option<(HostId, Run)> {
        let job = self.jobs.get(&id)?;
        run_of(job, || self.kind_of(job))
    }
}

/// What a job holds on its host, and since when it runs, or was placed there if it has not been seen running.
fn run_of(job: &Job, kind: impl FnOnce() -> KindId) -> Option<(HostId, Run)> {
    let attempt = job.state.live_attempt()?;
    if job.rides_along() {
        // Its place is its leader's.
        return None;
    }
    let waves = job.shared().zip(job.spec.coalesce).map_or(1, |(of, rule)| rule.waves(of.n));
    let since = job.state.running_since().unwrap_or(attempt.placed_at);
    let run = Run {
        need: job.held(),
        kind: kind(),
        waves: NonZeroU32::new(waves).unwrap_or(NonZeroU32::MIN),
        told_secs: job.spec.expected_duration_of(job.variant()).map(whole_secs),
        since_sec: since.as_second(),
    };
    Some((attempt.host, run))
}
