//! The three queues: that they are there, who may send to them, and what lies on the one for dead letters.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;
use spillway_core::effect::CallResult;

use super::Finding;
use crate::call;
use crate::connect::Account;
use crate::settings::Settings;

/// What SQS says of a queue, by the names of its attributes.
type Attributes = HashMap<QueueAttributeName, String>;

/// All three, and the ARN of the one for events if it could be read.
pub(super) async fn examine(
    account: &Account,
    settings: &Settings,
) -> (Vec<Finding>, Option<String>) {
    let client = Client::new(&account.sdk);
    let jobs = settings.job_queue_url.clone();
    let (mut findings, mut event_queue) = (Vec::new(), None);
    for (role, given) in [(Role::Jobs, jobs), (Role::DeadLetters, None), (Role::Events, None)] {
        let url = match given {
            Some(url) => Ok(url),
            None => account.queue_url(&client, role.queue(settings), role.key()).await,
        };
        let url = match url {
            Ok(url) => url,
            Err(error) => {
                findings.push(Finding::of(role.name(), Err(error)));
                continue;
            }
        };
        match attributes(&client, &url).await {
            Ok(attributes) => {
                findings.push(finding(role, &url, &attributes));
                if role == Role::Events {
                    event_queue = attributes.get(&QueueAttributeName::QueueArn).cloned();
                }
            }
            Err(error) => {
                let finding = Finding::of_call(role.name(), Err(error)).into_warning();
                let detail = format!("{url}, and no more could be seen: {}", finding.detail);
                findings.push(Finding { detail, ..finding });
            }
        }
    }
    (findings, event_queue)
}

/// What a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Jobs,
    DeadLetters,
    Events,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Jobs => "job queue",
            Self::DeadLetters => "dead-letter queue",
            Self::Events => "event queue",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Jobs => "job-queue-name",
            Self::DeadLetters => "dead-letter-queue",
            Self::Events => "event-queue",
        }
    }

    fn queue(self, settings: &Settings) -> &str {
        match self {
            Self::Jobs => &settings.job_queue_name,
            Self::DeadLetters => &settings.dead_letter_queue,
            Self::Events => &settings.event_queue,
        }
    }
}

async fn attributes(client: &Client, url: &str) -> CallResult<Attributes> {
    let request = client.get_queue_attributes().queue_url(url);
    let answer = request.attribute_names(QueueAttributeName::All).send().await;
    let answer = answer.map_err(|error| call::sort("sqs:GetQueueAttributes", &error))?;
    Ok(answer.attributes.unwrap_or_default())
}

fn finding(role: Role, url: &str, attributes: &Attributes) -> Finding {
    let policy = attributes.get(&QueueAttributeName::Policy).map_or("", String::as_str);
    let statements = allowed(policy);
    let n_messages = attributes.get(&QueueAttributeName::ApproximateNumberOfMessages);
    let n_messages: u64 = n_messages.and_then(|n| n.parse().ok()).unwrap_or(0);
    let warning = |detail: &str, hint: &str| {
        Finding::warning(role.name(), format!("{url}: {detail}"), Some(hint.to_owned()))
    };
    if statements.iter().any(is_for_everybody) {
        return warning(
            "its policy lets everybody in",
            "whoever may send to it runs what he likes on your machines: name accounts, roles or a condition in its policy",
        );
    }
    match role {
        Role::Events if !statements.iter().any(is_for_events) => warning(
            "its policy does not let EventBridge send",
            "allow events.amazonaws.com sqs:SendMessage, as infra/spillway.yaml does: without it the dispatcher learns \
             of ended tasks only when it asks, and of Spot's warnings not at all",
        ),
        Role::DeadLetters if 0 < n_messages => warning(
            &format!("{n_messages} messages lie on it"),
            "each says why it could not be a job: docs/runbook.md, dead-letters",
        ),
        Role::Jobs | Role::DeadLetters | Role::Events => Finding::ok(role.name(), url),
    }
}

/// What a policy allows, statement by statement.
fn allowed(policy: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        Value::Object(_) => vec![policy["Statement"].clone()],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    statements.into_iter().filter(|statement| statement["Effect"] == "Allow").collect()
}

/// Whether a field is or has this value: IAM writes one as it is, and several as a list.
fn has(field: &Value, value: &str) -> bool {
    field == value || field.as_array().is_some_and(|all| all.iter().any(|one| one == value))
}

/// A condition on who sends, or from where, may fence it; one on how, such as `aws:SecureTransport`, lets everybody in still.
fn is_for_everybody(statement: &Value) -> bool {
    names_everybody(statement) && !is_fenced(&statement["Condition"])
}

/// What tells callers apart (IAM user guide, "AWS global condition context keys": properties of the principal, of the network and
/// of the resource that calls).
const FENCES: [&str; 14] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "aws:username",
];

