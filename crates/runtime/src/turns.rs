//! A dispatcher that shares its ledger: it stands by, leads, and stands by again when another has taken over.
//!
//! It decides nothing that the lease does not: a control loop runs only while this dispatcher leads, and is dropped, which is a crash
//! and loses nothing, as soon as another does.

use std::sync::Arc;

use metrics::gauge;
use spillway_core::error::LedgerError;
use spillway_core::port::{Cluster, Compute, EventQueue, JobQueue, PriceFeed};
use spillway_core::table::Table;
use spillway_engine::EngineConfig;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::driver::{self, DriverError, Stopped};
use crate::health::Health;
use crate::journal::{Leader, Standby, keep_short};
use crate::ledger::Outbox;
use crate::ports::Ports;
use crate::telemetry;

/// Begins to pass on news of jobs until it is stopped; none where nobody wants any.
pub type Tell =
    dyn Fn(Outbox, CancellationToken) -> Option<JoinHandle<Result<(), LedgerError>>> + Send + Sync;

/// What a dispatcher leads with.
pub struct Turns<Q, E, C, K, P, T> {
    /// The world.
    pub ports: Ports<Q, E, C, K, P>,
    /// How to decide.
    pub engine: EngineConfig,
    /// The time.
    pub clock: T,
    /// Who is told of jobs while it leads.
    pub tell: Arc<Tell>,
    /// What it says of itself.
    pub health: Health,
}

/// How a turn at leading ended.
enum End {
    /// As was asked for, or with an error that waiting does not mend.
    Stopped(Result<Stopped, DriverError>),
    /// Another dispatcher leads.
    Deposed,
}

impl<Q, E, C, K, P, T> Turns<Q, E, C, K, P, T>
where
    Q: JobQueue + 'static,
    E: EventQueue + 'static,
    C: Compute + 'static,
    K: Cluster + 'static,
    P: PriceFeed + 'static,
    T: Clock + Clone,
{
    /// Stands by and leads in turns until `stop`, then gives the lease back.
    ///
    /// # Errors
    /// As [`driver::run`], except that another's lead is none, and as [`Standby::wait`].
    pub async fn take<B: Table + 'static>(
        self,
        mut standby: Standby<B>,
        stop: CancellationToken,
    ) -> Result<Stopped, DriverError> {
        loop {
            gauge!(telemetry::LEADER).set(0.0);
            gauge!(telemetry::EPOCH).set(0.0);
            let Some(leader) = standby.wait(&stop, &self.health).await? else {
                info!("stopped standing by");
                return Ok(Stopped { n_steps: 0, n_commits: 0, n_open_jobs: 0, n_hosts: 0 });
            };
            gauge!(telemetry::LEADER).set(1.0);
            let epoch = u32::try_from(leader.epoch()).unwrap_or(u32::MAX);
            gauge!(telemetry::EPOCH).set(f64::from(epoch));
            match Box::pin(self.lead(leader, standby.outbox(), &stop)).await {
                End::Stopped(stopped) => return stopped,
                End::Deposed => warn!("another dispatcher leads; nothing more is begun"),
            }
        }
    }

    async fn lead<B: Table + 'static>(
        &self,
        leader: Leader<B>,
        outbox: Outbox,
        stop: &CancellationToken,
    ) -> End {
        // What goes on beside the control loop ends with this turn, however it ends.
        let turn = CancellationToken::new();
        let _ends = turn.clone().drop_guard();
        let ledger = leader.ledger();
        let compacting = tokio::spawn(keep_short(leader.compaction(), turn.clone()));
        let telling = (self.tell)(outbox, turn.clone());
        // A task of its own: a plan takes seconds.
        let mut keeping = tokio::spawn(kept(leader, turn.clone()));
        let driving = driver::run(
            self.ports.clone(),
            ledger,
            self.engine.clone(),
            self.clock.clone(),
            stop.clone(),
            self.health.clone(),
        );
        let stopped = tokio::select! {
            stopped = Box::pin(driving) => stopped,
            _ = &mut keeping => {
                compacting.abort();
                return End::Deposed;
            }
        };
        turn.cancel();
        compacting.abort();
        if let Some(Err(error)) = told(telling).await {
            error!(%error, "news of jobs is passed on no more");
        }
        if matches!(stopped, Err(DriverError::Ledger { source: LedgerError::Fenced { .. } })) {
            return End::Deposed;
        }
        if let Ok(Some(leader)) = keeping.await
            && let Err(error) = leader.release().await
        {
            warn!(%error, "the lease was not given back; it ends by itself");
        }
        End::Stopped(stopped)
    }
}

/// Keeps the lease until the turn is over, and then gives back who kept it; none if another leads.
async fn kept<B: Table + 'static>(
    mut leader: Leader<B>,
    turn: CancellationToken,
) -> Option<Leader<B>> {
    tokio::select! {
        error = leader.keep() => {
            warn!(%error, "the lease is lost");
            None
        }
        () = turn.cancelled() => Some(leader),
    }
}

/// Waits for whoever passes on news of jobs; it has been told to stop.
async fn told(
    telling: Option<JoinHandle<Result<(), LedgerError>>>,
) -> Option<Result<(), LedgerError>> {
    telling?.await.ok()
}
