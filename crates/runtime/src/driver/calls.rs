//! Calls that are under way, and those that wait for their turn: so many at once of each kind, first come, first
//! served. Knows nothing of what they mean.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;

use jiff::Timestamp;
use metrics::{counter, gauge};
use spillway_core::effect::Receipt;
use spillway_core::{Answer, Effect};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::{Instrument, error, warn};

use super::perform::{api, unsettled};
use super::record::call_span;
use crate::{limits, telemetry};

/// Performs one effect; it was asked for at this time.
pub(super) type Perform =
    Box<dyn Fn(Effect, Timestamp) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send>> + Send>;

/// Calls of one kind, which share a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Launches,
    Tasks,
    Hosts,
    Looks,
    Reports,
    Prices,
    Deletes,
}

impl Lane {
    const ALL: [Self; 7] = [
        Self::Launches,
        Self::Tasks,
        Self::Hosts,
        Self::Looks,
        Self::Reports,
        Self::Prices,
        Self::Deletes,
    ];

    const fn of(effect: &Effect) -> Self {
        match effect {
            Effect::Launch(_) => Self::Launches,
            Effect::RunTask(_) | Effect::StopTask { .. } => Self::Tasks,
            Effect::Terminate { .. } | Effect::Drain { .. } | Effect::Deregister { .. } => {
                Self::Hosts
            }
            Effect::Observe { .. } => Self::Looks,
            Effect::ReadReport { .. } => Self::Reports,
            Effect::RefreshCatalog => Self::Prices,
            Effect::DeleteMessages { .. } | Effect::DeleteEvents { .. } | Effect::DeadLetter(_) => {
                Self::Deletes
            }
        }
    }

    const fn at_once(self) -> usize {
        match self {
            Self::Launches => limits::LAUNCHES_AT_ONCE,
            Self::Tasks => limits::TASK_CALLS_AT_ONCE,
            Self::Hosts => limits::TERMINATIONS_AT_ONCE,
            Self::Reports => limits::REPORTS_AT_ONCE,
            Self::Looks | Self::Prices => limits::OBSERVATIONS_AT_ONCE,
            Self::Deletes => limits::DELETES_AT_ONCE,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Launches => "launches",
            Self::Tasks => "tasks",
            Self::Hosts => "hosts",
            Self::Looks => "looks",
            Self::Reports => "reports",
            Self::Prices => "prices",
            Self::Deletes => "deletes",
        }
    }
}

/// A call under way.
struct UnderWay {
    id: Id,
    lane: Lane,
    abort: AbortHandle,
    api: &'static str,
    /// What is answered if its task is lost.
    if_lost: Option<Answer>,
}

/// What [`Calls::next`] gives: a call has ended, and this is its answer if it has one.
#[derive(Debug)]
pub(super) struct Ended(pub(super) Option<Answer>);

/// All calls.
pub(super) struct Calls {
    perform: Perform,
    tasks: JoinSet<Option<Answer>>,
    under_way: Vec<UnderWay>,
    waiting: BTreeMap<Lane, VecDeque<Effect>>,
    /// Receipts are collected over steps, so that a call deletes as many as it can.
    messages: VecDeque<Receipt>,
    events: VecDeque<Receipt>,
    is_closing: bool,
}

impl Calls {
    pub(super) fn new(perform: Perform) -> Self {
        Self {
            perform,
            tasks: JoinSet::new(),
            under_way: Vec::new(),
            waiting: BTreeMap::new(),
            messages: VecDeque::new(),
            events: VecDeque::new(),
            is_closing: false,
        }
    }

    /// Puts an effect in line.
    pub(super) fn push(&mut self, effect: Effect) {
        match effect {
            Effect::DeleteMessages { receipts } => self.messages.extend(receipts),
            Effect::DeleteEvents { receipts } => self.events.extend(receipts),
            effect @ (Effect::Launch(_)
            | Effect::Terminate { .. }
            | Effect::Drain { .. }
            | Effect::Deregister { .. }
            | Effect::RunTask(_)
            | Effect::StopTask { .. }
            | Effect::ReadReport { .. }
            | Effect::Observe { .. }
            | Effect::RefreshCatalog
            | Effect::DeadLetter(_)) => {
                let lane = Lane::of(&effect);
                // What is written down is done after the restart; only what is durable is still cleared away.
                if !self.is_closing || lane == Lane::Deletes {
                    self.waiting.entry(lane).or_default().push_back(effect);
                }
            }
        }
    }

