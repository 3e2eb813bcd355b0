//! The rights that Spillway needs, from `infra/iam.toml` to policy files and a page. It adds no right and widens none.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

/// The table, below the root of the repository.
const TABLE: &str = "infra/iam.toml";

/// Operator, then key, then one value or several.
type Condition = BTreeMap<String, BTreeMap<String, serde_json::Value>>;

/// The whole table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rights {
    policy: Vec<Policy>,
    statement: Vec<Statement>,
    free: Vec<Free>,
}

/// Who gets some of the rights.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    name: String,
    who: String,
    about: String,
    /// Who makes the calls, if it is not Spillway.
    caller: Option<String>,
}

/// Rights on the same things, under the same condition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    sid: String,
    resources: Vec<String>,
    /// Why it is for everything; only where AWS takes nothing narrower.
    wildcard: Option<String>,
    #[serde(default)]
    condition: Condition,
    actions: Vec<Action>,
}

/// One right.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Action {
    name: String,
    policies: Vec<String>,
    why: String,
    /// The call that needs it, if Spillway makes no call of this name.
    needed_by: Option<String>,
}

/// A call that needs no right.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Free {
    name: String,
    why: String,
}

/// A policy document as IAM reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Document<'a> {
    version: &'static str,
    statement: Vec<Grant<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Grant<'a> {
    sid: &'a str,
    effect: &'static str,
    action: Vec<&'a str>,
    resource: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: &'a Condition,
}

impl Rights {
    /// Reads the table and checks that it makes sense in itself.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(root.join(TABLE)).with_context(|| format!("cannot read {TABLE}"))?;
        Self::parse(&text).with_context(|| format!("{TABLE} is wrong"))
    }

    fn parse(text: &str) -> Result<Self> {
        let rights: Self = toml::from_str(text)?;
        for statement in &rights.statement {
            let sid = &statement.sid;
            let is_wild = statement.resources.iter().any(|resource| resource == "*");
            ensure!(
                is_wild == statement.wildcard.is_some(),
                "statement {sid}: a reason under `wildcard` is for the resource \"*\", which needs one"
            );
            ensure!(!statement.actions.is_empty(), "statement {sid} grants nothing");
            for action in &statement.actions {
                let name = &action.name;
                ensure!(!name.contains('*'), "statement {sid}: {name} is not one action");
                ensure!(!action.policies.is_empty(), "statement {sid}: nobody needs {name}");
                for policy in &action.policies {
                    let is_known = rights.policy.iter().any(|known| known.name == *policy);
                    ensure!(
                        is_known,
                        "statement {sid}: {name} is for {policy}, which is no policy"
                    );
                }
            }
        }
        for policy in &rights.policy {
            let is_used = rights.statement.iter().any(|statement| statement.is_for(policy));
            ensure!(is_used, "policy {} grants nothing", policy.name);
        }
        Ok(rights)
    }

    /// Every policy with its name.
    pub(crate) fn policies(&self) -> impl Iterator<Item = (&str, Document<'_>)> {
        self.policy.iter().map(|policy| (policy.name.as_str(), self.document(policy)))
    }

    fn document(&self, policy: &Policy) -> Document<'_> {
        let grant = |statement| Statement::grant(statement, policy);
        Document {
            version: "2012-10-17",
            statement: self.statement.iter().filter_map(grant).collect(),
        }
    }

    /// The page that says what each right is for.
    pub(crate) fn markdown(&self) -> Result<String> {
        let mut page = String::from(INTRODUCTION);
        for policy in &self.policy {
            let (name, who, about) = (&policy.name, &policy.who, &policy.about);
            write!(page, "\n## {name}\n\nFor {who}. {about}")?;
            if let Some(caller) = &policy.caller {
                write!(page, " The calls are those of {caller}, not Spillway's.")?;
            }
            write!(page, "\n\n[{name}.json](../infra/policies/{name}.json)\n\n")?;
            page.push_str("| action | what for | on | only if |\n| --- | --- | --- | --- |\n");
            for statement in &self.statement {
                for action in statement.actions.iter().filter(|action| action.is_for(policy)) {
                    let (name, why) = (&action.name, &action.why);
                    let needed = action.needed_by.as_ref();
                    let needed = needed.map(|call| format!(" (for {call})")).unwrap_or_default();
                    let (on, only_if) = (statement.on(), statement.only_if());
                    writeln!(page, "| `{name}` | {why}{needed} | {on} | {only_if} |")?;
                }
            }
        }
        page.push_str(WILDCARDS);
        for statement in &self.statement {
            if let Some(reason) = &statement.wildcard {
                let names: Vec<String> =
                    statement.actions.iter().map(|action| format!("`{}`", action.name)).collect();
                writeln!(page, "| {} | {reason} |", names.join(", "))?;
            }
        }
        page.push_str(FREE);
        for call in &self.free {
            writeln!(page, "* `{}`: {}.", call.name, call.why)?;
        }
        Ok(page)
    }
}

impl Statement {
    fn is_for(&self, policy: &Policy) -> bool {
        self.actions.iter().any(|action| action.is_for(policy))
    }

