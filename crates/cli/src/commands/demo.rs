//! `spillway demo`: the real control loop, runtime and ledger over a simulated cloud, from the first job to the last
//! machine, without an account.

mod follow;
mod summary;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::logging::{self, LogFormat};
use crate::output::Output;
use crate::world::World;
use crate::{dispatch, ledger, world};
use follow::{End, Follower};
use summary::DemoView;

/// The jobs and the cloud they run on.
const SCENARIO: &str = include_str!("../../assets/demo.toml");

pub(crate) const LONG_ABOUT: &str = "\
Shows Spillway at work, with no account, no Docker and no configuration: the real control loop, runtime and ledger over \
a simulated cloud whose clock runs fast. It sends some 320 jobs, buys machines at real prices, loses a few of them to Spot \
interruptions, retries, gives everything back, and sums up what it cost.

Some of the jobs are meant to fail; the exit code is 0 when every job is accounted for.

Examples:
  spillway demo
  spillway demo --speed 300 --format json | jq .score.bill
  spillway demo --keep demo.db && spillway jobs list --ledger demo.db --status FAILED";

/// Flags of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How many times as fast as real time the simulated cloud lives
    #[arg(long, value_name = "N", default_value = "100")]
    pub speed: NonZeroU32,
    /// The luck of the simulated cloud [default: the demo's own]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Keep the ledger in this file, which must not exist yet
    #[arg(long, value_name = "FILE")]
    pub keep: Option<PathBuf>,
}

/// Where the ledger is: kept, or gone with this value.
enum Place {
    Kept(PathBuf),
    Passing(TempDir),
}

impl Place {
    fn new(keep: Option<&Path>) -> Result<Self> {
        let Some(path) = keep else {
            let folder = TempDir::with_prefix("spillway-demo-");
            return Ok(Self::Passing(folder.context("cannot make a temporary folder")?));
        };
        if path.exists() {
            return Err(Complaint::usage(format!("{} exists already", path.display()))
                .hint("a demo starts with an empty ledger: name a new file with --keep FILE")
                .into());
        }
        Ok(Self::Kept(path.to_owned()))
    }

    fn ledger(&self) -> PathBuf {
        match self {
            Self::Kept(path) => path.clone(),
            Self::Passing(folder) => folder.path().join("ledger.db"),
        }
    }

    fn kept(&self) -> Option<&Path> {
        match self {
            Self::Kept(path) => Some(path),
            Self::Passing(_) => None,
        }
    }
}

/// Runs it from beginning to end.
pub async fn run(args: &DemoArgs, context: &Context) -> Result<ExitStatus> {
    // Dry pools and lost machines are part of the story, which is told on its own.
    logging::start(LogFormat::Human, "error", context.global.verbose);
    let mut scenario = world::built_in(SCENARIO)?;
    if let Some(seed) = args.seed {
        scenario = scenario.with_seed(seed);
    }
    let place = Place::new(args.keep.as_deref())?;
    let path = place.ledger();
    let writer = ledger::writer(&path)?;
    let started = Instant::now();
    let world = World::start(scenario, args.speed, Timestamp::now());
    let output = &context.output;
    output.note(&format!(
        "a simulated cloud, {} times as fast as a real one; the ledger is {}",
        args.speed,
        path.display()
    ));
    let stop = CancellationToken::new();
    let (engine, clock) = (world.engine().clone(), world.clock());
    let dispatcher = dispatch::run(world.ports(), writer, engine, clock, stop.clone(), None);
    let mut dispatcher = tokio::spawn(dispatcher);
    let feeder = tokio::spawn({
        let world = world.clone();
        async move { world.feed().await }
    });
    let end = tokio::select! {
        end = watch(&world, &path, &feeder, output) => end,
        early = &mut dispatcher => {
            early??;
            Err(anyhow::anyhow!("the dispatcher has stopped by itself"))
        }
    };
    feeder.abort();
    stop.cancel();
    if !dispatcher.is_finished() {
        dispatcher.await??;
    }
    let end = end?;
    let jobs = follow::all_jobs(&*ledger::file_reader(&path)?)?;
    let view = DemoView::new(&world, &jobs, end, started.elapsed(), place.kept());
    output.show(&view)?;
    Ok(view.status())
}

/// Follows the ledger until all is over, the world's time is up, or Ctrl-C.
async fn watch(
    world: &World,
    path: &Path,
    feeder: &tokio::task::JoinHandle<()>,
    output: &Output,
) -> Result<End> {
    let reader = ledger::file_reader(path)?;
    let mut follower = Follower::new(world.clone(), output.progress(), output.has_live_line());
    // One listener for the whole demo: between two of them a signal would be lost.
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        let is_fed = feeder.is_finished();
        if let Some(end) = follower.look(&*reader, is_fed)? {
            return Ok(end);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = &mut interrupt => return Ok(End::Interrupted),
        }
    }
}

/// How often the ledger is looked at, in real time.
const LOOK_EVERY: Duration = Duration::from_millis(250);
