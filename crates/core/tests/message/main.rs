//! The job message: what is understood, what is refused and where, and that nothing whatever makes the reader fail.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod accepted;
mod again;
mod answer;
mod conformance;
mod definitions;
mod mutate;
mod mutated;
mod nodes;
mod orders;
mod property;
mod refused;
mod relations;
mod sample;
mod schedules;
mod schema;
mod several;
mod variants;
