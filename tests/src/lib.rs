//! What tests of the whole share: the port contract, and a way to run the `spillway` program against an emulator.
//!
//! Nothing here is part of Spillway; it may panic, because only tests call it.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call it"
)]

pub mod contract;
pub mod deployment;
pub mod job;
pub mod wire;

use std::path::PathBuf;

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ is in the workspace").to_owned()
}
