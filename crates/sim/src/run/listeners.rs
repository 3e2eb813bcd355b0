//! Who is told of a run while it runs. Nobody who listens changes it.

use std::io::{self, Write};

use jiff::Timestamp;
use spillway_core::Change;

/// Is told what is written to the ledger, commit by commit.
pub trait Commits {
    /// These changes were written at once. An error ends the run.
    fn commit(&mut self, now: Timestamp, changes: &[Change]) -> io::Result<()>;
}

/// Who listens to a run; nobody by default.
#[derive(Default)]
pub struct Listeners<'a> {
    /// Gets one JSON object per line of everything that happens.
    pub trace: Option<&'a mut dyn Write>,
    /// Gets the changes of every commit: a durable ledger that takes them holds what a real dispatcher's would.
    pub ledger: Option<&'a mut dyn Commits>,
}

impl std::fmt::Debug for Listeners<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (trace, ledger) = (self.trace.is_some(), self.ledger.is_some());
        f.debug_struct("Listeners").field("trace", &trace).field("ledger", &ledger).finish()
    }
}

impl<'a> Listeners<'a> {
    /// Only a trace.
    pub fn trace(trace: Option<&'a mut dyn Write>) -> Self {
        Self { trace, ledger: None }
    }
}
