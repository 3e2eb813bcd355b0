//! Classes of jobs: what makes two waiting jobs the same to the control loop, whatever it comes to expect of them.
//!
//! A class never changes with what is learnt. The planner's [`DemandKey`](crate::DemandKey) does: it holds an estimate,
//! and is made of a class when a plan is asked for.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::coalesce::ClassOfShared;
use crate::gpu::GpuKinds;
use crate::job::{FailureCategory, Job};
use crate::kind::KindId;
use crate::market::{Arch, HostTraits, MarketRule};
use crate::quantity::Resources;
use crate::variant::{ChoiceId, VariantOrd, Way};

/// A job that lost its work to so many Spot interruptions is taken to fare badly there: from then on it is run On-Demand
/// if its market rule allows that. Two are bad luck; the third time the same work is paid for again it is dearer.
pub const SPOT_LOSSES_MAX: usize = 3;

/// Times by which jobs must start or end are rounded down to this part of the time that was left at first, so that jobs
/// that came at about the same time share a class.
const PARTS_OF_PATIENCE: i64 = 16;

/// What makes two waiting jobs the same to the control loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobClass {
    /// What each needs; of those that share tasks, a task.
    pub need: Resources,
    /// The architecture; `None` runs on either.
    pub arch: Option<Arch>,
    /// The kinds of GPU it accepts.
    #[serde(default, skip_serializing_if = "GpuKinds::is_any")]
    pub gpu_kinds: GpuKinds,
    /// The markets it may run in.
    pub market: MarketRule,
    /// Whether it has lost its work to [`SPOT_LOSSES_MAX`] interruptions.
    #[serde(default)]
    pub shuns_spot: bool,
    /// How long it says that it will run, in seconds, rounded to the nearest of eight steps between powers of two.
    #[serde(default)]
    pub told_secs: Option<u32>,
    /// Jobs of the same kind are expected to take equally long.
    pub kind: KindId,
    /// Until then it may wait to be run cheaply; with neither this nor `end_by` it does not wait.
    #[serde(default)]
    pub start_by: Option<Timestamp>,
    /// By then it should have ended.
    #[serde(default)]
    pub end_by: Option<Timestamp>,
    /// How they share tasks, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<ClassOfShared>,
    /// For jobs with alternatives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
}

/// What a class of jobs with alternatives says of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// None is taken yet. The class's need is the most that any of them needs, in each dimension by itself.
    Open {
        /// Which they are.
        of: ChoiceId,
        /// The least that any of them needs, in each dimension by itself.
        least: Resources,
    },
    /// It is the class of this one.
    Taken(Way),
}

impl JobClass {
    /// The class of a job that waits, of which some alternatives may be run: those with these numbers, at least one.
    /// Its queue's jobs may wait for so long unless they say otherwise.
    pub fn waiting(
        job: &Job,
        queue_patience: SignedDuration,
        ords: impl IntoIterator<Item = VariantOrd>,
    ) -> Self {
        if job.spec.variants.is_none() {
            return Self::of_variant(job, queue_patience, VariantOrd::BASE);
        }
        let ways = Self::ways(job, queue_patience, ords);
        let Some((first, of)) = ways.first().and_then(|first| Some((first, first.way()?.of)))
        else {
            return Self::of_variant(job, queue_patience, VariantOrd::BASE);
        };
        let least = ways.iter().fold(first.need, |least, way| least.each_min(&way.need));
        let need = ways.iter().fold(first.need, |most, way| most.each_max(&way.need));
        Self { need, choice: Some(Choice::Open { of, least }), ..*first }
    }

    /// The classes of a job's alternatives with these numbers, in their order.
    pub fn ways(
        job: &Job,
        queue_patience: SignedDuration,
        ords: impl IntoIterator<Item = VariantOrd>,
    ) -> Vec<Self> {
        let class = |ord| (ord, Self::of_variant(job, queue_patience, ord));
        let classes: Vec<(VariantOrd, Self)> = ords.into_iter().map(class).collect();
        // A class is plain data.
        let of = ChoiceId::of(&serde_json::to_vec(&classes).unwrap_or_default());
        let taken = |(ord, class)| Self { choice: Some(Choice::Taken(Way { of, ord })), ..class };
        classes.into_iter().map(taken).collect()
    }

    /// Which of its jobs' alternatives it is of; none where they have none, or none is taken.
    pub const fn way(&self) -> Option<Way> {
        match self.choice {
            Some(Choice::Taken(way)) => Some(way),
            Some(Choice::Open { .. }) | None => None,
        }
    }

    /// Whether such a job may run on such a host. Of one with alternatives it is not known before one is taken.
    pub fn allows(&self, host: HostTraits) -> bool {
        self.arch.is_none_or(|wanted| wanted == host.arch)
            && self.market.allows(host.market)
            && self.gpu_kinds.allows(host.gpu)
    }

