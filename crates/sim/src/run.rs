//! Runs a scenario to its end: the production control loop over the simulated cloud, in virtual time.
//!
//! The loop of the real dispatcher with an agenda in the place of tokio: an input comes, the engine steps, its changes are
//! written, the invariants are checked, its effects are performed, and each answer comes back after a call's latency.
//! Time jumps to whatever is next. It takes no decision, and knows of the engine only what its public types say.

mod crash;
mod dispatcher;
pub mod listeners;
mod outcome;
mod perform;
pub mod tamper;
mod witness;

use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};
use spillway_core::id::{LedgerId, NAMESPACE};
use spillway_core::{Answer, Change, Effect, Input, Planner, message};
use spillway_engine::{Engine, Step};
use spillway_planner::Spillway;
use uuid::Uuid;

use crate::agenda::Agenda;
use crate::cloud::{RECEIVE_MAX, SimCloud};
use crate::fault::Fault;
use crate::invariants::Invariants;
use crate::ledger::MemoryLedger;
use crate::scenario::Scenario;
use crate::setting::{Chance, Spread};
use crate::trace::Trace;
use crate::world::Out;
use crash::{Crash, Heard, Paused};
use dispatcher::{Dispatcher, Turn};
use listeners::{Commits, Listeners};
pub use outcome::Outcome;
use tamper::{Honest, Tamper};

/// How long a receiver waits after a queue has refused it.
const RECEIVE_AGAIN: SignedDuration = SignedDuration::from_secs(20);

/// By how much a clock may be wrong, and how far it leaps. AWS refuses every call whose signature is five minutes off.
const CLOCK_ERROR: Spread = Spread::of_secs(2, 290);

/// Receivers of the event queue that poll at once, as the real dispatcher has them. What they bring is taken together.
const EVENT_RECEIVERS: usize = 4;

/// However slow a world is, it does not go on for more than so many of its limits.
const LIMITS_MAX: i32 = 8;

/// Nothing real takes so many steps at one moment: the loop would not let time pass.
const STEPS_AT_ONCE_MAX: u32 = 100_000;

/// A run that could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The trace cannot be written.
    #[error("cannot write the trace")]
    Trace {
        /// Why.
        #[from]
        source: io::Error,
    },
    /// The ledger that the run is kept in cannot be written.
    #[error("cannot write the ledger")]
    Ledger {
        /// Why.
        source: io::Error,
    },
}

/// Runs `scenario` until all is at rest or its limit has passed. `trace` gets one JSON object per line.
///
/// The same scenario and seed give the same outcome and the same trace, byte for byte.
pub fn run(scenario: &Scenario, trace: Option<&mut dyn Write>) -> Result<Outcome, RunError> {
    run_with(scenario, &|| Box::new(Spillway::default()), Listeners::trace(trace))
}

/// The same with another way to plan. A dispatcher that starts again gets a new planner.
pub fn run_with(
    scenario: &Scenario,
    planner: &dyn Fn() -> Box<dyn Planner>,
    listeners: Listeners<'_>,
) -> Result<Outcome, RunError> {
    let mut honest = Honest;
    let mut runner = Runner::new(scenario, planner, &mut honest, listeners);
    let converged = runner.run()?;
    Ok(runner.outcome(converged))
}

/// The same with something in between that breaks the dispatcher on purpose.
pub fn run_tampered(
    scenario: &Scenario,
    tamper: &mut dyn Tamper,
    trace: Option<&mut dyn Write>,
) -> Result<Outcome, RunError> {
    let planner = || -> Box<dyn Planner> { Box::new(Spillway::default()) };
    let mut runner = Runner::new(scenario, &planner, tamper, Listeners::trace(trace));
    let converged = runner.run()?;
    Ok(runner.outcome(converged))
}

/// What is due around the cloud.
#[derive(Debug)]
enum Due {
    /// A producer sends a message.
    Send(String),
    /// An answer arrives at the dispatcher.
    Answer(Box<Answer>),
    /// The dispatcher starts from its ledger.
    Start,
    /// The ledger can be written again.
    Commit(Box<Step>),
    /// A leader that was paused goes on.
    Resume(Box<Paused>),
}

struct Runner<'s, 't> {
    scenario: &'s Scenario,
    planner: &'s dyn Fn() -> Box<dyn Planner>,
    tamper: &'s mut dyn Tamper,
    cloud: SimCloud,
    ledger: MemoryLedger,
    invariants: Invariants,
    trace: Trace<'t>,
    commits: Option<&'t mut dyn Commits>,
    agenda: Agenda<Due>,
    /// None while it is down.
    dispatcher: Option<Dispatcher>,
    /// How many have led, this one included: what the ledger's lease would be fenced with.
    epoch: u64,
    now: Timestamp,
    n_events: u64,
    n_unsent: usize,
    n_receives: u64,
    n_steps_now: u32,
    n_crashes: u64,
}

