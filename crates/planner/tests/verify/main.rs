//! What the verifier promises: it accepts every certificate and plan of ours, refuses them once a single unit is
//! altered, and never accepts a bound that is above the optimum.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its problem has failed")]

mod altered;
mod apart;
mod forged;
mod outside;
#[path = "../bill/world.rs"]
mod timed;
mod world;
