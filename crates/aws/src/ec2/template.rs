//! The launch template: how a host is set up, under a name made from its content. A template is never changed; other
//! content is another template.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    CreditSpecificationRequest, LaunchTemplateBlockDeviceMappingRequest,
    LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState,
    LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMetadataEndpointState, LaunchTemplateInstanceMetadataOptionsRequest,
    RequestLaunchTemplateData, ResourceType, ShutdownBehavior, Tag, TagSpecification, VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use spillway_core::container::LogDriver;
use spillway_core::effect::CallResult;
use spillway_core::id::DeploymentName;
use tracing::info;

use super::TAG_DEPLOYMENT;
use super::image::{Image, Images};
use super::kind::HostKind;
use super::user_data::UserData;
use crate::cache::Cache;
use crate::settings::Settings;
use crate::{call, convert, limits};

/// To be raised when [`Content::data`] makes something else of the same content.
const FORMAT: u32 = 1;

/// A name may have 128 characters; this leaves room for the prefix and the hash.
const DEPLOYMENT_CHARS_MAX: usize = 96;

/// All that makes one template differ from another.
#[derive(Debug, Serialize)]
struct Content<'a> {
    format: u32,
    deployment: &'a str,
    image: &'a str,
    root_device: &'a str,
    instance_profile: &'a str,
    security_groups: &'a [String],
    user_data: String,
    burstable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_volume_gib: Option<u32>,
}

impl Content<'_> {
    fn name(&self) -> String {
        let deployment = convert::cut(self.deployment, DEPLOYMENT_CHARS_MAX);
        let json = serde_json::to_string(self).unwrap_or_else(|_| format!("{self:?}"));
        format!("spillway-{deployment}-{}", convert::content_hash(&json))
    }

    fn data(&self) -> RequestLaunchTemplateData {
        let disk = LaunchTemplateEbsBlockDeviceRequest::builder()
            .volume_type(VolumeType::Gp3)
            // Unsaid, it is as large as the image's.
            .set_volume_size(self.root_volume_gib.and_then(|gib| i32::try_from(gib).ok()))
            .encrypted(true)
            .delete_on_termination(true)
            .build();
        let root = LaunchTemplateBlockDeviceMappingRequest::builder()
            .device_name(self.root_device)
            .ebs(disk)
            .build();
        // Version 2 only, and one hop: a container behind the bridge cannot take the host's role.
        let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
            .http_endpoint(LaunchTemplateInstanceMetadataEndpointState::Enabled)
            .http_tokens(LaunchTemplateHttpTokensState::Required)
            .http_put_response_hop_limit(limits::METADATA_HOPS)
            .build();
        // EC2 buys surplus credits by default on T3 and T4g, without saying so in any price list.
        let credits = CreditSpecificationRequest::builder().cpu_credits("standard").build();
        let groups = (!self.security_groups.is_empty()).then(|| self.security_groups.to_vec());
        RequestLaunchTemplateData::builder()
            .image_id(self.image)
            .iam_instance_profile(instance_profile(self.instance_profile))
            .block_device_mappings(root)
            .metadata_options(metadata)
            .set_credit_specification(self.burstable.then_some(credits))
            .set_security_group_ids(groups)
            // The default is to stop: a host that shuts itself down would leave a paid volume behind.
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .user_data(STANDARD.encode(&self.user_data))
            .build()
    }
}

fn instance_profile(name_or_arn: &str) -> LaunchTemplateIamInstanceProfileSpecificationRequest {
    let profile = LaunchTemplateIamInstanceProfileSpecificationRequest::builder();
    if name_or_arn.starts_with("arn:") {
        profile.arn(name_or_arn).build()
    } else {
        profile.name(name_or_arn).build()
    }
}

/// Finds templates, or makes them.
#[derive(Debug)]
pub(super) struct Templates {
    client: Client,
    images: Images,
    deployment: DeploymentName,
    cluster: String,
    instance_profile: String,
    security_groups: Vec<String>,
    privileged: bool,
    log_drivers: Vec<LogDriver>,
    root_volume_gib: Option<u32>,
    /// Names of templates that exist.
    known: Cache<String, ()>,
}

impl Templates {
    pub(super) fn new(client: Client, images: Images, settings: &Settings) -> Self {
        Self {
            client,
            images,
            deployment: settings.deployment.clone(),
            cluster: settings.cluster.clone(),
            instance_profile: settings.instance_profile.clone(),
            security_groups: settings.security_groups.clone(),
            privileged: settings.privileged,
            log_drivers: settings.log_drivers.clone(),
            root_volume_gib: settings.root_volume_gib,
            known: Cache::new(limits::TYPES_LIFETIME),
        }
    }

    /// The name of the template for hosts of `kind`; it exists when this returns.
    pub(super) async fn name_of(&self, kind: HostKind) -> CallResult<String> {
        let image = self.images.of(kind).await?;
        let content = self.content(kind, &image);
        let name = content.name();
        if self.known.get(&name).is_none() {
            if !self.exists(&name).await? {
                self.create(&name, &content).await?;
            }
            self.known.put(name.clone(), ());
        }
        Ok(name)
    }

