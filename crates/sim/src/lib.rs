//! A deterministic AWS in virtual time, and what runs the control loop over it.
//!
//! The contract: the same scenario, seed and binary give the same trace, byte for byte, on any machine. One thread; time
//! only from the agenda; ties by sequence number; every draw from a stream named after its purpose ([`dice`]), so that a
//! new draw moves no other; ordered maps only; money and resources are integers; no wall clock anywhere.

mod agenda;
pub mod behaviour;
mod buckets;
pub mod catalog;
pub mod clairvoyant;
pub mod cloud;
pub mod course;
pub mod dice;
mod digest;
pub mod dst;
pub mod ec2;
pub mod ecs;
pub mod fault;
mod fixed;
pub mod fnv;
pub mod invariants;
pub mod ledger;
pub mod peer;
pub mod policy;
pub mod ports;
pub mod run;
pub mod scenario;
pub mod score;
pub mod setting;
pub mod shared;
pub mod sqs;
pub mod trace;
pub mod world;

pub use behaviour::Behaviour;
pub use cloud::SimCloud;
pub use fault::{Coverage, Fault};
pub use ledger::MemoryLedger;
pub use policy::Policy;
pub use ports::SimPorts;
pub use scenario::Scenario;
pub use score::Score;
pub use world::WorldConfig;
