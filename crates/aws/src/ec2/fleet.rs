//! A launch as one CreateFleet request, and its answer as facts. Pure: no call is made here.

use std::collections::BTreeMap;

use aws_sdk_ec2::operation::RequestId as _;
use aws_sdk_ec2::operation::create_fleet::CreateFleetOutput;
use aws_sdk_ec2::operation::create_fleet::builders::CreateFleetInputBuilder;
use aws_sdk_ec2::types::{
    DefaultTargetCapacityType, FleetLaunchTemplateConfigRequest,
    FleetLaunchTemplateOverridesRequest, FleetLaunchTemplateSpecificationRequest,
    FleetOnDemandAllocationStrategy, FleetType, InstanceType, LaunchTemplateAndOverridesResponse,
    OnDemandOptionsRequest, ResourceType, SpotAllocationStrategy, SpotInstanceInterruptionBehavior,
    SpotOptionsRequest, Tag, TagSpecification, TargetCapacitySpecificationRequest,
};
use spillway_core::catalog::PoolId;
use spillway_core::effect::{LaunchAnswer, LaunchRequest, LaunchedInstance, PoolError, PoolFault};
use spillway_core::id::DeploymentName;
use spillway_core::{Market, Zone};
use tracing::warn;

use super::kind::HostKind;
use super::subnets::SubnetByZone;
use super::{TAG_DEPLOYMENT, TAG_LAUNCH};
use crate::codes::{self, Kind};
use crate::limits;

/// Templates are never changed, so each has one version.
const TEMPLATE_VERSION: &str = "1";

/// Our own code for a zone in which hosts have no subnet.
const NO_SUBNET: &str = "NoSubnetInZone";

/// Pools in order of preference, by the kind of host.
#[derive(Debug, Default)]
pub(super) struct Overrides(BTreeMap<HostKind, Vec<FleetLaunchTemplateOverridesRequest>>);

impl Overrides {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = HostKind> {
        self.0.keys().copied()
    }
}

/// The pools of `request` as overrides, the first with the best priority (0), and the pools that have no subnet.
pub(super) fn overrides(
    request: &LaunchRequest,
    subnets: &SubnetByZone,
) -> (Overrides, Vec<PoolError>) {
    let mut overrides = Overrides::default();
    let mut errors = Vec::new();
    let mut priority = 0.0;
    for choice in request.choices.iter().take(limits::FLEET_OVERRIDES_MAX) {
        let pool = &choice.pool;
        let Some(subnet) = subnets.get(&pool.zone) else {
            let code = NO_SUBNET.to_owned();
            let fault = PoolFault::Unsupported;
            errors.push(PoolError { pool: Some(pool.clone()), fault, code });
            continue;
        };
        // The zone follows from the subnet; with it an error names its pool without a look-up.
        let line = FleetLaunchTemplateOverridesRequest::builder()
            .instance_type(InstanceType::from(pool.instance_type.as_str()))
            .subnet_id(subnet)
            .availability_zone(pool.zone.as_str())
            .priority(priority)
            .build();
        priority += 1.0;
        let kind = HostKind::of(&pool.instance_type, request.arch);
        overrides.0.entry(kind).or_default().push(line);
    }
    (overrides, errors)
}

