//! From what is written to what is meant: reads the types of `shape` out of a tree, then holds every rule that a type cannot
//! say. Refuses at the first thing that is wrong, with its place.

mod container;
mod containers;
mod needs;
mod nodes;
mod overrides;
mod relations;
mod retry;
mod schedule;
mod scheduling;
mod secret;
mod storage;
mod task;
mod times;
mod variants;
mod work;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use containers::{Containers, Written};
use times::{own_seconds, seconds, time_limits, timeout_of, timestamp};
use work::{Work, check_kind, check_overrides};

use super::limits;
use super::nearest::nearest;
use super::path::{self, At};
use super::reject::{Rejection, code, presentable};
use super::shape::{
    ApproveOrder, DeregisterJobDefinition, EndAction, EndJob, PauseOrder, ResetOrder, SubmitJob,
};
use super::{Request, define, unsupported};
use crate::definition::{DefinitionRef, DefinitionSource, NoDefinitions};
use crate::id::{JobName, QueueName};
use crate::job::JobSpec;
use crate::market::MarketRule;
use crate::target::JobTarget;

/// What a message asks for, and what was odd about it.
pub(super) fn request(
    mut message: Value,
    definitions: &dyn DefinitionSource,
) -> Result<(Request, Vec<String>), Rejection> {
    let spillway = message.get("spillway");
    check_version(spillway)?;
    let said = spillway.and_then(|spillway| spillway.get("action")).and_then(Value::as_str);
    match said {
        None if define::is_definition(&message) => register(&message),
        Some("RegisterJobDefinition") => register(&message),
        Some("SubmitJob") | None => {
            let revision = define::settle(&mut message, definitions)?;
            let (request, warnings) = job(&message, revision)?;
            Ok((request, warnings.into_texts()))
        }
        Some("CancelJob" | "TerminateJob") => {
            let (order, warnings) = typed::<EndJob>(&message)?;
            Ok((end(order)?, warnings.into_texts()))
        }
        Some("DeregisterJobDefinition") => {
            let (order, warnings) = typed::<DeregisterJobDefinition>(&message)?;
            Ok((deregister(order)?, warnings.into_texts()))
        }
        Some("CreateSchedule") => schedule::create(&message, definitions),
        Some("DeleteSchedule" | "PauseSchedule" | "ResumeSchedule") => schedule::change(&message),
        Some("PauseQueue" | "ResumeQueue" | "PausePool" | "ResumePool") => {
            let (order, warnings) = typed::<PauseOrder>(&message)?;
            Ok((scheduling::pause(&order)?, warnings.into_texts()))
        }
        Some("ResetBreaker") => {
            let (order, warnings) = typed::<ResetOrder>(&message)?;
            Ok((scheduling::reset(order)?, warnings.into_texts()))
        }
        Some("ApproveBurst") => {
            let (order, warnings) = typed::<ApproveOrder>(&message)?;
            Ok((scheduling::approve(order)?, warnings.into_texts()))
        }
        Some(other) => {
            let at = At::Root.key("spillway");
            Err(Rejection::invalid(&at.key("action"), &format!("{other:?} is not known")).hint(
                "say SubmitJob, CancelJob, TerminateJob, RegisterJobDefinition, \
                 DeregisterJobDefinition, CreateSchedule, DeleteSchedule, PauseSchedule, \
                 ResumeSchedule, PauseQueue, ResumeQueue, PausePool, ResumePool, ResetBreaker or \
                 ApproveBurst",
            ))
        }
    }
}

fn job(message: &Value, revision: Option<u32>) -> Result<(Request, Warnings), Rejection> {
    unsupported::check(message)?;
    let (job, mut warnings) = typed::<SubmitJob>(message)?;
    let request = submit(job, revision, &mut warnings)?;
    Ok((request, warnings))
}

/// A definition is good if a job of it is. What it says of parameters a job may still give.
fn register(message: &Value) -> Result<(Request, Vec<String>), Rejection> {
    const PREFIX: &str = "jobDefinition.";
    let here = |rejection: Rejection| rejection.without(PREFIX);
    let (content, mut check) = define::taken_apart(message)?;
    let own = message.get("spillway").and_then(|own| own.get("clientToken"));
    let at_name = At::Root.key("jobDefinitionName");
    let name = content.get("jobDefinitionName").and_then(Value::as_str);
    let name = name.ok_or_else(|| Rejection::missing(&at_name))?;
    let name: JobName =
        name.parse().map_err(|error| Rejection::invalid(&at_name, &format!("{error}")))?;
    if content.get("type").is_none_or(Value::is_null) {
        return Err(
            Rejection::missing(&At::Root.key("type")).hint("say \"container\" or \"multinode\"")
        );
    }
    define::settle(&mut check, &NoDefinitions).map_err(here)?;
    let (_, warnings) = job(&check, None).map_err(here)?;
    let client_token = match own.filter(|token| !token.is_null()) {
        Some(token) => {
            let at = At::Root.key("spillway");
            let at = at.key("clientToken");
            let text = token.as_str().ok_or_else(|| Rejection::invalid(&at, "must be a string"))?;
            check_chars(&at, text, 1, limits::TOKEN_CHARS_MAX)?;
            Some(text.to_owned())
        }
        None => None,
    };
    // What a job has yet to say is nothing odd of its definition.
    let is_odd = |text: &String| !text.contains(": Ref::") && !text.ends_with(relations::NO_ARRAY);
    let texts = warnings.into_texts().into_iter().filter(is_odd);
    let texts = texts.map(|text| text.strip_prefix(PREFIX).map_or(text.clone(), str::to_owned));
    let request = Request::Register { name, content: Box::new(content), client_token };
    Ok((request, texts.collect()))
}

