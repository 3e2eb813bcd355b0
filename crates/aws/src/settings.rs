//! What the adapters are told. Checked before anything of it goes into a call, or into a host's user data.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use spillway_core::container::LogDriver;
use spillway_core::id::DeploymentName;
use spillway_core::{MicroUsd, MicroUsdPerHour};

/// Where things are in the account. Names are checked by [`Settings::check`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// The AWS region; none asks `AWS_REGION`, the profile, then the instance metadata service.
    pub region: Option<String>,
    /// The profile of the AWS configuration; none takes `AWS_PROFILE`, or `default`.
    pub profile: Option<String>,
    /// Where all calls go; none takes `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or AWS itself.
    pub endpoint_url: Option<String>,
    /// The name of this installation, in the tags of all that it makes.
    pub deployment: DeploymentName,
    /// The queue that jobs are sent to.
    pub job_queue_name: String,
    /// Its URL; none looks it up by name.
    pub job_queue_url: Option<String>,
    /// The queue for messages that can never be a job.
    pub dead_letter_queue: String,
    /// The queue that EventBridge sends to.
    pub event_queue: String,
    /// The ECS cluster.
    pub cluster: String,
    /// Subnets for hosts; empty takes the default VPC's.
    pub subnets: Vec<String>,
    /// Security groups of hosts; empty takes the VPC's default.
    pub security_groups: Vec<String>,
    /// The instance profile of hosts, a name or an ARN.
    pub instance_profile: String,
    /// The machine images.
    pub ami: AmiSettings,
    /// The log group of jobs; none writes no logs.
    pub log_group: Option<String>,
    /// The execution role of jobs that name none.
    pub execution_role: Option<String>,
    /// The image that brings the runner of shared tasks; none runs no such tasks.
    pub runner_image: Option<String>,
    /// Whether hosts run privileged containers.
    pub privileged: bool,
    /// The log drivers that hosts offer; files and `awslogs` they do in any case.
    pub log_drivers: Vec<LogDriver>,
    /// The size of a host's root volume in GiB, 1 to 16,384; none leaves it at the image's.
    pub root_volume_gib: Option<u32>,
    /// What a GiB of it costs a month; none asks AWS's price list.
    pub volume_price: Option<MicroUsd>,
    /// What a public IPv4 address costs, where hosts have one.
    pub public_address_price: MicroUsdPerHour,
    /// A file whose prices take the place of AWS's price list.
    pub prices_file: Option<PathBuf>,
    /// Instance types to ask about, with `*` as wildcard; empty asks about all.
    pub instance_types: Vec<String>,
    /// Zones to ask about; empty asks about all that have a subnet.
    pub zones: Vec<String>,
}

/// Machine images: an AMI id (`ami-...`), or the name of an SSM parameter that holds one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AmiSettings {
    /// For `x86_64`; none takes Amazon's newest ECS-optimized Amazon Linux 2023.
    pub x86_64: Option<String>,
    /// For arm64; none takes Amazon's newest ECS-optimized Amazon Linux 2023.
    pub arm64: Option<String>,
    /// For types with NVIDIA GPUs (`x86_64`); none takes Amazon's newest with the drivers.
    pub gpu: Option<String>,
}

/// A setting that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} {text:?} is not {expected}")]
pub struct SettingError {
    /// The configuration key.
    pub key: &'static str,
    /// What it is set to.
    pub text: String,
    /// What it must be, with its article.
    pub expected: &'static str,
}

impl Settings {
    /// Checks all names by AWS's own rules. What passes can be written into user data and filters as it is.
    pub fn check(&self) -> Result<(), SettingError> {
        for (key, queue) in [
            ("job-queue-name", &self.job_queue_name),
            ("dead-letter-queue", &self.dead_letter_queue),
            ("event-queue", &self.event_queue),
        ] {
            check(key, queue, QUEUE, is_standard_queue)?;
        }
        if let Some(url) = &self.job_queue_url {
            check("job-queue-url", url, "the URL of a standard queue", is_queue_url)?;
        }
        if let Some(url) = &self.endpoint_url {
            check("endpoint-url", url, "an http or https URL", is_url)?;
        }
        check("cluster", &self.cluster, "the name of an ECS cluster", |t| is_word(t, 255))?;
        for subnet in &self.subnets {
            check("subnets", subnet, "a subnet id", |t| is_ec2_id(t, "subnet-"))?;
        }
        for group in &self.security_groups {
            check("security-groups", group, "a security group id", |t| is_ec2_id(t, "sg-"))?;
        }
        if let Some(gib) = self.root_volume_gib
            && !ROOT_VOLUME_GIB.contains(&gib)
        {
            let (key, text) = ("hosts.root-volume", format!("{gib}GiB"));
            return Err(SettingError { key, text, expected: "1GiB to 16TiB" });
        }
        check("instance-profile", &self.instance_profile, PROFILE, is_profile)?;
        let amis = [&self.ami.x86_64, &self.ami.arm64, &self.ami.gpu];
        for (key, ami) in ["ami.x86_64", "ami.arm64", "ami.gpu"].into_iter().zip(amis) {
            if let Some(ami) = ami {
                check(key, ami, AMI, is_ami)?;
            }
        }
        Ok(())
    }
}

