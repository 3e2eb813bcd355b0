//! Makes, changes and deletes the stack, and follows it to its end.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use spillway_aws::{StackState, StackWish, Stacks};

use super::view::{Done, InitView};
use super::{InitArgs, document};
use crate::cloud;
use crate::config::Config;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;

/// The file that is written where there is none.
const CONFIG_FILE: &str = "spillway.toml";

/// Between two looks. CloudFormation takes seconds for each part.
const LOOK_EVERY: Duration = Duration::from_millis(1_500);

/// A stack of this size is made in three minutes; nothing of it takes half an hour.
const FOLLOWED_FOR: Duration = Duration::from_mins(30);

/// Makes the stack, or changes it to what it should be.
pub(super) async fn install(args: &InitArgs, context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    let stacks = cloud::stacks(config).await?;
    let name = config.deployment.to_string();
    let mut before = stacks.find(&name).await?;
    if before.as_ref().is_some_and(StackState::is_busy) {
        context
            .output
            .note(&format!("something is under way with the stack {name}; waiting for its end"));
        before = follow(&stacks, &name, past(&stacks, &name).await?, context).await?;
    }
    let seen = past(&stacks, &name).await?;
    let parameters = parameters(args, &name, before.as_ref());
    let wish = StackWish {
        name: &name,
        template: document::TEMPLATE,
        parameters: &parameters,
        role: args.role_arn.as_deref(),
    };
    let done = match &before {
        None => {
            stacks.create(&wish).await?;
            Done::Created
        }
        Some(state) if state.status == "ROLLBACK_COMPLETE" || state.status == "DELETE_FAILED" => {
            let text = format!("the stack {name} is {}: it can only be deleted", state.status);
            let hint = "spillway init --delete --yes; then spillway init";
            return Err(Complaint::usage(text).hint(hint).status(ExitStatus::Config).into());
        }
        Some(_) if stacks.update(&wish).await? => Done::Changed,
        Some(_) => Done::Unchanged,
    };
    let state = match done {
        Done::Unchanged => before,
        Done::Created | Done::Changed | Done::Deleted => {
            follow(&stacks, &name, seen, context).await?
        }
    };
    let state = state.filter(StackState::is_well).ok_or_else(|| {
        Complaint::usage(format!("the stack {name} was not made; what CloudFormation says is above"))
            .hint("mend that, then `spillway init --delete --yes` if the stack is in ROLLBACK_COMPLETE, and `spillway init` again")
            .status(ExitStatus::Failure)
    })?;
    let subnets = if config.subnets.is_empty() {
        let vpc = state.parameters.get("VpcId").filter(|vpc| !vpc.is_empty());
        stacks.subnets(vpc.map(String::as_str)).await?
    } else {
        config.subnets.clone()
    };
    let lines = config_lines(&name, config, &state, &subnets);
    let written = write_config(args, context, &lines)?;
    let view = InitView::new(&name, stacks.place(), done, Some(&state), written, lines);
    context.output.show(&view)?;
    Ok(ExitStatus::Ok)
}

/// Deletes the stack, unless machines of the deployment run.
pub(super) async fn delete(args: &InitArgs, context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    let stacks = cloud::stacks(config).await?;
    let name = config.deployment.to_string();
    let Some(state) = stacks.find(&name).await? else {
        let view = InitView::new(&name, stacks.place(), Done::Unchanged, None, None, String::new());
        context.output.show(&view)?;
        return Ok(ExitStatus::Ok);
    };
    let machines = stacks.machines(&name).await?;
    if !machines.is_empty() {
        let text =
            format!("{} machines of {name} still run: {}", machines.len(), machines.join(", "));
        return Err(Complaint::usage(text)
            .hint("let `spillway serve` give them back (`spillway hosts list`), or terminate them, and try again")
            .status(ExitStatus::Config)
            .into());
    }
    if !args.yes {
        let text = format!(
            "the stack {name} would be deleted, with the messages in its queues and the logs of its jobs"
        );
        return Err(Complaint::usage(text).hint("spillway init --delete --yes").into());
    }
    let seen = past(&stacks, &name).await?;
    if state.status != "DELETE_IN_PROGRESS" {
        stacks.delete(&name, args.role_arn.as_deref()).await?;
    }
    if let Some(left) = follow(&stacks, &name, seen, context).await? {
        return Err(Complaint::usage(format!("the stack {name} is {}", left.status))
            .hint("what CloudFormation says is above; mend that and try again")
            .status(ExitStatus::Failure)
            .into());
    }
    let view = InitView::new(&name, stacks.place(), Done::Deleted, None, None, String::new());
    context.output.show(&view)?;
    Ok(ExitStatus::Ok)
}