/// The whole request. The same launch makes the same request, as its token demands, for as long as image and subnets stay
/// the same.
pub(super) fn input(
    request: &LaunchRequest,
    overrides: &Overrides,
    templates: &BTreeMap<HostKind, String>,
    deployment: &DeploymentName,
) -> CreateFleetInputBuilder {
    let count = i32::try_from(request.count).unwrap_or(i32::MAX);
    let capacity = TargetCapacitySpecificationRequest::builder().total_target_capacity(count);
    let input = CreateFleetInputBuilder::default()
        .r#type(FleetType::Instant)
        .client_token(request.token.as_str())
        .set_launch_template_configs(Some(configs(overrides, templates)))
        .set_tag_specifications(Some(tags(request, deployment)));
    match request.market {
        Market::OnDemand => {
            let capacity = capacity
                .on_demand_target_capacity(count)
                .spot_target_capacity(0)
                .default_target_capacity_type(DefaultTargetCapacityType::OnDemand);
            let options = OnDemandOptionsRequest::builder()
                .allocation_strategy(FleetOnDemandAllocationStrategy::Prioritized);
            input.target_capacity_specification(capacity.build()).on_demand_options(options.build())
        }
        Market::Spot => {
            let capacity = capacity
                .spot_target_capacity(count)
                .on_demand_target_capacity(0)
                .default_target_capacity_type(DefaultTargetCapacityType::Spot);
            let options = SpotOptionsRequest::builder()
                .allocation_strategy(SpotAllocationStrategy::CapacityOptimizedPrioritized)
                .instance_interruption_behavior(SpotInstanceInterruptionBehavior::Terminate);
            input.target_capacity_specification(capacity.build()).spot_options(options.build())
        }
    }
}

fn configs(
    overrides: &Overrides,
    templates: &BTreeMap<HostKind, String>,
) -> Vec<FleetLaunchTemplateConfigRequest> {
    let mut configs = Vec::new();
    for (kind, lines) in &overrides.0 {
        let Some(name) = templates.get(kind) else { continue };
        let template = FleetLaunchTemplateSpecificationRequest::builder()
            .launch_template_name(name)
            .version(TEMPLATE_VERSION)
            .build();
        let config = FleetLaunchTemplateConfigRequest::builder()
            .launch_template_specification(template)
            .set_overrides(Some(lines.clone()));
        configs.push(config.build());
    }
    configs
}

/// Everything the call makes says whose it is and which launch it came from: that is how it is found again, and what
/// the dispatcher's IAM policy is conditioned on.
fn tags(request: &LaunchRequest, deployment: &DeploymentName) -> Vec<TagSpecification> {
    let tag = |key: &str, value: String| Tag::builder().key(key).value(value).build();
    let common =
        [tag(TAG_DEPLOYMENT, deployment.to_string()), tag(TAG_LAUNCH, request.launch.to_string())];
    let name = tag("Name", format!("spillway-{deployment}"));
    let of = |resource: ResourceType, with_name: bool| {
        let mut tags = common.to_vec();
        if with_name {
            tags.push(name.clone());
        }
        TagSpecification::builder().resource_type(resource).set_tags(Some(tags)).build()
    };
    vec![
        of(ResourceType::Instance, true),
        of(ResourceType::Volume, true),
        of(ResourceType::Fleet, false),
    ]
}

/// What came, and what did not. Both may be incomplete.
pub(super) fn answer(
    output: &CreateFleetOutput,
    request: &LaunchRequest,
    subnets: &SubnetByZone,
) -> LaunchAnswer {
    let request_id = output.request_id().map(str::to_owned);
    let mut answer = LaunchAnswer { request_id, ..LaunchAnswer::default() };
    for group in output.instances() {
        let place = Place::of(group.launch_template_and_overrides(), subnets);
        let instance_type = group.instance_type().map(InstanceType::as_str).or(place.instance_type);
        let zone = group.availability_zone().and_then(|zone| zone.parse().ok()).or(place.zone);
        let Some(pool) = pool(request, instance_type, zone) else { continue };
        for id in group.instance_ids() {
            match id.parse() {
                Ok(id) => answer.instances.push(LaunchedInstance {
                    id,
                    pool: pool.clone(),
                    launched_at: None,
                }),
                Err(error) => warn!(%error, "EC2 named an instance oddly"),
            }
        }
    }
    for error in output.errors() {
        let code = error.error_code().unwrap_or("Unknown");
        let place = Place::of(error.launch_template_and_overrides(), subnets);
        let is_named = place.instance_type.is_some() && place.zone.is_some();
        let pool = if is_named { pool(request, place.instance_type, place.zone) } else { None };
        let fault = codes::pool_fault(code);
        if fault == PoolFault::Other {
            // Nobody else sees the text, and for a code like UnauthorizedOperation the operator needs it.
            let message = error.error_message();
            warn!(launch = %request.launch, code, message, "a pool could not be used");
        }
        let line = PoolError { pool, fault, code: code.to_owned() };
        // EC2 repeats an error for each instance it could not give.
        if !answer.errors.contains(&line) {
            answer.errors.push(line);
        }
    }
    answer
}

