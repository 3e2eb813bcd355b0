//! What is due, and when. Timers are hints: whoever is woken looks at the state and may find nothing to do.

use std::collections::BTreeSet;

use jiff::Timestamp;
use spillway_core::{AttemptOrd, HostId, JobId, LaunchId};

/// What to look at when the time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A launch's call is due.
    Launch(LaunchId),
    /// An attempt's start is due.
    Start(JobId, AttemptOrd),
    /// An attempt's stop is due, perhaps again.
    Stop(JobId, AttemptOrd),
    /// An attempt should be running by now.
    StartTimeout(JobId, AttemptOrd),
    /// An attempt has run for as long as it may.
    AttemptTimeout(JobId, AttemptOrd),
    /// The report of a shared task is to be read, perhaps again.
    Report(JobId, AttemptOrd),
    /// A job has waited in line for as long as it may.
    QueueTimeout(JobId),
    /// A job has taken as long as it may.
    JobTimeout(JobId),
    /// A job has waited long for the messages of those it waits for.
    Arrival(JobId),
    /// A job that was held back after a failure may run again.
    Requeue(JobId),
    /// A host should have registered by now.
    Register(HostId),
    /// A host may have been idle for too long.
    Idle(HostId),
    /// A draining host's call is due.
    Drain(HostId),
    /// The tasks of a host that is to be reclaimed must be told.
    ReclaimNear(HostId),
    /// A host's termination is due, perhaps again.
    Terminate(HostId),
    /// An ended host's tasks have had time to say how they ended.
    Ended(HostId),
    /// A host's agent has been away for long.
    AgentAway(HostId),
    /// The fleet is to be looked at.
    Observe,
    /// Prices are to be read.
    Catalog,
    /// A budget may be spent by now, or begin anew.
    Budget,
}

/// All timers, soonest first.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Timestamp, Timer)>,
}

impl Timers {
    /// Asks to be woken for `timer` at `at`.
    pub(crate) fn set(&mut self, at: Timestamp, timer: Timer) {
        self.due.insert((at, timer));
    }

    /// Forgets a timer that nobody needs any more. One that is not forgotten does no harm but the wake-up.
    pub(crate) fn forget(&mut self, at: Timestamp, timer: Timer) {
        self.due.remove(&(at, timer));
    }

    /// Takes the soonest timer that is due.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        let (at, _) = self.due.first()?;
        if now < *at {
            return None;
        }
        self.due.pop_first().map(|(_, timer)| timer)
    }

    /// When the soonest is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }
}
