//! Looks at everything a dispatcher will need, and says of each whether it is there. Makes nothing and buys nothing.

use serde::Serialize;
use spillway_core::error::chain;
use spillway_core::port::PriceFeed as _;
use spillway_core::{Arch, Catalog, CloudError, CpuUnits, Quotas};

use self::clock::Clock;
use crate::connect::Account;
use crate::ec2::{HostKind, Images, Subnets, pick};
use crate::error::ConnectError;
use crate::settings::Settings;

mod clock;
mod launch;
mod network;
mod queues;
mod quotas;
mod rules;

/// What the dispatcher may buy by its limits; none is as much as there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Hosts.
    pub hosts: Option<u32>,
    /// CPU over all hosts.
    pub cpu: Option<CpuUnits>,
    /// CPU over the hosts that each of EC2's vCPU quotas counts.
    pub quotas: Quotas,
}

/// AWS changes On-Demand prices and what it sells a few times a year.
const PRICES_FILE_DAYS_MAX: u64 = 90;

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

    fn warning(name: &str, detail: impl Into<String>, hint: Option<String>) -> Self {
        Self { outcome: Outcome::Warning, ..Self::failed(name, detail, hint) }
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
pub async fn examine(settings: &Settings, wanted: &Wanted) -> Vec<Finding> {
    let account = match Account::open(settings).await {
        Ok(account) => account,
        Err(error) => return vec![Finding::of("configuration", Err(error))],
    };
    let mut findings =
        vec![Finding::ok("region", format!("{} ({})", account.region(), account.place))];
    let clock = Clock::default();
    let identity = identity(&account, clock.clone()).await;
    let nobody_answers = matches!(
        identity,
        Err(ConnectError::NoCredentials { .. } | ConnectError::Unreachable { .. })
    );
    // A clock that is wrong looks like credentials that are.
    findings.extend(clock.finding());
    findings.push(Finding::of("credentials", identity));
    if nobody_answers {
        return findings;
    }
    let (of_queues, event_queue) = queues::examine(&account, settings).await;
    findings.extend(of_queues);
    if let Some(arn) = event_queue {
        let client = aws_sdk_eventbridge::Client::new(&account.sdk);
        findings.push(rules::examine(&client, &arn).await);
    }
    findings.push(cluster(&account, settings).await);

    let ec2 = aws_sdk_ec2::Client::new(&account.sdk);
    let subnets = Subnets::new(ec2.clone(), settings.subnets.clone());
    let described = subnets.describe().await;
    let by_zone = described.as_deref().map_err(Clone::clone).and_then(pick);
    let zones = by_zone.as_ref().map(|by_zone| {
        let zones: Vec<&str> = by_zone.keys().map(spillway_core::Zone::as_str).collect();
        format!("hosts may go to {}", zones.join(", "))
    });
    findings.push(Finding::of_call("subnets", zones.map_err(Clone::clone)));
    if let (Ok(by_zone), Ok(described)) = (&by_zone, described) {
        let chosen = network::chosen(described, by_zone);
        findings.push(network::addresses(&chosen, wanted));
        findings.push(network::route(&ec2, &chosen).await);
    }
    let images =
        Images::new(ec2.clone(), aws_sdk_ssm::Client::new(&account.sdk), settings.ami.clone());
    findings.extend(self::images(&images).await);
    let subnet = by_zone.ok().and_then(|by_zone| by_zone.into_values().next());
    findings.push(launch::examine(&ec2, &images, subnet, settings).await);
    let (found, catalog) = prices(&account, ec2, settings).await;
    findings.push(found);
    if let Some(catalog) = catalog {
        let client = aws_sdk_servicequotas::Client::new(&account.sdk);
        findings.push(quotas::examine(&client, &catalog, wanted).await);
    }
    findings
}

async fn identity(account: &Account, clock: Clock) -> Result<String, ConnectError> {
    let sts = aws_sdk_sts::Client::new(&account.sdk);
    let answer = sts.get_caller_identity().customize().interceptor(clock).send().await;
    let answer = answer.map_err(|error| account.failed("sts:GetCallerIdentity", &error))?;
    let arn = answer.arn().unwrap_or("an identity without a name");
    Ok(format!("{arn} in account {}", answer.account().unwrap_or("unknown")))
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

/// Prices are looked up anew each time; those of a file are as old as the file.
async fn prices(
    account: &Account,
    ec2: aws_sdk_ec2::Client,
    settings: &Settings,
) -> (Finding, Option<Catalog>) {
    const NAME: &str = "prices";
    let prices = match account.prices(ec2, settings) {
        Ok(prices) => prices,
        Err(error) => return (Finding::of(NAME, Err(error)), None),
    };
    let source = prices.source();
    let catalog = match prices.catalog().await {
        Ok(catalog) => catalog,
        Err(error) => return (Finding::of_call(NAME, Err(error)), None),
    };
    if catalog.offerings().is_empty() {
        let hint = "widen offerings.instance-types and offerings.zones, or check prices-file";
        let detail = "nothing is on offer: no instance type has a price in a zone with a subnet";
        return (Finding::failed(NAME, detail, Some(hint.to_owned())), None);
    }
    let summary = summary(&catalog, &source);
    let file = settings.prices_file.as_deref();
    let age = file.and_then(|file| file.metadata().ok()?.modified().ok()?.elapsed().ok());
    let days = age.map_or(0, |age| age.as_secs() / 86_400);
    let finding = if PRICES_FILE_DAYS_MAX < days {
        let hint = "take prices-file out, or write it anew: what is bought follows what it says";
        Finding::warning(NAME, format!("{summary}, {days} days old"), Some(hint.to_owned()))
    } else {
        Finding::ok(NAME, summary)
    };
    (finding, Some(catalog))
}

fn summary(catalog: &Catalog, source: &str) -> String {
    let mut types: Vec<&str> =
        catalog.offerings().iter().map(|o| o.pool.instance_type.as_str()).collect();
    types.dedup();
    let n_spot =
        catalog.offerings().iter().filter(|o| o.pool.market == spillway_core::Market::Spot).count();
    let n_offerings = catalog.offerings().len();
    let extras = catalog.extras().told(catalog.offerings().iter().map(|o| &o.pool.zone));
    let extras = extras.map(|told| format!("; beside its instance a host costs {told}"));
    format!(
        "{n_offerings} offerings of {} instance types, {n_spot} of them Spot ({source}){}",
        types.len(),
        extras.unwrap_or_default()
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
