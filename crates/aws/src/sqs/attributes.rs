//! The message attributes that say why a message can never be a job. The body itself is never touched.

use std::collections::HashMap;

use aws_sdk_sqs::types::MessageAttributeValue;
use spillway_core::effect::DeadLetter;

use crate::convert::cut;
use crate::limits;

/// Every attribute is a string, as SQS spells it.
const TYPE: &str = "String";

/// The attributes of a dead letter. SQS counts them into the size of the message, so a body that leaves no room for them
/// goes without: the body is what must not be lost.
pub(super) fn of_letter(
    letter: &DeadLetter,
    queue_url: &str,
) -> HashMap<String, MessageAttributeValue> {
    let mut room = limits::SQS_MESSAGE_BYTES_MAX.saturating_sub(letter.body.len());
    let mut attributes = HashMap::new();
    for (name, text) in [
        ("SpillwayCode", letter.code.as_str()),
        ("SpillwaySourceMessageId", letter.message_id.as_str()),
        ("SpillwayReason", letter.reason.as_str()),
        ("SpillwaySourceQueue", queue_url),
    ] {
        let text = sanitised(text);
        let size = name.len() + TYPE.len() + text.len();
        let value = MessageAttributeValue::builder().data_type(TYPE).string_value(text).build();
        if let Ok(value) = value
            && size <= room
        {
            room -= size;
            attributes.insert(name.to_owned(), value);
        }
    }
    attributes
}

/// Text of a length that helps, with only what SQS takes: characters that XML 1.0 allows (SQS API reference,
/// `SendMessage`). Never empty, because SQS refuses empty values.
fn sanitised(text: &str) -> String {
    let text = cut(text, limits::REASON_CHARS_MAX);
    if text.is_empty() {
        return "-".to_owned();
    }
    text.chars().map(|c| if is_xml_legal(c) { c } else { '\u{FFFD}' }).collect()
}

const fn is_xml_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

#[cfg(test)]
mod tests {
    use spillway_core::effect::Receipt;

    use super::*;

    fn letter(body: &str, reason: &str) -> DeadLetter {
        DeadLetter {
            receipt: Receipt("r".into()),
            message_id: "m-1".into(),
            body: body.into(),
            code: "INVALID_FIELD".into(),
            reason: reason.into(),
        }
    }

    #[test]
    fn a_letter_says_why_and_where_it_came_from() {
        let attributes = of_letter(&letter("{}", "vcpus is 0"), "http://q/jobs");

        let text = |name: &str| attributes[name].string_value().unwrap().to_owned();
        assert_eq!(text("SpillwayCode"), "INVALID_FIELD");
        assert_eq!(text("SpillwayReason"), "vcpus is 0");
        assert_eq!(text("SpillwaySourceMessageId"), "m-1");
        assert_eq!(text("SpillwaySourceQueue"), "http://q/jobs");
    }

    #[test]
    fn characters_that_sqs_refuses_are_replaced() {
        assert_eq!(sanitised("a\u{0}b\u{8}c\nd"), "a\u{FFFD}b\u{FFFD}c\nd");
        assert_eq!(sanitised(""), "-");
        assert_eq!(sanitised(&"x".repeat(5000)).len(), limits::REASON_CHARS_MAX);
    }

    #[test]
    fn a_body_of_the_largest_size_goes_without_attributes() {
        let body = "x".repeat(limits::SQS_MESSAGE_BYTES_MAX);

        assert!(of_letter(&letter(&body, "too large"), "http://q/jobs").is_empty());
    }
}