    /// Believes no longer that any template exists.
    pub(super) fn forget(&self) {
        self.known.clear();
    }

    fn content<'a>(&'a self, kind: HostKind, image: &'a Image) -> Content<'a> {
        Content {
            format: FORMAT,
            deployment: self.deployment.as_str(),
            image: &image.id,
            root_device: &image.root_device,
            instance_profile: &self.instance_profile,
            security_groups: &self.security_groups,
            user_data: UserData {
                cluster: &self.cluster,
                gpu: kind.gpu,
                privileged: self.privileged,
                log_drivers: &self.log_drivers,
            }
            .script(),
            burstable: kind.burstable,
            root_volume_gib: self.root_volume_gib,
        }
    }

    async fn exists(&self, name: &str) -> CallResult<bool> {
        let answer =
            self.client.describe_launch_templates().launch_template_names(name).send().await;
        match answer {
            Ok(answer) => Ok(!answer.launch_templates().is_empty()),
            Err(error) if call::code_of(&error).is_some_and(|c| c.contains("NotFound")) => {
                Ok(false)
            }
            Err(error) => Err(call::sort("ec2:DescribeLaunchTemplates", &error)),
        }
    }

    async fn create(&self, name: &str, content: &Content<'_>) -> CallResult<()> {
        let tag = Tag::builder().key(TAG_DEPLOYMENT).value(self.deployment.as_str()).build();
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::LaunchTemplate)
            .tags(tag)
            .build();
        let made = self
            .client
            .create_launch_template()
            .launch_template_name(name)
            .launch_template_data(content.data())
            .tag_specifications(tags)
            .send()
            .await;
        match made {
            Ok(_) => {
                info!(template = name, image = content.image, "made a launch template");
                Ok(())
            }
            // Somebody else made it meanwhile; equal names mean equal content.
            Err(error) if call::code_of(&error).is_some_and(|c| c.contains("AlreadyExists")) => {
                Ok(())
            }
            Err(error) => Err(call::sort("ec2:CreateLaunchTemplate", &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content<'static> {
        Content {
            format: FORMAT,
            deployment: "lab",
            image: "ami-1",
            root_device: "/dev/xvda",
            instance_profile: "spillway-host",
            security_groups: &[],
            user_data: "#!/bin/bash\n".into(),
            burstable: false,
            root_volume_gib: None,
        }
    }

    #[test]
    fn equal_content_has_an_equal_name_and_other_content_another() {
        let name = content().name();

        assert!(name.starts_with("spillway-lab-") && name.len() == "spillway-lab-".len() + 16);
        assert_eq!(name, content().name());
        assert_ne!(name, Content { image: "ami-2", ..content() }.name());
        assert_ne!(name, Content { burstable: true, ..content() }.name());
        assert_ne!(name, Content { root_volume_gib: Some(30), ..content() }.name());
        let long = "d".repeat(128);
        assert!(Content { deployment: &long, ..content() }.name().len() <= 128);
    }

    #[test]
    fn a_host_is_set_up_safely() {
        let data = content().data();

        let metadata = data.metadata_options().unwrap();
        assert_eq!(metadata.http_tokens(), Some(&LaunchTemplateHttpTokensState::Required));
        assert_eq!(metadata.http_put_response_hop_limit(), Some(1));
        let disk = data.block_device_mappings()[0].ebs().unwrap();
        assert_eq!((disk.encrypted(), disk.delete_on_termination()), (Some(true), Some(true)));
        assert_eq!(disk.volume_type(), Some(&VolumeType::Gp3));
        assert_eq!(disk.volume_size(), None);
        let data = Content { root_volume_gib: Some(200), ..content() }.data();
        assert_eq!(data.block_device_mappings()[0].ebs().unwrap().volume_size(), Some(200));
        assert_eq!(data.block_device_mappings()[0].device_name(), Some("/dev/xvda"));
        assert_eq!(data.instance_initiated_shutdown_behavior(), Some(&ShutdownBehavior::Terminate));
        assert_eq!(data.user_data(), Some("IyEvYmluL2Jhc2gK"));
        assert_eq!(data.iam_instance_profile().unwrap().name(), Some("spillway-host"));
    }

    #[test]
    fn only_burstable_types_are_told_about_credits() {
        let credits = |burstable| {
            let data = Content { burstable, ..content() }.data();
            data.credit_specification().and_then(|c| c.cpu_credits().map(str::to_owned))
        };

        assert_eq!(credits(true).as_deref(), Some("standard"));
        assert_eq!(credits(false), None);
    }

    #[test]
    fn security_groups_and_a_profile_arn_are_passed_on() {
        let groups = ["sg-1".to_owned()];
        let arn = "arn:aws:iam::111122223333:instance-profile/x";
        let data = Content { security_groups: &groups, instance_profile: arn, ..content() }.data();

        assert_eq!(data.security_group_ids(), ["sg-1"]);
        assert_eq!(data.iam_instance_profile().unwrap().arn(), Some(arn));
        assert_eq!(content().data().security_group_ids, None);
    }
}
