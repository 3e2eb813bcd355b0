//! Definitions of jobs that are not in the job's own message: registering one, and putting one where a job names it. The
//! definition becomes part of the message before anything of it is read, so that both ways mean the same.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::limits;
use super::path::At;
use super::reject::{Rejection, code};
use super::shape::JobDefinition;
use crate::definition::{DefinitionRef, DefinitionSource};

/// What a message under `spillway` says of itself and not of its job.
const OF_THE_MESSAGE: [&str; 3] = ["version", "action", "clientToken"];

/// The image of a definition that is not known.
const STAND_IN: &str = "stand-in";

/// Stands in for every definition, for those who check a message without knowing what is registered.
#[derive(Debug, Clone, Copy, Default)]
pub struct StandIn;

impl DefinitionSource for StandIn {
    fn find(&self, reference: &DefinitionRef) -> Option<(u32, Arc<Value>)> {
        let definition = json!({
            "jobDefinitionName": reference.name.as_str(),
            "type": "container",
            "containerProperties": {
                "image": STAND_IN,
                "resourceRequirements": [
                    {"type": "VCPU", "value": "0.001"},
                    {"type": "MEMORY", "value": "4"}
                ]
            }
        });
        Some((reference.revision.unwrap_or(1), Arc::new(definition)))
    }
}

/// Whether a definition is that stand-in: what a job says of the real one cannot be judged then.
pub(super) fn is_stand_in(definition: &JobDefinition) -> bool {
    let image = definition.container_properties.as_ref().and_then(|own| own.image.as_deref());
    image == Some(STAND_IN)
}

/// Puts the definition that a job names in its place, and a definition's own `spillway` under the job's. Returns the revision
/// that was meant.
pub(super) fn settle(
    message: &mut Value,
    definitions: &dyn DefinitionSource,
) -> Result<Option<u32>, Rejection> {
    let mut revision = None;
    if let Some(text) = message.get("jobDefinition").and_then(Value::as_str) {
        let at = At::Root.key("jobDefinition");
        let reference: DefinitionRef =
            text.parse().map_err(|error| Rejection::invalid(&at, &format!("{error}")))?;
        let (found, content) = definitions.find(&reference).ok_or_else(|| {
            let what = format!("there is no active job definition {reference}");
            Rejection::at(code::UNKNOWN_DEFINITION, &at, &what)
                .hint("`spillway definitions list` shows them; or put the definition itself there")
        })?;
        revision = Some(found);
        if let Some(place) = message.get_mut("jobDefinition") {
            *place = Value::clone(&content);
        }
    }
    let of_definition = message
        .get_mut("jobDefinition")
        .and_then(Value::as_object_mut)
        .and_then(|definition| definition.remove("spillway"));
    let defaults = of_definition.and_then(|own| match own {
        Value::Object(own) => Some(own),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            None
        }
    });
    if let (Some(defaults), Some(message)) = (defaults, message.as_object_mut()) {
        let own = message.entry("spillway").or_insert(Value::Null);
        if own.is_null() {
            *own = Value::Object(Map::new());
        }
        if let Value::Object(own) = own {
            for (key, value) in defaults {
                if !OF_THE_MESSAGE.contains(&key.as_str()) {
                    own.entry(key).or_insert(value);
                }
            }
        }
    }
    Ok(revision)
}

/// Whether a message without an action registers a definition: it names one, and no job.
pub(super) fn is_definition(message: &Value) -> bool {
    let has = |key: &str| message.get(key).is_some_and(|value| !value.is_null());
    has("jobDefinitionName") && !has("jobName") && !has("jobQueue")
}

/// What a message registers, with the job that would check it: one of this definition, with nothing of its own.
pub(super) fn taken_apart(message: &Value) -> Result<(Value, Value), Rejection> {
    let mut content = message.clone();
    if let Some(content) = content.as_object_mut() {
        if let Some(Value::Object(own)) = content.get_mut("spillway") {
            own.retain(|key, _| !OF_THE_MESSAGE.contains(&key.as_str()));
        }
        if content.get("spillway").is_some_and(|own| own.as_object().is_some_and(Map::is_empty)) {
            content.remove("spillway");
        }
    }
    let n_bytes = content.to_string().len();
    if limits::DEFINITION_BYTES_MAX < n_bytes {
        let what = format!(
            "{n_bytes} bytes are more than the {} a job definition may have",
            limits::DEFINITION_BYTES_MAX
        );
        return Err(Rejection::whole(code::TOO_LARGE, what));
    }
    let job = json!({ "jobName": "check", "jobQueue": "check", "jobDefinition": content });
    Ok((content, job))
}
