//! `spillway init`: makes what a dispatcher needs in an account, from the template in this binary. Launches no machine.

mod document;
#[cfg(feature = "aws")]
mod install;
#[cfg(feature = "aws")]
mod view;

use anyhow::Result;
use clap::Args;

use crate::context::Context;
use crate::exit::ExitStatus;
use document::PolicyName;

pub(crate) const LONG_ABOUT: &str = "\
Makes what a dispatcher needs in the account: queues, cluster, roles with least privilege, log group, security group, alarms, \
all as one CloudFormation stack with the name of the deployment. Run again it changes the stack to what this version of \
Spillway has, and keeps the parameters that are not given; what it is already it leaves alone. If it is interrupted, it is \
followed to its end by running it again. It launches no machine; an idle stack costs the requests to its queues and some $0.80 a \
month for its alarms.

Where there is no configuration file yet it writes ./spillway.toml with the names of what it made, with a subnet for each zone.

--delete deletes the stack, with what is in its queues and logs. It refuses while a machine of the deployment runs.

Who may not create stacks prints the template and the policies, and gives them to who may.

Examples:
  spillway init
  spillway init --vpc vpc-0123456789abcdef0 --parameter DispatcherService=ec2.amazonaws.com
  spillway init --print-template > spillway.yaml
  spillway init --print-policy dispatcher
  spillway init --delete --yes";

/// Flags of `init`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct InitArgs {
    /// The VPC that hosts are launched in [default: the account's default VPC]
    #[arg(long, value_name = "VPC")]
    pub vpc: Option<String>,
    /// A parameter of the template
    #[arg(long, value_name = "KEY=VALUE", value_parser = parameter)]
    pub parameter: Vec<(String, String)>,
    /// The role that CloudFormation makes everything with [default: your own rights]
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// Leave the configuration alone: write no ./spillway.toml
    #[arg(long)]
    pub no_config: bool,
    /// Delete the stack, with what is in its queues and logs
    #[arg(long, conflicts_with_all = ["vpc", "parameter", "no_config"])]
    pub delete: bool,
    /// Do not ask for a second word before something is deleted
    #[arg(long, requires = "delete")]
    pub yes: bool,
    /// Print the CloudFormation template, and make nothing
    #[arg(long, conflicts_with_all = ["delete", "print_policy"])]
    pub print_template: bool,
    /// Print a policy, and make nothing
    #[arg(long, value_name = "NAME", conflicts_with = "delete")]
    pub print_policy: Option<PolicyName>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it has no '='; say KEY=VALUE")?;
    let names = document::parameters();
    if names.contains(&key) {
        return Ok((key.to_owned(), value.to_owned()));
    }
    Err(format!("the template has no parameter {key:?}; it has {}", names.join(", ")))
}

/// Installs, prints or deletes.
pub async fn run(args: &InitArgs, context: &Context) -> Result<ExitStatus> {
    if args.print_template {
        context.output.raw(document::TEMPLATE)?;
        return Ok(ExitStatus::Ok);
    }
    if let Some(name) = args.print_policy {
        let deployment = context.config()?.deployment.to_string();
        context.output.raw(&document::policy(name, &deployment))?;
        return Ok(ExitStatus::Ok);
    }
    act(args, context).await
}

#[cfg(feature = "aws")]
async fn act(args: &InitArgs, context: &Context) -> Result<ExitStatus> {
    if args.delete {
        Box::pin(install::delete(args, context)).await
    } else {
        Box::pin(install::install(args, context)).await
    }
}

#[cfg(not(feature = "aws"))]
async fn act(_: &InitArgs, _: &Context) -> Result<ExitStatus> {
    let complaint = crate::cloudless::complaint("make anything in an account");
    std::future::ready(Err(complaint.into())).await
}
