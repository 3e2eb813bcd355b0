//! Takes a message out of the envelopes that AWS puts around it on the way to SQS.

use serde_json::Value;

use super::limits::ENVELOPES_MAX;
use super::path::At;
use super::reject::{Rejection, code};
use super::tree;

/// What is around a value.
enum Envelope {
    /// SNS, without raw message delivery: the text is a string in a notification (SNS developer guide, "Amazon SNS message
    /// formats").
    Notification(String),
    /// EventBridge: the detail of an event (EventBridge user guide, "Events in Amazon EventBridge").
    Event(Value),
    /// Nothing: it is the message.
    Bare(Value),
}

/// Reads a body down to the message in it, which is an object.
pub(super) fn message(body: &str) -> Result<Value, Rejection> {
    let mut value = tree::read(body, &At::Root)?;
    let mut place = At::Root;
    for _ in 0..=ENVELOPES_MAX {
        match open(value)? {
            Envelope::Notification(text) => {
                place = At::Root.key("Message");
                value = tree::read(&text, &place)?;
            }
            Envelope::Event(detail) => value = detail,
            Envelope::Bare(message) if message.is_object() => return Ok(message),
            Envelope::Bare(other) => {
                let what = format!("a message is a JSON object, not {}", kind(&other));
                return Err(Rejection::invalid(&place, &what)
                    .hint("send one job per message, as one JSON object"));
            }
        }
    }
    let what =
        format!("the message lies in more than {ENVELOPES_MAX} envelopes of SNS and EventBridge");
    Err(Rejection::whole(code::TOO_LARGE, what))
}

fn open(mut value: Value) -> Result<Envelope, Rejection> {
    let text_of = |key: &str| value.get(key).and_then(Value::as_str);
    let is_notification = text_of("Type") == Some("Notification") && text_of("TopicArn").is_some();
    let is_event = text_of("detail-type").is_some() && value.get("detail").is_some();
    if is_notification && let Some(text) = text_of("Message") {
        return Ok(Envelope::Notification(text.to_owned()));
    }
    if is_event && let Some(detail) = value.get_mut("detail").map(Value::take) {
        if !detail.is_object() {
            let what = format!("must be an object, not {}", kind(&detail));
            return Err(Rejection::invalid(&At::Root.key("detail"), &what));
        }
        return Ok(Envelope::Event(detail));
    }
    Ok(Envelope::Bare(value))
}

/// The kind of a value, with its article.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
