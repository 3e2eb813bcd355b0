//! How a dispatcher comes to its end: it dies in a step, or is paused in one until another has taken over.

use spillway_core::{Answer, Effect, Input};
use spillway_engine::Step;

use super::{Due, RunError, Runner, perform};
use crate::fault::Fault;
use crate::setting::{Chance, Spread};

/// How long a dispatcher that died is away: from a process restart to a new machine.
const RESTART: Spread = Spread::of_secs(2, 120);

/// The same where nobody looks: a night, a weekend's day.
const LONG_OUTAGE: Spread = Spread::of_secs(3_600, 25 * 3_600);

/// When another takes over from a leader that does not renew its lease.
const TAKE_OVER: Spread = Spread::of_secs(10, 15);

/// How much longer the leader stays paused.
const PAUSED_ON: Spread = Spread::of_secs(1, 120);

/// When in a step the dispatcher ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Crash {
    /// It dies before its changes are written: the step never was.
    BeforeCommit,
    /// It dies after so many of its effects; the rest is not performed.
    AfterEffects(usize),
    /// It is paused before its changes are written.
    PausedBeforeCommit,
    /// It is paused in the middle of the call after so many effects.
    PausedAfterEffects(usize),
}

impl Crash {
    /// How many of `n` effects are performed in time; none if the step is not written.
    pub(super) fn n_performed(self) -> Option<usize> {
        match self {
            Self::BeforeCommit | Self::PausedBeforeCommit => None,
            Self::AfterEffects(n) | Self::PausedAfterEffects(n) => Some(n),
        }
    }
}

/// What an input brought, for counting what is lost with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    messages: bool,
    events: bool,
}

impl Heard {
    pub(super) fn of(input: &Input) -> Self {
        Self {
            messages: matches!(input, Input::Received(deliveries) if !deliveries.is_empty()),
            events: matches!(input, Input::Events(deliveries) if !deliveries.is_empty()),
        }
    }
}

/// A leader that was paused in a step and does not know that another has taken over.
#[derive(Debug)]
pub(super) struct Paused {
    epoch: u64,
    step: Step,
    /// The effect it was about to perform; none if it was about to commit.
    next_effect: Option<usize>,
}

impl Runner<'_, '_> {
    pub(super) fn crash_in(&self, step: &Step) -> Option<Crash> {
        let faults = &self.scenario.world.faults;
        let never = faults.crashes == Chance::NEVER && faults.splits == Chance::NEVER;
        if never || !self.cloud.faults_on(self.now) {
            return None;
        }
        let mut roll = self.cloud.dice().roll("crash", &self.n_events);
        let dies = roll.happens(faults.crashes);
        let is_paused = !dies && roll.happens(faults.splits);
        if !dies && !is_paused {
            return None;
        }
        if roll.happens(Chance::percent(25)) {
            return Some(if dies { Crash::BeforeCommit } else { Crash::PausedBeforeCommit });
        }
        let n_effects = u64::try_from(step.effects.len()).unwrap_or(u64::MAX);
        let n = roll.below(n_effects.saturating_add(1));
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        Some(if dies { Crash::AfterEffects(n) } else { Crash::PausedAfterEffects(n) })
    }

    /// The dispatcher is gone, and with it every answer on its way. Another starts from its ledger, in time.
    pub(super) fn crash(&mut self, crash: Crash, heard: Heard, step: Step) -> Result<(), RunError> {
        self.n_crashes += 1;
        self.dispatcher = None;
        self.note_crash(crash, heard, &step);
        self.agenda.retain(|due| !matches!(due, Due::Answer(_)));
        let mut roll = self.cloud.dice().roll("restart", &self.n_events);
        let faults = &self.scenario.world.faults;
        let (is_paused, next_effect) = match crash {
            Crash::BeforeCommit | Crash::AfterEffects(_) => (false, None),
            Crash::PausedBeforeCommit => (true, None),
            Crash::PausedAfterEffects(n) => (true, Some(n)),
        };
        let away = if is_paused {
            roll.within(TAKE_OVER)
        } else if self.cloud.dice().roll("long outage", &self.n_events).happens(faults.long_outages)
        {
            roll.within(LONG_OUTAGE)
        } else {
            roll.within(RESTART)
        };
        if is_paused {
            let paused = Paused { epoch: self.epoch, step, next_effect };
            let resumed_at = self.now + away + roll.within(PAUSED_ON);
            self.agenda.add(resumed_at, Due::Resume(Box::new(paused)));
        }
        self.invariants.blind(self.now, self.now + away);
        self.agenda.add(self.now + away, Due::Start);
        let is_written = crash.n_performed().is_some();
        let note = match (is_paused, is_written) {
            (false, false) => "the dispatcher dies before it has written this down",
            (false, true) => "the dispatcher dies after it has written this down",
            (true, false) => "the dispatcher is paused before it has written this down",
            (true, true) => "the dispatcher is paused after it has written this down",
        };
        self.trace.note(self.n_events, self.now, note)?;
        Ok(())
    }

