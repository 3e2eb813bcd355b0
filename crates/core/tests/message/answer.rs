//! What every answer to a message must hold, whatever the message is. The fuzzer holds the reader to it, and so do the tests.

use serde_json::Value;
use spillway_core::message::{self, Rejection, Request, StandIn, code, limits};

/// Panics with what is wrong about the answer to a text. Says whether it was accepted.
pub(crate) fn check(body: &str) -> bool {
    let answer = message::parse(body);
    if body.len().is_multiple_of(4) {
        assert_eq!(answer, message::parse(body), "the same text has the same answer");
    }
    match &answer {
        Ok(parsed) => {
            assert!(parsed.warnings.len() <= limits::WARNINGS_MAX + 1, "{:?}", parsed.warnings);
            parsed.warnings.iter().for_each(|text| check_text(text));
            check_request(&parsed.request);
        }
        Err(rejection) => check_rejection(rejection, body),
    }
    // With every definition there, the same holds of the rest of the message.
    let lacks_definition =
        answer.as_ref().is_err_and(|rejection| rejection.code == code::UNKNOWN_DEFINITION);
    if lacks_definition && let Err(rejection) = message::parse_with(body, &StandIn) {
        check_texts(&rejection);
    }
    answer.is_ok()
}

fn check_texts(rejection: &Rejection) {
    let texts = [Some(&rejection.reason), rejection.path.as_ref(), rejection.hint.as_ref()];
    texts.into_iter().flatten().for_each(|text| check_text(text));
}

/// A text can travel as a message attribute.
fn check_text(text: &str) {
    let is_legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    assert!(!text.is_empty() && text.chars().count() <= limits::TEXT_CHARS_MAX, "{text:?}");
    assert!(text.chars().all(is_legal), "{text:?}");
}

/// A refusal says where, unless there is no where: the text is no JSON, no object, or too large as a whole.
fn check_rejection(rejection: &Rejection, body: &str) {
    check_texts(rejection);
    let Some(path) = &rejection.path else {
        let is_object = serde_json::from_str(body).is_ok_and(|value: Value| value.is_object());
        let has_no_where = [code::INVALID_JSON, code::TOO_LARGE].contains(&rejection.code);
        assert!(has_no_where || !is_object, "no path: {rejection:?}\n{body}");
        return;
    };
    assert!(rejection.reason.starts_with(path.as_str()), "{rejection:?}");
}

/// What is accepted can be run: it is stored as it is, and its containers have what they need.
fn check_request(request: &Request) {
    let Request::Submit { spec, .. } = request else { return };
    let stored = serde_json::to_string(spec).expect("a job can be stored");
    let read: spillway_core::JobSpec = serde_json::from_str(&stored).expect("and read again");
    assert_eq!(**spec, read);
    assert!((1..=limits::ATTEMPTS_MAX).contains(&spec.attempts));
    assert!(spec.tags.len() <= limits::TAGS_MAX);
    let parts = spec.parts();
    assert!(!parts.is_empty() && parts.len() <= limits::CONTAINERS_MAX);
    let mut sum = spillway_core::Resources::ZERO;
    for part in &parts {
        assert!(0 < part.resources.cpu.get() && 0 < part.resources.memory.get(), "{part:?}");
        assert!(!part.container.image.is_empty());
        sum = sum.checked_add(&part.resources).expect("the sum was looked at");
    }
    assert_eq!(sum, spec.resources, "the containers need what the job needs");
    assert!(parts.iter().any(|part| part.role.is_none_or(|role| role.essential)));
    let n_chars: usize = parts.iter().map(|part| overrides_chars(part.container)).sum();
    assert!(n_chars <= limits::OVERRIDES_CHARS_MAX, "ECS takes no more");
}

fn overrides_chars(container: &spillway_core::job::ContainerSpec) -> usize {
    let words = container.command.iter().map(|word| word.chars().count());
    let pairs = container.environment.iter().map(|(n, v)| n.chars().count() + v.chars().count());
    words.chain(pairs).sum()
}