/// What has happened to the stack so far.
async fn past(stacks: &Stacks, name: &str) -> Result<BTreeSet<String>> {
    Ok(stacks.events(name).await?.into_iter().map(|event| event.id).collect())
}

/// Every parameter of the template: as it is told, else as the stack has it, else as the template has it.
fn parameters(
    args: &InitArgs,
    name: &str,
    before: Option<&StackState>,
) -> Vec<(String, Option<String>)> {
    let told = |key: &str| match key {
        "Deployment" => Some(name.to_owned()),
        "VpcId" if args.vpc.is_some() => args.vpc.clone(),
        _ => args.parameter.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value.clone()),
    };
    let is_known = |key: &str| before.is_some_and(|state| state.parameters.contains_key(key));
    let keys = document::parameters().into_iter();
    keys.map(|key| (key.to_owned(), told(key)))
        .filter(|(key, value)| value.is_some() || is_known(key))
        .collect()
}

/// Follows what is under way to its end, and says what fails, but for what has been `seen` before. None if the stack is gone.
async fn follow(
    stacks: &Stacks,
    name: &str,
    mut seen: BTreeSet<String>,
    context: &Context,
) -> Result<Option<StackState>> {
    let mut progress = context.output.progress();
    let until = Instant::now() + FOLLOWED_FOR;
    loop {
        for event in stacks.events(name).await? {
            if !seen.insert(event.id) {
                continue;
            }
            let reason = event.reason.as_deref().unwrap_or("no reason is given");
            if event.status.ends_with("_FAILED") {
                progress.say(&format!("{} {}: {reason}", event.part, event.status));
            } else {
                progress.set(&format!("{} {}", event.part, event.status));
            }
        }
        let state = stacks.find(name).await?;
        if !state.as_ref().is_some_and(StackState::is_busy) {
            return Ok(state);
        }
        if until < Instant::now() {
            return Err(Complaint::usage(format!("the stack {name} has not come to its end yet"))
                .hint("run the same again to go on waiting")
                .status(ExitStatus::NotConverged)
                .into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What the configuration says of this installation.
fn config_lines(name: &str, config: &Config, state: &StackState, subnets: &[String]) -> String {
    let list = |items: &[String]| {
        let quoted: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
        format!("[{}]", quoted.join(", "))
    };
    let output = |key: &str| state.outputs.get(key).cloned();
    let groups: Vec<String> = output("SecurityGroupId").into_iter().collect();
    let mut lines = vec![("deployment", format!("{name:?}"))];
    if let Some(region) = &config.region {
        lines.push(("region", format!("{region:?}")));
    }
    let named = [
        ("cluster", output("ClusterName")),
        ("job-queue-name", Some(format!("{name}-jobs"))),
        ("dead-letter-queue", Some(format!("{name}-jobs-dlq"))),
        ("event-queue", Some(format!("{name}-events"))),
        ("instance-profile", output("InstanceProfileName")),
        ("log-group", output("LogGroupName")),
        ("execution-role", output("ExecutionRoleArn")),
    ];
    lines.extend(named.into_iter().filter_map(|(key, value)| Some((key, format!("{:?}", value?)))));
    lines.push(("subnets", list(subnets)));
    lines.push(("security-groups", list(&groups)));
    let lines = lines.into_iter().map(|(key, value)| format!("{key} = {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Writes the file if there is none and none was read.
fn write_config(args: &InitArgs, context: &Context, lines: &str) -> Result<Option<PathBuf>> {
    let path = Path::new(CONFIG_FILE);
    if args.no_config || context.resolved()?.file.is_some() || path.exists() {
        return Ok(None);
    }
    let text = format!(
        "# Written by `spillway init`. `spillway config show` has every other key.\n{lines}\n"
    );
    fs::write(path, text).with_context(|| format!("cannot write {CONFIG_FILE}"))?;
    Ok(Some(path.to_owned()))
}
