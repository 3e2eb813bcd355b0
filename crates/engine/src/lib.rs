//! The control loop without I/O: what it is told goes in, what to write and what to do come out.
//!
//! `step(now, input) -> Step`. It reads no clock, draws no random number, and depends on no order but that of its
//! inputs, so the simulator runs the very code that production runs. It never performs anything itself.

pub mod config;
pub mod limits;

use jiff::Timestamp;
use spillway_core::{Change, Effect, Input, LedgerState};

pub use config::{EngineConfig, JobPolicy, Limits, OfferingFilter};

/// What follows from one input. Commit `changes`, then perform `effects`, then call again at `wake_at` at the latest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "changes must be committed and effects performed"]
pub struct Step {
    /// What the ledger must hold first.
    pub changes: Vec<Change>,
    /// What to do then.
    pub effects: Vec<Effect>,
    /// When a [`Input::Tick`] is due, if nothing else happens before.
    pub wake_at: Option<Timestamp>,
}

/// The control loop's whole state.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
}

impl Engine {
    /// Starts from what the ledger holds. The first step must be a [`Input::Tick`].
    pub fn new(config: EngineConfig, _state: LedgerState, _now: Timestamp) -> Self {
        Self { config }
    }

    /// Takes one input. Total: it never fails and never panics.
    pub fn step(&mut self, _now: Timestamp, _input: Input) -> Step {
        let _ = &self.config;
        Step::default()
    }
}
