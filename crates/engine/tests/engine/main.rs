//! The control loop, driven by hand: each test says what the world answers and reads what the loop wants.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

mod arrays;
mod breakers;
mod budgets;
mod bursts;
mod chaos;
mod coalesced;
mod containers;
mod definitions;
mod dependencies;
mod ends;
mod faults;
mod gangs;
mod graphs;
mod intake;
mod late;
mod learning;
#[path = "../../../core/tests/message/mutate.rs"]
mod mutate;
mod mutated;
mod pace;
mod queues;
mod quotas;
mod refusals;
mod restart;
mod retry_rules;
mod rig;
mod scarce_gangs;
mod schedules;
mod surges;
mod time_limits;
mod variants;
mod way_of_one_job;
