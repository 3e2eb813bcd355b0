//! EC2's contract: tokens, partial fleets, dry pools, quotas, Spot notices, and what lists show.

use spillway_core::effect::PoolFault;
use spillway_core::task::{CloudEvent, InstanceStatus};
use spillway_core::{CloudError, Market, MicroUsd};
use spillway_sim::ec2::InstanceEnd;
use spillway_sim::setting::Chance;
use spillway_sim::world::{Faults, PoolPattern, PoolRule};
use spillway_sim::{SimCloud, WorldConfig};

use crate::fixture::{at, cloud, exact_world, launch_request, pool, registered_host, secs, spot};

fn with_rule(rule: PoolRule) -> WorldConfig {
    WorldConfig { pools: vec![rule], ..exact_world() }
}

fn c6a() -> PoolPattern {
    PoolPattern { instance_type: Some("c6a.*".into()), ..PoolPattern::default() }
}

#[test]
fn the_same_token_gives_the_same_instances() {
    let mut cloud = cloud(exact_world());
    let request = launch_request(1, &[spot()], 3);

    let first = cloud.launch(at(0), &request).unwrap();
    let again = cloud.launch(at(50), &request).unwrap();

    assert_eq!(first, again);
    assert_eq!(cloud.ec2().alive().count(), 3);
}

#[test]
fn the_same_token_with_other_parameters_is_a_conflict() {
    let mut cloud = cloud(exact_world());
    cloud.launch(at(0), &launch_request(1, &[spot()], 3)).unwrap();

    let other = cloud.launch(at(1), &launch_request(1, &[spot()], 4));

    assert!(matches!(other, Err(CloudError::Conflict { .. })), "{other:?}");
    assert_eq!(cloud.ec2().alive().count(), 3);
}

#[test]
fn a_pool_with_too_few_gives_what_it_has_and_the_next_one_the_rest() {
    let rule = PoolRule { pools: c6a(), capacity: Some(2), ..PoolRule::default() };
    let mut cloud = cloud(with_rule(rule));
    let next = pool("c6i.large", "us-east-1a", Market::Spot);

    let answer = cloud.launch(at(0), &launch_request(1, &[spot(), next.clone()], 5)).unwrap();

    let n_in = |p| answer.instances.iter().filter(|i| i.pool == p).count();
    assert_eq!((n_in(spot()), n_in(next)), (2, 3));
    assert_eq!(answer.errors.len(), 1);
    assert_eq!(answer.errors[0].fault, PoolFault::NoCapacity);
    assert_eq!(answer.errors[0].pool, Some(spot()));
}

#[test]
fn a_fleet_may_come_short() {
    let rule = PoolRule { pools: c6a(), capacity: Some(2), ..PoolRule::default() };
    let mut cloud = cloud(with_rule(rule));

    let answer = cloud.launch(at(0), &launch_request(1, &[spot()], 5)).unwrap();

    assert_eq!(answer.instances.len(), 2);
    assert_eq!(cloud.ec2().n_refusals(), 1);
}

#[test]
fn what_ends_makes_room_in_its_pool() {
    let rule = PoolRule { pools: c6a(), capacity: Some(1), ..PoolRule::default() };
    let mut cloud = cloud(with_rule(rule));
    let first = cloud.launch(at(0), &launch_request(1, &[spot()], 1)).unwrap();
    cloud.terminate(at(10), &[first.instances[0].id.clone()]).unwrap();

    let second = cloud.launch(at(10), &launch_request(2, &[spot()], 1)).unwrap();

    assert_eq!(second.instances.len(), 1);
}

#[test]
fn a_dry_pool_gives_nothing_until_its_time_is_over() {
    let dry = vec![(secs(100), secs(200))];
    let mut cloud = cloud(with_rule(PoolRule { pools: c6a(), dry, ..PoolRule::default() }));

    let mut n_at =
        |n, secs| cloud.launch(at(secs), &launch_request(n, &[spot()], 1)).unwrap().instances.len();

    assert_eq!([n_at(1, 99), n_at(2, 100), n_at(3, 199), n_at(4, 200)], [1, 0, 0, 1]);
}

#[test]
fn a_type_that_a_zone_does_not_have_is_unsupported() {
    let rule = PoolRule { pools: c6a(), unsupported: true, ..PoolRule::default() };
    let mut cloud = cloud(with_rule(rule));

    let answer = cloud.launch(at(0), &launch_request(1, &[spot()], 1)).unwrap();

    assert_eq!(answer.errors[0].fault, PoolFault::Unsupported);
}

