//! How the flags of `submit` are written: one type per kind of value, each a part of the message that it makes.

use std::num::NonZeroU64;
use std::str::FromStr;

use serde_json::{Value, json};
use spillway_core::array::Indexes;
use spillway_core::{ConsumableName, MiB, target};

/// `NAME=VALUE`, split at the first `=`.
fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

macro_rules! pair {
    ($(#[$doc:meta])* $name:ident, $hint:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub(super) String, pub(super) String);

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let (name, value) = pair(text).ok_or($hint)?;
                Ok(Self(name, value))
            }
        }
    };
}

pair!(
    /// An environment variable, `NAME=VALUE`.
    Variable,
    "give NAME=VALUE, such as EPOCHS=30"
);
pair!(
    /// A tag, `KEY=VALUE`.
    Tag,
    "give KEY=VALUE, such as team=genomics"
);
pair!(
    /// A value for a placeholder of the definition's command, `NAME=VALUE`.
    Parameter,
    "give NAME=VALUE, such as input=s3://bucket/key"
);
pair!(
    /// A variable whose value ECS fetches, `NAME=FROM`.
    SecretFrom,
    "give NAME=FROM, such as TOKEN=arn:aws:secretsmanager:..."
);

/// So many of a consumable resource, `NAME=N`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consume(pub(super) ConsumableName, pub(super) NonZeroU64);

impl FromStr for Consume {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give NAME=N with N at least 1, such as licences=2".to_owned();
        let (name, n) = text.split_once('=').ok_or_else(wrong)?;
        let name = name.parse().map_err(|_| wrong())?;
        Ok(Self(name, n.parse().map_err(|_| wrong())?))
    }
}

/// `N`, `FIRST-LAST` or `FIRST-LAST:STEP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrayFlag(pub(super) Indexes);

impl FromStr for ArrayFlag {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let by_size = text.parse().ok().map(Indexes::of_size);
        let indexes = by_size.or_else(|| target::indexes(text));
        Ok(Self(indexes.ok_or("give a number of children, or indexes such as 0-99 or 10-90:10")?))
    }
}

/// A rule of when a failed attempt is followed by another: `retry:CONDITIONS` or `exit:CONDITIONS`, the conditions being
/// `exit-code=GLOB`, `reason=GLOB`, `status-reason=GLOB` and `failure=CAUSE|CAUSE`, with commas between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryRuleFlag(pub(super) Value);

impl FromStr for RetryRuleFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give retry: or exit: and conditions, such as retry:exit-code=137 or exit:failure=oom";
        let (action, conditions) = text.split_once(':').ok_or_else(wrong)?;
        if !["retry", "exit"].contains(&action) {
            return Err(wrong().to_owned());
        }
        let mut rule = json!({"action": action.to_uppercase()});
        for condition in conditions.split(',') {
            let (what, wanted) = condition.split_once('=').ok_or_else(wrong)?;
            let (key, value) = match what {
                "exit-code" => ("onExitCode", json!(wanted)),
                "reason" => ("onReason", json!(wanted)),
                "status-reason" => ("onStatusReason", json!(wanted)),
                "failure" => ("onFailure", wanted.split('|').collect()),
                _ => {
                    let known = "exit-code, reason, status-reason and failure";
                    return Err(format!("{what:?} is no condition: there are {known}"));
                }
            };
            rule[key] = value;
        }
        Ok(Self(rule))
    }
}

/// `PERCENT:MAX`: more memory after each attempt that runs out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrowthFlag {
    pub(super) percent: u32,
    pub(super) max: MiB,
}

impl FromStr for GrowthFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (percent, max) = text.split_once(':')?;
            let percent = percent.strip_suffix('%').unwrap_or(percent).parse().ok()?;
            Some(Self { percent, max: max.parse().ok()? })
        };
        Ok(read().ok_or("give PERCENT:MAX, such as 50:16GiB")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_rule_is_an_action_and_its_conditions() {
        let rule = |text: &str| text.parse::<RetryRuleFlag>().map(|rule| rule.0);

        assert_eq!(
            rule("retry:exit-code=1*,failure=oom|spot"),
            Ok(json!({"action": "RETRY", "onExitCode": "1*", "onFailure": ["oom", "spot"]}))
        );
        assert_eq!(
            rule("exit:status-reason=Host EC2*"),
            Ok(json!({"action": "EXIT", "onStatusReason": "Host EC2*"}))
        );
        assert!(rule("stop:reason=*").is_err() && rule("retry").is_err());
        assert!(rule("retry:code=1").unwrap_err().contains("exit-code, reason"));
    }

    #[test]
    fn growth_is_a_percentage_and_an_end() {
        let grown = |text: &str| text.parse::<GrowthFlag>().ok();

        let expected = GrowthFlag { percent: 50, max: MiB::from_gib(16) };
        assert_eq!((grown("50:16GiB"), grown("50%:16GiB")), (Some(expected), Some(expected)));
        assert_eq!((grown("50"), grown("x:16GiB")), (None, None));
    }
}
