//! The loop around the control loop: the only place where decisions meet the world.
//!
//! It receives, asks the engine for a step, commits what the step wants written, *then* begins what it wants done, and
//! feeds every answer back. It owns the only clock. It decides nothing: whether a call is worth repeating, and when, is
//! the engine's to say.
//!
//! Whatever ends the program at whatever point, the ledger holds the intent of every call that may have been sent, with
//! the token that makes sending it again the same call.

mod calls;
mod commit;
mod perform;
mod receive;
mod record;
mod steady;

use std::pin::pin;
use std::sync::Arc;

use jiff::Timestamp;
use metrics::histogram;
use spillway_core::error::LedgerError;
use spillway_core::input::{Delivery, EventDelivery};
use spillway_core::port::{Cluster, Compute, EventQueue, JobQueue, Ledger, PriceFeed};
use spillway_core::{Answer, Change, Effect, Input};
use spillway_engine::{Engine, EngineConfig};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug_span, info, warn};

use crate::clock::Clock;
use crate::health::Health;
use crate::ports::Ports;
use crate::{limits, telemetry};
use calls::{Calls, Perform};
use receive::{Events, Jobs, keep_receiving};
use steady::{Reading, Steady};

/// Why the dispatcher cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// What it decided cannot be written down, so nothing of it may be done.
    #[error("the dispatcher cannot go on without its ledger")]
    Ledger {
        /// Why.
        #[from]
        source: LedgerError,
    },
}

/// What a dispatcher that was stopped leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Steps of the control loop.
    pub n_steps: u64,
    /// Transactions written.
    pub n_commits: u64,
    /// Jobs that have not ended. Those that run go on running.
    pub n_open_jobs: usize,
    /// Hosts that are not gone, and are paid for until a dispatcher is there again.
    pub n_hosts: usize,
}

/// Runs the dispatcher until `stop`.
///
/// A stop ends receiving at once, finishes the commit under way, waits up to [`limits::STOP_GRACE`] for the answers
/// of calls under way, and leaves jobs and hosts as they are. Dropping the future is a crash: nothing is lost by it.
///
/// # Errors
/// [`DriverError::Ledger`] if the ledger cannot be loaded, is damaged, or could not be written when the stop came. A
/// ledger that cannot be reached for a while is waited for, and nothing new is begun meanwhile.
pub async fn run<Q, E, C, K, P, L, T>(
    ports: Ports<Q, E, C, K, P>,
    mut ledger: L,
    config: EngineConfig,
    clock: T,
    stop: CancellationToken,
    health: Health,
) -> Result<Stopped, DriverError>
where
    Q: JobQueue + 'static,
    E: EventQueue + 'static,
    C: Compute + 'static,
    K: Cluster + 'static,
    P: PriceFeed + 'static,
    L: Ledger,
    T: Clock,
{
    let clock = Arc::new(clock);
    let state = ledger.load().await?;
    health.ledger_works(true);
    let (n_jobs, n_hosts, n_launches) = (state.jobs.len(), state.hosts.len(), state.launches.len());
    info!(n_jobs, n_hosts, n_launches, "dispatcher started");
    let steady = Steady::new(Arc::clone(&clock));
    let now = steady.last();
    let mut driver = Driver {
        engine: Engine::new(config.clone(), state, now),
        ledger,
        config,
        steady,
        calls: Calls::new(performer(ports.clone())),
        health,
        stop,
        wake_at: None,
        gauges_due: None,
        held_back: None,
        n_steps: 0,
        n_commits: 0,
    };
    driver.take(vec![Input::Tick]).await?;
    let mut inbox = Inbox::open(&ports, &clock, &driver.stop);
    driver.run_until_stop(&mut inbox).await?;
    drop(inbox);
    driver.wind_down().await?;
    let stopped = Stopped {
        n_steps: driver.n_steps,
        n_commits: driver.n_commits,
        n_open_jobs: driver.engine.jobs().count(),
        n_hosts: driver.engine.hosts().count(),
    };
    info!(?stopped, "dispatcher stopped; jobs go on running");
    Ok(stopped)
}