    /// What of it belongs to a policy, if anything.
    fn grant<'a>(&'a self, policy: &Policy) -> Option<Grant<'a>> {
        let of_policy = self.actions.iter().filter(|action| action.is_for(policy));
        let action: Vec<&str> = of_policy.map(|action| action.name.as_str()).collect();
        (!action.is_empty()).then_some(Grant {
            sid: &self.sid,
            effect: "Allow",
            action,
            resource: &self.resources,
            condition: &self.condition,
        })
    }

    /// The resources without what every ARN begins with.
    fn on(&self) -> String {
        let short = |arn: &String| match arn.splitn(6, ':').collect::<Vec<_>>()[..] {
            ["arn", _, service, _, _, rest] => format!("`{service}: {rest}`"),
            _ => format!("`{arn}`"),
        };
        self.resources.iter().map(short).collect::<Vec<_>>().join("<br>")
    }

    fn only_if(&self) -> String {
        let tests = self.condition.values().flatten().map(|(key, value)| {
            let values: Vec<String> = value
                .as_array()
                .map_or_else(|| vec![text(value)], |all| all.iter().map(text).collect());
            format!("`{key}` is `{}`", values.join("` or `"))
        });
        tests.collect::<Vec<_>>().join("<br>")
    }
}

impl Action {
    fn is_for(&self, policy: &Policy) -> bool {
        self.policies.contains(&policy.name)
    }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

const INTRODUCTION: &str = "\
# Rights in the account

<!-- Made by `cargo xtask docs` from `infra/iam.toml`. Do not edit. -->

Who needs which right, what for, on what, and under which condition. Each part is a policy file in `infra/policies`; the CloudFormation template and the Terraform
module grant the same, and tests hold that they do and that the adapters call nothing else.

To use a file by hand, put in what stands in braces, and leave out nothing:

```console
$ sed -e 's/${partition}/aws/g; s/${region}/eu-west-1/g; s/${account}/123456789012/g' \\
    -e 's/${deployment}/spillway/g; s/${dns_suffix}/amazonaws.com/g' infra/policies/producer.json > producer.json
$ aws iam create-policy --policy-name spillway-producer --policy-document file://producer.json
```

Columns: *on* leaves out what every ARN of the account and region begins with; *only if* is the policy's condition, and all of its lines must hold.
";

const WILDCARDS: &str = "
## On everything

`\"Resource\": \"*\"` stands beside these actions and no others:

| actions | why |
| --- | --- |
";

const FREE: &str = "
## Needs no right

";

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"
        [[policy]]
        name = "reader"
        who = "people"
        about = "Reads."
        [[policy]]
        name = "writer"
        who = "machines"
        about = "Writes."
        [[free]]
        name = "sts:GetCallerIdentity"
        why = "free"
        [[statement]]
        sid = "Queue"
        resources = ["arn:${partition}:sqs:${region}:${account}:q"]
        condition = { StringEquals = { "aws:RequestedRegion" = ["a", "b"] } }
        actions = [
            { name = "sqs:ReceiveMessage", policies = ["reader", "writer"], why = "reads" },
            { name = "sqs:SendMessage", policies = ["writer"], why = "writes" },
        ]
    "#;

    #[test]
    fn a_policy_holds_the_actions_that_are_for_it_and_no_others() {
        let rights = Rights::parse(TABLE).unwrap();

        let made: Vec<(&str, serde_json::Value)> = rights
            .policies()
            .map(|(name, document)| (name, serde_json::to_value(document).unwrap()))
            .collect();

        let grants = |actions: &[&str]| {
            serde_json::json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Sid": "Queue",
                    "Effect": "Allow",
                    "Action": actions,
                    "Resource": ["arn:${partition}:sqs:${region}:${account}:q"],
                    "Condition": { "StringEquals": { "aws:RequestedRegion": ["a", "b"] } },
                }],
            })
        };
        assert_eq!(
            made,
            [
                ("reader", grants(&["sqs:ReceiveMessage"])),
                ("writer", grants(&["sqs:ReceiveMessage", "sqs:SendMessage"])),
            ]
        );
    }

    #[test]
    fn the_page_says_what_each_right_is_for_on_what_and_when() {
        let page = Rights::parse(TABLE).unwrap().markdown().unwrap();

        let row = "| `sqs:SendMessage` | writes | `sqs: q` | `aws:RequestedRegion` is `a` or `b` |";
        assert_eq!(page.matches(row).count(), 1, "{page}");
    }

    #[test]
    fn a_table_that_grants_too_much_or_to_nobody_is_refused() {
        for (from, to, complaint) in [
            ("sqs:SendMessage", "sqs:*", "is not one action"),
            (r#"["arn:${partition}:sqs:${region}:${account}:q"]"#, r#"["*"]"#, "a reason under"),
            (
                r#"["writer"], why = "writes""#,
                r#"["wirter"], why = "writes""#,
                "which is no policy",
            ),
            (r#"["writer"], why = "writes""#, r#"[], why = "writes""#, "nobody needs"),
            (r#"why = "writes""#, r#"why = "writes", resource = "*""#, "unknown field"),
        ] {
            let error = Rights::parse(&TABLE.replace(from, to)).unwrap_err();

            assert!(format!("{error:#}").contains(complaint), "{to}: {error:#}");
        }
    }
}
