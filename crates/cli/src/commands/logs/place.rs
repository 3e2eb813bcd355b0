//! Where the log of an attempt is: the group, the stream, and what to say about it. Pure.

use spillway_core::container::LogDriver;
use spillway_core::task_spec::Part;
use spillway_core::{AttemptOrd, Job, TaskArn};

use crate::error::Complaint;

/// The option of a job that names another group than the installation's.
const GROUP_OPTION: &str = "awslogs-group";

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    /// Which attempt; the newest if none.
    pub(super) attempt: Option<u32>,
    /// Of which container; the main one if none.
    pub(super) container: Option<&'a str>,
    /// The installation's log group.
    pub(super) group: Option<&'a str>,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) group: String,
    pub(crate) stream: String,
    pub(crate) attempt: AttemptOrd,
    /// Whether the attempt is over.
    pub(super) has_ended: bool,
    /// What people should know before they read it.
    pub(super) note: Option<String>,
}

/// What of the wish can never be, whatever the job does.
pub(super) fn check<'j>(job: &'j Job, wish: &Wish<'_>) -> Result<(Part<'j>, String), Complaint> {
    if job.spec.array.is_some() && job.id.index().is_none() {
        return Err(Complaint::usage(format!("{} is an array: its children have logs", job.id))
            .hint(format!("name one, such as `spillway logs {}:0`", job.id)));
    }
    let parts = job.spec.parts();
    let name = |part: &Part<'_>| part.role.map(|role| role.name.clone());
    let part = match wish.container {
        None => {
            let main = job.spec.task.as_ref().map(|task| task.main.name.as_str());
            parts.iter().find(|part| part.role.map(|role| role.name.as_str()) == main)
        }
        Some(wanted) => parts.iter().find(|part| name(part).as_deref() == Some(wanted)),
    };
    let Some(part) = part.copied() else {
        let names: Vec<String> = parts.iter().filter_map(name).collect();
        let wanted = wish.container.unwrap_or_default();
        let complaint = Complaint::usage(format!("the job has no container {wanted}"));
        return Err(if names.is_empty() {
            complaint.hint("it has one container, whose log is printed without --container")
        } else {
            complaint.hint(format!("it has {}", names.join(", ")))
        });
    };
    if part.container.log_driver != LogDriver::Awslogs {
        let driver = &part.container.log_driver;
        return Err(Complaint::usage(format!(
            "its log is not in CloudWatch Logs: the job chose the log driver {driver}"
        ))
        .hint("look where that driver sends it"));
    }
    let group = part.container.log_options.get(GROUP_OPTION).map(String::as_str).or(wish.group);
    let Some(group) = group else {
        return Err(Complaint::usage("no log is kept: no log group is configured").hint(
            "set `log-group`, as the stack's outputs name it; it holds for attempts from then on",
        ));
    };
    Ok((part, group.to_owned()))
}

/// The log that is asked for.
pub(super) fn of(job: &Job, wish: &Wish<'_>) -> Result<Place, Complaint> {
    let (part, group) = check(job, wish)?;
    let Some(Found { attempt, task, has_ended, is_shared }) = attempt(job, wish.attempt) else {
        let status = job.state.status();
        let what = wish.attempt.map_or_else(
            || format!("the job is {status} and has had no task yet"),
            |wanted| format!("attempt {wanted} of the job has no task"),
        );
        return Err(Complaint::usage(format!("there is no log: {what}"))
            .hint(format!("`spillway why {}` says what it waits for; --follow waits", job.id)));
    };
    // `check` has seen that the driver is one with a stream.
    let stream = part.log_stream(task).unwrap_or_default();
    let note = is_shared.then(|| {
        "the child shared a task with others: this is the log of all of them, and lines that begin with ::spillway say which \
         began and ended where"
            .to_owned()
    });
    Ok(Place { group, stream, attempt, has_ended, note })
}

/// The log of the first attempt after this one, if any, that has a task; none if one attempt was asked for.
pub(super) fn after(job: &Job, wish: &Wish<'_>, last: Option<AttemptOrd>) -> Option<Place> {
    let ended = job.attempts.iter().map(|attempt| attempt.ord);
    let all = ended.chain(job.state.live_attempt().map(|live| live.ord));
    let later = all.filter(|ord| wish.attempt.is_none() && last < Some(*ord));
    later.map(|ord| of(job, &Wish { attempt: Some(ord.get()), ..*wish })).find_map(Result::ok)
}

/// An attempt that has a task.
struct Found<'a> {
    attempt: AttemptOrd,
    task: &'a TaskArn,
    has_ended: bool,
    is_shared: bool,
}

fn attempt(job: &Job, wanted: Option<u32>) -> Option<Found<'_>> {
    let live = job.state.live_attempt().and_then(|live| {
        let (task, is_shared) = (live.task.as_ref()?, live.shared.is_some());
        Some(Found { attempt: live.ord, task, has_ended: false, is_shared })
    });
    let ended = job.attempts.iter().rev().filter_map(|ended| {
        let (task, is_shared) = (ended.task.as_ref()?, ended.shared.is_some());
        Some(Found { attempt: ended.ord, task, has_ended: true, is_shared })
    });
    let is_wanted = |found: &Found<'_>| wanted.is_none_or(|wanted| found.attempt.get() == wanted);
    live.into_iter().chain(ended).find(is_wanted)
}
