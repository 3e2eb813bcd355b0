//! Requests built and answers read, without a network.

use aws_sdk_ec2::types::{CreateFleetError, CreateFleetInstance, FleetLaunchTemplateOverrides};
use spillway_core::id::LaunchId;
use spillway_core::launch::PoolChoice;
use spillway_core::{Arch, ClientToken, MicroUsdPerHour};

use super::*;

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn pool_id(instance_type: &str, zone_name: &str, market: Market) -> PoolId {
    PoolId { instance_type: instance_type.into(), zone: zone(zone_name), market }
}

fn request(market: Market, pools: &[(&str, &str)]) -> LaunchRequest {
    let launch: LaunchId = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let choice = |(instance_type, zone): &(&str, &str)| PoolChoice {
        pool: pool_id(instance_type, zone, market),
        price: MicroUsdPerHour::new(1),
    };
    LaunchRequest {
        launch,
        token: ClientToken::of_launch(launch),
        market,
        arch: Arch::X86_64,
        choices: pools.iter().map(choice).collect(),
        count: 3,
    }
}

fn subnets() -> SubnetByZone {
    [("us-east-1a", "subnet-a"), ("us-east-1b", "subnet-b")]
        .map(|(name, id)| (zone(name), id.to_owned()))
        .into()
}

fn build(request: &LaunchRequest) -> aws_sdk_ec2::operation::create_fleet::CreateFleetInput {
    let (overrides, _) = overrides(request, &subnets());
    let templates =
        overrides.kinds().map(|kind| (kind, format!("template-{}", kind.gpu))).collect();
    input(request, &overrides, &templates, &"lab".parse().unwrap()).build().unwrap()
}

fn echo(instance_type: &str, subnet: &str) -> LaunchTemplateAndOverridesResponse {
    let line = FleetLaunchTemplateOverrides::builder()
        .instance_type(InstanceType::from(instance_type))
        .subnet_id(subnet)
        .build();
    LaunchTemplateAndOverridesResponse::builder().overrides(line).build()
}