fn deregister(order: DeregisterJobDefinition) -> Result<Request, Rejection> {
    let at = At::Root.key("jobDefinition");
    let text = order.job_definition.ok_or_else(|| Rejection::missing(&at))?;
    let DefinitionRef { name, revision } =
        text.parse().map_err(|error| Rejection::invalid(&at, &format!("{error}")))?;
    let revision = revision.ok_or_else(|| {
        Rejection::invalid(&at, &format!("{text:?} does not say which revision"))
            .hint("write NAME:REVISION")
    })?;
    Ok(Request::Deregister { name, revision })
}

/// The queue of a job, if it names one.
pub(super) fn queue(message: &Value) -> Option<QueueName> {
    let text = message.get("jobQueue").and_then(Value::as_str)?;
    queue_of(&At::Root, Some(text.to_owned())).ok()
}

/// What was odd and did no harm. Bounded: it is stored with the job.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    texts: Vec<String>,
    n_more: usize,
}

impl Warnings {
    fn has_room(&self) -> bool {
        self.texts.len() < limits::WARNINGS_MAX
    }

    pub(super) fn add(&mut self, place: &str, what: &str) {
        if self.has_room() {
            self.texts.push(presentable(&format!("{place}: {what}")));
        } else {
            self.n_more += 1;
        }
    }

    fn into_texts(mut self) -> Vec<String> {
        if 0 < self.n_more {
            self.texts.push(format!("and {} more", self.n_more));
        }
        self.texts
    }
}

/// A newer message may look entirely different, so its version is read before anything else.
fn check_version(spillway: Option<&Value>) -> Result<(), Rejection> {
    let Some(version) = spillway.and_then(|spillway| spillway.get("version")) else {
        return Ok(());
    };
    let at = At::Root.key("spillway");
    let at = at.key("version");
    match version.as_u64() {
        Some(1) => Ok(()),
        Some(newer) if 1 < newer => {
            let what = format!("the message has version {newer}, this Spillway reads version 1");
            Err(Rejection::at(code::UNSUPPORTED_VERSION, &at, &what)
                .hint("upgrade the dispatcher, or send version 1"))
        }
        Some(_) | None if version.is_null() => Ok(()),
        Some(_) | None => Err(Rejection::invalid(&at, &format!("must be 1, not {version}"))),
    }
}

/// Reads a type out of a tree; keys it does not ask for become warnings.
fn typed<T: DeserializeOwned>(message: &Value) -> Result<(T, Warnings), Rejection> {
    let mut warnings = Warnings::default();
    let mut ignore = |ignored: serde_ignored::Path<'_>| {
        let place = path::of_ignored(&ignored);
        if !unsupported::is_known(&place) {
            // What was meant is looked for only where it will be read: a body has room for very many wrong keys.
            let key = path::last_key(&ignored).filter(|_| warnings.has_room());
            let meant = key.and_then(nearest);
            let question = meant.map(|key| format!("; did you mean {key}?"));
            let what = format!("is not known and has no effect{}", question.unwrap_or_default());
            warnings.add(&place, &what);
        }
    };
    let tree = serde_ignored::Deserializer::new(message, &mut ignore);
    match serde_path_to_error::deserialize(tree) {
        Ok(value) => Ok((value, warnings)),
        Err(error) => {
            let place = path::of_error(error.path());
            let what = in_words_of_json(&error.into_inner().to_string());
            Err(Rejection::at_path(code::INVALID_FIELD, &place, &what)
                .hint("docs/job.schema.json describes every key"))
        }
    }
}