fn performer<Q, E, C, K, P>(ports: Ports<Q, E, C, K, P>) -> Perform
where
    Q: JobQueue + 'static,
    E: EventQueue + 'static,
    C: Compute + 'static,
    K: Cluster + 'static,
    P: PriceFeed + 'static,
{
    Box::new(move |effect, asked_at| {
        let ports = ports.clone();
        Box::pin(async move { perform::perform(&ports, effect, asked_at).await })
    })
}

/// What comes from the queues. Dropping it ends the receivers.
struct Inbox {
    jobs: mpsc::Receiver<Vec<Delivery>>,
    events: mpsc::Receiver<Vec<EventDelivery>>,
    _receivers: JoinSet<()>,
}

impl Inbox {
    fn open<Q, E, C, K, P, T>(
        ports: &Ports<Q, E, C, K, P>,
        clock: &Arc<T>,
        stop: &CancellationToken,
    ) -> Self
    where
        Q: JobQueue + 'static,
        E: EventQueue + 'static,
        T: Clock,
    {
        let (jobs_in, jobs) = mpsc::channel(limits::BACKLOG_BATCHES);
        let (events_in, events) = mpsc::channel(limits::BACKLOG_BATCHES);
        let mut receivers = JoinSet::new();
        let queue = Arc::new(Jobs(Arc::clone(&ports.jobs)));
        for _ in 0..limits::JOB_RECEIVERS {
            let (queue, clock) = (Arc::clone(&queue), Arc::clone(clock));
            receivers.spawn(keep_receiving(queue, clock, jobs_in.clone(), stop.clone()));
        }
        let queue = Arc::new(Events(Arc::clone(&ports.events)));
        for _ in 0..limits::EVENT_RECEIVERS {
            let (queue, clock) = (Arc::clone(&queue), Arc::clone(clock));
            receivers.spawn(keep_receiving(queue, clock, events_in.clone(), stop.clone()));
        }
        Self { jobs, events, _receivers: receivers }
    }
}

/// The first batch and all that came meanwhile, up to a step's worth.
fn with_more<M>(inbox: &mut mpsc::Receiver<Vec<M>>, mut batch: Vec<M>) -> Vec<M> {
    while batch.len() < limits::STEP_MESSAGES_MAX {
        let Ok(more) = inbox.try_recv() else { break };
        batch.extend(more);
    }
    batch
}

struct Driver<L, T> {
    engine: Engine,
    ledger: L,
    config: EngineConfig,
    steady: Steady<T>,
    calls: Calls,
    health: Health,
    stop: CancellationToken,
    wake_at: Option<Timestamp>,
    gauges_due: Option<Instant>,
    /// When to look again whether what is written may be acted on.
    held_back: Option<Instant>,
    n_steps: u64,
    n_commits: u64,
}

