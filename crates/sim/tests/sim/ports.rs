//! The simulated cloud behind the ports.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use spillway_core::port::{Compute, EventQueue, JobQueue, JobSender, PriceFeed};
use spillway_sim::SimPorts;

use crate::fixture::{at, cloud, exact_world, launch_request, spot};

/// Runs a future that must be ready at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a simulated call waits"),
    }
}

fn ports() -> (SimPorts, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(0));
    let reading = Arc::clone(&clock);
    let now = Arc::new(move || at(reading.load(Ordering::Relaxed)));
    (SimPorts::new(cloud(exact_world()), now), clock)
}

#[test]
fn receive_returns_at_once_even_if_there_is_nothing() {
    let (ports, _) = ports();

    assert_eq!(now(JobQueue::receive(&ports, Duration::from_secs(20))), Ok(Vec::new()));
    assert_eq!(now(EventQueue::receive(&ports, Duration::from_secs(20))), Ok(Vec::new()));
}

#[test]
fn what_one_clone_sends_another_receives() {
    let (ports, _) = ports();
    let producer = ports.clone();

    let id = now(producer.send("hello")).unwrap();
    let received = now(JobQueue::receive(&ports, Duration::ZERO)).unwrap();

    assert_eq!(received.len(), 1);
    assert_eq!((&received[0].message_id, received[0].body.as_str()), (&id, "hello"));
}

#[test]
fn what_is_due_has_happened_when_a_call_looks() {
    let (ports, clock) = ports();
    now(ports.launch(&launch_request(1, &[spot()], 1))).unwrap();

    clock.store(60, Ordering::Relaxed);

    assert_eq!(ports.with_cloud(|cloud, _| cloud.ecs().hosts().count()), 1);
}

#[test]
fn time_never_goes_back() {
    let (ports, clock) = ports();
    clock.store(500, Ordering::Relaxed);
    ports.with_cloud(|_, now| assert_eq!(now, at(500)));

    clock.store(400, Ordering::Relaxed);

    ports.with_cloud(|_, now| assert_eq!(now, at(500)));
}

#[test]
fn prices_come_from_the_built_in_list() {
    let (ports, _) = ports();

    let catalog = now(ports.catalog()).unwrap();

    assert!(catalog.get(&spot()).is_some());
}
