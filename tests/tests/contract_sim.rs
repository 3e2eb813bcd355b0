//! The port contract over the simulated cloud, each part in a fresh one.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use spillway_core::id::{LedgerId, NAMESPACE};
use spillway_sim::{SimCloud, SimPorts, WorldConfig};
use spillway_tests::contract::{Letter, World};

/// A simulated cloud whose time passes when it is told to.
struct SimWorld {
    ports: SimPorts,
    elapsed_ms: Arc<AtomicI64>,
}

impl SimWorld {
    fn new() -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let elapsed_ms = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&elapsed_ms);
        let now = move || start + SignedDuration::from_millis(clock.load(Ordering::SeqCst));
        let cloud = SimCloud::new(WorldConfig::default(), start);
        Self { ports: SimPorts::new(cloud, Arc::new(now)), elapsed_ms }
    }
}

impl World for SimWorld {
    type Jobs = SimPorts;
    type Sender = SimPorts;
    type Events = SimPorts;
    type Compute = SimPorts;
    type Cluster = SimPorts;
    type Prices = SimPorts;

    fn jobs(&self) -> &SimPorts {
        &self.ports
    }
    fn sender(&self) -> &SimPorts {
        &self.ports
    }
    fn events(&self) -> &SimPorts {
        &self.ports
    }
    fn compute(&self) -> &SimPorts {
        &self.ports
    }
    fn cluster(&self) -> &SimPorts {
        &self.ports
    }
    fn prices(&self) -> &SimPorts {
        &self.ports
    }

    fn ledger(&self) -> LedgerId {
        LedgerId::from_uuid(NAMESPACE)
    }

    async fn pass(&self, time: Duration) {
        let ms = i64::try_from(time.as_millis()).unwrap();
        self.elapsed_ms.fetch_add(ms, Ordering::SeqCst);
    }

    async fn dead_letters(&self) -> Vec<Letter> {
        self.ports.with_cloud(|cloud, _| {
            let letter = |l: &spillway_core::effect::DeadLetter| Letter {
                body: l.body.clone(),
                code: l.code.clone(),
                reason: l.reason.clone(),
            };
            cloud.dead_letters().iter().map(letter).collect()
        })
    }
}

/// One test for each part of the contract.
macro_rules! hold {
    ($($room:ident: $($part:ident),+;)+) => {
        $(mod $room {
            $(#[tokio::test]
            async fn $part() {
                spillway_tests::contract::$room::$part(&super::SimWorld::new()).await;
            })+
        })+
    };
}

hold! {
    queues: an_empty_queue_gives_nothing, a_message_comes_with_its_body_and_its_id,
        a_deleted_message_does_not_come_again, a_burst_comes_in_batches,
        a_dead_letter_keeps_its_body_and_says_why;
    prices: every_offering_has_a_price_and_room, both_markets_are_on_offer_in_several_zones;
    fleet: what_was_bought_is_seen_with_its_launch, a_token_buys_once, an_ended_instance_stays_ended;
    tasks: a_host_registers_with_what_tasks_can_use, a_task_is_told_to_its_exit_code,
        a_token_starts_once, a_refusal_says_why, a_stopped_task_stays_stopped,
        unknown_tasks_are_told_apart, a_draining_host_takes_no_task, the_end_of_a_task_is_an_event;
}
