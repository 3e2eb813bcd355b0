//! Times in a message: limits, durations, moments.

use jiff::{SignedDuration, Timestamp};

use super::{Rejection, limits};
use crate::job::TimeLimits;
use crate::message::path::At;
use crate::message::shape::{JobTimeout, Spillway};

pub(super) fn timeout_of(
    at: &At<'_>,
    timeout: &JobTimeout,
) -> Result<Option<SignedDuration>, Rejection> {
    let at = at.key("attemptDurationSeconds");
    match timeout.attempt_duration_seconds {
        Some(secs) => seconds(&at, secs, limits::TIMEOUT_SECS_MIN).map(Some),
        None => Ok(None),
    }
}

pub(super) fn time_limits(at: &At<'_>, spillway: &Spillway) -> Result<TimeLimits, Rejection> {
    let limit = |key: &str, secs: Option<i64>, min: i64| {
        secs.map(|secs| seconds(&at.key(key), secs, min)).transpose()
    };
    let min = limits::TIMEOUT_SECS_MIN;
    let stop_secs = spillway.stop_timeout_seconds;
    let (stop_min, stop_max) = limits::STOP_TIMEOUT_SECS.into_inner();
    if let Some(secs) = stop_secs.filter(|secs| !limits::STOP_TIMEOUT_SECS.contains(secs)) {
        let what = format!("must be {stop_min} to {stop_max} seconds, not {secs}");
        return Err(Rejection::invalid(&at.key("stopTimeoutSeconds"), &what));
    }
    Ok(TimeLimits {
        job: limit("jobTimeoutSeconds", spillway.job_timeout_seconds, min)?,
        queue: limit("queueTimeoutSeconds", spillway.queue_timeout_seconds, 1)?,
        start: limit("startTimeoutSeconds", spillway.start_timeout_seconds, min)?,
        stop: stop_secs.map(SignedDuration::from_secs),
    })
}

pub(super) fn seconds(at: &At<'_>, secs: i64, min: i64) -> Result<SignedDuration, Rejection> {
    let max = limits::DURATION_SECS_MAX;
    if (min..=max).contains(&secs) {
        return Ok(SignedDuration::from_secs(secs));
    }
    Err(Rejection::invalid(at, &format!("must be {min} to {max} seconds, not {secs}")))
}

/// Seconds under a key, if they are said.
pub(super) fn own_seconds(
    at_spillway: &At<'_>,
    key: &str,
    secs: Option<i64>,
    min: i64,
) -> Result<Option<SignedDuration>, Rejection> {
    secs.map(|secs| seconds(&at_spillway.key(key), secs, min)).transpose()
}

pub(super) fn timestamp(at: &At<'_>, text: &str) -> Result<Timestamp, Rejection> {
    text.parse().map_err(|_| {
        Rejection::invalid(at, &format!("{text:?} is not a time"))
            .hint("write it as RFC 3339 has it: 2026-01-31T18:00:00Z")
    })
}
