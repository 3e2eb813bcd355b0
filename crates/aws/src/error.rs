//! Why there is no connection to the account, and what to do about it.

use spillway_core::CloudError;

use crate::prices::PricesFileError;
use crate::settings::SettingError;

/// Why the account cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A setting cannot be right: change the configuration.
    #[error("a setting is wrong")]
    Setting(#[source] SettingError),
    /// The prices file cannot be used: change it.
    #[error("the prices file cannot be used")]
    PricesFile(#[source] PricesFileError),
    /// Nobody said which region: say it.
    #[error("no AWS region is configured")]
    NoRegion,
    /// Nobody said who we are, or what was said does not hold: log in.
    #[error("there are no usable AWS credentials: {detail}")]
    NoCredentials {
        /// What was found instead.
        detail: String,
    },
    /// Nothing answers: look at the network, or start what should answer.
    #[error("{endpoint} does not answer: {detail}")]
    Unreachable {
        /// Where the call went.
        endpoint: String,
        /// What happened to it.
        detail: String,
    },
    /// The queue does not exist: create it, or name the right one.
    #[error("there is no SQS queue {name:?} in {place}")]
    NoQueue {
        /// Its name.
        name: String,
        /// The configuration key it comes from.
        key: &'static str,
        /// The region.
        place: String,
    },
    /// The cluster does not exist, or takes no hosts: create it, or name the right one.
    #[error("there is no ECS cluster {name:?} in {place}")]
    NoCluster {
        /// Its name.
        name: String,
        /// The region.
        place: String,
    },
    /// A permission is missing: grant it.
    #[error("{action} is not allowed: {detail}")]
    Denied {
        /// The permission, as IAM names it.
        action: String,
        /// What AWS said.
        detail: String,
    },
    /// A call failed in another way; what to do is in the cause.
    #[error("the account cannot be looked at")]
    Call(#[source] CloudError),
}

impl ConnectError {
    /// What to do about it, as a line that can be followed or pasted; none where the cause says it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Setting(setting) => {
                format!("set {} in the configuration; `spillway config show` says where it comes from", setting.key)
            }
            Self::PricesFile(_) => {
                "write CSV with the header `instance_type,usd_per_hour`, or JSON: \
                 {\"schema\": 1, \"prices\": [{\"instanceType\": \"c7g.large\", \"usdPerHour\": \"0.0725\"}]}"
                    .to_owned()
            }
            Self::NoRegion => {
                "say --region us-east-1, or set `region` in the configuration, or AWS_REGION".to_owned()
            }
            Self::NoCredentials { .. } => {
                "log in (`aws sso login`, `aws configure`), or choose a profile with --profile; an emulator takes any: \
                 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test"
                    .to_owned()
            }
            Self::Unreachable { .. } => {
                "check the network, --region and --endpoint-url (AWS_ENDPOINT_URL); for an emulator, start it first"
                    .to_owned()
            }
            Self::NoQueue { key, .. } => {
                format!("create it with infra/spillway.yaml, or set {key} to the right name, or check --region")
            }
            Self::NoCluster { name, .. } => {
                format!("create it: aws ecs create-cluster --cluster-name {name}; or set cluster to the right name, or check --region")
            }
            Self::Denied { action, .. } => format!(
                "allow {action} as docs/iam.md lists it, on its resources and under its conditions; or choose other \
                 credentials with --profile"
            ),
            Self::Call(_) => return None,
        };
        Some(hint)
    }
}
