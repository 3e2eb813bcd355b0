//! The installation in an account, as a CloudFormation stack: makes it, changes it, deletes it, and tells what became of it.
//!
//! It decides nothing: what is asked for is sent as it is. It launches no machine and reads no queue.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{Capability, OnFailure, Parameter, Stack};
use aws_sdk_ec2::types::{Filter, Reservation};
use jiff::Timestamp;

use crate::call;
use crate::connect::Account;
use crate::error::ConnectError;
use crate::settings::Settings;

/// A stack as CloudFormation describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackState {
    /// CloudFormation's word: `CREATE_COMPLETE`, `UPDATE_ROLLBACK_IN_PROGRESS`, ...
    pub status: String,
    /// Why, where it says so.
    pub reason: Option<String>,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// What the template gives out.
    pub outputs: BTreeMap<String, String>,
}

impl StackState {
    /// Whether something is under way.
    pub fn is_busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS")
    }

    /// Whether the last thing that was asked for was done.
    pub fn is_well(&self) -> bool {
        matches!(
            self.status.as_str(),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        )
    }
}

/// Something that happened to a part of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackEvent {
    /// CloudFormation's id of it.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The part, by its name in the template.
    pub part: String,
    /// CloudFormation's word.
    pub status: String,
    /// Why, where it says so.
    pub reason: Option<String>,
}

/// What a stack is to be.
#[derive(Debug, Clone, Copy)]
pub struct StackWish<'a> {
    /// Its name.
    pub name: &'a str,
    /// The template, at most 51,200 bytes (CloudFormation's limit of `TemplateBody`).
    pub template: &'a str,
    /// Parameters that are given; none takes the value before, else the template's default.
    pub parameters: &'a [(String, Option<String>)],
    /// The role that CloudFormation makes everything with; none takes the caller's own rights.
    pub role: Option<&'a str>,
}

/// CloudFormation, and the machines that a deletion would leave behind.
#[derive(Debug)]
pub struct Stacks {
    cloudformation: aws_sdk_cloudformation::Client,
    ec2: aws_sdk_ec2::Client,
    account: Account,
}

impl Stacks {
    /// Reads AWS's own configuration. Calls nothing yet.
    ///
    /// # Errors
    /// Where no region is known or a setting is wrong.
    pub async fn connect(settings: &Settings) -> Result<Self, ConnectError> {
        let account = Account::open(settings).await?;
        let cloudformation = aws_sdk_cloudformation::Client::new(&account.sdk);
        let ec2 = aws_sdk_ec2::Client::new(&account.sdk);
        Ok(Self { cloudformation, ec2, account })
    }

    /// Where this is, for people.
    pub fn place(&self) -> &str {
        &self.account.place
    }

    /// The stack of that name; none if there is none, or it has been deleted.
    ///
    /// # Errors
    /// Where AWS denies the call or cannot be reached.
    pub async fn find(&self, name: &str) -> Result<Option<StackState>, ConnectError> {
        match self.cloudformation.describe_stacks().stack_name(name).send().await {
            Ok(found) => Ok(found.stacks().iter().map(state_of).find(|s| s.status != DELETED)),
            // The API has no code of its own for it ("Stack with id x does not exist").
            Err(error) if call::message_of(&error).contains("does not exist") => Ok(None),
            Err(error) => Err(self.account.failed("cloudformation:DescribeStacks", &error)),
        }
    }

