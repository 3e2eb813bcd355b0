//! Instances as EC2 shows them, and their end.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::terminate_instances::TerminateInstancesError;
use aws_sdk_ec2::types::{Instance, InstanceLifecycleType, InstanceType};
use spillway_core::catalog::PoolId;
use spillway_core::effect::CallResult;
use spillway_core::task::{InstanceReport, InstanceStatus};
use spillway_core::{InstanceId, LaunchId, Market};
use tracing::warn;

use super::TAG_LAUNCH;
use super::subnets::filter;
use crate::call::{self, CallError};
use crate::{convert, limits};

/// All instances with this tag, page by page, ended ones included while EC2 shows them.
pub(super) async fn describe(
    client: &Client,
    tag: &str,
    value: &str,
) -> CallResult<Vec<InstanceReport>> {
    let mut pages = client
        .describe_instances()
        .filters(filter(&format!("tag:{tag}"), [value]))
        .into_paginator()
        .page_size(limits::EC2_PAGE)
        .send();
    let mut reports = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call::sort("ec2:DescribeInstances", &error))?;
        for reservation in page.reservations() {
            for instance in reservation.instances() {
                if let Some(report) = report(instance) {
                    reports.push(report);
                } else {
                    warn!(instance = instance.instance_id(), "EC2 shows it incompletely");
                }
            }
        }
    }
    Ok(reports)
}

/// One instance; none if EC2 left out what makes it one.
fn report(instance: &Instance) -> Option<InstanceReport> {
    let is_spot = instance.instance_lifecycle() == Some(&InstanceLifecycleType::Spot);
    let launch_tag = instance.tags().iter().find(|tag| tag.key() == Some(TAG_LAUNCH));
    let launch: Option<LaunchId> = launch_tag.and_then(|tag| tag.value()?.parse().ok());
    Some(InstanceReport {
        id: instance.instance_id()?.parse().ok()?,
        pool: PoolId {
            instance_type: instance.instance_type().map(InstanceType::as_str)?.to_owned(),
            zone: instance.placement()?.availability_zone()?.parse().ok()?,
            market: if is_spot { Market::Spot } else { Market::OnDemand },
        },
        arch: instance.architecture()?.as_str().parse().ok()?,
        launched_at: convert::timestamp(instance.launch_time()?)?,
        status: instance_status(instance.state()?.name()?.as_str())?,
        launch,
        address: instance.private_ip_address().and_then(|address| address.parse().ok()),
    })
}

/// EC2's state names ("Amazon EC2 instance state changes"). A stopped host is not coming back: its agent would, but we
/// have counted its tasks as lost by then.
pub(crate) fn instance_status(name: &str) -> Option<InstanceStatus> {
    match name {
        "pending" => Some(InstanceStatus::Pending),
        "running" => Some(InstanceStatus::Running),
        "shutting-down" | "stopping" | "stopped" => Some(InstanceStatus::ShuttingDown),
        "terminated" => Some(InstanceStatus::Terminated),
        _ => None,
    }
}

/// Ends instances. One bad id fails a whole TerminateInstances, so a batch that fails for one is done again one by one.
pub(super) async fn terminate(client: &Client, instances: &[InstanceId]) -> CallResult<()> {
    let mut first_error = None;
    for batch in instances.chunks(limits::TERMINATE_BATCH) {
        let Err(error) = terminate_batch(client, batch).await else { continue };
        if !is_about_one(&error) {
            return Err(call::sort("ec2:TerminateInstances", &error));
        }
        for instance in batch {
            let result = terminate_batch(client, std::slice::from_ref(instance)).await;
            if let Err(error) = result
                && !is_ended(&error)
            {
                warn!(%instance, code = call::code_of(&error), "an instance was not ended");
                first_error.get_or_insert(call::sort("ec2:TerminateInstances", &error));
            }
        }
    }
    first_error.map_or(Ok(()), Err)
}

async fn terminate_batch(
    client: &Client,
    batch: &[InstanceId],
) -> Result<(), CallError<TerminateInstancesError>> {
    let ids = batch.iter().map(ToString::to_string).collect();
    client.terminate_instances().set_instance_ids(Some(ids)).send().await.map(|_| ())
}

/// Codes that speak of one instance of a batch: not known, or protected.
fn is_about_one(error: &CallError<TerminateInstancesError>) -> bool {
    call::code_of(error).is_some_and(|code| {
        code.starts_with("InvalidInstanceID") || code == "OperationNotPermitted"
    })
}

/// EC2 forgets instances about an hour after their end.
fn is_ended(error: &CallError<TerminateInstancesError>) -> bool {
    call::code_of(error).is_some_and(|code| code.starts_with("InvalidInstanceID"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        ArchitectureValues, InstanceState, InstanceStateName, Placement, Tag,
    };
    use aws_smithy_types::DateTime;
    use spillway_core::Arch;

    use super::*;

    fn instance(state: InstanceStateName) -> aws_sdk_ec2::types::builders::InstanceBuilder {
        Instance::builder()
            .instance_id("i-0123456789abcdef0")
            .instance_type(InstanceType::from("c7g.large"))
            .architecture(ArchitectureValues::Arm64)
            .placement(Placement::builder().availability_zone("us-east-1a").build())
            .launch_time(DateTime::from_secs(1_700_000_000))
            .state(InstanceState::builder().name(state).build())
    }

    #[test]
    fn an_instance_names_its_pool_and_its_launch() {
        let launch = "00000000-0000-0000-0000-000000000007";
        let spot = instance(InstanceStateName::Running)
            .instance_lifecycle(InstanceLifecycleType::Spot)
            .tags(Tag::builder().key("spillway:launch").value(launch).build())
            .build();

        let report = report(&spot).unwrap();

        assert_eq!(report.pool.to_string(), "c7g.large/us-east-1a/spot");
        assert_eq!(report.arch, Arch::Arm64);
        assert_eq!(report.launch, Some(launch.parse().unwrap()));
        assert_eq!(report.status, InstanceStatus::Running);
        assert_eq!(report.launched_at.as_second(), 1_700_000_000);
    }

    #[test]
    fn without_a_lifecycle_it_is_on_demand_and_a_foreign_tag_is_no_launch() {
        let plain = instance(InstanceStateName::Terminated)
            .tags(Tag::builder().key("spillway:launch").value("by hand").build())
            .build();

        let report = report(&plain).unwrap();

        assert_eq!(report.pool.market, Market::OnDemand);
        assert_eq!(report.launch, None);
        assert_eq!(report.status, InstanceStatus::Terminated);
    }

    #[test]
    fn an_instance_without_a_state_is_not_reported_as_anything() {
        let odd = Instance::builder().instance_id("i-0123456789abcdef0").build();

        assert_eq!(report(&odd), None);
    }
}