    /// The least that its jobs need in each dimension, as whichever alternative.
    pub const fn least(&self) -> Resources {
        match self.choice {
            Some(Choice::Open { least, .. }) => least,
            Some(Choice::Taken(_)) | None => self.need,
        }
    }

    /// Whether the jobs of another class are these, or these as one of their alternatives.
    pub fn may_be(&self, other: &Self) -> bool {
        match (self.choice, other.choice) {
            (Some(Choice::Open { of, .. }), Some(Choice::Taken(way))) => way.of == of,
            (Some(Choice::Open { .. }), Some(Choice::Open { .. }) | None)
            | (Some(Choice::Taken(_)) | None, _) => self == other,
        }
    }

    /// The class of a job that is run as one of its alternatives.
    fn of_variant(job: &Job, queue_patience: SignedDuration, variant: VariantOrd) -> Self {
        let spec = &job.spec;
        let patience = spec.patience.or(spec.deadline.is_none().then_some(queue_patience));
        let waits = patience.is_none_or(|patience| SignedDuration::ZERO < patience);
        let start_by = patience.filter(|_| waits).map(|patience| {
            let at = job.created_at.saturating_add(patience).unwrap_or(Timestamp::MAX);
            rounded_down(at, job.created_at)
        });
        let end_by = spec.deadline.filter(|_| waits).map(|at| rounded_down(at, job.created_at));
        // Jobs that share tasks have no alternatives.
        let (shared, need) = ClassOfShared::of(job)
            .map_or((None, job.need_as(variant)), |(of, need)| (Some(of), need));
        let own = spec.variant(variant);
        let (arch, gpu_kinds) =
            own.map_or((spec.arch, spec.gpu_kinds), |own| (own.arch, own.gpu_kinds));
        Self {
            need,
            arch,
            gpu_kinds,
            market: spec.market,
            shuns_spot: spec.market == MarketRule::Any && SPOT_LOSSES_MAX <= n_spot_losses(job),
            told_secs: spec.expected_duration_of(variant).map(|time| rounded(whole_secs(time))),
            kind: KindId::of_variant(spec, variant),
            start_by,
            end_by,
            shared,
            choice: None,
        }
    }
}

/// How often it was interrupted with work done.
fn n_spot_losses(job: &Job) -> usize {
    let lost = |a: &&crate::job::Attempt| {
        a.failure == Some(FailureCategory::Spot) && a.started_at.is_some()
    };
    job.attempts.iter().filter(lost).count()
}

/// A duration in whole seconds, at least one.
pub fn whole_secs(duration: SignedDuration) -> u32 {
    u32::try_from(duration.as_secs())
        .unwrap_or(if duration.is_negative() { 0 } else { u32::MAX })
        .max(1)
}

/// The nearest number of at most four binary digits with zeros behind: at most a sixteenth more or less.
fn rounded(secs: u32) -> u32 {
    let dropped = secs.max(1).ilog2().saturating_sub(3);
    let half = (1 << dropped) >> 1;
    (secs.saturating_add(half) >> dropped) << dropped
}

fn rounded_down(at: Timestamp, from: Timestamp) -> Timestamp {
    let grain = (at.duration_since(from).as_secs() / PARTS_OF_PATIENCE).max(1);
    // A power of two, so that the grains of like patience are the same.
    let grain = 1_i64 << grain.ilog2();
    let secs = at.as_second();
    Timestamp::from_second(secs - secs.rem_euclid(grain)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_starts_are_rounded_down_by_little() {
        let from = Timestamp::from_second(1_700_000_000).unwrap();
        for patience in [1, 15, 60, 3_600, 86_400, 10_000_000] {
            let at = from + SignedDuration::from_secs(patience);

            let rounded = rounded_down(at, from);

            let lost = at.duration_since(rounded).as_secs();
            assert!(
                0 <= lost && lost * PARTS_OF_PATIENCE <= patience.max(16),
                "{patience}: {lost}"
            );
            assert!(from <= rounded);
        }
    }

    #[test]
    fn what_jobs_say_is_rounded_by_a_sixteenth_at_most() {
        for secs in [1, 7, 15, 16, 17, 100, 600, 3_599, 86_401, u32::MAX] {
            let error = i64::from(rounded(secs)) - i64::from(secs);
            assert!(error.abs() * 16 <= i64::from(secs), "{secs} {error}");
        }
    }

    #[test]
    fn a_time_that_has_passed_is_kept_as_it_is() {
        let from = Timestamp::from_second(1_700_000_000).unwrap();
        let past = from - SignedDuration::from_hours(1);

        assert_eq!(rounded_down(past, from), past);
    }
}