    fn note_crash(&mut self, crash: Crash, heard: Heard, step: &Step) {
        let mut seen: Vec<Fault> = Vec::new();
        let lost = step.effects.iter().skip(crash.n_performed().unwrap_or(0));
        let is_written = crash.n_performed().is_some();
        for effect in lost {
            match effect {
                Effect::Launch(_) if is_written => seen.push(Fault::CrashAroundLaunch),
                Effect::RunTask(_) if is_written => seen.push(Fault::CrashAroundRunTask),
                Effect::DeleteMessages { .. } if is_written => seen.push(Fault::CrashAroundStore),
                Effect::DeleteEvents { .. } if is_written => seen.push(Fault::ResultLost),
                Effect::Launch(_)
                | Effect::RunTask(_)
                | Effect::DeleteMessages { .. }
                | Effect::DeleteEvents { .. }
                | Effect::Terminate { .. }
                | Effect::Drain { .. }
                | Effect::Deregister { .. }
                | Effect::StopTask { .. }
                | Effect::ReadReport { .. }
                | Effect::Observe { .. }
                | Effect::RefreshCatalog
                | Effect::DeadLetter(_) => {}
            }
        }
        if !is_written {
            seen.extend(heard.messages.then_some(Fault::CrashAroundStore));
            seen.extend(heard.events.then_some(Fault::ResultLost));
        }
        for answer in self.agenda.iter().filter_map(|due| match due {
            Due::Answer(answer) => Some(answer),
            Due::Send(_) | Due::Start | Due::Commit(_) | Due::Resume(_) => None,
        }) {
            match answer.as_ref() {
                Answer::Launch { result: Ok(_), .. } => seen.push(Fault::CrashAroundLaunch),
                Answer::RunTask { result: Ok(_), .. } => seen.push(Fault::CrashAroundRunTask),
                Answer::Launch { .. }
                | Answer::RunTask { .. }
                | Answer::Terminate { .. }
                | Answer::Drain { .. }
                | Answer::StopTask { .. }
                | Answer::Report { .. }
                | Answer::Observe { .. }
                | Answer::Catalog { .. } => {}
            }
        }
        for fault in seen {
            self.cloud.note(fault);
        }
    }

    /// A leader that was paused goes on where it was. The ledger refuses what it writes under its old epoch, and it renews its
    /// lease before it begins a call: only the one call that it was in the middle of still goes out.
    pub(super) fn resume(&mut self, paused: Paused) -> Result<(), RunError> {
        self.cloud.note(Fault::SplitBrain);
        let is_leader = paused.epoch == self.epoch;
        debug_assert!(!is_leader, "another has taken over by now");
        self.trace.note(self.n_events, self.now, "a paused leader goes on")?;
        let ignores_lease = self.tamper.ignores_lease();
        match paused.next_effect {
            None if ignores_lease => {
                self.commit(&paused.step)?;
                self.perform_late(paused.step.effects);
            }
            None => {}
            Some(n) => {
                let n_late = if ignores_lease { usize::MAX } else { 1 };
                let late = paused.step.effects.into_iter().skip(n).take(n_late);
                self.perform_late(late.collect());
            }
        }
        Ok(())
    }

    /// Performs effects whose answers nobody hears.
    fn perform_late(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let job = if let Effect::RunTask(request) = &effect { Some(request.job) } else { None };
            let clock = self.now;
            // Whoever asked is not there any more.
            drop(perform::perform(&mut self.cloud, self.now, clock, effect));
            if let Some(job) = job {
                self.invariants.check_started(
                    self.n_events,
                    self.now,
                    job,
                    &self.ledger,
                    &self.cloud,
                );
            }
        }
    }
}
