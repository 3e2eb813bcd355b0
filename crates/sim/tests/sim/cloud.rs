//! What befalls calls, messages and events, and when that ends.

use spillway_core::effect::DeadLetter;
use spillway_core::{CloudError, InstanceId};
use spillway_sim::WorldConfig;
use spillway_sim::setting::{Chance, Span};
use spillway_sim::world::Faults;

use crate::fixture::{at, cloud, exact_world, launch_request, secs, spot};

fn faulty(faults: Faults) -> WorldConfig {
    WorldConfig { faults: Faults { until: Some(Span(secs(1000))), ..faults }, ..exact_world() }
}

#[test]
fn a_throttled_call_has_done_nothing() {
    let throttled = Faults { throttled_calls: Chance::percent(100), ..Faults::default() };
    let mut cloud = cloud(faulty(throttled));

    let result = cloud.launch(at(0), &launch_request(1, &[spot()], 1));

    assert!(matches!(result, Err(CloudError::Throttled { .. })), "{result:?}");
    assert_eq!(cloud.ec2().instances().count(), 0);
}

#[test]
fn about_half_of_the_calls_without_an_answer_have_done_their_work_and_the_token_finds_it() {
    let unsettled = Faults { unsettled_calls: Chance::percent(100), ..Faults::default() };
    let mut cloud = cloud(faulty(unsettled));

    // One a second: more would be over AWS's limit.
    for (n, sec) in (0..100).zip(0..) {
        let result = cloud.launch(at(sec), &launch_request(n, &[spot()], 1));
        assert!(matches!(result, Err(CloudError::Unsettled { .. })), "{result:?}");
    }
    let n_done = cloud.ec2().instances().count();
    assert!((30..70).contains(&n_done), "{n_done} of 100");

    let done: Vec<InstanceId> = cloud.ec2().instances().map(|i| i.id.clone()).collect();
    let mut found = Vec::new();
    for (n, sec) in (0..100).zip(1000..) {
        let answer = cloud.launch(at(sec), &launch_request(n, &[spot()], 1)).unwrap();
        found.push(answer.instances[0].id.clone());
    }
    assert!(done.iter().all(|id| found.contains(id)), "a repeated call gives what there is");
    assert_eq!(cloud.ec2().instances().count(), 100);
}

#[test]
fn faults_end_when_they_are_said_to() {
    let throttled = Faults { throttled_calls: Chance::percent(100), ..Faults::default() };
    let mut cloud = cloud(faulty(throttled));

    assert!(cloud.instances(at(999)).is_err());
    assert!(cloud.instances(at(1000)).is_ok());
}

#[test]
fn a_copy_of_a_message_carries_its_id_and_may_come_after_the_first_was_deleted() {
    let twice = Faults { message_duplicates: Chance::percent(100), ..Faults::default() };
    let mut cloud = cloud(faulty(twice));
    let id = cloud.send_message(at(0), "hello".into());

    let first = cloud.receive_messages(at(0)).unwrap();
    let receipts: Vec<_> = first.iter().map(|d| d.receipt.clone()).collect();
    cloud.delete_messages(at(0), &receipts).unwrap();
    let later = cloud.receive_messages(at(300)).unwrap();

    let all: Vec<_> = first.iter().chain(&later).collect();
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|d| d.message_id == id && d.body == "hello"));
}

#[test]
fn lost_events_never_come_and_doubled_ones_come_twice() {
    let n_events_with = |faults| {
        let mut cloud = cloud(faulty(faults));
        cloud.launch(at(0), &launch_request(1, &[spot()], 1)).unwrap();
        cloud.advance(at(200));
        cloud.receive_events(at(200)).unwrap().len()
    };

    let calm = n_events_with(Faults::default());
    let lossy = Faults { event_losses: Chance::percent(100), ..Faults::default() };
    let doubled = Faults { event_duplicates: Chance::percent(100), ..Faults::default() };

    // The instance runs; its host registers.
    assert_eq!(calm, 2);
    assert_eq!(n_events_with(lossy), 0);
    assert_eq!(n_events_with(doubled), 4);
}

#[test]
fn a_dead_letter_leaves_the_queue() {
    let mut cloud = cloud(exact_world());
    cloud.send_message(at(0), "not json".into());
    let delivery = cloud.receive_messages(at(0)).unwrap().pop().unwrap();
    let letter = DeadLetter {
        receipt: delivery.receipt,
        message_id: delivery.message_id,
        body: delivery.body,
        code: "INVALID_JSON".into(),
        reason: "it is not".into(),
    };

    cloud.dead_letter(at(1), &letter).unwrap();

    assert!(cloud.job_queue().is_empty());
    assert_eq!(cloud.dead_letters(), [letter]);
}

#[test]
fn a_host_that_never_registers_is_paid_all_the_same() {
    let silent = Faults { unregistered_hosts: Chance::percent(100), ..Faults::default() };
    let mut cloud = cloud(faulty(silent));
    cloud.launch(at(0), &launch_request(1, &[spot()], 1)).unwrap();

    cloud.advance(at(2000));

    assert!(cloud.container_instances(at(2000)).unwrap().is_empty());
    assert_eq!(cloud.ec2().alive().count(), 1);
}

#[test]
fn the_seed_decides_how_long_a_boot_takes() {
    let boots = |seed| {
        let mut cloud = cloud(WorldConfig { seed, ..WorldConfig::default() });
        cloud.launch(at(0), &launch_request(1, &[spot()], 10)).unwrap();
        cloud.advance(at(1000));
        cloud.ec2().instances().map(|i| i.registered_at).collect::<Vec<_>>()
    };

    assert_eq!(boots(1), boots(1));
    assert_ne!(boots(1), boots(2));
}