impl<'s, 't> Runner<'s, 't> {
    fn new(
        scenario: &'s Scenario,
        planner: &'s dyn Fn() -> Box<dyn Planner>,
        tamper: &'s mut dyn Tamper,
        listeners: Listeners<'t>,
    ) -> Self {
        let now = scenario.start;
        let mut agenda = Agenda::default();
        agenda.add(now, Due::Start);
        let messages = scenario.messages();
        let n_unsent = messages.len();
        for message in messages {
            agenda.add(message.at, Due::Send(message.body));
        }
        let name = format!("ledger\n{}", scenario.seed);
        let ledger = LedgerId::from_uuid(Uuid::new_v5(&NAMESPACE, name.as_bytes()));
        Self {
            scenario,
            planner,
            tamper,
            cloud: SimCloud::new(scenario.world.clone(), now),
            ledger: MemoryLedger::new(ledger),
            invariants: Invariants::new(scenario.engine.clone(), &scenario.world, now),
            trace: Trace::new(listeners.trace),
            commits: listeners.ledger,
            agenda,
            dispatcher: None,
            epoch: 0,
            now,
            n_events: 0,
            n_unsent,
            n_receives: 0,
            n_steps_now: 0,
            n_crashes: 0,
        }
    }

    /// Returns whether all came to rest.
    fn run(&mut self) -> Result<bool, RunError> {
        while !self.is_at_rest() {
            let turn = self.dispatcher.as_ref().and_then(|d| d.next(&self.cloud));
            let turn_at = turn.map(|(at, _)| at);
            let next = [self.cloud.next_at(), self.agenda.next_at(), turn_at];
            let Some(next) = next.into_iter().flatten().min() else { break };
            if self.deadline() < next {
                break;
            }
            if !self.advance(next) {
                let text = format!("{STEPS_AT_ONCE_MAX} steps and no time has passed");
                self.invariants.stuck(self.n_events, self.now, text);
                return Ok(false);
            }
            if 0 < self.cloud.advance(self.now) {
                // What happened may have put something before everything else that is due.
                continue;
            }
            match (self.agenda.pop_due(self.now), turn) {
                (Some((_, due)), _) => self.come(due)?,
                (None, Some((_, turn))) => self.take_turn(turn)?,
                (None, None) => {}
            }
        }
        let is_at_rest = self.is_at_rest();
        if !is_at_rest {
            let lasted = self.now.duration_since(self.scenario.start);
            let text = format!("not all is at rest after {:#}", lasted.max(self.scenario.limit));
            self.invariants.stuck(self.n_events, self.now, text);
        }
        self.invariants.check_end(self.n_events, self.now, &self.cloud);
        self.invariants.check_books(self.n_events, self.now, &self.ledger);
        if is_at_rest {
            let sent = self.scenario.messages();
            let bodies = sent.iter().map(|message| message.body.as_str());
            self.invariants.check_accepted(
                self.n_events,
                self.now,
                bodies,
                &self.ledger,
                &self.cloud,
            );
        }
        Ok(is_at_rest)
    }

    /// When all has to be at rest, as far as it is known by now.
    fn deadline(&self) -> Timestamp {
        let Scenario { start, limit, patience, .. } = *self.scenario;
        let slow = patience.zip(self.invariants.last_end());
        let slow = slow.map(|(patience, ended_at)| ended_at + patience);
        let longest = start + limit.saturating_mul(LIMITS_MAX);
        slow.map_or(start + limit, |slow| slow.clamp(start + limit, longest))
    }

    /// Moves time on. False if it stands still for too long.
    fn advance(&mut self, next: Timestamp) -> bool {
        debug_assert!(self.scenario.start <= next, "time only goes forward");
        if self.now < next {
            self.now = next;
            self.n_steps_now = 0;
        }
        self.n_steps_now += 1;
        self.n_steps_now <= STEPS_AT_ONCE_MAX
    }

    fn is_at_rest(&self) -> bool {
        // A schedule without an end never comes to rest.
        let rests = |engine: &Engine| engine.is_idle() && engine.next_scheduled().is_none();
        let engine_rests = self.dispatcher.as_ref().is_some_and(|d| rests(&d.engine));
        engine_rests
            && self.n_unsent == 0
            && self.cloud.job_queue().is_empty()
            && self.cloud.event_queue().is_empty()
            && self.invariants.ledger_is_at_rest()
            && self.cloud.ec2().alive().next().is_none()
            && !self.cloud.ec2().has_stopped()
            && !self.agenda.iter().any(|due| matches!(due, Due::Resume(_) | Due::Commit(_)))
            && self.cloud.ecs().n_live() == 0
    }

