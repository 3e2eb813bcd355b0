//! A dispatcher that is up: its engine, its clock, and what it does next of its own accord.

use jiff::{SignedDuration, Timestamp};
use spillway_engine::Engine;

use crate::cloud::SimCloud;

/// What the dispatcher does next of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Asks the job queue.
    ReceiveMessages,
    /// Asks the event queue.
    ReceiveEvents,
    /// Looks at what is due.
    Wake,
}

/// A dispatcher that is up.
#[derive(Debug)]
pub(super) struct Dispatcher {
    pub(super) engine: Engine,
    /// The world's time of the next tick.
    pub(super) wake_at: Option<Timestamp>,
    /// When each queue may be asked again: the last answer must be there first.
    pub(super) messages_from: Timestamp,
    pub(super) events_from: Timestamp,
    /// How much its clock is ahead of the world's.
    pub(super) skew: SignedDuration,
    /// Its ledger cannot be written before: until then it begins nothing.
    pub(super) stalled_until: Option<Timestamp>,
}

impl Dispatcher {
    pub(super) const fn new(engine: Engine, now: Timestamp, skew: SignedDuration) -> Self {
        Self {
            engine,
            wake_at: None,
            messages_from: now,
            events_from: now,
            skew,
            stalled_until: None,
        }
    }

    /// What its clock shows.
    pub(super) fn clock(&self, now: Timestamp) -> Timestamp {
        now + self.skew
    }

    /// It wants to be woken when its clock shows `at`.
    pub(super) fn wake_by(&mut self, now: Timestamp, at: Option<Timestamp>) {
        self.wake_at = at.map(|at| (at - self.skew).max(now));
    }

    /// What is next and when. Of equal times messages come first, then events.
    pub(super) fn next(&self, cloud: &SimCloud) -> Option<(Timestamp, Turn)> {
        if self.stalled_until.is_some() {
            return None;
        }
        let messages = cloud.job_queue().next_visible().map(|at| at.max(self.messages_from));
        let events = cloud.event_queue().next_visible().map(|at| at.max(self.events_from));
        let turns = [
            (messages, Turn::ReceiveMessages),
            (events, Turn::ReceiveEvents),
            (self.wake_at, Turn::Wake),
        ];
        let mut next: Option<(Timestamp, Turn)> = None;
        for (at, turn) in turns {
            let Some(at) = at else { continue };
            if next.is_none_or(|(soonest, _)| at < soonest) {
                next = Some((at, turn));
            }
        }
        next
    }
}
