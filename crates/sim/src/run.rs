//! Runs a scenario to its end: the production control loop over the simulated cloud, in virtual time.
//!
//! The loop of the real dispatcher with an agenda in the place of tokio: an input comes, the engine steps, its changes are
//! written, the invariants are checked, its effects are performed, and each answer comes back after a call's latency.
//! Time jumps to whatever is next. It takes no decision, and knows of the engine only what its public types say.

mod perform;

use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use spillway_core::id::{LedgerId, NAMESPACE};
use spillway_core::{Answer, Input, Planner};
use spillway_engine::calibration::Calibration;
use spillway_engine::{Engine, Step};
use spillway_planner::Spillway;
use uuid::Uuid;

use crate::agenda::Agenda;
use crate::cloud::{RECEIVE_MAX, SimCloud};
use crate::invariants::{Invariants, Violation};
use crate::ledger::MemoryLedger;
use crate::scenario::Scenario;
use crate::score::Score;
use crate::setting::{Chance, Spread};
use crate::trace::Trace;

/// How long a dispatcher that died is away: from a process restart to a new machine.
const RESTART: Spread = Spread::of_secs(2, 120);

/// Receivers of the event queue that poll at once, as the real dispatcher has them. What they bring is taken together.
const EVENT_RECEIVERS: usize = 4;

/// Nothing real takes so many steps at one moment: the loop would not let time pass.
const STEPS_AT_ONCE_MAX: u32 = 100_000;

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// How good it was.
    pub score: Score,
    /// What must never happen and did, oldest first; the first ones only.
    pub violations: Vec<Violation>,
    /// How many violations there were.
    pub n_violations: u64,
    /// Over every input and every step: equal hashes mean equal runs.
    pub trace_hash: u64,
    /// How many inputs the control loop took.
    pub n_events: u64,
    /// Whether all came to rest within the scenario's limit.
    pub converged: bool,
}

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
}

/// Runs `scenario` until all is at rest or its limit has passed. `trace` gets one JSON object per line.
///
/// The same scenario and seed give the same outcome and the same trace, byte for byte.
pub fn run(scenario: &Scenario, trace: Option<&mut dyn Write>) -> Result<Outcome, RunError> {
    run_with(scenario, &|| Box::new(Spillway::default()), trace)
}

/// The same with another way to plan. A dispatcher that starts again gets a new planner.
pub fn run_with(
    scenario: &Scenario,
    planner: &dyn Fn() -> Box<dyn Planner>,
    trace: Option<&mut dyn Write>,
) -> Result<Outcome, RunError> {
    let mut runner = Runner::new(scenario, planner, trace);
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
}

/// What the dispatcher does next of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    ReceiveMessages,
    ReceiveEvents,
    Wake,
}

/// A dispatcher that is up.
#[derive(Debug)]
struct Dispatcher {
    engine: Engine,
    wake_at: Option<Timestamp>,
    /// When each queue may be asked again: the last answer must be there first.
    messages_from: Timestamp,
    events_from: Timestamp,
}

