//! The command line as a stranger uses it: the built binary in an empty folder, without an environment.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the rig is a test too, though none of its functions is marked as one"
)]

mod approve;
mod bad_input;
mod batch_api;
mod batch_clients;
mod breakers;
mod browser;
mod budgets;
#[cfg(feature = "aws")]
mod cloud;
mod cost;
mod definitions;
mod demo;
mod dispatcher;
mod docs;
mod events;
mod help;
mod ledger;
mod looks;
mod many;
mod news;
mod nodes;
mod plan;
mod queues;
mod report;
mod rig;
mod schedules;
mod simulate;
mod submit;
mod top;
#[cfg(feature = "otel")]
mod traces;
mod verify;
mod why;
