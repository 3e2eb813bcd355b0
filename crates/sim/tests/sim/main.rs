//! The simulator from outside: the services' contracts, the invariants, the score, and whole runs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod clairvoyant;
mod cloud;
mod ec2;
mod ecs;
mod estimates;
mod fixture;
mod invariants;
mod mutations;
mod peers;
mod ports;
mod runs;
mod score;
mod seeds;
mod spending;
mod variants;
