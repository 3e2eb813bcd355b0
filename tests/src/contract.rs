//! What every implementation of the ports must do. Run over the simulated cloud always, and over the AWS adapters when an
//! emulator is there: what holds for one and not for the other is a fault in one of them.

pub mod fleet;
pub mod prices;
pub mod queues;
pub mod tasks;

use std::time::Duration;

use spillway_core::id::LedgerId;
use spillway_core::port::{Cluster, Compute, EventQueue, JobQueue, JobSender, PriceFeed};

/// How often [`eventually`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often it looks at most: five minutes of the world's own time.
const LOOKS_MAX: u32 = 600;

/// A message on the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The body as it was sent.
    pub body: String,
    /// The reason as a code.
    pub code: String,
    /// The reason as a sentence.
    pub reason: String,
}

/// A cloud behind the ports, empty at first and nobody else's.
pub trait World {
    /// The job queue.
    type Jobs: JobQueue;
    /// Where jobs are sent.
    type Sender: JobSender;
    /// The event queue.
    type Events: EventQueue;
    /// EC2.
    type Compute: Compute;
    /// ECS.
    type Cluster: Cluster;
    /// The price list.
    type Prices: PriceFeed;

    /// The job queue.
    fn jobs(&self) -> &Self::Jobs;
    /// Where jobs are sent.
    fn sender(&self) -> &Self::Sender;
    /// The event queue.
    fn events(&self) -> &Self::Events;
    /// EC2.
    fn compute(&self) -> &Self::Compute;
    /// ECS.
    fn cluster(&self) -> &Self::Cluster;
    /// The price list.
    fn prices(&self) -> &Self::Prices;

    /// Tells this world's client tokens from those of others that share an account with it.
    fn ledger(&self) -> LedgerId;

    /// Lets time pass, real or simulated.
    fn pass(&self, time: Duration) -> impl Future<Output = ()>;

    /// What is on the dead-letter queue.
    fn dead_letters(&self) -> impl Future<Output = Vec<Letter>>;
}

/// Looks until there is something to see, and returns it. `what` is what the failure says is missing.
pub async fn eventually<W: World, T>(
    world: &W,
    what: &str,
    look: impl AsyncFn() -> Option<T>,
) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = look().await {
            return found;
        }
        world.pass(LOOK_EVERY).await;
    }
    panic!("{what}: not within {:?}", LOOK_EVERY * LOOKS_MAX)
}
