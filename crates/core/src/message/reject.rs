//! Why a message can never be a job, for machines and for people. The one place where such texts are made fit to travel.

use super::limits::TEXT_CHARS_MAX;
use super::path::At;

/// The values of [`Rejection::code`]. Public: tools switch on them.
pub mod code {
    /// The body, or the body inside an envelope, is not JSON.
    pub const INVALID_JSON: &str = "INVALID_JSON";
    /// One object has the same key twice, so that nobody can know which was meant.
    pub const DUPLICATE_KEY: &str = "DUPLICATE_KEY";
    /// A key that a job needs is not there.
    pub const MISSING_FIELD: &str = "MISSING_FIELD";
    /// A value has the wrong type, or is outside what is allowed.
    pub const INVALID_FIELD: &str = "INVALID_FIELD";
    /// A key or value of AWS Batch's that Spillway does not honour.
    pub const UNSUPPORTED_FIELD: &str = "UNSUPPORTED_FIELD";
    /// A job names a definition that is not registered, or not any more.
    pub const UNKNOWN_DEFINITION: &str = "UNKNOWN_DEFINITION";
    /// Written for a newer Spillway.
    pub const UNSUPPORTED_VERSION: &str = "UNSUPPORTED_VERSION";
    /// Longer or deeper than anything that can be run.
    pub const TOO_LARGE: &str = "TOO_LARGE";
}

/// A message that can never be a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejection {
    /// For machines: one of [`code`].
    pub code: &'static str,
    /// Where, as a JSON path such as `containerOverrides.resourceRequirements[0].value`; none if it is the whole body.
    pub path: Option<String>,
    /// What is wrong, as a sentence fragment with the path in it. At most 500 characters, all of them legal in an SQS
    /// message attribute.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Rejection {
    pub(super) fn whole(code: &'static str, what: impl Into<String>) -> Self {
        Self { code, path: None, reason: presentable(&what.into()), hint: None }
    }

    pub(super) fn at(code: &'static str, at: &At<'_>, what: &str) -> Self {
        Self::at_path(code, &at.to_string(), what)
    }

    pub(super) fn at_path(code: &'static str, path: &str, what: &str) -> Self {
        if path.is_empty() {
            return Self::whole(code, what);
        }
        let reason = presentable(&format!("{path}: {what}"));
        Self { code, path: Some(presentable(path)), reason, hint: None }
    }

    pub(super) fn invalid(at: &At<'_>, what: &str) -> Self {
        Self::at(code::INVALID_FIELD, at, what)
    }

    pub(super) fn missing(at: &At<'_>) -> Self {
        Self::at(code::MISSING_FIELD, at, "is missing")
    }

    pub(super) fn unsupported(at: &At<'_>, what: &str) -> Self {
        Self::at(code::UNSUPPORTED_FIELD, at, what)
    }

    /// The same in the words of a message that is what `prefix` leads to.
    pub(super) fn without(mut self, prefix: &str) -> Self {
        self.path =
            self.path.map(|path| path.strip_prefix(prefix).map_or(path.clone(), str::to_owned));
        if let Some(reason) = self.reason.strip_prefix(prefix) {
            self.reason = reason.to_owned();
        }
        self
    }

    /// The same in the words of a message that holds this one under `key`.
    pub(super) fn within(self, key: &str) -> Self {
        let (path, reason) = match self.path {
            Some(path) => (format!("{key}.{path}"), format!("{key}.{}", self.reason)),
            None => (key.to_owned(), format!("{key}: {}", self.reason)),
        };
        Self { path: Some(presentable(&path)), reason: presentable(&reason), ..self }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(presentable(&hint.into()));
        self
    }
}

/// Whether SQS carries this character: those legal in XML 1.0 (SQS API reference, `SendMessage`).
pub(super) const fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Cuts a text to a readable length and replaces what SQS would refuse to carry: a reason that cannot be sent would keep
/// its message in the queue for ever.
pub(super) fn presentable(text: &str) -> String {
    let is_short = text.chars().nth(TEXT_CHARS_MAX).is_none();
    let kept = if is_short { TEXT_CHARS_MAX } else { TEXT_CHARS_MAX - 3 };
    let legal = text.chars().take(kept).map(|c| if is_legal(c) { c } else { '\u{FFFD}' });
    let tail = if is_short { "" } else { "..." };
    legal.chain(tail.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_can_always_travel_as_a_message_attribute() {
        let text = presentable(&format!("\0{}", "x".repeat(10_000)));

        assert_eq!(text.chars().count(), TEXT_CHARS_MAX);
        assert!(text.starts_with('\u{FFFD}') && text.ends_with("..."));
        assert_eq!(presentable("short"), "short");
    }
}
