//! The dispatcher over the account: with a ledger in a file it leads at once, with one in a table it waits for its turn.

use std::sync::Arc;

use anyhow::Result;
use metrics::gauge;
use spillway_aws::{AwsPrices, Cloud, Ec2Compute, EcsCluster, SqsEvents, SqsJobs, SqsNews};
use spillway_core::error::LedgerError;
use spillway_dynamodb::DynamoTable;
use spillway_runtime::driver::{self, DriverError};
use spillway_runtime::journal::{Leader, Standby, keep_short};
use spillway_runtime::ledger::Outbox;
use spillway_runtime::{Health, Ports, Stopped, SystemClock, telemetry};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, LedgerPlace};
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::spool::Spool;
use crate::{dispatch, ledger, news, shared};

type AccountPorts = Ports<SqsJobs, SqsEvents, Ec2Compute, EcsCluster, AwsPrices>;

/// Whoever passes on news of jobs.
type Telling = Option<JoinHandle<Result<(), LedgerError>>>;

pub(super) async fn run(stop: CancellationToken, config: &Config) -> Result<Stopped> {
    if let Some(spool) = Spool::named_by(config) {
        let path = spool.path().display();
        return Err(Complaint::usage(format!(
            "job-queue-url: {path} is a folder, and an account's jobs come from SQS"
        ))
        .hint("a folder is for `spillway serve --world SCENARIO`")
        .status(ExitStatus::Config)
        .into());
    }
    match &config.ledger {
        LedgerPlace::File(path) => {
            // The ledger first: that another dispatcher has it is known at once, and nobody need be called.
            let writer = news::kept_in(ledger::writer(path)?, config);
            let (ports, sink) = connected(config).await?;
            let telling = tell(writer.outbox(), sink, config, &stop);
            let (engine, address) = (config.engine(), config.metrics_address);
            let stopped =
                dispatch::run(ports, writer, engine, SystemClock, stop.clone(), address).await;
            stop.cancel();
            super::told(telling).await?;
            stopped
        }
        LedgerPlace::Table(table) => {
            ledger::make_folder(&config.ledger_copy)?;
            let journal = shared::journal(table, config).await?;
            let standby = Standby::open(journal, &config.ledger_copy, who())?;
            let standby = standby.telling(config.job_events.rule());
            let (ports, sink) = connected(config).await?;
            let health = Health::default();
            let turns = Turns { ports, sink, config, stop: stop.clone(), health: health.clone() };
            let serving = Box::pin(turns.take(standby));
            dispatch::watched(serving, health, stop, config.metrics_address).await
        }
    }
}

/// Who this is, for people who look at the lease.
fn who() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} {}", host.trim(), std::process::id())
}

async fn connected(config: &Config) -> Result<(AccountPorts, Option<Arc<SqsNews>>)> {
    let cloud: Cloud = crate::cloud::connect(config).await?;
    let sink = match &config.job_events.queue {
        Some(queue) => Some(Arc::new(crate::cloud::news(config, queue).await?)),
        None => None,
    };
    let ports = Ports {
        jobs: cloud.jobs(),
        events: cloud.events(),
        compute: cloud.compute(),
        cluster: cloud.cluster(),
        prices: cloud.prices(),
    };
    tracing::info!(
        deployment = %config.deployment,
        cluster = config.cluster,
        queue = config.job_queue_name,
        ledger = %config.ledger,
        "serving"
    );
    Ok((ports, sink))
}

fn tell(
    outbox: Outbox,
    sink: Option<Arc<SqsNews>>,
    config: &Config,
    stop: &CancellationToken,
) -> Telling {
    match sink {
        Some(sink) => Some(news::tell(outbox, sink, stop.clone())),
        None => news::tell_file(outbox, config, stop.clone()),
    }
}

/// A dispatcher that leads now and then.
struct Turns<'a> {
    ports: AccountPorts,
    sink: Option<Arc<SqsNews>>,
    config: &'a Config,
    stop: CancellationToken,
    health: Health,
}

/// How a turn at leading ended.
enum End {
    /// As was asked for, or with an error that waiting does not mend.
    Stopped(Result<Stopped>),
    /// Another dispatcher leads.
    Deposed,
}

impl Turns<'_> {
    /// Stands by and leads in turns, until it is stopped.
    async fn take(self, mut standby: Standby<DynamoTable>) -> Result<Stopped> {
        loop {
            gauge!(telemetry::LEADER).set(0.0);
            let Some(leader) = standby.wait(&self.stop, &self.health).await? else {
                tracing::info!("stopped standing by");
                return Ok(Stopped { n_steps: 0, n_commits: 0, n_open_jobs: 0, n_hosts: 0 });
            };
            gauge!(telemetry::LEADER).set(1.0);
            gauge!(telemetry::EPOCH).set(epoch(&leader));
            match self.lead(leader, standby.outbox()).await {
                End::Stopped(stopped) => return stopped,
                End::Deposed => tracing::warn!("another dispatcher leads; nothing more is begun"),
            }
        }
    }

    async fn lead(&self, leader: Leader<DynamoTable>, outbox: Outbox) -> End {
        // What goes on beside the control loop, as long as this turn lasts.
        let turn = CancellationToken::new();
        let _ends_with_this_call = turn.clone().drop_guard();
        let ledger = leader.ledger();
        let compacting = tokio::spawn(keep_short(leader.compaction(), turn.clone()));
        let telling = tell(outbox, self.sink.clone(), self.config, &turn);
        // A task of its own: a plan takes seconds.
        let mut keeping = tokio::spawn(kept(leader, turn.clone()));
        let driving = driver::run(
            self.ports.clone(),
            ledger,
            self.config.engine(),
            SystemClock,
            self.stop.clone(),
            self.health.clone(),
        );
        let stopped = tokio::select! {
            stopped = Box::pin(driving) => stopped,
            // Dropping the control loop is a crash, and nothing is lost by one.
            _ = &mut keeping => return End::Deposed,
        };
        if matches!(stopped, Err(DriverError::Ledger { source: LedgerError::Fenced { .. } })) {
            return End::Deposed;
        }
        turn.cancel();
        compacting.abort();
        if let Err(error) = super::told(telling).await {
            tracing::error!(%error, "news of jobs was not passed on");
        }
        if let Ok(Some(leader)) = keeping.await
            && let Err(error) = leader.release().await
        {
            tracing::warn!(%error, "the lease was not given back; it ends by itself");
        }
        End::Stopped(stopped.map_err(Into::into))
    }
}

/// Keeps the lease until the turn is over, and then gives back who kept it; none if another leads.
async fn kept(
    mut leader: Leader<DynamoTable>,
    turn: CancellationToken,
) -> Option<Leader<DynamoTable>> {
    tokio::select! {
        error = leader.keep() => {
            tracing::warn!(%error, "the lease is lost");
            None
        }
        () = turn.cancelled() => Some(leader),
    }
}

/// An epoch as a gauge shows it.
fn epoch(leader: &Leader<DynamoTable>) -> f64 {
    f64::from(u32::try_from(leader.epoch()).unwrap_or(u32::MAX))
}