/// A refusal of the whole fleet that is about its pools, or about its token; no errors in it if it is about neither.
pub(super) fn refused(code: &str) -> LaunchAnswer {
    let fault = codes::pool_fault(code);
    let is_about_pools = matches!(fault, PoolFault::NoCapacity | PoolFault::SubnetFull);
    let is_token_used = codes::kind(code) == Kind::Conflict;
    let mut answer = LaunchAnswer::default();
    if is_about_pools || is_token_used {
        answer.errors.push(PoolError { pool: None, fault, code: code.to_owned() });
    }
    answer
}

/// The code of a fleet that gave nothing because a right is missing in every pool: `CreateFleet` itself is allowed, and `RunInstances` or
/// `PassRole` is not.
pub(super) fn denial(answer: &LaunchAnswer) -> Option<&str> {
    let is_denied = |error: &PoolError| codes::kind(&error.code) == Kind::Denied;
    let is_all = answer.instances.is_empty() && answer.errors.iter().all(is_denied);
    answer.errors.first().filter(|_| is_all).map(|error| error.code.as_str())
}

/// Adds what the tag found to what the call answered.
pub(super) fn merge(answer: &mut LaunchAnswer, found: Vec<LaunchedInstance>) {
    for instance in found {
        match answer.instances.iter_mut().find(|known| known.id == instance.id) {
            Some(known) => *known = instance,
            None => answer.instances.push(instance),
        }
    }
}

/// Where in the answer's echo of an override its pool stands.
struct Place<'a> {
    instance_type: Option<&'a str>,
    zone: Option<Zone>,
}

impl<'a> Place<'a> {
    fn of(echo: Option<&'a LaunchTemplateAndOverridesResponse>, subnets: &SubnetByZone) -> Self {
        let Some(line) = echo.and_then(LaunchTemplateAndOverridesResponse::overrides) else {
            return Self { instance_type: None, zone: None };
        };
        let by_name = line.availability_zone().and_then(|zone| zone.parse().ok());
        let by_subnet = || {
            let subnet = line.subnet_id()?;
            subnets.iter().find(|(_, id)| *id == subnet).map(|(zone, _)| zone.clone())
        };
        let instance_type = line.instance_type().map(InstanceType::as_str);
        Self { instance_type, zone: by_name.or_else(by_subnet) }
    }
}

/// The pool that was meant. What EC2 did not say is taken from the first choice that fits the rest; none only for a
/// request without choices.
fn pool(
    request: &LaunchRequest,
    instance_type: Option<&str>,
    zone: Option<Zone>,
) -> Option<PoolId> {
    let fits = |pool: &&PoolId| {
        instance_type.is_none_or(|name| name == pool.instance_type)
            && zone.as_ref().is_none_or(|zone| *zone == pool.zone)
    };
    let mut choices = request.choices.iter().map(|choice| &choice.pool);
    if let Some(pool) = choices.clone().find(fits) {
        return Some(pool.clone());
    }
    let planned = choices.next()?;
    Some(PoolId {
        instance_type: instance_type.unwrap_or(&planned.instance_type).to_owned(),
        zone: zone.unwrap_or_else(|| planned.zone.clone()),
        market: request.market,
    })
}

#[cfg(test)]
mod tests;
