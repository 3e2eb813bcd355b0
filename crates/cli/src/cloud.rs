//! The account: configuration to settings, and errors to exit codes. The only file of the CLI that names the adapters.

use anyhow::Result;
use spillway_aws::doctor::{self, Finding, Wanted};
use spillway_aws::{
    AmiSettings, Cloud, ConnectError, News, NewsPlace, Settings, SqsSender, Stacks, TaskLogs,
};
use spillway_core::Catalog;
use spillway_core::port::PriceFeed as _;

use crate::config::Config;
use crate::error::Verdict;
use crate::exit::ExitStatus;

/// Everything a dispatcher needs; every queue and the cluster have been looked for.
pub async fn connect(config: &Config) -> Result<Cloud> {
    let cloud = Box::pin(Cloud::connect(&settings(config))).await?;
    tracing::debug!(place = cloud.place(), "connected");
    Ok(cloud)
}

/// What can be bought in the account now, and where the prices come from, for people.
pub async fn catalog(config: &Config) -> Result<(Catalog, String)> {
    let (prices, source) = Box::pin(Cloud::connect_prices(&settings(config))).await?;
    Ok((Box::pin(prices.catalog()).await?, source))
}

/// The job queue, for producers: nothing else of the account is looked at.
pub async fn sender(config: &Config) -> Result<SqsSender> {
    Ok(Box::pin(Cloud::connect_sender(&settings(config))).await?)
}

/// Where others read news of jobs in the account; none if they read none there.
pub async fn news(config: &Config) -> Result<Option<News>> {
    let told = &config.job_events;
    let place = match (&told.queue, &told.topic, &told.bus) {
        (Some(queue), _, _) => NewsPlace::Queue(queue.clone()),
        (None, Some(topic), _) => NewsPlace::Topic(topic.clone()),
        (None, None, Some(bus)) => NewsPlace::Bus(bus.clone()),
        (None, None, None) => return Ok(None),
    };
    Ok(Some(Box::pin(Cloud::connect_news(&settings(config), place)).await?))
}

/// Reads logs of jobs.
pub async fn logs(config: &Config) -> Result<TaskLogs> {
    Ok(Box::pin(Cloud::connect_logs(&settings(config))).await?)
}

/// CloudFormation, to install with.
pub async fn stacks(config: &Config) -> Result<Stacks> {
    Ok(Box::pin(Stacks::connect(&settings(config))).await?)
}

/// Looks at everything a dispatcher will need. Makes nothing.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let limits = config.engine().limits;
    let wanted = Wanted { hosts: limits.hosts_max, cpu: limits.cpu_max, quotas: limits.quotas };
    Box::pin(doctor::examine(&settings(config), &wanted)).await
}

/// The exit code and hint of an error of the adapters; none where a deeper cause knows better.
pub fn verdict(cause: &(dyn std::error::Error + 'static)) -> Option<Verdict> {
    let error = cause.downcast_ref::<ConnectError>()?;
    let status = match error {
        ConnectError::Setting(_)
        | ConnectError::PricesFile(_)
        | ConnectError::NoRegion
        | ConnectError::NoQueue { .. }
        | ConnectError::NoCluster { .. } => ExitStatus::Config,
        ConnectError::NoCredentials { .. } | ConnectError::Denied { .. } => ExitStatus::Denied,
        ConnectError::Unreachable { .. } => ExitStatus::Unreachable,
        ConnectError::Call(_) => return None,
    };
    Some(Verdict { status, hint: error.hint() })
}

fn settings(config: &Config) -> Settings {
    Settings {
        region: config.region.clone(),
        profile: config.profile.clone(),
        endpoint_url: config.endpoint_url.clone(),
        deployment: config.deployment.clone(),
        job_queue_name: config.job_queue_name.clone(),
        job_queue_url: config.job_queue_url.clone(),
        dead_letter_queue: config.dead_letter_queue.clone(),
        event_queue: config.event_queue.clone(),
        cluster: config.cluster.clone(),
        subnets: config.subnets.clone(),
        security_groups: config.security_groups.clone(),
        instance_profile: config.instance_profile.clone(),
        ami: AmiSettings {
            x86_64: config.ami.x86_64.clone(),
            arm64: config.ami.arm64.clone(),
            gpu: config.ami.gpu.clone(),
        },
        log_group: config.log_group.clone(),
        execution_role: config.execution_role.clone(),
        runner_image: config.runner_image.clone(),
        privileged: config.engine().jobs.allows_privileged(),
        log_drivers: config.engine().jobs.log_drivers(),
        root_volume_gib: config.hosts.root_volume_gib(),
        volume_price: config.hosts.volume_price.map(|price| price.0),
        public_address_price: config.hosts.public_address_price.0,
        prices_file: config.prices_file.clone(),
        instance_types: config.offerings.instance_types.clone(),
        zones: config.offerings.zones.clone(),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use spillway_core::CloudError;

    use super::*;

    fn verdict_of(error: ConnectError) -> Verdict {
        let error = Err::<(), _>(error).context("serve").unwrap_err();
        crate::error::verdict(&error)
    }

    #[test]
    fn the_built_in_configuration_makes_valid_settings() {
        assert_eq!(settings(&Config::default()).check(), Ok(()));
    }

    #[test]
    fn each_reason_not_to_connect_has_its_exit_code_and_a_hint() {
        let name = || "spillway".to_owned();
        let place = || "AWS in us-east-1".to_owned();
        let detail = || "why".to_owned();
        let table = [
            (ConnectError::NoRegion, ExitStatus::Config, "--region"),
            (
                ConnectError::NoCluster { name: name(), place: place() },
                ExitStatus::Config,
                "create-cluster",
            ),
            (
                ConnectError::NoQueue { name: name(), key: "job-queue-name", place: place() },
                ExitStatus::Config,
                "job-queue-name",
            ),
            (ConnectError::NoCredentials { detail: detail() }, ExitStatus::Denied, "--profile"),
            (
                ConnectError::Denied { action: "sqs:GetQueueUrl".into(), detail: detail() },
                ExitStatus::Denied,
                "sqs:GetQueueUrl",
            ),
            (
                ConnectError::Unreachable { endpoint: place(), detail: detail() },
                ExitStatus::Unreachable,
                "--endpoint-url",
            ),
        ];

        for (error, status, hint) in table {
            let text = error.to_string();
            let verdict = verdict_of(error);
            assert_eq!(verdict.status, status, "{text}");
            assert!(verdict.hint.is_some_and(|h| h.contains(hint)), "{text}");
        }
    }

    #[test]
    fn a_failed_call_is_judged_by_its_own_kind() {
        let call =
            CloudError::Throttled { action: "sqs:GetQueueUrl".into(), detail: "slow".into() };

        assert_eq!(verdict_of(ConnectError::Call(call)).status, ExitStatus::Unreachable);
    }
}
