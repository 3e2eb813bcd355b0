//! Which machine image a host starts from.

use aws_sdk_ec2::Client;
use spillway_core::effect::CallResult;
use spillway_core::{Arch, CloudError};

use super::kind::HostKind;
use crate::cache::Cache;
use crate::call;
use crate::codes::Kind;
use crate::limits;
use crate::settings::AmiSettings;

/// The root device of Amazon's ECS-optimized images ("Amazon ECS-optimized Linux AMIs").
const ROOT_DEVICE: &str = "/dev/xvda";

/// A machine image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) root_device: String,
}

/// Images by what a host needs.
#[derive(Debug)]
pub(crate) struct Images {
    ec2: Client,
    ssm: aws_sdk_ssm::Client,
    settings: AmiSettings,
    known: Cache<(Arch, bool), Image>,
}

impl Images {
    pub(crate) const fn new(ec2: Client, ssm: aws_sdk_ssm::Client, settings: AmiSettings) -> Self {
        Self { ec2, ssm, settings, known: Cache::new(limits::IMAGE_LIFETIME) }
    }

    /// The image for hosts of `kind`.
    pub(crate) async fn of(&self, kind: HostKind) -> CallResult<Image> {
        let key = (kind.arch, kind.gpu);
        if let Some(image) = self.known.get(&key) {
            return Ok(image);
        }
        let image = if let Some(name) = configured(&self.settings, kind) {
            self.own(name, kind.arch).await?
        } else {
            let id = self.parameter(default_parameter(kind)?).await?;
            Image { id, root_device: ROOT_DEVICE.to_owned() }
        };
        self.known.put(key, image.clone());
        Ok(image)
    }

    /// An image that the operator chose: its root device is looked up, and its architecture checked.
    async fn own(&self, name: &str, arch: Arch) -> CallResult<Image> {
        const ACTION: &str = "ec2:DescribeImages";
        let id = if name.starts_with('/') { self.parameter(name).await? } else { name.to_owned() };
        let answer = self.ec2.describe_images().image_ids(&id).send().await;
        let answer = answer.map_err(|error| call::sort(ACTION, &error))?;
        let wrong = |detail: String| call::cloud_error(Kind::Misconfigured, ACTION, detail);
        let image =
            answer.images().first().ok_or_else(|| wrong(format!("there is no image {id}")))?;
        let image_arch = image.architecture().map_or("unknown", |a| a.as_str());
        if image_arch.parse() != Ok(arch) {
            return Err(wrong(format!("{id} is for {image_arch}, and was set for {arch}")));
        }
        let root_device = image.root_device_name().unwrap_or(ROOT_DEVICE).to_owned();
        Ok(Image { id, root_device })
    }

    async fn parameter(&self, name: &str) -> CallResult<String> {
        const ACTION: &str = "ssm:GetParameter";
        let answer = self.ssm.get_parameter().name(name).send().await;
        let answer = answer.map_err(|error| {
            let sorted = call::sort(ACTION, &error);
            // AWS says only that a parameter is missing, not which.
            if matches!(sorted, CloudError::Misconfigured { .. }) {
                let detail = format!("{name}: {}", call::code_of(&error).unwrap_or_default());
                return call::cloud_error(Kind::Misconfigured, ACTION, detail);
            }
            sorted
        })?;
        let value = answer.parameter.and_then(|p| p.value);
        let is_id = |v: &String| v.starts_with("ami-");
        value.filter(is_id).ok_or_else(|| {
            let detail = format!("the parameter {name} does not hold the id of an image");
            call::cloud_error(Kind::Misconfigured, ACTION, detail)
        })
    }
}

fn configured(settings: &AmiSettings, kind: HostKind) -> Option<&str> {
    let chosen = match (kind.arch, kind.gpu) {
        (Arch::X86_64, true) => &settings.gpu,
        (Arch::X86_64, false) => &settings.x86_64,
        (Arch::Arm64, _) => &settings.arm64,
    };
    chosen.as_deref()
}

/// Amazon's public parameters ("Retrieving Amazon ECS-optimized Linux AMI metadata").
fn default_parameter(kind: HostKind) -> CallResult<&'static str> {
    match (kind.arch, kind.gpu) {
        (Arch::X86_64, false) => {
            Ok("/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id")
        }
        (Arch::Arm64, false) => {
            Ok("/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id")
        }
        (Arch::X86_64, true) => {
            Ok("/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id")
        }
        (Arch::Arm64, true) => Err(call::cloud_error(
            Kind::Misconfigured,
            "ssm:GetParameter",
            "there is no ECS-optimized image for arm64 with GPUs; set ami.arm64".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, arch: Arch) -> HostKind {
        HostKind::of(name, arch)
    }

    #[test]
    fn each_kind_of_host_has_its_own_image() {
        let names = [
            default_parameter(kind("m5.large", Arch::X86_64)).unwrap(),
            default_parameter(kind("m7g.large", Arch::Arm64)).unwrap(),
            default_parameter(kind("g5.xlarge", Arch::X86_64)).unwrap(),
        ];

        assert!(!names[0].contains("arm64") && !names[0].contains("gpu"));
        assert!(names[1].contains("/arm64/"));
        assert!(names[2].contains("/gpu/"));
        assert!(default_parameter(kind("g5g.xlarge", Arch::Arm64)).is_err());
    }

    #[test]
    fn an_image_of_the_operator_comes_first() {
        let settings = AmiSettings { gpu: Some("ami-1".into()), ..AmiSettings::default() };

        assert_eq!(configured(&settings, kind("g5.xlarge", Arch::X86_64)), Some("ami-1"));
        assert_eq!(configured(&settings, kind("m5.large", Arch::X86_64)), None);
    }
}