    /// Begins to make it. What was made is taken back if a part fails.
    ///
    /// # Errors
    /// Where AWS denies or refuses it.
    pub async fn create(&self, wish: &StackWish<'_>) -> Result<(), ConnectError> {
        let parameters = wish.parameters.iter().filter_map(|(key, value)| {
            Some(Parameter::builder().parameter_key(key).parameter_value(value.as_ref()?).build())
        });
        let call = self
            .cloudformation
            .create_stack()
            .stack_name(wish.name)
            .template_body(wish.template)
            .capabilities(Capability::CapabilityNamedIam)
            .on_failure(OnFailure::Rollback)
            .set_role_arn(wish.role.map(str::to_owned))
            .set_parameters(Some(parameters.collect()));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.account.failed("cloudformation:CreateStack", &error)),
        }
    }

    /// Begins to change it; false if it is so already.
    ///
    /// # Errors
    /// Where AWS denies or refuses it.
    pub async fn update(&self, wish: &StackWish<'_>) -> Result<bool, ConnectError> {
        let parameter = |(key, value): &(String, Option<String>)| {
            let parameter = Parameter::builder().parameter_key(key);
            match value {
                Some(value) => parameter.parameter_value(value),
                None => parameter.use_previous_value(true),
            }
            .build()
        };
        let call = self
            .cloudformation
            .update_stack()
            .stack_name(wish.name)
            .template_body(wish.template)
            .capabilities(Capability::CapabilityNamedIam)
            .set_role_arn(wish.role.map(str::to_owned))
            .set_parameters(Some(wish.parameters.iter().map(parameter).collect()));
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if call::message_of(&error).contains("No updates are to be performed") => {
                Ok(false)
            }
            Err(error) => Err(self.account.failed("cloudformation:UpdateStack", &error)),
        }
    }

    /// Begins to delete it, with all that is in its queues and logs.
    ///
    /// # Errors
    /// Where AWS denies or refuses it.
    pub async fn delete(&self, name: &str, role: Option<&str>) -> Result<(), ConnectError> {
        let call = self.cloudformation.delete_stack().stack_name(name);
        match call.set_role_arn(role.map(str::to_owned)).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.account.failed("cloudformation:DeleteStack", &error)),
        }
    }

    /// What has happened to its parts lately, oldest first: the newest page, some hundred of them.
    ///
    /// # Errors
    /// Where AWS denies the call or cannot be reached.
    pub async fn events(&self, name: &str) -> Result<Vec<StackEvent>, ConnectError> {
        match self.cloudformation.describe_stack_events().stack_name(name).send().await {
            Ok(page) => {
                let mut events: Vec<StackEvent> =
                    page.stack_events().iter().map(event_of).collect();
                events.reverse();
                Ok(events)
            }
            Err(error) if error.code() == Some("ValidationError") => Ok(Vec::new()),
            Err(error) => Err(self.account.failed("cloudformation:DescribeStackEvents", &error)),
        }
    }

    /// The machines of a deployment that EC2 has not ended.
    ///
    /// # Errors
    /// Where AWS denies the call or cannot be reached.
    pub async fn machines(&self, deployment: &str) -> Result<Vec<String>, ConnectError> {
        let filter = |name: &str, values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            Filter::builder().name(name).set_values(Some(values)).build()
        };
        let states = ["pending", "running", "stopping", "stopped"];
        let mut pages = self
            .ec2
            .describe_instances()
            .filters(filter("tag:spillway:deployment", &[deployment]))
            .filters(filter("instance-state-name", &states))
            .into_paginator()
            .send();
        let mut machines = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| self.account.failed("ec2:DescribeInstances", &error))?;
            let instances = page.reservations().iter().flat_map(Reservation::instances);
            machines.extend(instances.filter_map(|i| i.instance_id()).map(str::to_owned));
        }
        Ok(machines)
    }

    /// The subnets of a VPC, of the default one if none is named: one for each zone.
    ///
    /// # Errors
    /// Where AWS denies the call or cannot be reached.
    pub async fn subnets(&self, vpc: Option<&str>) -> Result<Vec<String>, ConnectError> {
        let filter = match vpc {
            Some(vpc) => Filter::builder().name("vpc-id").values(vpc),
            None => Filter::builder().name("default-for-az").values("true"),
        };
        let found = self.ec2.describe_subnets().filters(filter.build()).send().await;
        let found = found.map_err(|error| self.account.failed("ec2:DescribeSubnets", &error))?;
        let mut by_zone: BTreeMap<String, String> = BTreeMap::new();
        for subnet in found.subnets() {
            if let (Some(zone), Some(id)) = (subnet.availability_zone(), subnet.subnet_id()) {
                by_zone.entry(zone.to_owned()).or_insert_with(|| id.to_owned());
            }
        }
        Ok(by_zone.into_values().collect())
    }
}

/// The status of a stack that is gone.
const DELETED: &str = "DELETE_COMPLETE";

fn state_of(stack: &Stack) -> StackState {
    let pair = |key: Option<&str>, value: Option<&str>| {
        Some((key?.to_owned(), value.unwrap_or_default().to_owned()))
    };
    let parameters = stack.parameters().iter();
    let outputs = stack.outputs().iter();
    StackState {
        status: stack.stack_status().map_or("", |status| status.as_str()).to_owned(),
        reason: stack.stack_status_reason().map(str::to_owned),
        parameters: parameters
            .filter_map(|p| pair(p.parameter_key(), p.parameter_value()))
            .collect(),
        outputs: outputs.filter_map(|o| pair(o.output_key(), o.output_value())).collect(),
    }
}

fn event_of(event: &aws_sdk_cloudformation::types::StackEvent) -> StackEvent {
    let at = event.timestamp().and_then(|at| Timestamp::from_second(at.secs()).ok());
    StackEvent {
        id: event.event_id().unwrap_or_default().to_owned(),
        at: at.unwrap_or(Timestamp::UNIX_EPOCH),
        part: event.logical_resource_id().unwrap_or_default().to_owned(),
        status: event.resource_status().map_or("", |status| status.as_str()).to_owned(),
        reason: event.resource_status_reason().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: &str) -> StackState {
        StackState {
            status: status.to_owned(),
            reason: None,
            parameters: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_taken_back_is_not_well() {
        assert!(state("CREATE_COMPLETE").is_well() && state("UPDATE_COMPLETE").is_well());
        for status in ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "DELETE_FAILED"] {
            assert!(!state(status).is_well() && !state(status).is_busy(), "{status}");
        }
        assert!(state("UPDATE_ROLLBACK_IN_PROGRESS").is_busy());
    }
}