impl Dispatcher {
    /// What is next and when. Of equal times messages come first, then events.
    fn next(&self, cloud: &SimCloud) -> Option<(Timestamp, Turn)> {
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

/// When in a step the dispatcher dies.
#[derive(Debug, Clone, Copy)]
enum Crash {
    /// Before its changes are written: the step never was.
    BeforeCommit,
    /// After so many of its effects; the rest is not performed.
    AfterEffects(usize),
}

struct Runner<'s, 't> {
    scenario: &'s Scenario,
    planner: &'s dyn Fn() -> Box<dyn Planner>,
    cloud: SimCloud,
    ledger: MemoryLedger,
    invariants: Invariants,
    trace: Trace<'t>,
    agenda: Agenda<Due>,
    /// None while it is down.
    dispatcher: Option<Dispatcher>,
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
        trace: Option<&'t mut dyn Write>,
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
            cloud: SimCloud::new(scenario.world.clone(), now),
            ledger: MemoryLedger::new(ledger),
            invariants: Invariants::new(scenario.engine.clone()),
            trace: Trace::new(trace),
            agenda,
            dispatcher: None,
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
        let deadline = self.scenario.start + self.scenario.limit;
        while !self.is_at_rest() {
            let turn = self.dispatcher.as_ref().and_then(|d| d.next(&self.cloud));
            let turn_at = turn.map(|(at, _)| at);
            let next = [self.cloud.next_at(), self.agenda.next_at(), turn_at];
            let Some(next) = next.into_iter().flatten().min() else { break };
            if deadline < next {
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
            let text = format!("not all is at rest after {:#}", self.scenario.limit);
            self.invariants.stuck(self.n_events, self.now, text);
        }
        self.invariants.check_end(self.n_events, self.now, &self.cloud);
        Ok(is_at_rest)
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
        let engine_rests = self.dispatcher.as_ref().is_some_and(|d| d.engine.is_idle());
        engine_rests
            && self.n_unsent == 0
            && self.cloud.job_queue().is_empty()
            && self.cloud.event_queue().is_empty()
            && self.invariants.ledger_is_at_rest()
            && self.cloud.ec2().alive().next().is_none()
            && self.cloud.ecs().n_live() == 0
    }

    fn come(&mut self, due: Due) -> Result<(), RunError> {
        match due {
            Due::Send(body) => {
                self.n_unsent -= 1;
                self.cloud.send_message(self.now, body);
                Ok(())
            }
            Due::Answer(answer) => self.step(Input::Answered(*answer)),
            Due::Start => {
                let state = self.ledger.open_state();
                let config = self.scenario.engine.clone();
                self.dispatcher = Some(Dispatcher {
                    engine: Engine::with_planner(config, state, self.now, (self.planner)()),
                    wake_at: None,
                    messages_from: self.now,
                    events_from: self.now,
                });
                self.trace.note(self.n_events, self.now, "the dispatcher starts")?;
                self.step(Input::Tick)
            }
        }
    }

    fn take_turn(&mut self, turn: Turn) -> Result<(), RunError> {
        let answered_at = self.now + self.receive_latency();
        let Some(dispatcher) = &mut self.dispatcher else { return Ok(()) };
        match turn {
            Turn::ReceiveMessages => {
                dispatcher.messages_from = answered_at;
                let deliveries = self.cloud.receive_messages(self.now);
                self.step(Input::Received(deliveries))
            }
            Turn::ReceiveEvents => {
                dispatcher.events_from = answered_at;
                let mut deliveries = self.cloud.receive_events(self.now);
                for n_receivers in 1..EVENT_RECEIVERS {
                    if deliveries.len() < n_receivers * RECEIVE_MAX {
                        break;
                    }
                    deliveries.extend(self.cloud.receive_events(self.now));
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

    /// One input: decide, write, check, do.
    fn step(&mut self, input: Input) -> Result<(), RunError> {
        let Some(dispatcher) = &mut self.dispatcher else { return Ok(()) };
        self.n_events += 1;
        self.trace.input(self.n_events, self.now, &input)?;
        let step = dispatcher.engine.step(self.now, input);
        dispatcher.wake_at = step.wake_at.map(|at| at.max(self.now));
        self.trace.step(self.n_events, self.now, &step)?;
        let crash = self.crash_in(&step);
        if let Some(Crash::BeforeCommit) = crash {
            return self.crash("the dispatcher dies before it has written this down");
        }
        if let Err(bad) = self.ledger.apply(&step.changes) {
            self.invariants.refused(self.n_events, self.now, &bad);
        }
        self.invariants.check_step(self.n_events, self.now, &step, &self.ledger, &self.cloud);
        let n_performed = match crash {
            Some(Crash::AfterEffects(n)) => n,
            Some(Crash::BeforeCommit) | None => step.effects.len(),
        };
        for effect in step.effects.into_iter().take(n_performed) {
            if let Some(answer) = perform::perform(&mut self.cloud, self.now, effect) {
                let at = self.now + self.cloud.call_latency();
                self.agenda.add(at, Due::Answer(Box::new(answer)));
            }
        }
        if crash.is_some() {
            return self.crash("the dispatcher dies after it has written this down");
        }
        Ok(())
    }

    fn crash_in(&self, step: &Step) -> Option<Crash> {
        let chance = self.scenario.world.faults.crashes;
        if chance == Chance::NEVER || !self.cloud.faults_on(self.now) {
            return None;
        }
        let mut roll = self.cloud.dice().roll("crash", &self.n_events);
        if !roll.happens(chance) {
            return None;
        }
        if roll.happens(Chance::percent(25)) {
            return Some(Crash::BeforeCommit);
        }
        let n_effects = u64::try_from(step.effects.len()).unwrap_or(u64::MAX);
        let n = roll.below(n_effects.saturating_add(1));
        Some(Crash::AfterEffects(usize::try_from(n).unwrap_or(usize::MAX)))
    }

    /// The dispatcher is gone, and with it every answer on its way. It starts again from its ledger.
    fn crash(&mut self, note: &str) -> Result<(), RunError> {
        self.n_crashes += 1;
        self.dispatcher = None;
        self.agenda.retain(|due| !matches!(due, Due::Answer(_)));
        let away = self.cloud.dice().roll("restart", &self.n_events).within(RESTART);
        self.agenda.add(self.now + away, Due::Start);
        self.trace.note(self.n_events, self.now, note)?;
        Ok(())
    }

    fn outcome(self, converged: bool) -> Outcome {
        let mut score = Score::of(self.ledger.all_jobs(), &self.cloud, self.now);
        score.n_crashes = self.n_crashes;
        score.n_doubled_tasks = self.invariants.n_doubled_tasks();
        score.calibration =
            Calibration::of(self.ledger.all_jobs(), self.ledger.all_hosts(), self.now);
        Outcome {
            score,
            violations: self.invariants.violations().to_vec(),
            n_violations: self.invariants.n_violations(),
            trace_hash: self.trace.hash(),
            n_events: self.n_events,
            converged,
        }
    }
}