impl<L: Ledger, T: Clock> Driver<L, T> {
    async fn run_until_stop(&mut self, inbox: &mut Inbox) -> Result<(), DriverError> {
        let stop = self.stop.clone();
        loop {
            let may_take_jobs = self.calls.n_deletes_waiting() < limits::DELETES_WAITING_MAX;
            let clock = Arc::clone(self.steady.clock());
            let inputs = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                // Answers first: they free hosts, places and lanes. Messages last: they are safe where they are.
                Some(ended) = self.calls.next() => self.answers(ended.0),
                Some(batch) = inbox.events.recv() => {
                    vec![Input::Events(with_more(&mut inbox.events, batch))]
                }
                Some(batch) = inbox.jobs.recv(), if may_take_jobs => {
                    vec![Input::Received(with_more(&mut inbox.jobs, batch))]
                }
                () = wake(clock.as_ref(), self.wake_at) => vec![Input::Tick],
                () = until(self.held_back) => {
                    let now = self.steady.last();
                    self.begin(now);
                    continue;
                }
                () = until(self.gauges_due) => {
                    self.publish();
                    continue;
                }
            };
            self.take(inputs).await?;
        }
    }

    /// This answer and those that are there already: they share a commit.
    fn answers(&mut self, first: Option<Answer>) -> Vec<Input> {
        let mut inputs: Vec<Input> = first.map(Input::Answered).into_iter().collect();
        while inputs.len() < limits::COMMIT_ANSWERS_MAX {
            let Some(ended) = self.calls.try_next() else { break };
            inputs.extend(ended.0.map(Input::Answered));
        }
        inputs
    }

    /// Takes inputs in their order: steps, one commit, then effects.
    async fn take(&mut self, mut inputs: Vec<Input>) -> Result<(), DriverError> {
        let now = match self.steady.read() {
            Reading::At(now) => now,
            Reading::SetBack { now, by } => {
                warn!(%by, "the clock was set back; starting over from the ledger");
                let state = self.ledger.load().await?;
                self.engine = Engine::new(self.config.clone(), state, now);
                inputs.insert(0, Input::Tick);
                now
            }
        };
        let mut changes: Vec<Change> = Vec::new();
        let mut effects: Vec<Effect> = Vec::new();
        for input in inputs {
            self.note(&input);
            let kind = record::input(&input);
            let started = Instant::now();
            let step = debug_span!("step", input = kind).in_scope(|| self.engine.step(now, input));
            histogram!(telemetry::STEP_SECONDS).record(started.elapsed().as_secs_f64());
            self.n_steps += 1;
            changes.extend(step.changes);
            effects.extend(step.effects);
            self.wake_at = step.wake_at;
        }
        if !changes.is_empty() {
            let (ledger, health) = (&mut self.ledger, &self.health);
            commit::commit(ledger, now, &changes, &self.stop, health).await?;
            self.n_commits += 1;
            record::committed(&changes);
        }
        // Not before: what is begun here must be in the ledger.
        for effect in effects {
            record::effect(&effect);
            self.calls.push(effect);
        }
        self.begin(now);
        self.health.stepped();
        self.gauges_due.get_or_insert_with(|| Instant::now() + limits::GAUGES_EVERY);
        Ok(())
    }

    /// Begins what may be begun, but nothing while another dispatcher may lead.
    fn begin(&mut self, now: Timestamp) {
        if self.ledger.may_act() {
            self.held_back = None;
            self.calls.start_ready(now);
        } else {
            self.held_back = Some(Instant::now() + limits::HELD_BACK_POLL);
        }
    }

    fn note(&self, input: &Input) {
        match input {
            Input::Answered(Answer::Catalog { result: Ok(_) }) => self.health.catalog_read(),
            Input::Answered(Answer::Observe { snapshot, .. }) => {
                if snapshot.instances.is_some() && snapshot.container_instances.is_some() {
                    self.health.observed();
                }
            }
            Input::Answered(_) | Input::Received(_) | Input::Events(_) | Input::Tick => {}
        }
    }

    fn publish(&mut self) {
        self.gauges_due = None;
        record::gauges(&self.engine, self.steady.last());
        self.calls.publish();
    }

    /// Waits for the answers of what is under way, and writes them down; begins nothing but deletes.
    async fn wind_down(&mut self) -> Result<(), DriverError> {
        self.health.stopping();
        self.calls.close();
        let mut grace = pin!(tokio::time::sleep(limits::STOP_GRACE));
        while !self.calls.is_idle() {
            let inputs = tokio::select! {
                biased;
                Some(ended) = self.calls.next() => self.answers(ended.0),
                () = &mut grace => {
                    self.calls.drop_all();
                    break;
                }
            };
            self.take(inputs).await?;
        }
        self.publish();
        Ok(())
    }
}

/// Waits until the engine wants to be woken, but neither too short nor too long.
async fn wake<T: Clock>(clock: &T, at: Option<Timestamp>) {
    tokio::time::sleep(limits::TICK_MIN).await;
    let Some(at) = at else { return tokio::time::sleep(limits::WAKE_MAX).await };
    // A time-out is as good as being woken: the engine looks at the time itself.
    tokio::time::timeout(limits::WAKE_MAX, clock.sleep_until(at)).await.ok();
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
