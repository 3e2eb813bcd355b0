//! Orders about schedules. A schedule is good if the job that it would send is.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Rejection, Warnings, check_chars, limits, seconds, timestamp, typed};
use crate::definition::DefinitionSource;
use crate::id::JobName;
use crate::message::path::At;
use crate::message::shape::{
    ChangeSchedule, CreateSchedule, CreateScheduleSpillway, MissedRule, ScheduleAction,
};
use crate::message::{Request, ScheduleOrder, ScheduleRequest};
use crate::schedule::{CATCH_UP_DEFAULT, Expression, Missed, ScheduleError, ScheduleSpec, Zone};

/// Makes a schedule.
pub(super) fn create(
    message: &Value,
    definitions: &dyn DefinitionSource,
) -> Result<(Request, Vec<String>), Rejection> {
    let (written, warnings) = typed::<CreateSchedule>(message)?;
    let root = At::Root;
    let name = name(written.schedule_name)?;
    let at = root.key("scheduleExpression");
    let expression = written.schedule_expression.ok_or_else(|| {
        Rejection::missing(&at).hint("say when: \"cron(0 2 * * ? *)\" or \"rate(1 hour)\"")
    })?;
    let expression: Expression = expression.parse().map_err(|error| wrong(&at, &error))?;
    let at = root.key("scheduleExpressionTimezone");
    let zone = match written.schedule_expression_timezone {
        Some(zone) => zone.parse().map_err(|error| wrong(&at, &error))?,
        None => Zone::UTC,
    };
    let date = |key: &str, text: Option<String>| {
        text.map(|text| timestamp(&root.key(key), &text)).transpose()
    };
    let (start, end) = (date("startDate", written.start_date)?, date("endDate", written.end_date)?);
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        return Err(Rejection::invalid(&root.key("endDate"), "is not after startDate"));
    }
    let own = written.spillway.unwrap_or_default();
    let CreateScheduleSpillway { version: _, action: _, client_token, missed, catch_up_seconds } =
        own;
    let at = root.key("spillway");
    check_token(&at, client_token.as_deref())?;
    let catch_up = match catch_up_seconds {
        Some(secs) => seconds(&at.key("catchUpSeconds"), secs, 0)?,
        None => CATCH_UP_DEFAULT,
    };
    let missed = match missed {
        Some(MissedRule::Once) | None => Missed::Once,
        Some(MissedRule::Skip) => Missed::Skip,
    };
    let job = written.job.filter(|job| !job.is_null());
    let job = job.ok_or_else(|| Rejection::missing(&root.key("job")))?;
    let spec =
        ScheduleSpec { name, expression, zone, start, end, missed, catch_up, job: Arc::new(job) };
    let (queue, of_job) = check_job(&spec, definitions)?;
    let order = ScheduleOrder::Create { spec: Box::new(spec.clone()), queue };
    let request = ScheduleRequest { name: spec.name, order, client_token };
    let mut texts = warnings.into_texts();
    texts.extend(of_job);
    Ok((Request::Schedule(Box::new(request)), texts))
}

/// The queue of the job that a schedule sends, and what is odd about it.
fn check_job(
    spec: &ScheduleSpec,
    definitions: &dyn DefinitionSource,
) -> Result<(crate::QueueName, Vec<String>), Rejection> {
    let at_job = At::Root.key("job");
    if !spec.job.is_object() {
        return Err(Rejection::invalid(&at_job, "is not an object"));
    }
    let own = spec.job.get("spillway");
    let says = |key: &str| own.and_then(|own| own.get(key)).is_some_and(|value| !value.is_null());
    let at_own = at_job.key("spillway");
    if says("clientToken") {
        return Err(Rejection::invalid(&at_own.key("clientToken"), "is the schedule's to give")
            .hint("leave it out: each job gets its own"));
    }
    if own.and_then(|own| own.get("action")).is_some_and(|action| action != "SubmitJob") {
        return Err(Rejection::invalid(&at_own.key("action"), "must be SubmitJob"));
    }
    let trial = spec.message(Timestamp::UNIX_EPOCH);
    let here = |rejection: Rejection| rejection.within("job");
    let (request, warnings) = super::request(trial, definitions).map_err(here)?;
    let Request::Submit { spec, .. } = request else {
        return Err(Rejection::invalid(&at_job, "is no job"));
    };
    let warnings = warnings.into_iter().map(|text| format!("job.{text}"));
    Ok((spec.queue, warnings.collect()))
}

/// Deletes, pauses or resumes one.
pub(super) fn change(message: &Value) -> Result<(Request, Vec<String>), Rejection> {
    let (written, warnings): (ChangeSchedule, Warnings) = typed(message)?;
    let name = name(written.schedule_name)?;
    let own = written.spillway.unwrap_or_default();
    let at = At::Root.key("spillway");
    check_token(&at, own.client_token.as_deref())?;
    let order = match own.action {
        Some(ScheduleAction::DeleteSchedule) => ScheduleOrder::Delete,
        Some(ScheduleAction::PauseSchedule) => ScheduleOrder::Pause,
        Some(ScheduleAction::ResumeSchedule) => ScheduleOrder::Resume,
        None => return Err(Rejection::missing(&at.key("action"))),
    };
    let request = ScheduleRequest { name, order, client_token: own.client_token };
    Ok((Request::Schedule(Box::new(request)), warnings.into_texts()))
}

fn name(text: Option<String>) -> Result<JobName, Rejection> {
    let at = At::Root.key("scheduleName");
    let text = text.ok_or_else(|| Rejection::missing(&at))?;
    text.parse().map_err(|error| Rejection::invalid(&at, &format!("{error}")))
}

fn check_token(at: &At<'_>, token: Option<&str>) -> Result<(), Rejection> {
    token.map_or(Ok(()), |token| {
        check_chars(&at.key("clientToken"), token, 1, limits::TOKEN_CHARS_MAX)
    })
}

fn wrong(at: &At<'_>, error: &ScheduleError) -> Rejection {
    Rejection::invalid(at, &error.to_string())
}