/// Replaces Rust's names of types by those of JSON.
fn in_words_of_json(text: &str) -> String {
    let words = [
        ("expected i64", "expected a whole number"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected an object"),
        ("invalid type: sequence", "invalid type: list"),
        ("invalid type: map", "invalid type: object"),
    ];
    words.into_iter().fold(text.to_owned(), |text, (rust, json)| text.replace(rust, json))
}

fn end(order: EndJob) -> Result<Request, Rejection> {
    let at = At::Root.key("jobId");
    let text = order.job_id.ok_or_else(|| Rejection::missing(&at))?;
    let job = text.parse().map_err(|_| {
        Rejection::invalid(&at, &format!("{text:?} is not a job id"))
            .hint("`spillway jobs list` shows the ids")
    })?;
    relations::no_node(&at, job)?;
    let at = At::Root.key("reason");
    let reason = order.reason.ok_or_else(|| {
        Rejection::missing(&at).hint("say why: it is kept on the job as its status reason")
    })?;
    check_chars(&at, &reason, 1, limits::REASON_CHARS_MAX)?;
    let at = At::Root.key("spillway");
    let spillway = order.spillway.unwrap_or_default();
    let indexes = relations::order_indexes(&at.key("indexes"), job, spillway.indexes.as_ref())?;
    let target = JobTarget { job, indexes };
    match spillway.action {
        Some(EndAction::CancelJob) => Ok(Request::Cancel { target, reason }),
        Some(EndAction::TerminateJob) => Ok(Request::Terminate { target, reason }),
        None => Err(Rejection::missing(&At::Root.key("spillway").key("action"))),
    }
}

fn submit(
    mut message: SubmitJob,
    revision: Option<u32>,
    warnings: &mut Warnings,
) -> Result<Request, Rejection> {
    let root = At::Root;
    let name = job_name_of(&root.key("jobName"), message.job_name.take())?;
    let queue = queue_of(&root.key("jobQueue"), message.job_queue.take())?;
    let at_definition = root.key("jobDefinition");
    let definition = message.job_definition.take().ok_or_else(|| {
        Rejection::missing(&at_definition)
            .hint("put the job definition there: the object that RegisterJobDefinition takes")
    })?;
    check_kind(&at_definition, &definition)?;
    check_overrides(&definition, &message)?;
    let scheduling = scheduling::scheduling(&message, &definition)?;
    let spillway = message.spillway.unwrap_or_default();
    let at_spillway = root.key("spillway");
    let (array, depends_on) = relations::relations(
        message.array_properties.as_ref(),
        message.depends_on.as_deref(),
        &spillway,
    )?;
    let coalesce = relations::coalesce(spillway.coalesce.as_ref(), array, warnings)?;

    let parameters = merged_parameters(definition.parameters, message.parameters)?;
    let mut time_limits = time_limits(&at_spillway, &spillway)?;
    let gpu_kinds = spillway.gpu_kinds.as_deref();
    let of = task::Of {
        parameters: &parameters,
        arch: spillway.architecture,
        stop: time_limits.stop,
        named: name.as_str().len() + 2 * queue.as_str().len(),
    };
    let work = if let Some(nodes) = definition.node_properties {
        let odd = (array.is_some(), spillway.grow_memory.is_some());
        let overrides = message.node_overrides.unwrap_or_default();
        Work::of_nodes(nodes, overrides, odd, (of, gpu_kinds), warnings)?
    } else {
        let written = Written {
            single: definition.container_properties,
            several: definition.ecs_properties,
            overrides: message.container_overrides,
            several_overrides: message.ecs_properties_override,
        };
        Work::of_containers(written, of, gpu_kinds, warnings)?
    };
    let own_secs = |key, secs, least| own_seconds(&at_spillway, key, secs, least);
    let expected_duration =
        own_secs("expectedDurationSeconds", spillway.expected_duration_seconds, 1)?;
    let variants = work.variants(spillway.variants, expected_duration, &parameters, warnings)?;
    let Work { containers, gpu_kinds, gang } = work;
    let Containers { container, task, resources, arch, stop } = containers;
    time_limits.stop = stop;

    let (attempts, rules) = match (message.retry_strategy, definition.retry_strategy) {
        (Some(own), _) => retry::strategy(&root.key("retryStrategy"), own)?,
        (None, Some(of_it)) => retry::strategy(&at_definition.key("retryStrategy"), of_it)?,
        (None, None) => (1, Vec::new()),
    };
    let at = at_spillway.key("evaluateOnExit");
    let mut retry_rules = retry::rules(&at, spillway.evaluate_on_exit)?;
    retry_rules.extend(rules);
    let at_growth = at_spillway.key("growMemory");
    let memory_growth = retry::growth(&at_growth, spillway.grow_memory, resources.memory)?;
    let attempt_timeout = match (&message.timeout, &definition.timeout) {
        (Some(timeout), _) => timeout_of(&root.key("timeout"), timeout)?,
        (None, Some(timeout)) => timeout_of(&at_definition.key("timeout"), timeout)?,
        (None, None) => None,
    };
    let patience = own_secs("patienceSeconds", spillway.patience_seconds, 0)?;
    let deadline = spillway.deadline.as_deref();
    let deadline =
        deadline.map(|text| timestamp(&at_spillway.key("deadline"), text)).transpose()?;
    if let Some(token) = &spillway.client_token {
        check_chars(&at_spillway.key("clientToken"), token, 1, limits::TOKEN_CHARS_MAX)?;
    }
    let spec = JobSpec {
        name,
        queue,
        // One that breaks Batch's rule was never a definition's name; it only helps to estimate.
        definition: definition.job_definition_name.and_then(|name| name.parse().ok()),
        definition_revision: revision,
        container,
        task,
        resources,
        arch,
        gpu_kinds,
        market: spillway.market.unwrap_or_else(|| unsaid_market(gang.is_some())),
        attempts,
        retry_rules,
        memory_growth,
        attempt_timeout,
        time_limits,
        expected_duration,
        patience,
        deadline,
        tags: merged_tags(&root, definition.tags, message.tags)?,
        propagate_tags: message.propagate_tags.or(definition.propagate_tags).unwrap_or(false),
        array,
        coalesce,
        depends_on,
        gang,
        scheduling,
        variants,
    };
    relations::check_coalesced(&spec)?;
    Ok(Request::Submit { spec: Box::new(spec), client_token: spillway.client_token })
}

/// AWS Batch runs multi-node jobs On-Demand: one lost node takes the work of all.
const fn unsaid_market(has_nodes: bool) -> MarketRule {
    if has_nodes { MarketRule::OnDemand } else { MarketRule::Any }
}

fn job_name_of(at: &At<'_>, text: Option<String>) -> Result<JobName, Rejection> {
    let text =
        text.ok_or_else(|| Rejection::missing(at).hint("name the job; names need not be unique"))?;
    text.parse().map_err(|error| Rejection::invalid(at, &format!("{error}")))
}

/// The queue's name, or the last part of a Batch job queue's ARN (`arn:aws:batch:...:job-queue/NAME`).
fn queue_of(at: &At<'_>, text: Option<String>) -> Result<QueueName, Rejection> {
    let text =
        text.ok_or_else(|| Rejection::missing(at).hint("name one of the dispatcher's queues"))?;
    let of_arn = text.split_once(":job-queue/").filter(|(arn, _)| arn.starts_with("arn:"));
    let name = of_arn.map_or(text.as_str(), |(_, name)| name);
    name.parse().map_err(|error| Rejection::invalid(at, &format!("{error}")))
}

fn merged_parameters(
    defaults: Option<BTreeMap<String, String>>,
    given: Option<BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, Rejection> {
    let mut parameters = defaults.unwrap_or_default();
    parameters.extend(given.unwrap_or_default());
    if limits::PARAMETERS_MAX < parameters.len() {
        let what =
            format!("{} parameters are more than {}", parameters.len(), limits::PARAMETERS_MAX);
        return Err(Rejection::at(code::TOO_LARGE, &At::Root.key("parameters"), &what));
    }
    Ok(parameters)
}

/// The definition's tags and the job's; the job's win.
fn merged_tags(
    at: &At<'_>,
    of_definition: Option<BTreeMap<String, String>>,
    of_job: Option<BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, Rejection> {
    let at_definition = at.key("jobDefinition");
    let places = [(of_definition, at_definition.key("tags")), (of_job, at.key("tags"))];
    let mut merged = BTreeMap::new();
    for (tags, at) in places {
        for (key, value) in tags.unwrap_or_default() {
            let at = at.key(&key);
            if key.is_empty() || limits::TAG_KEY_CHARS_MAX < key.chars().count() {
                let what =
                    format!("the key must have 1 to {} characters", limits::TAG_KEY_CHARS_MAX);
                return Err(Rejection::invalid(&at, &what));
            }
            if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
                return Err(Rejection::invalid(
                    &at,
                    "keys beginning with \"aws:\" are reserved by AWS",
                ));
            }
            check_chars(&at, &value, 0, limits::TAG_VALUE_CHARS_MAX)?;
            merged.insert(key, value);
        }
    }
    if limits::TAGS_MAX < merged.len() {
        let what = format!(
            "{} tags, those of the definition included, are more than {}",
            merged.len(),
            limits::TAGS_MAX
        );
        return Err(Rejection::invalid(&at.key("tags"), &what));
    }
    Ok(merged)
}

/// Holds a text to a length in characters.
fn check_chars(at: &At<'_>, text: &str, min: usize, max: usize) -> Result<(), Rejection> {
    let n_chars = text.chars().count();
    if (min..=max).contains(&n_chars) {
        return Ok(());
    }
    Err(Rejection::invalid(at, &format!("must have {min} to {max} characters, not {n_chars}")))
}