#[test]
fn a_launch_is_an_instant_fleet_with_the_launchs_own_token() {
    let request = request(Market::OnDemand, &[("c5.large", "us-east-1a")]);

    let input = build(&request);

    assert_eq!(input.r#type(), Some(&FleetType::Instant));
    assert_eq!(input.client_token(), Some(request.token.as_str()));
    let capacity = input.target_capacity_specification().unwrap();
    assert_eq!(capacity.total_target_capacity(), Some(3));
    assert_eq!(capacity.on_demand_target_capacity(), Some(3));
    assert_eq!(capacity.spot_target_capacity(), Some(0));
}

#[test]
fn the_planners_order_becomes_the_priority_in_each_market() {
    let pools = [("c5.large", "us-east-1b"), ("m5.large", "us-east-1a")];
    let on_demand = build(&request(Market::OnDemand, &pools));
    let spot = build(&request(Market::Spot, &pools));

    let lines = on_demand.launch_template_configs()[0].overrides();
    let order: Vec<_> = lines
        .iter()
        .map(|l| (l.instance_type().unwrap().as_str(), l.subnet_id().unwrap(), l.priority()))
        .collect();
    assert_eq!(order, [("c5.large", "subnet-b", Some(0.0)), ("m5.large", "subnet-a", Some(1.0))]);
    assert_eq!(
        on_demand.on_demand_options().unwrap().allocation_strategy(),
        Some(&FleetOnDemandAllocationStrategy::Prioritized)
    );
    assert_eq!(
        spot.spot_options().unwrap().allocation_strategy(),
        Some(&SpotAllocationStrategy::CapacityOptimizedPrioritized)
    );
}

#[test]
fn hosts_of_different_kinds_come_from_different_templates() {
    let pools = [("m5.large", "us-east-1a"), ("g5.xlarge", "us-east-1a")];

    let input = build(&request(Market::OnDemand, &pools));

    let names: Vec<_> = input
        .launch_template_configs()
        .iter()
        .map(|c| c.launch_template_specification().unwrap().launch_template_name().unwrap())
        .collect();
    assert_eq!(names, ["template-false", "template-true"]);
}

#[test]
fn everything_made_carries_deployment_and_launch() {
    let request = request(Market::Spot, &[("c5.large", "us-east-1a")]);

    let input = build(&request);

    for specification in input.tag_specifications() {
        let value = |key: &str| {
            specification.tags().iter().find(|t| t.key() == Some(key)).and_then(Tag::value)
        };
        assert_eq!(value("spillway:deployment"), Some("lab"));
        assert_eq!(value("spillway:launch"), Some(request.launch.to_string().as_str()));
    }
    let instance = &input.tag_specifications()[0];
    assert_eq!(instance.resource_type(), Some(&ResourceType::Instance));
    assert!(instance.tags().iter().any(|t| t.value() == Some("spillway-lab")));
}

#[test]
fn a_zone_without_a_subnet_is_an_error_of_its_pool() {
    let request = request(Market::Spot, &[("c5.large", "us-east-1f"), ("c5.large", "us-east-1a")]);

    let (overrides, errors) = overrides(&request, &subnets());

    assert!(!overrides.is_empty());
    assert_eq!(errors[0].pool, Some(pool_id("c5.large", "us-east-1f", Market::Spot)));
    assert_eq!(errors[0].fault, PoolFault::Unsupported);
}

#[test]
fn a_partial_answer_keeps_what_came_and_says_which_pools_gave_nothing() {
    let request = request(Market::Spot, &[("c5.large", "us-east-1a"), ("m5.large", "us-east-1b")]);
    let came = CreateFleetInstance::builder()
        .launch_template_and_overrides(echo("m5.large", "subnet-b"))
        .instance_type(InstanceType::from("m5.large"))
        .instance_ids("i-0123456789abcdef0")
        .instance_ids("i-0123456789abcdef1")
        .build();
    let dry = CreateFleetError::builder()
        .launch_template_and_overrides(echo("c5.large", "subnet-a"))
        .error_code("InsufficientInstanceCapacity")
        .build();
    let output = CreateFleetOutput::builder()
        .instances(came)
        .errors(dry.clone())
        .errors(dry)
        .errors(CreateFleetError::builder().error_code("SomethingNew").build())
        .build();

    let answer = answer(&output, &request, &subnets());

    let pools: Vec<_> = answer.instances.iter().map(|i| &i.pool).collect();
    let m5 = pool_id("m5.large", "us-east-1b", Market::Spot);
    assert_eq!(pools, [&m5, &m5]);
    assert_eq!(
        answer.errors,
        [
            PoolError {
                pool: Some(pool_id("c5.large", "us-east-1a", Market::Spot)),
                fault: PoolFault::NoCapacity,
                code: "InsufficientInstanceCapacity".into()
            },
            PoolError { pool: None, fault: PoolFault::Other, code: "SomethingNew".into() }
        ]
    );
}

#[test]
fn what_the_tag_finds_is_added_once_and_knows_better() {
    let instance = |id: &str, instance_type: &str| LaunchedInstance {
        id: id.parse().unwrap(),
        pool: pool_id(instance_type, "us-east-1a", Market::Spot),
        launched_at: None,
    };
    let mut answer = LaunchAnswer {
        instances: vec![instance("i-0123456789abcdef0", "c5.large")],
        ..LaunchAnswer::default()
    };

    merge(
        &mut answer,
        vec![
            instance("i-0123456789abcdef0", "c5.xlarge"),
            instance("i-0123456789abcdef1", "c5.large"),
        ],
    );

    let seen: Vec<_> = answer.instances.iter().map(|i| i.pool.instance_type.as_str()).collect();
    assert_eq!(seen, ["c5.xlarge", "c5.large"]);
}

#[test]
fn a_fleet_refused_as_a_whole_is_an_answer_only_if_it_is_about_pools_or_the_token() {
    assert_eq!(refused("InsufficientInstanceCapacity").errors[0].fault, PoolFault::NoCapacity);
    assert_eq!(refused("IdempotentParameterMismatch").errors.len(), 1);
    assert!(refused("UnauthorizedOperation").errors.is_empty());
    assert!(refused("InvalidParameterValue").errors.is_empty());
}

#[test]
fn a_fleet_that_gave_nothing_for_want_of_a_right_is_denied() {
    let error = |code: &str| PoolError { pool: None, fault: PoolFault::Other, code: code.into() };
    let of = |codes: &[&str]| LaunchAnswer {
        errors: codes.iter().map(|code| error(code)).collect(),
        ..LaunchAnswer::default()
    };

    assert_eq!(denial(&of(&["UnauthorizedOperation"])), Some("UnauthorizedOperation"));
    assert_eq!(denial(&of(&["UnauthorizedOperation", "InsufficientInstanceCapacity"])), None);
    assert_eq!(denial(&of(&[])), None);
}
