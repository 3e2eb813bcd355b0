//! How often to try and when: AWS Batch's `retryStrategy` with its rules, and what `spillway` adds to them.

use super::{Rejection, check_chars, limits, needs};
use crate::job::FailureCategory;
use crate::message::path::At;
use crate::message::shape::{
    EvaluateFailure, EvaluateOnExit, FailureCause, GrowMemory, RetryStrategy,
};
use crate::quantity::MiB;
use crate::retry::{ExitPattern, MemoryGrowth, RetryAction, RetryRule};

/// What a strategy says. Batch wants `attempts` wherever there are rules.
pub(super) fn strategy(
    at: &At<'_>,
    strategy: RetryStrategy,
) -> Result<(u8, Vec<RetryRule>), Rejection> {
    let rules = strategy.evaluate_on_exit.unwrap_or_default();
    let at_attempts = at.key("attempts");
    let attempts = match strategy.attempts {
        Some(attempts) => attempts_of(&at_attempts, attempts)?,
        None if rules.is_empty() => 1,
        None => {
            return Err(Rejection::missing(&at_attempts)
                .hint("evaluateOnExit only takes effect together with attempts"));
        }
    };
    let at = at.key("evaluateOnExit");
    check_count(&at, rules.len(), limits::RETRY_RULES_MAX)?;
    let mut read = Vec::with_capacity(rules.len());
    for (index, written) in rules.into_iter().enumerate() {
        let EvaluateOnExit { on_status_reason, on_reason, on_exit_code, action } = written;
        let on_failure = None;
        let written =
            EvaluateFailure { on_failure, on_status_reason, on_reason, on_exit_code, action };
        read.push(rule(&at.index(index), written)?);
    }
    Ok((attempts, read))
}

/// The rules under `spillway`.
pub(super) fn rules(
    at: &At<'_>,
    written: Option<Vec<EvaluateFailure>>,
) -> Result<Vec<RetryRule>, Rejection> {
    let written = written.unwrap_or_default();
    check_count(at, written.len(), limits::OWN_RETRY_RULES_MAX)?;
    let mut rules = Vec::with_capacity(written.len());
    for (index, written) in written.into_iter().enumerate() {
        rules.push(rule(&at.index(index), written)?);
    }
    Ok(rules)
}

fn check_count(at: &At<'_>, n: usize, max: usize) -> Result<(), Rejection> {
    if n <= max {
        return Ok(());
    }
    Err(Rejection::invalid(at, &format!("{n} rules are more than {max}"))
        .hint("a `*` at the end of a pattern lets one rule do for several"))
}

fn attempts_of(at: &At<'_>, attempts: i64) -> Result<u8, Rejection> {
    let in_range = u8::try_from(attempts).ok().filter(|n| (1..=limits::ATTEMPTS_MAX).contains(n));
    in_range.ok_or_else(|| {
        let what = format!("must be 1 to {}, not {attempts}", limits::ATTEMPTS_MAX);
        Rejection::invalid(at, &what)
            .hint("failures of the infrastructure are retried anyway and not counted")
    })
}

fn rule(at: &At<'_>, written: EvaluateFailure) -> Result<RetryRule, Rejection> {
    let is_of_words = |c: char| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '.' | ':');
    let of_words = "letters, digits, periods, colons and white space";
    let words = |key: &str, text| pattern(&at.key(key), text, is_of_words, of_words);
    let on_status_reason = words("onStatusReason", written.on_status_reason)?;
    let on_reason = words("onReason", written.on_reason)?;
    let is_digit = |c: char| c.is_ascii_digit();
    let on_exit_code =
        pattern(&at.key("onExitCode"), written.on_exit_code, is_digit, "decimal digits")?;
    let on_failure: Vec<FailureCategory> =
        written.on_failure.unwrap_or_default().into_iter().map(category).collect();
    let says_when = on_failure.len();
    let patterns = [&on_status_reason, &on_reason, &on_exit_code];
    if says_when == 0 && patterns.iter().all(|pattern| pattern.is_none()) {
        return Err(Rejection::invalid(at, "gives no condition")
            .hint("\"onReason\": \"*\" matches every failure"));
    }
    let at_action = at.key("action");
    let action = written.action.ok_or_else(|| Rejection::missing(&at_action))?;
    let action = match action.to_ascii_uppercase().as_str() {
        "RETRY" => RetryAction::Retry,
        "EXIT" => RetryAction::Exit,
        _ => {
            return Err(Rejection::invalid(&at_action, &format!("{action:?} is no action"))
                .hint("say RETRY or EXIT"));
        }
    };
    Ok(RetryRule { on_exit_code, on_reason, on_status_reason, on_failure, action })
}

/// A glob; an empty one asks for nothing.
fn pattern(
    at: &At<'_>,
    text: Option<String>,
    is_allowed: impl Fn(char) -> bool,
    allowed: &str,
) -> Result<Option<ExitPattern>, Rejection> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    check_chars(at, &text, 1, limits::RETRY_PATTERN_CHARS_MAX)?;
    let exact = text.strip_suffix('*').unwrap_or(&text);
    if let Some(found) = exact.chars().find(|c| !is_allowed(*c)) {
        return Err(Rejection::invalid(at, &format!("{text:?} holds {found:?}")).hint(format!(
            "AWS Batch takes {allowed}, and a * at the end: \"Host EC2*\" matches all that begins so"
        )));
    }
    Ok(Some(ExitPattern::new(text)))
}

const fn category(cause: FailureCause) -> FailureCategory {
    match cause {
        FailureCause::Spot => FailureCategory::Spot,
        FailureCause::Host => FailureCategory::Host,
        FailureCause::Pull => FailureCategory::Pull,
        FailureCause::Oom => FailureCategory::Oom,
        FailureCause::Timeout => FailureCategory::Timeout,
        FailureCause::Exit => FailureCategory::Exit,
        FailureCause::Unknown => FailureCategory::Unknown,
    }
}

/// How memory grows, from what the job asks for at first.
pub(super) fn growth(
    at: &At<'_>,
    written: Option<GrowMemory>,
    first: MiB,
) -> Result<Option<MemoryGrowth>, Rejection> {
    let Some(written) = written else { return Ok(None) };
    let at_percent = at.key("percent");
    let percent = written.percent.ok_or_else(|| Rejection::missing(&at_percent))?;
    let max = limits::MEMORY_GROWTH_PERCENT_MAX;
    let percent =
        u32::try_from(percent).ok().filter(|n| (1..=max).contains(n)).ok_or_else(|| {
            Rejection::invalid(&at_percent, &format!("must be 1 to {max}, not {percent}"))
        })?;
    let at_max = at.key("maxMemory");
    let max = written.max_memory.ok_or_else(|| Rejection::missing(&at_max))?;
    let max = needs::memory_of(&at_max, &max)?;
    if max < first {
        let what = format!("{} MiB are less than the job asks for, {}", max.get(), first.get());
        return Err(Rejection::invalid(&at_max, &what));
    }
    Ok(Some(MemoryGrowth { percent, max }))
}
