//! The JSON schema of the message, made from the types that read it.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::shape::{
    ApproveOrder, ChangeSchedule, CreateSchedule, DeregisterJobDefinition, EndJob, JobDefinition,
    PauseOrder, ResetOrder, SubmitJob,
};
use super::tree::sorted;

/// The JSON schema (draft 2020-12) of a job message, with keys in order so that its text is always the same.
///
/// It says what is accepted and what it means. A few rules are beyond it (unique names, sums of lengths, what the dispatcher
/// serves and allows): [`super::parse`] has the last word.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut generator = SchemaGenerator::new(settings);
    let submit = generator.subschema_for::<SubmitJob>();
    let end = generator.subschema_for::<EndJob>();
    let register = generator.subschema_for::<JobDefinition>();
    let deregister = generator.subschema_for::<DeregisterJobDefinition>();
    let schedule = generator.subschema_for::<CreateSchedule>();
    let of_schedule = generator.subschema_for::<ChangeSchedule>();
    let pause = generator.subschema_for::<PauseOrder>();
    let reset = generator.subschema_for::<ResetOrder>();
    let approve = generator.subschema_for::<ApproveOrder>();
    let definitions = generator.take_definitions(true);
    let mut schema = sorted(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Spillway job message, version 1",
        "description": "The body of a message on the job queue: AWS Batch's SubmitJob, an order to end a job or to pause a queue or pool or to close a breaker or to approve a burst, \
            RegisterJobDefinition, DeregisterJobDefinition, or an order about a schedule. It may lie in an SNS notification or in the detail of an EventBridge event. Unknown keys are \
            accepted and reported as warnings; keys of AWS Batch that Spillway does not honour are refused by name.",
        "anyOf": [submit, end, register, deregister, pause, reset, approve, schedule, of_schedule],
        "$defs": definitions,
    }));
    unwrap_lines(&mut schema);
    schema
}

/// The types' descriptions are wrapped where their source is; a line ends only where a paragraph does.
fn unwrap_lines(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                if let (Value::String(text), "description") = (&mut *value, key.as_str()) {
                    let paragraphs = text.split("\n\n").map(|p| p.replace('\n', " "));
                    *text = paragraphs.collect::<Vec<_>>().join("\n\n");
                } else {
                    unwrap_lines(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unwrap_lines),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
