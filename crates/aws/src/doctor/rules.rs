//! Whether EventBridge's rules bring news of tasks and machines to the event queue.

use std::collections::BTreeSet;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::RuleState;
use serde_json::Value;
use spillway_core::effect::CallResult;

use super::Finding;
use crate::call;

const NAME: &str = "event rules";

/// Kinds of events, and what the dispatcher does without them.
const NEEDED: [(&str, &str); 4] = [
    ("ECS Task State Change", "ends of tasks are seen late"),
    ("ECS Container Instance State Change", "hosts that register are seen late"),
    ("EC2 Instance State-change Notification", "machines that end are seen late"),
    ("EC2 Spot Instance Interruption Warning", "the two minutes before a reclaim are lost"),
];

/// A rule that sends to the queue.
#[derive(Debug)]
struct Rule {
    name: String,
    is_enabled: bool,
    /// Kinds of events; none lets all through.
    kinds: Option<BTreeSet<String>>,
}

pub(super) async fn examine(client: &Client, queue_arn: &str) -> Finding {
    match rules(client, queue_arn).await {
        Ok(rules) => finding(&rules),
        Err(error) => Finding::of_call(NAME, Err(error)).into_warning(),
    }
}

async fn rules(client: &Client, queue_arn: &str) -> CallResult<Vec<Rule>> {
    let mut names = Vec::new();
    let mut next = None;
    loop {
        let request = client.list_rule_names_by_target().target_arn(queue_arn).set_next_token(next);
        let answer = request.send().await;
        let answer = answer.map_err(|error| call::sort("events:ListRuleNamesByTarget", &error))?;
        names.extend(answer.rule_names.unwrap_or_default());
        next = answer.next_token;
        if next.is_none() {
            break;
        }
    }
    let mut rules = Vec::new();
    for name in names {
        let answer = client.describe_rule().name(&name).send().await;
        let answer = answer.map_err(|error| call::sort("events:DescribeRule", &error))?;
        let is_enabled = answer.state() == Some(&RuleState::Enabled);
        let kinds = answer.event_pattern().and_then(kinds);
        rules.push(Rule { name, is_enabled, kinds });
    }
    Ok(rules)
}

/// The kinds that a pattern names.
fn kinds(pattern: &str) -> Option<BTreeSet<String>> {
    let pattern: Value = serde_json::from_str(pattern).ok()?;
    let kinds = pattern["detail-type"].as_array()?;
    Some(kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn finding(rules: &[Rule]) -> Finding {
    let is_for = |rule: &Rule, kind: &str| rule.kinds.as_ref().is_none_or(|all| all.contains(kind));
    let mut complaints = Vec::new();
    for (kind, consequence) in NEEDED {
        let mut of_kind = rules.iter().filter(|rule| is_for(rule, kind)).peekable();
        let first = of_kind.peek().map(|rule| rule.name.clone());
        if of_kind.any(|rule| rule.is_enabled) {
            continue;
        }
        let what = first
            .map_or_else(|| "no rule".to_owned(), |name| format!("the rule {name} is disabled"));
        complaints.push(format!("{kind}: {what}, so that {consequence}"));
    }
    if complaints.is_empty() {
        return Finding::ok(NAME, format!("{} rules send to the event queue", rules.len()));
    }
    let hint =
        "make and enable the rules of infra/spillway.yaml, with the event queue as their target";
    Finding::warning(NAME, complaints.join("; "), Some(hint.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    fn rule(name: &str, is_enabled: bool, kinds: &[&str]) -> Rule {
        let kinds = Some(kinds.iter().map(|&kind| kind.to_owned()).collect());
        Rule { name: name.to_owned(), is_enabled, kinds }
    }

    #[test]
    fn every_kind_of_news_needs_a_rule_that_is_enabled() {
        let (ecs, ec2) = (&[NEEDED[0].0, NEEDED[1].0][..], &[NEEDED[2].0, NEEDED[3].0][..]);
        let all = [rule("ecs", true, ecs), rule("ec2", true, ec2)];
        let disabled = [rule("ecs", true, ecs), rule("ec2", false, ec2)];

        assert_eq!(finding(&all).outcome, Outcome::Ok);
        let off = finding(&disabled);
        assert_eq!(off.outcome, Outcome::Warning);
        assert!(
            off.detail.contains("Interruption Warning: the rule ec2 is disabled"),
            "{}",
            off.detail
        );
        assert!(!off.detail.contains("ECS"), "{}", off.detail);
        assert!(finding(&[]).detail.contains("ECS Task State Change: no rule"));
    }

    #[test]
    fn a_pattern_without_kinds_lets_all_through() {
        assert_eq!(kinds(r#"{"source": ["aws.ec2"]}"#), None);
        let all = Rule { name: "all".to_owned(), is_enabled: true, kinds: None };

        assert_eq!(finding(&[all]).outcome, Outcome::Ok);
    }
}