    fn come(&mut self, due: Due) -> Result<(), RunError> {
        match due {
            Due::Send(body) => {
                self.n_unsent -= 1;
                self.cloud.send_message(self.now, body);
                Ok(())
            }
            Due::Answer(answer) => match self.dispatcher.as_ref().and_then(|d| d.stalled_until) {
                Some(until) => {
                    self.agenda.add(until, Due::Answer(answer));
                    Ok(())
                }
                None => self.step(Input::Answered(*answer)),
            },
            Due::Start => self.start(),
            Due::Commit(step) => {
                if let Some(dispatcher) = &mut self.dispatcher {
                    dispatcher.stalled_until = None;
                }
                self.finish(*step, None)
            }
            Due::Resume(paused) => self.resume(*paused),
        }
    }

    fn start(&mut self) -> Result<(), RunError> {
        self.epoch += 1;
        let faults = &self.scenario.world.faults;
        let mut roll = self.cloud.dice().roll("clock", &self.n_events);
        let is_wrong = self.cloud.faults_on(self.now) && roll.happens(faults.clock_skews);
        let skew = if is_wrong { drawn_error(&mut roll) } else { SignedDuration::ZERO };
        if is_wrong {
            self.cloud.note(Fault::ClockSkew);
        }
        let engine = self.new_engine(self.now + skew);
        self.dispatcher = Some(Dispatcher::new(engine, self.now, skew));
        self.trace.note(self.n_events, self.now, "the dispatcher starts")?;
        self.step(Input::Tick)
    }

    fn new_engine(&mut self, clock: Timestamp) -> Engine {
        let mut state = self.ledger.open_state();
        self.tamper.state(&mut state, 0 < self.n_events);
        let config = self.scenario.engine.clone();
        Engine::with_planner(config, state, clock, (self.planner)())
    }

    fn take_turn(&mut self, turn: Turn) -> Result<(), RunError> {
        let answered_at = self.now + self.receive_latency();
        let Some(dispatcher) = &mut self.dispatcher else { return Ok(()) };
        match turn {
            Turn::ReceiveMessages => {
                let Ok(deliveries) = self.cloud.receive_messages(self.now) else {
                    dispatcher.messages_from = self.now + RECEIVE_AGAIN;
                    return Ok(());
                };
                dispatcher.messages_from = answered_at;
                self.step(Input::Received(deliveries))
            }
            Turn::ReceiveEvents => {
                let Ok(mut deliveries) = self.cloud.receive_events(self.now) else {
                    dispatcher.events_from = self.now + RECEIVE_AGAIN;
                    return Ok(());
                };
                dispatcher.events_from = answered_at;
                for n_receivers in 1..EVENT_RECEIVERS {
                    if deliveries.len() < n_receivers * RECEIVE_MAX {
                        break;
                    }
                    deliveries.extend(self.cloud.receive_events(self.now).unwrap_or_default());
                }
                self.step(Input::Events(deliveries))
            }
            Turn::Wake => self.step(Input::Tick),
        }
    }

    fn receive_latency(&mut self) -> SignedDuration {
        self.n_receives += 1;
        let mut roll = self.cloud.dice().roll("receive", &self.n_receives);
        roll.within(self.cloud.config().call_latency)
    }

    /// One input, and before it what a clock that was set back asks for.
    fn step(&mut self, input: Input) -> Result<(), RunError> {
        if self.leap() {
            self.trace.note(self.n_events, self.now, "the clock was set back: it starts over")?;
            self.take(Input::Tick)?;
        }
        self.take(input)
    }

