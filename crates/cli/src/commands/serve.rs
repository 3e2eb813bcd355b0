//! `spillway serve`: the dispatcher, over the account or over a simulated world, until it is told to stop.

#[cfg(feature = "aws")]
mod account;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::Timestamp;
use spillway_core::error::LedgerError;
use spillway_runtime::Stopped;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{LedgerPlace, Origin, keys};
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::logging::{self, LogFormat};
use crate::spool::Spool;
use crate::world::{self, World};
use crate::{dispatch, ledger, news, traces};

pub(crate) const LONG_ABOUT: &str = "\
Runs the dispatcher: takes jobs from the queue, buys machines, runs the jobs, gives the machines back. One dispatcher owns \
a ledger in a file; a second one on the same ledger ends with exit code 9.

With --ledger dynamodb:TABLE dispatchers on several machines share a ledger: one leads, the others stand by, follow what it \
writes, and one of them takes over in less than 15 s when it is heard of no more. `/readyz` says 503 while one stands by.

SIGTERM and Ctrl-C stop it in order: the commit under way is finished, running jobs go on, exit code 0. Started again, it \
picks up everything from the ledger and from what AWS shows.

With --world it runs over a simulated cloud and sends itself the jobs of a scenario, under the rules of [jobs] in the \
configuration; it buys nothing, and needs a ledger of its own. It also takes what `spillway submit` and the other verbs put into the folder that both name with \
SPILLWAY_JOB_QUEUE_URL=file:FOLDER.

Where OTEL_EXPORTER_OTLP_ENDPOINT names a collector of traces (http://127.0.0.1:4318), it gets one of each job that has ended.

Log events go to stderr. RUST_LOG chooses them; without it they are those of level info, and -v says more.

Examples:
  spillway serve
  spillway serve --log-format json 2>> spillway.log
  SPILLWAY_METRICS_ADDRESS=127.0.0.1:9464 spillway serve
  spillway serve --world tests/scenarios/small.toml --ledger world.db --speed 60";

/// Flags of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Run over a simulated cloud, and send it the jobs of this scenario
    #[arg(long, value_name = "SCENARIO")]
    pub world: Option<PathBuf>,
    /// How many times as fast as real time the simulated cloud lives
    #[arg(long, value_name = "N", default_value = "60", requires = "world")]
    pub speed: NonZeroU32,
    /// How log events are written
    #[arg(long, value_enum, default_value_t, env = "SPILLWAY_LOG_FORMAT", hide_env_values = true)]
    pub log_format: LogFormat,
}

/// Runs until a signal.
pub async fn run(args: &ServeArgs, context: &Context) -> Result<ExitStatus> {
    // A wrong configuration is told like that of every other verb, not as a log event.
    context.config()?;
    logging::start(args.log_format, "info", context.global.verbose);
    let stop = CancellationToken::new();
    let signals = tokio::spawn(dispatch::stop_on_signal(stop.clone()));
    match &args.world {
        Some(file) => Box::pin(over_world(file, args.speed, stop, context)).await?,
        None => Box::pin(over_account(stop, context)).await?,
    };
    signals.abort();
    Ok(ExitStatus::Ok)
}

async fn over_world(
    file: &Path,
    speed: NonZeroU32,
    stop: CancellationToken,
    context: &Context,
) -> Result<Stopped> {
    let mut scenario = world::scenario(file)?;
    let config = context.config()?;
    // What may be asked for is tried out here too. A host's network has no role to be taken.
    scenario.engine.jobs = config.engine().jobs;
    scenario.engine.jobs.rules.host_network = true;
    if is_ledger_built_in(context)? {
        return Err(Complaint::usage(
            "a simulated world must not write into the ledger of real jobs",
        )
        .hint("give it one of its own, such as --ledger world.db")
        .into());
    }
    let spool = Spool::named_by(config);
    if let Some(spool) = &spool {
        spool
            .make()
            .with_context(|| format!("cannot make the folder {}", spool.path().display()))?;
    }
    let LedgerPlace::File(path) = &config.ledger else {
        return Err(Complaint::usage("a simulated world's ledger is a file")
            .hint("give it one of its own, such as --ledger world.db")
            .into());
    };
    let writer = news::kept_in(ledger::writer(path)?, config);
    let telling = news::tell_file(writer.outbox(), config, stop.clone());
    let telling = traces::beside(telling, config, &stop);
    let world = World::start(scenario, speed, Timestamp::now());
    tracing::info!(world = %file.display(), %speed, ledger = %config.ledger, "serving");
    let feeder = tokio::spawn({
        let world = world.clone();
        async move {
            tokio::join!(world.feed(), fed_from(spool, &world));
        }
    });
    let (engine, clock) = (world.engine().clone(), world.clock());
    let stopped =
        dispatch::run(world.ports(), writer, engine, clock, stop.clone(), config.metrics_address)
            .await;
    feeder.abort();
    stop.cancel();
    told(telling).await?;
    stopped
}

/// Takes what others send it, where there is a place for that.
async fn fed_from(spool: Option<Spool>, world: &World) {
    let Some(spool) = spool else { return };
    if let Err(error) = world.feed_from(&spool).await {
        tracing::error!(folder = %spool.path().display(), %error, "messages are taken no more");
    }
}

/// Waits for whoever passes on news of jobs; it has been told to stop.
async fn told(telling: Option<JoinHandle<Result<(), LedgerError>>>) -> Result<()> {
    if let Some(telling) = telling {
        telling.await.context("news of jobs is passed on no more")??;
    }
    Ok(())
}

fn is_ledger_built_in(context: &Context) -> Result<bool> {
    let resolved = context.resolved()?;
    let key = keys().into_iter().find(|key| key.name == "ledger");
    let origin = key.and_then(|key| resolved.value(&key).map(|(_, origin)| origin));
    Ok(origin.is_none_or(|origin| *origin == Origin::BuiltIn))
}

#[cfg(feature = "aws")]
async fn over_account(stop: CancellationToken, context: &Context) -> Result<Stopped> {
    account::run(stop, context.config()?).await
}

#[cfg(not(feature = "aws"))]
async fn over_account(_: CancellationToken, context: &Context) -> Result<Stopped> {
    context.config()?;
    let complaint = crate::cloudless::complaint("dispatch jobs")
        .hint("`spillway serve --world SCENARIO` runs over a simulated cloud; for the real one: `cargo build --release`");
    std::future::ready(Err(complaint.into())).await
}
