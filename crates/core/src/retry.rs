//! When a failed attempt is followed by another: AWS Batch's `evaluateOnExit`, and what Spillway adds to it. Pure; the caps on
//! what is tried again at no charge are the engine's.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::job::FailureCategory;
use crate::quantity::MiB;

/// A glob of AWS Batch's: a text, exact in case, that may end with one `*` for any rest (AWS Batch API reference,
/// `EvaluateOnExit`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExitPattern(String);

impl ExitPattern {
    /// Takes a pattern as it is written.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether it matches. What an attempt does not say is the empty text, so only `*` matches it.
    pub fn matches(&self, text: &str) -> bool {
        self.0.strip_suffix('*').map_or(self.0 == text, |prefix| text.starts_with(prefix))
    }
}

impl fmt::Display for ExitPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What follows where a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RetryAction {
    /// Another attempt, if one is left.
    Retry,
    /// The job is FAILED.
    Exit,
}

/// One rule: it matches an attempt that meets all of its conditions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RetryRule {
    /// On the exit code in decimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exit_code: Option<ExitPattern>,
    /// On the container's own reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_reason: Option<ExitPattern>,
    /// On the task's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_status_reason: Option<ExitPattern>,
    /// On whose fault it was: one of these. Empty does not ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_failure: Vec<FailureCategory>,
    /// What follows.
    pub action: RetryAction,
}

/// How an attempt failed, in the words that rules ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedEnd<'a> {
    /// The container's exit code.
    pub exit_code: Option<i32>,
    /// The container's `reason`; empty if it has none.
    pub reason: &'a str,
    /// The task's `statusReason`.
    pub status_reason: &'a str,
    /// Whose fault it was.
    pub failure: FailureCategory,
}

impl RetryRule {
    /// Whether all of its conditions hold.
    pub fn matches(&self, end: &FailedEnd<'_>) -> bool {
        let code = end.exit_code.map(|code| code.to_string()).unwrap_or_default();
        let holds = |pattern: &Option<ExitPattern>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
        };
        let fault_holds = self.on_failure.is_empty() || self.on_failure.contains(&end.failure);
        fault_holds
            && holds(&self.on_exit_code, &code)
            && holds(&self.on_reason, end.reason)
            && holds(&self.on_status_reason, end.status_reason)
    }
}

/// The first rule that matches: the order of the rules is the order in which they are asked.
pub fn first_match<'a>(rules: &'a [RetryRule], end: &FailedEnd<'_>) -> Option<&'a RetryRule> {
    rules.iter().find(|rule| rule.matches(end))
}

/// More memory for an attempt after one that ran out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemoryGrowth {
    /// How much more each time, in percent of the last; at least 1.
    pub percent: u32,
    /// Never more than this.
    pub max: MiB,
}

impl MemoryGrowth {
    /// What is asked for after `n_oom` attempts ran out of memory, the first with `memory`.
    pub fn grown(&self, memory: MiB, n_oom: usize) -> MiB {
        let mut grown = memory;
        for _ in 0..n_oom {
            if self.max <= grown {
                break;
            }
            let more = u64::from(grown.get()) * (100 + u64::from(self.percent));
            grown = MiB::new(u32::try_from(more.div_ceil(100)).unwrap_or(u32::MAX)).min(self.max);
        }
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end<'a>(code: i32, reason: &'a str, status_reason: &'a str) -> FailedEnd<'a> {
        let failure = FailureCategory::Exit;
        FailedEnd { exit_code: Some(code), reason, status_reason, failure }
    }

    fn pattern(text: &str) -> ExitPattern {
        ExitPattern::new(text.to_owned())
    }

    fn rule(action: RetryAction) -> RetryRule {
        RetryRule {
            on_exit_code: None,
            on_reason: None,
            on_status_reason: None,
            on_failure: Vec::new(),
            action,
        }
    }

    #[test]
    fn only_a_star_at_the_end_is_a_wildcard_and_case_counts() {
        let matches = |glob: &str, text: &str| ExitPattern::new(glob.to_owned()).matches(text);

        assert!(matches("Host EC2*", "Host EC2 (instance i-1) terminated."));
        assert!(!matches("host ec2*", "Host EC2 (instance i-1) terminated."));
        assert!(!matches("Host EC2", "Host EC2 (instance i-1) terminated."));
        assert!(matches("1*", "137") && !matches("1*", "21") && matches("*", ""));
        assert!(!matches("*7", "137"), "a star that is not the last is no wildcard");
    }

    #[test]
    fn all_conditions_of_a_rule_must_hold() {
        let both = RetryRule {
            on_exit_code: Some(pattern("137")),
            on_reason: Some(pattern("OutOfMemoryError*")),
            ..rule(RetryAction::Retry)
        };

        assert!(both.matches(&end(137, "OutOfMemoryError: killed", "")));
        assert!(!both.matches(&end(137, "", "")));
        assert!(!both.matches(&end(1, "OutOfMemoryError: killed", "")));
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = [
            RetryRule { on_status_reason: Some(pattern("Host EC2*")), ..rule(RetryAction::Retry) },
            RetryRule { on_reason: Some(pattern("*")), ..rule(RetryAction::Exit) },
        ];
        let action = |end| first_match(&rules, &end).map(|rule| rule.action);

        let lost = end(1, "", "Host EC2 (instance i-1) terminated.");
        assert_eq!(action(lost), Some(RetryAction::Retry));
        assert_eq!(
            action(end(1, "", "Essential container in task exited")),
            Some(RetryAction::Exit)
        );
        assert_eq!(first_match(&rules[..1], &end(1, "", "")), None);
    }

    #[test]
    fn a_rule_may_ask_whose_fault_it_was() {
        let rule = RetryRule {
            on_failure: vec![FailureCategory::Oom, FailureCategory::Exit],
            ..rule(RetryAction::Exit)
        };

        assert!(rule.matches(&end(1, "", "")));
        assert!(!rule.matches(&FailedEnd { failure: FailureCategory::Spot, ..end(1, "", "") }));
    }

    #[test]
    fn an_exit_code_that_is_not_known_is_matched_by_a_star_alone() {
        let unknown = FailedEnd { exit_code: None, ..end(0, "", "") };
        let on = |glob| RetryRule { on_exit_code: Some(pattern(glob)), ..rule(RetryAction::Retry) };

        assert!(on("*").matches(&unknown));
        assert!(!on("1*").matches(&unknown));
    }

    #[test]
    fn memory_grows_by_its_part_each_time_and_not_above_its_limit() {
        let growth = MemoryGrowth { percent: 50, max: MiB::new(3_000) };

        let grown = |n| growth.grown(MiB::new(1_001), n).get();

        assert_eq!(
            [grown(0), grown(1), grown(2), grown(3), grown(99)],
            [1_001, 1_502, 2_253, 3_000, 3_000]
        );
        assert_eq!(growth.grown(MiB::new(4_000), 2), MiB::new(4_000), "a limit takes nothing away");
    }
}