#[test]
fn a_quota_counts_vcpus_over_all_pools_of_its_market() {
    let mut cloud = cloud(WorldConfig { spot_vcpus_max: Some(5), ..exact_world() });
    let large = pool("m5.large", "us-east-1b", Market::Spot);

    let first = cloud.launch(at(0), &launch_request(1, &[spot()], 1)).unwrap();
    let second = cloud.launch(at(0), &launch_request(2, &[large], 3)).unwrap();
    let on_demand = pool("c6a.large", "us-east-1a", Market::OnDemand);
    let other_market = cloud.launch(at(0), &launch_request(3, &[on_demand], 3)).unwrap();

    assert_eq!(first.instances.len(), 1);
    assert_eq!(second.instances.len(), 1, "two of five vCPUs are in use, two vCPUs each");
    assert_eq!(second.errors[0].fault, PoolFault::QuotaReached);
    assert_eq!(second.errors[0].code, "MaxSpotInstanceCountExceeded");
    assert_eq!(other_market.instances.len(), 3);
}

#[test]
fn lists_lag_and_show_an_ended_instance_for_an_hour() {
    let mut cloud = cloud(exact_world());
    let answer = cloud.launch(at(0), &launch_request(1, &[spot()], 1)).unwrap();
    let n_listed = |cloud: &mut SimCloud, secs| {
        cloud.advance(at(secs));
        cloud.instances(at(secs)).unwrap().len()
    };

    assert_eq!(n_listed(&mut cloud, 2), 0);
    assert_eq!(n_listed(&mut cloud, 3), 1);
    cloud.terminate(at(100), &[answer.instances[0].id.clone()]).unwrap();
    assert_eq!(n_listed(&mut cloud, 100 + 3599), 1);
    assert_eq!(n_listed(&mut cloud, 100 + 3600), 0);
}

#[test]
fn an_ended_instance_is_shutting_down_before_it_is_terminated_and_paid_for_neither() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());

    cloud.terminate(at(100), std::slice::from_ref(&instance)).unwrap();

    assert_eq!(cloud.instances(at(129)).unwrap()[0].status, InstanceStatus::ShuttingDown);
    cloud.advance(at(130));
    assert_eq!(cloud.instances(at(130)).unwrap()[0].status, InstanceStatus::Terminated);
    let sim = cloud.ec2().get(&instance).unwrap();
    assert_eq!(sim.bill(at(9999)), sim.price.cost_of(secs(100)));
}

#[test]
fn the_first_minute_is_paid_in_any_case() {
    let mut cloud = cloud(exact_world());
    let answer = cloud.launch(at(0), &launch_request(1, &[spot()], 1)).unwrap();

    cloud.terminate(at(5), &[answer.instances[0].id.clone()]).unwrap();

    let sim = cloud.ec2().get(&answer.instances[0].id).unwrap();
    assert_eq!(sim.bill(at(5)), sim.price.cost_of(secs(60)));
    assert!(MicroUsd::ZERO < sim.bill(at(5)));
}

fn always_reclaimed() -> WorldConfig {
    // On average after 36 s: more often than once per boot, so every host meets it.
    WorldConfig { interruptions: Chance::percent(10_000), ..exact_world() }
}

#[test]
fn a_notice_comes_two_minutes_before_the_end() {
    let mut cloud = cloud(always_reclaimed());
    let answer = cloud.launch(at(0), &launch_request(1, &[spot()], 1)).unwrap();
    let id = answer.instances[0].id.clone();

    cloud.advance(at(7200));

    let sim = cloud.ec2().get(&id).unwrap();
    let (ended_at, end) = sim.ended.unwrap();
    let told_at = sim.interrupted_at.unwrap();
    assert_eq!(end, InstanceEnd::Reclaimed);
    assert_eq!(ended_at.duration_since(told_at), secs(120));
    let mut events = Vec::new();
    loop {
        let received = cloud.receive_events(at(7200)).unwrap();
        if received.is_empty() {
            break;
        }
        events.extend(received.into_iter().filter_map(|delivery| delivery.event));
    }
    assert!(events.contains(&CloudEvent::SpotInterruption { id }), "{events:?}");
}

#[test]
fn an_end_without_a_notice_is_not_announced() {
    let faults = Faults { missing_notices: Chance::percent(100), ..Faults::default() };
    let mut cloud = cloud(WorldConfig { faults, ..always_reclaimed() });
    cloud.launch(at(0), &launch_request(1, &[spot()], 1)).unwrap();

    cloud.advance(at(7200));

    let events: Vec<_> = cloud.receive_events(at(7200)).unwrap();
    let is_notice = |event: &CloudEvent| matches!(event, CloudEvent::SpotInterruption { .. });
    assert!(!events.iter().filter_map(|d| d.event.as_ref()).any(is_notice));
    assert_eq!(cloud.ec2().alive().count(), 0);
}

#[test]
fn on_demand_is_never_taken_back() {
    let mut cloud = cloud(always_reclaimed());
    let on_demand = pool("c6a.large", "us-east-1a", Market::OnDemand);
    cloud.launch(at(0), &launch_request(1, &[on_demand], 20)).unwrap();

    cloud.advance(at(100_000));

    assert_eq!(cloud.ec2().alive().count(), 20);
}
