//! Tags of jobs and definitions. They are what was sent, for ever: there is no message that changes them.

use serde_json::{Value, json};

use super::api::Api;
use super::names::{self, Resource};
use super::refusal::Refusal;

/// `ListTagsForResource`.
pub(super) async fn of(api: &Api, arn: &str) -> Result<Value, Refusal> {
    let tags = match names::resource(arn)? {
        Resource::Queue(_) | Resource::Environment(_) => json!({}),
        Resource::Job(id) => {
            let known = api.read(move |reader| reader.job(id)).await?;
            let sent = || api.sent().get(id.whole());
            match (known, sent) {
                (Some(job), _) => json!(job.spec.tags),
                (None, sent) => match sent() {
                    Some(job) => json!(job.spec.tags),
                    None => return Err(Refusal::client(format!("there is no job {id}"))),
                },
            }
        }
        Resource::Definition(wanted) => {
            let all = api.read(|reader| reader.definitions()).await?;
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
