//! Alternatives of jobs: V1.

use std::collections::BTreeMap;
use std::sync::Arc;

use spillway_core::job::LiveAttempt;
use spillway_core::{AttemptOrd, Effect, Job, JobSpec, JobState, Variant, VariantOrd, Variants};

use super::stage::{Stage, live};
use crate::fixture::{job, spec, task_request};

/// A job with one alternative of another image.
fn with_other() -> JobSpec {
    let spec = spec();
    let other = Variant {
        image: "other".to_owned(),
        command: spec.container.command.clone(),
        environment: spec.container.environment.clone(),
        resources: spec.resources,
        arch: spec.arch,
        gpu_kinds: spec.gpu_kinds,
        expected_duration: None,
    };
    JobSpec { variants: Variants::of(vec![other]), ..spec }
}

/// It, given to the host as this alternative.
fn placed(ord: u8) -> Job {
    let attempt = LiveAttempt { variant: VariantOrd::new(ord), ..live(AttemptOrd::FIRST) };
    Job { spec: Arc::new(with_other()), ..job("a", JobState::Starting { attempt }) }
}

#[test]
fn v1_what_is_started_is_another_alternative_than_was_written_down_or_is_told_so() {
    let one = VariantOrd::new(1);
    for (started, told, expected) in [
        (one, Some("1"), vec![]),
        (VariantOrd::BASE, Some("1"), vec!["V1"]),
        (one, Some("0"), vec!["V1"]),
        (one, None, vec!["V1"]),
    ] {
        let mut stage = Stage::new();
        assert!(stage.place(placed(1)).is_empty());
        let spec = with_other().as_variant(started).into_owned();
        let mut request = task_request("a", AttemptOrd::FIRST, &stage.instance, spec);
        let variable = |told: &str| ("SPILLWAY_VARIANT".to_owned(), told.to_owned());
        request.environment = told.map(variable).into_iter().collect::<BTreeMap<_, _>>();

        assert_eq!(stage.perform(Effect::RunTask(request)), expected, "{started} {told:?}");
    }
}

#[test]
fn v1_an_alternative_that_the_job_does_not_list() {
    let mut stage = Stage::new();

    assert_eq!(stage.place(placed(2)), ["V1"]);
}
