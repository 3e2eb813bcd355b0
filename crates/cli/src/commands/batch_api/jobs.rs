//! Submits, describes, cancels and terminates jobs. A request is checked as the dispatcher will check it before it is sent, so that
//! whoever made the mistake is told.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use spillway_core::array;
use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;
use spillway_core::message::{self, Ending, Request};
use spillway_core::port::LedgerReader;
use spillway_core::{Definitions, Job, JobId, JobState, JobTarget, QueueName};

use super::api::{Api, Call};
use super::detail::Words;
use super::names;
use super::refusal::Refusal;
use crate::ledger::Reader;

/// The most jobs that one `DescribeJobs` names (AWS Batch API reference).
const DESCRIBED_MAX: usize = 100;

/// `SubmitJob`.
pub(super) async fn submit(api: &Api, call: Call) -> Result<Value, Refusal> {
    let Call { fields, token } = call;
    let body = with_token(fields, "SubmitJob", &token).to_string();
    let definitions = Definitions::new(api.read(LedgerReader::definitions).await?);
    let parsed = message::parse_with(&body, &definitions)?;
    let Request::Submit { spec, client_token } = parsed.request else {
        return Err(Refusal::client("it is not a job"));
    };
    let queues = &api.config.queues;
    if !queues.contains(&spec.queue) {
        let known: Vec<&str> = queues.iter().map(QueueName::as_str).collect();
        return Err(Refusal::client(format!(
            "jobQueue: there is no queue {:?} (hint: the queues are {})",
            spec.queue.as_str(),
            known.join(", ")
        )));
    }
    let id = JobId::derive(&spec.queue, client_token.as_deref().unwrap_or(&token));
    api.send(&body).await?;
    let answer = json!({ "jobArn": api.names.job(id), "jobId": id, "jobName": spec.name });
    api.sent().add(Job {
        id,
        spec: Arc::from(spec),
        body_hash: parsed.body_hash,
        created_at: Timestamp::now(),
        seq: 0,
        state: JobState::Submitted,
        attempts: Vec::new(),
        warnings: parsed.warnings,
    });
    Ok(answer)
}

/// The request as a message of ours. What it says of itself is kept; an action that is another one is found out when it is read.
pub(super) fn with_token(mut fields: Map<String, Value>, action: &str, token: &str) -> Value {
    let own = fields.entry("spillway").or_insert(Value::Null);
    if own.is_null() {
        *own = json!({});
    }
    if let Value::Object(own) = own {
        own.entry("action").or_insert_with(|| json!(action));
        own.entry("clientToken").or_insert_with(|| json!(token));
    }
    Value::Object(fields)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeJobs {
    jobs: Vec<String>,
}

/// `DescribeJobs`: as Batch, without those that nobody knows.
pub(super) async fn describe(api: &Api, call: Call) -> Result<Value, Refusal> {
    let DescribeJobs { jobs: asked } = call.read()?;
    if DESCRIBED_MAX < asked.len() {
        return Err(Refusal::client(format!(
            "jobs: at most {DESCRIBED_MAX} are described at once"
        )));
    }
    let ids: Vec<JobId> = asked.iter().filter_map(|text| names::job(text).ok()).collect();
    let look = move |reader: &Reader| -> Result<Vec<Known>, LedgerError> {
        ids.into_iter().map(|id| known(reader, id)).collect()
    };
    let found = api.read(look).await?;
    let words = Words { names: &api.names, has_logs: api.config.log_group.is_some() };
    let mut details = Vec::new();
    for Known { id, job, children } in found {
        if let Some(job) = job {
            api.sent().forget(id);
            details.push(words.detail(&job, &children));
        } else if let Some(job) = on_its_way(api, id) {
            let waiting = job.spec.array.map_or(0, |array| array.indexes.size);
            details.push(words.detail(&job, &[(JobStatus::Submitted, waiting)]));
        }
    }
    Ok(json!({ "jobs": details }))
}

/// What the ledger knows of an id.
struct Known {
    id: JobId,
    job: Option<Job>,
    children: Vec<(JobStatus, u32)>,
}

fn known(reader: &Reader, id: JobId) -> Result<Known, LedgerError> {
    let job = reader.job(id)?;
    let is_array = job.as_ref().is_some_and(|job| job.spec.array.is_some() && id.index().is_none());
    let children = if is_array { reader.child_counts(id)? } else { Vec::new() };
    Ok(Known { id, job, children })
}

/// A job that was sent and that the ledger does not have, or a child of such an array.
fn on_its_way(api: &Api, id: JobId) -> Option<Arc<Job>> {
    let whole = api.sent().get(id.whole())?;
    let Some(index) = id.index() else { return Some(whole) };
    let ord = whole.spec.array?.indexes.ord_of(index)?;
    Some(Arc::new(array::child_of(&whole, id, ord, JobState::Submitted)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndJob {
    job_id: String,
    reason: String,
}

/// `CancelJob`.
pub(super) async fn cancel(api: &Api, call: Call) -> Result<Value, Refusal> {
    end(api, call, Ending::Cancel).await
}

/// `TerminateJob`.
pub(super) async fn terminate(api: &Api, call: Call) -> Result<Value, Refusal> {
    end(api, call, Ending::Terminate).await
}

async fn end(api: &Api, call: Call, ending: Ending) -> Result<Value, Refusal> {
    let EndJob { job_id, reason } = call.read()?;
    let id = names::job(&job_id)?;
    let body = message::end_job(ending, JobTarget::from(id), &reason).to_string();
    message::parse(&body)?;
    let is_known = api.read(move |reader| Ok(reader.job(id)?.is_some())).await?;
    if !is_known && on_its_way(api, id).is_none() {
        return Err(Refusal::client(format!("jobId: there is no job {id}")));
    }
    api.send(&body).await?;
    Ok(json!({}))
}