    /// Starts what may start.
    pub(super) fn start_ready(&mut self, now: Timestamp) {
        for lane in Lane::ALL {
            while self.n_under_way(lane) < lane.at_once() {
                let Some(effect) = self.take_next(lane) else { break };
                self.start(lane, effect, now);
            }
        }
    }

    fn take_next(&mut self, lane: Lane) -> Option<Effect> {
        let next = self.waiting.get_mut(&lane).and_then(VecDeque::pop_front);
        if next.is_some() || lane != Lane::Deletes {
            return next;
        }
        let batch = |receipts: &mut VecDeque<Receipt>| -> Option<Vec<Receipt>> {
            let n = receipts.len().min(limits::DELETE_BATCH);
            (0 < n).then(|| receipts.drain(..n).collect())
        };
        let messages = batch(&mut self.messages).map(|r| Effect::DeleteMessages { receipts: r });
        messages.or_else(|| batch(&mut self.events).map(|r| Effect::DeleteEvents { receipts: r }))
    }

    fn start(&mut self, lane: Lane, effect: Effect, now: Timestamp) {
        let (api, span) = (api(&effect), call_span(&effect));
        let if_lost = unsettled(&effect, now, "the call was lost inside of the dispatcher");
        let task = (self.perform)(effect, now).instrument(span);
        let abort = self.tasks.spawn(task);
        self.under_way.push(UnderWay { id: abort.id(), lane, abort, api, if_lost });
    }

    /// The next call to end; none if none is under way. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        let joined = self.tasks.join_next_with_id().await?;
        Some(self.end(joined))
    }

    /// A call that has ended already, if there is one.
    pub(super) fn try_next(&mut self) -> Option<Ended> {
        let joined = self.tasks.try_join_next_with_id()?;
        Some(self.end(joined))
    }

    fn end(&mut self, joined: Result<(Id, Option<Answer>), JoinError>) -> Ended {
        let id = joined.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let at = self.under_way.iter().position(|call| call.id == id);
        let call = at.map(|at| self.under_way.swap_remove(at));
        match joined {
            Ok((_, answer)) => Ended(answer),
            Err(lost) if lost.is_cancelled() => Ended(None),
            Err(lost) => {
                counter!(telemetry::PANICS).increment(1);
                let api = call.as_ref().map_or("", |call| call.api);
                error!(api, error = %lost, "a call panicked; nobody knows whether it happened");
                Ended(call.and_then(|call| call.if_lost))
            }
        }
    }

    /// From now on nothing new is begun but deletes. Reading is given up: its answer is of no use any more.
    pub(super) fn close(&mut self) {
        self.is_closing = true;
        self.waiting.retain(|lane, _| *lane == Lane::Deletes);
        for call in &self.under_way {
            if matches!(call.lane, Lane::Looks | Lane::Reports | Lane::Prices) {
                call.abort.abort();
            }
        }
    }

    /// Gives up what is still under way, and tells of it.
    pub(super) fn drop_all(&mut self) {
        for call in &self.under_way {
            warn!(api = call.api, "stopping without the answer to a call");
        }
        self.tasks.abort_all();
    }

    /// Whether nothing is under way and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty() && Lane::ALL.iter().all(|lane| self.n_waiting(*lane) == 0)
    }

    fn n_under_way(&self, lane: Lane) -> usize {
        self.under_way.iter().filter(|call| call.lane == lane).count()
    }

    fn n_waiting(&self, lane: Lane) -> usize {
        let effects = self.waiting.get(&lane).map_or(0, VecDeque::len);
        match lane {
            Lane::Deletes => effects + self.n_batches(),
            Lane::Launches
            | Lane::Tasks
            | Lane::Hosts
            | Lane::Looks
            | Lane::Reports
            | Lane::Prices => effects,
        }
    }

    fn n_batches(&self) -> usize {
        self.messages.len().div_ceil(limits::DELETE_BATCH)
            + self.events.len().div_ceil(limits::DELETE_BATCH)
    }

    /// How many delete and dead-letter calls wait.
    pub(super) fn n_deletes_waiting(&self) -> usize {
        self.n_waiting(Lane::Deletes)
    }

    /// Publishes how long each line is.
    pub(super) fn publish(&self) {
        for lane in Lane::ALL {
            let n = u32::try_from(self.n_waiting(lane)).unwrap_or(u32::MAX);
            gauge!(telemetry::CALLS_WAITING, "lane" => lane.name()).set(f64::from(n));
        }
    }
}
