//! What tests of the whole share: the port contract, and what it needs.
//!
//! Nothing here is part of Spillway; it may panic, because only tests call it.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call it"
)]

pub mod contract;
pub mod job;

use std::path::PathBuf;

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ is in the workspace").to_owned()
}
