//! What a plan promises, over worlds drawn at random and worlds drawn to be awkward.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world has failed")]

mod arrivals;
mod bounds;
mod explain;
mod extremes;
mod gangs;
mod kinds;
mod mix;
mod mutations;
mod over_time;
mod properties;
mod quotas;
mod starts;
mod variants;
mod world;
