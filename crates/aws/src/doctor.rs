//! Looks at everything a dispatcher will need, and says of each whether it is there. Makes nothing and buys nothing.

use serde::Serialize;
use spillway_core::error::chain;
use spillway_core::port::PriceFeed as _;
use spillway_core::{Arch, Catalog, CloudError};

use crate::connect::Account;
use crate::ec2::{HostKind, Images, Subnets};
use crate::error::ConnectError;
use crate::settings::Settings;

mod launch;

/// How an examination ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is there.
    Ok,
    /// It may be there, or something works without it.
    Warning,
    /// It is not there, and jobs will not run without it.
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What, in a word or two.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen.
    pub detail: String,
    /// What to do about it, unless all is well.
    pub hint: Option<String>,
}

impl Finding {
    fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), outcome: Outcome::Ok, detail: detail.into(), hint: None }
    }

    fn failed(name: &str, detail: impl Into<String>, hint: Option<String>) -> Self {
        let detail = detail.into();
        Self { name: name.to_owned(), outcome: Outcome::Failed, detail, hint }
    }

    fn of(name: &str, result: Result<String, ConnectError>) -> Self {
        match result {
            Ok(detail) => Self::ok(name, detail),
            Err(error) => Self::failed(name, chain(&error), hint_of(&error)),
        }
    }

    fn of_call(name: &str, result: Result<String, CloudError>) -> Self {
        Self::of(name, result.map_err(ConnectError::Call))
    }

    fn into_warning(mut self) -> Self {
        if self.outcome == Outcome::Failed {
            self.outcome = Outcome::Warning;
        }
        self
    }
}

/// What to do about an error. For a failed call it follows from what the call needs.
fn hint_of(error: &ConnectError) -> Option<String> {
    let ConnectError::Call(call) = error else { return error.hint() };
    let hint = match call {
        CloudError::Denied { action, .. } => {
            format!(
                "allow {action} as docs/iam.md lists it, on its resources and under its conditions"
            )
        }
        CloudError::Unsettled { .. } | CloudError::Throttled { .. } => "try again".to_owned(),
        CloudError::Quota { .. } => {
            "ask AWS for a higher limit in the Service Quotas console".to_owned()
        }
        CloudError::Misconfigured { .. }
        | CloudError::Invalid { .. }
        | CloudError::Conflict { .. } => {
            "correct the setting; `spillway config show` says where it comes from".to_owned()
        }
    };
    Some(hint)
}

/// Everything, in the order in which it is needed. Ends early only where nothing further could be asked.
pub async fn examine(settings: &Settings) -> Vec<Finding> {
    let account = match Account::open(settings).await {
        Ok(account) => account,
        Err(error) => return vec![Finding::of("configuration", Err(error))],
    };
    let mut findings =
        vec![Finding::ok("region", format!("{} ({})", account.region(), account.place))];
    let identity = identity(&account).await;
    let nobody_answers = matches!(
        identity,
        Err(ConnectError::NoCredentials { .. } | ConnectError::Unreachable { .. })
    );
    findings.push(Finding::of("credentials", identity));
    if nobody_answers {
        return findings;
    }
    findings.extend(queues(&account, settings).await);
    findings.push(cluster(&account, settings).await);

    let ec2 = aws_sdk_ec2::Client::new(&account.sdk);
    let subnets = Subnets::new(ec2.clone(), settings.subnets.clone());
    let by_zone = subnets.by_zone().await;
    let zones = by_zone.as_ref().map(|by_zone| {
        let zones: Vec<&str> = by_zone.keys().map(spillway_core::Zone::as_str).collect();
        format!("hosts may go to {}", zones.join(", "))
    });
    findings.push(Finding::of_call("subnets", zones.map_err(Clone::clone)));
    let images =
        Images::new(ec2.clone(), aws_sdk_ssm::Client::new(&account.sdk), settings.ami.clone());
    findings.extend(self::images(&images).await);
    let subnet = by_zone.ok().and_then(|by_zone| by_zone.into_values().next());
    findings.push(launch::examine(&ec2, &images, subnet, settings).await);
    findings.push(prices(&account, ec2, settings).await);
    findings
}

