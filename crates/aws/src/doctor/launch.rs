//! Whether a host could be bought: asked of EC2 with `DryRun`, which checks everything and buys nothing.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::run_instances::RunInstancesError;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesInputBuilder;
use aws_sdk_ec2::types::{
    IamInstanceProfileSpecification, InstanceType, ResourceType, Tag, TagSpecification,
};
use spillway_core::Arch;

use super::{Finding, Outcome};
use crate::call::{self, CallError};
use crate::ec2::{HostKind, Images, TAG_DEPLOYMENT, TAG_LAUNCH};
use crate::settings::Settings;

const NAME: &str = "launch";

/// A type that every region sells, for the question only.
const TYPE: &str = "t3.micro";

pub(super) async fn examine(
    client: &Client,
    images: &Images,
    subnet: Option<String>,
    settings: &Settings,
) -> Finding {
    let kind = HostKind { arch: Arch::X86_64, gpu: false, burstable: true };
    let (Ok(image), Some(subnet)) = (images.of(kind).await, subnet) else {
        return warning("not tried without an image and a subnet", None);
    };
    let answer = input(&image.id, &subnet, settings).send_with(client).await;
    match answer {
        Ok(_) => warning("EC2 ignored that this was a dry run", None),
        Err(error) => finding(&error, settings),
    }
}

fn input(image: &str, subnet: &str, settings: &Settings) -> RunInstancesInputBuilder {
    let profile = IamInstanceProfileSpecification::builder();
    let profile = if settings.instance_profile.starts_with("arn:") {
        profile.arn(&settings.instance_profile).build()
    } else {
        profile.name(&settings.instance_profile).build()
    };
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let tags = |resource: ResourceType| {
        TagSpecification::builder()
            .resource_type(resource)
            .tags(tag(TAG_DEPLOYMENT, settings.deployment.as_str()))
            .tags(tag(TAG_LAUNCH, "doctor"))
            .build()
    };
    let groups = &settings.security_groups;
    RunInstancesInputBuilder::default()
        .dry_run(true)
        .min_count(1)
        .max_count(1)
        .image_id(image)
        .instance_type(InstanceType::from(TYPE))
        .subnet_id(subnet)
        .set_security_group_ids((!groups.is_empty()).then(|| groups.clone()))
        .iam_instance_profile(profile)
        .tag_specifications(tags(ResourceType::Instance))
        .tag_specifications(tags(ResourceType::Volume))
}

/// A dry run that would have worked fails with `DryRunOperation` (EC2 API reference, `RunInstances`).
fn finding(error: &CallError<RunInstancesError>, settings: &Settings) -> Finding {
    let code = call::code_of(error).unwrap_or_default();
    let message = call::message_of(error);
    if code == "DryRunOperation" {
        let profile = &settings.instance_profile;
        return Finding::ok(NAME, format!("allowed, with the instance profile {profile}"));
    }
    if message.to_ascii_lowercase().contains("instance profile") {
        let hint = "create it with infra/spillway.yaml, or set instance-profile to the right name";
        return Finding::failed(NAME, format!("{code}: {message}"), Some(hint.to_owned()));
    }
    if code == "UnauthorizedOperation" {
        // A policy may allow launches through our templates only, which a dry run does not use.
        let hint = "allow ec2:CreateFleet, ec2:RunInstances, ec2:CreateTags, and iam:PassRole of the host role";
        return warning(&format!("{code}: {message}"), Some(hint));
    }
    warning(&format!("could not be tried: {}", call::sort("ec2:RunInstances", error)), None)
}

fn warning(detail: &str, hint: Option<&str>) -> Finding {
    Finding {
        name: NAME.to_owned(),
        outcome: Outcome::Warning,
        detail: detail.to_owned(),
        hint: hint.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    #[test]
    fn the_question_is_a_dry_run_with_the_hosts_own_profile_and_tags() {
        let input = input("ami-1", "subnet-1", &settings()).build().unwrap();

        assert_eq!(input.dry_run(), Some(true));
        assert_eq!(input.iam_instance_profile().unwrap().name(), Some("spillway-host"));
        assert_eq!(input.tag_specifications()[0].tags()[0].value(), Some("spillway"));
    }
}
