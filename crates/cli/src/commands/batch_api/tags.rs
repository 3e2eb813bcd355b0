//! Tags of jobs and definitions. They are what was sent, for ever: there is no message that changes them.

use std::sync::Arc;

use serde_json::{Value, json};
use spillway_core::port::LedgerReader;

use super::api::Api;
use super::names::{self, Resource};
use super::refusal::Refusal;

/// `ListTagsForResource`.
pub(super) async fn of(api: &Api, arn: &str) -> Result<Value, Refusal> {
    let tags = match names::resource(arn)? {
        Resource::Queue(_) | Resource::Environment(_) => json!({}),
        Resource::Job(id) => {
            let known = api.read(move |reader| reader.job(id)).await?.map(Arc::new);
            let job = known.or_else(|| api.sent().get(id.whole()));
            let job = job.ok_or_else(|| Refusal::client(format!("there is no job {id}")))?;
            json!(job.spec.tags)
        }
        Resource::Definition(wanted) => {
            let all = api.read(LedgerReader::definitions).await?;
            let found = all.iter().find(|record| record.reference() == wanted);
            let found = found.ok_or_else(|| {
                Refusal::client(format!(
                    "there is no job definition {wanted}; name its revision too"
                ))
            })?;
            found.content.get("tags").filter(|tags| tags.is_object()).cloned().unwrap_or(json!({}))
        }
    };
    Ok(json!({ "tags": tags }))
}

/// The answer to `TagResource` and `UntagResource`.
pub(super) fn cannot_change() -> Refusal {
    Refusal::client(
        "Spillway keeps the tags that a job or definition came with (hint: give them in SubmitJob or \
         RegisterJobDefinition)",
    )
}
