//! A way to run the `spillway` program against an emulator, with installations, dispatchers and agents of the test's own.
//!
//! A package of its own, because what is tested without the AWS SDK needs crates with other features, and everything would be built
//! twice. Nothing here is part of Spillway; it may panic, because only tests call it.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "only tests call it")]

pub mod deployment;
pub mod wire;