/// Whether one of a statement's conditions, all of which must hold, leaves no more than some callers. Keys have no case; an operator
/// with `Not`, or `Null`, leaves all but some, and `ForAllValues` or `...IfExists` whoever has no such key at all.
fn is_fenced(condition: &Value) -> bool {
    let leaves_some = |operator: &str| {
        let operator = operator.to_ascii_lowercase();
        let lets_in_without =
            operator.starts_with("forallvalues:") || operator.ends_with("ifexists");
        !operator.contains("not") && operator != "null" && !lets_in_without
    };
    let operators = condition.as_object().into_iter().flatten();
    let mut tests = operators.filter(|(operator, _)| leaves_some(operator));
    tests.any(|(_, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        let mut fencing =
            keys.filter(|(key, _)| FENCES.contains(&key.to_ascii_lowercase().as_str()));
        fencing.any(|(_, value)| !["*", "0.0.0.0/0", "::/0"].iter().any(|all| has(value, all)))
    })
}

fn names_everybody(statement: &Value) -> bool {
    let principal = &statement["Principal"];
    has(principal, "*") || has(&principal["AWS"], "*")
}

/// By its name, or as one of all whom a condition leaves.
fn is_for_events(statement: &Value) -> bool {
    // IAM's actions have no case.
    let action = |one: &Value| one.as_str().map(str::to_ascii_lowercase);
    let listed = statement["Action"].as_array().into_iter().flatten();
    let mut actions = listed.chain([&statement["Action"]]).filter_map(action);
    let is_to_send = actions.any(|name| ["sqs:sendmessage", "sqs:*", "*"].contains(&name.as_str()));
    let is_named = has(&statement["Principal"]["Service"], "events.amazonaws.com");
    is_to_send && (is_named || names_everybody(statement))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Outcome;

    fn with_policy(role: Role, statement: &Value) -> Finding {
        let policy = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        finding(role, "https://q", &HashMap::from([(QueueAttributeName::Policy, policy)]))
    }

    #[test]
    fn a_queue_that_takes_jobs_from_everybody_is_a_warning() {
        let mut statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage"});

        assert_eq!(with_policy(Role::Jobs, &json!([statement])).outcome, Outcome::Warning);
        statement["Principal"] = json!({"AWS": ["*"]});
        assert_eq!(with_policy(Role::Jobs, &statement).outcome, Outcome::Warning);
        statement["Condition"] = json!({"StringEquals": {"aws:SourceAccount": "1"}});
        assert_eq!(with_policy(Role::Jobs, &statement).outcome, Outcome::Ok);
        for fences_nobody in [
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"StringLike": {"aws:PrincipalOrgID": "*"}}),
            json!({"StringNotEquals": {"aws:SourceAccount": "1"}}),
            json!({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}),
            json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-1/r-1/"}}),
            json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/0"]}}),
            json!({}),
        ] {
            statement["Condition"] = fences_nobody.clone();
            let finding = with_policy(Role::Jobs, &statement);
            assert_eq!(finding.outcome, Outcome::Warning, "{fences_nobody}");
        }
        let fenced = json!({"Bool": {"aws:SecureTransport": "true"}, "ArnLike": {"AWS:PrincipalARN": "arn:aws:iam::1:role/*"}});
        statement["Condition"] = fenced;
        assert_eq!(with_policy(Role::Jobs, &statement).outcome, Outcome::Ok);
        statement["Effect"] = json!("Deny");
        statement["Condition"] = json!(null);
        assert_eq!(with_policy(Role::Jobs, &statement).outcome, Outcome::Ok);
    }

    #[test]
    fn the_event_queue_must_let_event_bridge_send() {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": ["sqs:SendMessage"],
            "Condition": {"ArnEquals": {"aws:SourceArn": "arn"}},
        });

        assert_eq!(with_policy(Role::Events, &statement).outcome, Outcome::Ok);
        let of_rule = json!({"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Condition": {"ArnEquals": {"aws:SourceArn": "arn"}}});
        assert_eq!(with_policy(Role::Events, &of_rule).outcome, Outcome::Ok);
        statement["Action"] = json!("SQS:sendmessage");
        assert_eq!(with_policy(Role::Events, &statement).outcome, Outcome::Ok);
        statement["Action"] = json!("sqs:ReceiveMessage");
        let finding = with_policy(Role::Events, &statement);
        assert_eq!(finding.outcome, Outcome::Warning);
        assert!(finding.detail.contains("does not let EventBridge send"), "{}", finding.detail);
    }

    #[test]
    fn dead_letters_that_lie_there_are_counted() {
        let n = HashMap::from([(QueueAttributeName::ApproximateNumberOfMessages, "3".to_owned())]);

        let finding = finding(Role::DeadLetters, "https://q", &n);

        assert_eq!(finding.detail, "https://q: 3 messages lie on it");
    }
}
