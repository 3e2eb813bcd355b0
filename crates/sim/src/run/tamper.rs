//! What may stand between the control loop and the world: nothing, or something that breaks it on purpose.
//!
//! A simulator that finds nothing proves nothing until it is known what it would find. The tests put deliberately broken
//! dispatchers here (`tests/mutations.rs`): each takes the decisions of the real one and forges one thing on the way, as a wrong line of
//! code would. So the engine has no switch to be broken by, and a build of it no dead code.

use spillway_core::{Effect, Input, LedgerState};

use spillway_engine::Step;

/// Forges what passes between the control loop, the ledger and the world. By itself it changes nothing.
pub trait Tamper {
    /// What a dispatcher starts from; `is_restart` says whether one ran before.
    fn state(&mut self, _state: &mut LedgerState, _is_restart: bool) {}

    /// What it is told.
    fn input(&mut self, _input: &mut Input) {}

    /// What it wants written and done.
    fn step(&mut self, _step: &mut Step) {}

    /// Whether this is done before the step is written.
    fn acts_before_commit(&self, _effect: &Effect) -> bool {
        false
    }

    /// Whether a leader that was paused writes on after another has taken over.
    fn ignores_lease(&self) -> bool {
        false
    }
}

/// The dispatcher as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Honest;

impl Tamper for Honest {}