    /// The clock leaps, perhaps. True if it went back, so that the dispatcher has started over.
    fn leap(&mut self) -> bool {
        let leaps = self.scenario.world.faults.clock_leaps;
        if leaps == Chance::NEVER || !self.cloud.faults_on(self.now) {
            return false;
        }
        let mut roll = self.cloud.dice().roll("clock leap", &self.n_events);
        if !roll.happens(leaps) {
            return false;
        }
        let skew = drawn_error(&mut roll);
        let Some(dispatcher) = &mut self.dispatcher else { return false };
        let before = std::mem::replace(&mut dispatcher.skew, skew);
        let clock = dispatcher.clock(self.now);
        self.cloud.note(Fault::ClockSkew);
        if before <= skew {
            return false;
        }
        let engine = self.new_engine(clock);
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.engine = engine;
        }
        true
    }

    /// One input: decide, write, check, do.
    fn take(&mut self, mut input: Input) -> Result<(), RunError> {
        let Some(dispatcher) = &mut self.dispatcher else { return Ok(()) };
        self.n_events += 1;
        self.tamper.input(&mut input);
        self.trace.input(self.n_events, self.now, &input)?;
        let heard = Heard::of(&input);
        let mut step = dispatcher.engine.step(dispatcher.clock(self.now), input);
        dispatcher.wake_by(self.now, step.wake_at);
        self.tamper.step(&mut step);
        self.trace.step(self.n_events, self.now, &step)?;
        self.act_early(&mut step);
        let since_start = self.now.duration_since(self.scenario.start);
        let ledger_back = self.scenario.world.out_until(since_start, |out| *out == Out::Ledger);
        if let (Some(back), false) = (ledger_back, step.changes.is_empty()) {
            self.cloud.note(Fault::LedgerUnavailable);
            let back_at = self.scenario.start + back;
            if let Some(dispatcher) = &mut self.dispatcher {
                dispatcher.stalled_until = Some(back_at);
            }
            self.agenda.add(back_at, Due::Commit(Box::new(step)));
            return Ok(());
        }
        let crash = self.crash_in(&step);
        self.finish(step, crash.map(|crash| (crash, heard)))
    }

    /// What a dispatcher that does not wait for its ledger does first.
    fn act_early(&mut self, step: &mut Step) {
        let clock = self.dispatcher.as_ref().map_or(self.now, |d| d.clock(self.now));
        let is_early = |effect: &mut Effect| self.tamper.acts_before_commit(effect);
        let early: Vec<Effect> = step.effects.extract_if(.., is_early).collect();
        for effect in early {
            let (event, now) = (self.n_events, self.now);
            self.invariants.check_early(event, now, &effect, &self.ledger, &self.cloud);
            self.perform(clock, effect);
        }
    }

    /// Writes a step down, checks it, and does what it asks for; or as much of all that as the dispatcher lives to do.
    fn finish(&mut self, step: Step, crash: Option<(Crash, Heard)>) -> Result<(), RunError> {
        let is_written = crash.is_none_or(|(end, _)| end.n_performed().is_some());
        if is_written {
            self.commit(&step)?;
            witness::witness(&step, &mut self.cloud);
            self.approve(&step);
        }
        let clock = self.dispatcher.as_ref().map_or(self.now, |d| d.clock(self.now));
        let Some((end, heard)) = crash else {
            for effect in step.effects {
                self.perform(clock, effect);
            }
            return Ok(());
        };
        for effect in step.effects.iter().take(end.n_performed().unwrap_or(0)) {
            self.perform(clock, effect.clone());
        }
        self.crash(end, heard, step)
    }

    /// Somebody sees what is held, and approves it after a while.
    fn approve(&mut self, step: &Step) {
        let Some(after) = self.scenario.workload.approves_after else { return };
        for change in &step.changes {
            if let Change::PutBurst(burst) = change
                && let Some(held) = burst.held
            {
                let mut roll = self.cloud.dice().roll("approval", &held.hash());
                let body = message::approve_burst(held.hash()).to_string();
                self.agenda.add(self.now + roll.within(after), Due::Send(body));
                self.n_unsent += 1;
            }
        }
    }

    fn commit(&mut self, step: &Step) -> Result<(), RunError> {
        match (self.ledger.apply(&step.changes), &mut self.commits) {
            (Err(bad), _) => self.invariants.refused(self.n_events, self.now, &bad),
            (Ok(()), Some(commits)) => commits
                .commit(self.now, &step.changes)
                .map_err(|source| RunError::Ledger { source })?,
            (Ok(()), None) => {}
        }
        self.invariants.check_step(self.n_events, self.now, step, &self.ledger, &self.cloud);
        Ok(())
    }

    fn perform(&mut self, clock: Timestamp, effect: Effect) {
        let job = if let Effect::RunTask(request) = &effect { Some(request.job) } else { None };
        if let Some(answer) = perform::perform(&mut self.cloud, self.now, clock, effect) {
            let at = self.now + self.cloud.call_latency();
            self.agenda.add(at, Due::Answer(Box::new(answer)));
        }
        if let Some(job) = job {
            let (event, now) = (self.n_events, self.now);
            self.invariants.check_started(event, now, job, &self.ledger, &self.cloud);
        }
    }
}

/// How wrong a clock is: ahead or behind.
fn drawn_error(roll: &mut crate::dice::Roll) -> SignedDuration {
    let error = roll.within(CLOCK_ERROR);
    if roll.happens(Chance::percent(50)) { error } else { -error }
}