/// What a gp3 volume can have and any image can start from (Amazon EBS user guide, "General Purpose SSD volumes"), in GiB.
const ROOT_VOLUME_GIB: RangeInclusive<u32> = 1..=16_384;

const QUEUE: &str =
    "the name of a standard SQS queue (FIFO queues would hold jobs back one by one)";
const PROFILE: &str = "the name or ARN of an instance profile";
const AMI: &str = "an AMI id, or the name of an SSM parameter";

fn check(
    key: &'static str,
    text: &str,
    expected: &'static str,
    is_valid: impl Fn(&str) -> bool,
) -> Result<(), SettingError> {
    if is_valid(text) { Ok(()) } else { Err(SettingError { key, text: text.to_owned(), expected }) }
}

fn is_word(text: &str, len_max: usize) -> bool {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !text.is_empty() && text.len() <= len_max && text.bytes().all(is_legal)
}

fn is_standard_queue(text: &str) -> bool {
    is_word(text, 80)
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic()))
}

fn is_queue_url(text: &str) -> bool {
    is_url(text) && text.rsplit('/').next().is_some_and(is_standard_queue)
}

fn is_ec2_id(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix);
    rest.is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// IAM names: letters, digits and `+=,.@_-`; ARNs add `:` and `/`.
fn is_profile(text: &str) -> bool {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-:/".contains(&b);
    !text.is_empty() && text.len() <= 2048 && text.bytes().all(is_legal)
}

fn is_ami(text: &str) -> bool {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    is_ec2_id(text, "ami-") || (text.starts_with('/') && text.bytes().all(is_legal))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings as they come from the built-in configuration.
    pub(crate) fn settings() -> Settings {
        Settings {
            region: Some("us-east-1".into()),
            profile: None,
            endpoint_url: None,
            deployment: "spillway".parse().unwrap(),
            job_queue_name: "spillway-jobs".into(),
            job_queue_url: None,
            dead_letter_queue: "spillway-jobs-dlq".into(),
            event_queue: "spillway-events".into(),
            cluster: "spillway".into(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            instance_profile: "spillway-host".into(),
            ami: AmiSettings::default(),
            log_group: None,
            execution_role: None,
            runner_image: None,
            privileged: false,
            log_drivers: Vec::new(),
            root_volume_gib: None,
            volume_price: None,
            public_address_price: spillway_core::cost::PUBLIC_ADDRESS_PRICE,
            prices_file: None,
            instance_types: Vec::new(),
            zones: Vec::new(),
        }
    }

    #[test]
    fn the_built_in_names_are_valid() {
        assert_eq!(settings().check(), Ok(()));
    }

    #[test]
    fn a_cluster_name_cannot_smuggle_a_line_into_user_data() {
        let settings = Settings { cluster: "a\nECS_X=1".into(), ..settings() };

        assert_eq!(settings.check().unwrap_err().key, "cluster");
    }

    #[test]
    fn fifo_queues_are_refused_with_the_reason() {
        let settings = Settings { job_queue_name: "jobs.fifo".into(), ..settings() };

        assert!(settings.check().unwrap_err().to_string().contains("FIFO"));
    }

    #[test]
    fn each_kind_of_name_is_told_from_the_others() {
        assert!(is_ami("ami-0abc"));
        assert!(is_ami("/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"));
        assert!(!is_ami("latest"));
        assert!(is_url("http://127.0.0.1:4566"));
        assert!(!is_url("localhost:4566"));
        assert!(!is_ec2_id("subnet-", "subnet-"));
        assert!(is_profile("arn:aws:iam::123456789012:instance-profile/spillway-host"));
    }
}
