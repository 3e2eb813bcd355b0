//! The ports the driver performs effects on, shared between its tasks.

use std::sync::Arc;

/// One implementation of each port.
#[derive(Debug)]
pub struct Ports<Q, E, C, K, P> {
    /// Where jobs come from ([`spillway_core::port::JobQueue`]).
    pub jobs: Arc<Q>,
    /// Where news comes from ([`spillway_core::port::EventQueue`]).
    pub events: Arc<E>,
    /// EC2 ([`spillway_core::port::Compute`]).
    pub compute: Arc<C>,
    /// ECS ([`spillway_core::port::Cluster`]).
    pub cluster: Arc<K>,
    /// Offerings and prices ([`spillway_core::port::PriceFeed`]).
    pub prices: Arc<P>,
}

impl<Q, E, C, K, P> Clone for Ports<Q, E, C, K, P> {
    fn clone(&self) -> Self {
        Self {
            jobs: Arc::clone(&self.jobs),
            events: Arc::clone(&self.events),
            compute: Arc::clone(&self.compute),
            cluster: Arc::clone(&self.cluster),
            prices: Arc::clone(&self.prices),
        }
    }
}