async fn identity(account: &Account) -> Result<String, ConnectError> {
    let sts = aws_sdk_sts::Client::new(&account.sdk);
    let answer = sts.get_caller_identity().send().await;
    let answer = answer.map_err(|error| account.failed("sts:GetCallerIdentity", &error))?;
    let arn = answer.arn().unwrap_or("an identity without a name");
    Ok(format!("{arn} in account {}", answer.account().unwrap_or("unknown")))
}

async fn queues(account: &Account, settings: &Settings) -> Vec<Finding> {
    let sqs = aws_sdk_sqs::Client::new(&account.sdk);
    let mut findings = Vec::new();
    for (name, key, queue) in [
        ("job queue", "job-queue-name", &settings.job_queue_name),
        ("dead-letter queue", "dead-letter-queue", &settings.dead_letter_queue),
        ("event queue", "event-queue", &settings.event_queue),
    ] {
        let given = settings.job_queue_url.clone().filter(|_| key == "job-queue-name");
        let url = match given {
            Some(url) => Ok(url),
            None => account.queue_url(&sqs, queue, key).await,
        };
        findings.push(Finding::of(name, url));
    }
    findings
}

async fn cluster(account: &Account, settings: &Settings) -> Finding {
    let ecs = aws_sdk_ecs::Client::new(&account.sdk);
    let found = account.look_at_cluster(&ecs, &settings.cluster).await;
    Finding::of("cluster", found.map(|()| format!("{} is ACTIVE", settings.cluster)))
}

/// The images of plain hosts. Without one for arm64 or GPUs everything else still runs.
async fn images(images: &Images) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, arch, gpu) in [
        ("image x86_64", Arch::X86_64, false),
        ("image arm64", Arch::Arm64, false),
        ("image gpu", Arch::X86_64, true),
    ] {
        let image = images.of(HostKind { arch, gpu, burstable: false }).await;
        let finding = Finding::of_call(name, image.map(|image| image.id));
        let is_optional = arch == Arch::Arm64 || gpu;
        findings.push(if is_optional { finding.into_warning() } else { finding });
    }
    findings
}

async fn prices(account: &Account, ec2: aws_sdk_ec2::Client, settings: &Settings) -> Finding {
    const NAME: &str = "prices";
    let prices = match account.prices(ec2, settings) {
        Ok(prices) => prices,
        Err(error) => return Finding::of(NAME, Err(error)),
    };
    let source = prices.source();
    match prices.catalog().await {
        Ok(catalog) if catalog.offerings().is_empty() => Finding::failed(
            NAME,
            "nothing is on offer: no instance type has a price in a zone with a subnet",
            Some("widen offerings.instance-types and offerings.zones, or check prices-file".into()),
        ),
        Ok(catalog) => Finding::ok(NAME, summary(&catalog, &source)),
        Err(error) => Finding::of_call(NAME, Err(error)),
    }
}

fn summary(catalog: &Catalog, source: &str) -> String {
    let mut types: Vec<&str> =
        catalog.offerings().iter().map(|o| o.pool.instance_type.as_str()).collect();
    types.dedup();
    let n_spot =
        catalog.offerings().iter().filter(|o| o.pool.market == spillway_core::Market::Spot).count();
    let n_offerings = catalog.offerings().len();
    format!(
        "{n_offerings} offerings of {} instance types, {n_spot} of them Spot ({source})",
        types.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_brings_its_hint() {
        let error = ConnectError::NoCluster { name: "lab".into(), place: "AWS in r".into() };

        let finding = Finding::of("cluster", Err(error));

        assert_eq!(finding.outcome, Outcome::Failed);
        assert!(finding.hint.unwrap().contains("create-cluster --cluster-name lab"));
    }

    #[test]
    fn a_denied_call_names_the_right_that_is_needed_and_where_it_is_listed() {
        let denied =
            CloudError::Denied { action: "ec2:DescribeSubnets".into(), detail: "no".into() };

        let finding = Finding::of_call("subnets", Err(denied));

        assert!(finding.detail.contains("ec2:DescribeSubnets is not allowed"));
        let hint = finding.hint.unwrap();
        assert!(hint.contains("allow ec2:DescribeSubnets as docs/iam.md lists it"), "{hint}");
    }

    #[test]
    fn what_is_optional_is_a_warning() {
        assert_eq!(Finding::failed("x", "gone", None).into_warning().outcome, Outcome::Warning);
        assert_eq!(Finding::ok("x", "there").into_warning().outcome, Outcome::Ok);
    }
}
