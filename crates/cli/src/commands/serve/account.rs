//! The dispatcher over the account: with a ledger in a file it leads at once, with one in a table it waits for its turn.

use std::sync::Arc;

use anyhow::Result;
use spillway_aws::{AwsPrices, Cloud, Ec2Compute, EcsCluster, News, SqsEvents, SqsJobs};
use spillway_core::error::LedgerError;
use spillway_runtime::journal::Standby;
use spillway_runtime::ledger::Outbox;
use spillway_runtime::{Health, Ports, Stopped, SystemClock, Turns};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, LedgerPlace};
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::spool::Spool;
use crate::{dispatch, ledger, news, shared, traces};

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
            let telling = traces::beside(tell(writer.outbox(), sink, config, &stop), config, &stop);
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
            let told = config.clone();
            let turns = Turns {
                ports,
                engine: config.engine(),
                clock: SystemClock,
                tell: Arc::new(move |outbox, stop| {
                    traces::beside(tell(outbox, sink.clone(), &told, &stop), &told, &stop)
                }),
                health: health.clone(),
            };
            let serving = turns.take(standby, stop.clone());
            let serving = Box::pin(async move { Ok(serving.await?) });
            dispatch::watched(serving, health, stop, config.metrics_address).await
        }
    }
}

/// Who this is, for people who look at the lease.
fn who() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} {}", host.trim(), std::process::id())
}

async fn connected(config: &Config) -> Result<(AccountPorts, Option<Arc<News>>)> {
    let cloud: Cloud = crate::cloud::connect(config).await?;
    let sink = crate::cloud::news(config).await?.map(Arc::new);
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
    sink: Option<Arc<News>>,
    config: &Config,
    stop: &CancellationToken,
) -> Telling {
    match sink {
        Some(sink) => Some(news::tell(outbox, sink, stop.clone())),
        None => news::tell_file(outbox, config, stop.clone()),
    }
}
