//! EC2: buys, shows and ends hosts. Never decides which; a replayed call finds what the first one bought.

mod fleet;
mod image;
mod instances;
mod kind;
mod subnets;
mod template;
mod user_data;

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::RequestId as _;
use aws_sdk_ec2::operation::create_fleet::{CreateFleetError, CreateFleetOutput};
use spillway_core::effect::{CallResult, LaunchAnswer, LaunchRequest, LaunchedInstance};
use spillway_core::id::DeploymentName;
use spillway_core::port::Compute;
use spillway_core::task::InstanceReport;
use spillway_core::{InstanceId, LaunchId};
use tracing::{info, warn};

pub(crate) use image::Images;
pub(crate) use instances::instance_status;
pub(crate) use kind::HostKind;
pub(crate) use subnets::{Subnets, filter, pick};

use crate::call::{self, CallError};
use crate::codes::{self, Kind};
use crate::settings::Settings;
use template::Templates;

/// The tag that says which installation an instance belongs to.
pub(crate) const TAG_DEPLOYMENT: &str = "spillway:deployment";
/// The tag that says which launch an instance came from.
pub(crate) const TAG_LAUNCH: &str = "spillway:launch";

/// EC2 behind the port [`Compute`].
#[derive(Debug)]
pub struct Ec2Compute {
    client: Client,
    deployment: DeploymentName,
    subnets: Subnets,
    templates: Templates,
}

impl Ec2Compute {
    pub(crate) fn new(client: Client, ssm: aws_sdk_ssm::Client, settings: &Settings) -> Self {
        let images = Images::new(client.clone(), ssm, settings.ami.clone());
        Self {
            deployment: settings.deployment.clone(),
            subnets: Subnets::new(client.clone(), settings.subnets.clone()),
            templates: Templates::new(client.clone(), images, settings),
            client,
        }
    }

    async fn create_fleet(
        &self,
        request: &LaunchRequest,
        overrides: &fleet::Overrides,
    ) -> CallResult<Result<CreateFleetOutput, CallError<CreateFleetError>>> {
        let mut names = BTreeMap::new();
        for kind in overrides.kinds() {
            names.insert(kind, self.templates.name_of(kind).await?);
        }
        let input = fleet::input(request, overrides, &names, &self.deployment);
        Ok(input.send_with(&self.client).await)
    }

    /// What EC2 shows of a launch by its tag.
    async fn instances_of(&self, launch: LaunchId) -> CallResult<Vec<LaunchedInstance>> {
        let reports = instances::describe(&self.client, TAG_LAUNCH, &launch.to_string()).await?;
        let ours = |report: InstanceReport| LaunchedInstance {
            id: report.id,
            pool: report.pool,
            launched_at: Some(report.launched_at),
        };
        Ok(reports.into_iter().map(ours).collect())
    }
}

impl Compute for Ec2Compute {
    /// One instant fleet: EC2 tries the pools in order of preference and answers at once with what came and what did
    /// not. On-Demand is `prioritized`: exactly the planner's order. Spot is `capacity-optimized-prioritized`: among
    /// pools that the planner found nearly equal in price, the one least likely to be reclaimed, the planner's order
    /// where that makes no difference.
    async fn launch(&self, request: &LaunchRequest) -> CallResult<LaunchAnswer> {
        let subnets = self.subnets.by_zone().await?;
        let (overrides, unplaced) = fleet::overrides(request, &subnets);
        if overrides.is_empty() {
            return Ok(LaunchAnswer { errors: unplaced, ..LaunchAnswer::default() });
        }
        let mut result = self.create_fleet(request, &overrides).await?;
        if result.as_ref().is_err_and(is_template_gone) {
            warn!(launch = %request.launch, "the launch template is gone; making it again");
            self.templates.forget();
            result = self.create_fleet(request, &overrides).await?;
        }
        let mut answer = match result {
            Ok(output) => fleet::answer(&output, request, &subnets),
            Err(error) => fleet_error(&error)?,
        };
        let is_token_used = answer.errors.iter().any(|e| codes::kind(&e.code) == Kind::Conflict);
        // A replay may come back without the ids of the first answer, and whether it repeats them is not documented:
        // the tag on the instances tells.
        let n_missing = usize::try_from(request.count).unwrap_or(usize::MAX);
        if answer.instances.len() < n_missing {
            let found = self.instances_of(request.launch).await;
            match found {
                Ok(found) => fleet::merge(&mut answer, found),
                Err(error) if is_token_used => return Err(error),
                Err(error) => warn!(%error, "the instances of a launch cannot be looked up"),
            }
        }
        if is_token_used {
            if answer.instances.is_empty() {
                let detail = "the launch changed between two tries, and bought nothing".to_owned();
                return Err(call::cloud_error(Kind::Conflict, "ec2:CreateFleet", detail));
            }
            answer.errors.clear();
        }
        if let Some(code) = fleet::denial(&answer) {
            let detail = format!("{code} in every pool: a right that buying needs is missing");
            return Err(call::cloud_error(Kind::Denied, "ec2:CreateFleet", detail));
        }
        answer.errors.extend(unplaced);
        let n_launched = answer.instances.len();
        info!(launch = %request.launch, asked = request.count, n_launched, "launched");
        Ok(answer)
    }

    async fn terminate(&self, instances: &[InstanceId]) -> CallResult<()> {
        instances::terminate(&self.client, instances).await
    }

    async fn instances(&self) -> CallResult<Vec<InstanceReport>> {
        instances::describe(&self.client, TAG_DEPLOYMENT, self.deployment.as_str()).await
    }
}

/// A fleet that was refused as a whole: an answer where a pool's code says why, or the token is in use; else an error.
fn fleet_error(error: &CallError<CreateFleetError>) -> CallResult<LaunchAnswer> {
    if let Some(code) = call::code_of(error) {
        let mut answer = fleet::refused(code);
        answer.request_id = error.request_id().map(str::to_owned);
        if !answer.errors.is_empty() {
            return Ok(answer);
        }
    }
    Err(call::sort("ec2:CreateFleet", error))
}

fn is_template_gone(error: &CallError<CreateFleetError>) -> bool {
    call::code_of(error)
        .is_some_and(|code| code.starts_with("InvalidLaunchTemplate") && code.contains("NotFound"))
}
