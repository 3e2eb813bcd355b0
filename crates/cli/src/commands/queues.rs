//! `spillway queues` and `spillway pools`: list, show, pause, resume. What changes something is a message, as everything is;
//! what reads reads the ledger.

use anyhow::Result;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use spillway_core::{Pausable, PoolName, QueueName, message};
use spillway_engine::Engine;

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::output::Format;
use crate::sender;
use crate::views::queue::{ConsumableView, PauseView, PoolList, PoolView, QueueList, QueueView};

/// The verbs of `queues`.
#[derive(Debug, Subcommand)]
pub enum QueuesCommand {
    /// List the job queues
    #[command(long_about = LIST_ABOUT)]
    List,
    /// Show one queue with its shares
    #[command(long_about = SHOW_ABOUT)]
    Show(QueueArgs),
    /// Start nothing of a queue until it is resumed
    #[command(long_about = PAUSE_ABOUT)]
    Pause(PauseQueueArgs),
    /// Start jobs of a queue again
    #[command(long_about = RESUME_ABOUT)]
    Resume(PauseQueueArgs),
}

/// The verbs of `pools`.
#[derive(Debug, Subcommand)]
pub enum PoolsCommand {
    /// List the pools
    #[command(long_about = POOLS_LIST_ABOUT)]
    List,
    /// Show one pool
    #[command(long_about = POOLS_SHOW_ABOUT)]
    Show(PoolArgs),
    /// Start and buy nothing in a pool until it is resumed
    #[command(long_about = POOLS_PAUSE_ABOUT)]
    Pause(PausePoolArgs),
    /// Use a pool again
    #[command(long_about = POOLS_RESUME_ABOUT)]
    Resume(PausePoolArgs),
}

const LIST_ABOUT: &str = "\
Lists the job queues of the configuration: what waits, what runs, and what it holds.

Examples:
  spillway queues list
  spillway queues list --format json | jq -r '.queues[] | select(.paused).queue'";

const SHOW_ABOUT: &str = "\
Shows one queue: its caps and what is held of them, its shares with their weights and what they have used, and why some of its \
jobs are not offered a place.

Examples:
  spillway queues show nightly";

const PAUSE_ABOUT: &str = "\
Asks the dispatcher to start nothing of a queue until it is resumed. What runs goes on, and new jobs are accepted and wait.

Examples:
  spillway queues pause nightly";

const RESUME_ABOUT: &str = "\
Asks the dispatcher to start jobs of a queue again.

Examples:
  spillway queues resume nightly";

const POOLS_LIST_ABOUT: &str = "\
Lists the pools of the configuration (`[[pool]]`): what their hosts have, and which queues use them.

Examples:
  spillway pools list";

const POOLS_SHOW_ABOUT: &str = "\
Shows one pool: what belongs to it, its caps, and what is used of them.

Examples:
  spillway pools show cheap";

const POOLS_PAUSE_ABOUT: &str = "\
Asks the dispatcher to start nothing on a pool's hosts and to buy none until it is resumed. What runs goes on; queues that name \
other pools use those.

Examples:
  spillway pools pause cheap";

const POOLS_RESUME_ABOUT: &str = "\
Asks the dispatcher to use a pool again.

Examples:
  spillway pools resume cheap";

/// Flags of `queues show`.
#[derive(Debug, Args)]
pub struct QueueArgs {
    /// The queue's name
    #[arg(value_name = "QUEUE")]
    pub queue: QueueName,
}

/// Flags of `queues pause` and `resume`.
#[derive(Debug, Args)]
pub struct PauseQueueArgs {
    /// The queue's name
    #[arg(value_name = "QUEUE")]
    pub queue: QueueName,
    /// Print the message and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `pools show`.
#[derive(Debug, Args)]
pub struct PoolArgs {
    /// The pool's name
    #[arg(value_name = "POOL")]
    pub pool: PoolName,
}

/// Flags of `pools pause` and `resume`.
#[derive(Debug, Args)]
pub struct PausePoolArgs {
    /// The pool's name
    #[arg(value_name = "POOL")]
    pub pool: PoolName,
    /// Print the message and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs one of `queues`.
pub async fn run(command: &QueuesCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        QueuesCommand::List => {
            context.output.show(&QueueList { queues: queues(context)? })?;
            Ok(ExitStatus::Ok)
        }
        QueuesCommand::Show(args) => {
            let found = queues(context)?.into_iter().find(|view| view.is(&args.queue));
            let view = found.ok_or_else(|| unknown_queue(&args.queue))?;
            context.output.show(&view)?;
            Ok(ExitStatus::Ok)
        }
        QueuesCommand::Pause(args) => pause_queue(args, true, context).await,
        QueuesCommand::Resume(args) => pause_queue(args, false, context).await,
    }
}

/// Runs one of `pools`.
pub async fn run_pools(command: &PoolsCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        PoolsCommand::List => {
            let pools = pools(context)?;
            let has_none = pools.is_empty();
            context.output.show(&PoolList { pools })?;
            if context.output.format() == Format::Human && has_none {
                context.output.note("there are none: everything that may be bought is one");
            }
            Ok(ExitStatus::Ok)
        }
        PoolsCommand::Show(args) => {
            let found = pools(context)?.into_iter().find(|view| view.is(&args.pool));
            let view = found.ok_or_else(|| unknown_pool(&args.pool))?;
            context.output.show(&view)?;
            Ok(ExitStatus::Ok)
        }
        PoolsCommand::Pause(args) => pause_pool(args, true, context).await,
        PoolsCommand::Resume(args) => pause_pool(args, false, context).await,
    }
}

fn engine(context: &Context, now: Timestamp) -> Result<Engine> {
    let config = context.config()?;
    let state = ledger::reader(config)?.state()?;
    Ok(Engine::new(config.engine(), state, now))
}

fn queues(context: &Context) -> Result<Vec<QueueView>> {
    let now = Timestamp::now();
    let engine = engine(context, now)?;
    let rules = context.config()?.engine();
    let consumables: Vec<ConsumableView> =
        engine.consumable_standings().iter().map(ConsumableView::from).collect();
    let standings = engine.queue_standings(now);
    let view = |standing| QueueView::new(standing, &rules, consumables.clone());
    Ok(standings.iter().map(view).collect())
}

fn pools(context: &Context) -> Result<Vec<PoolView>> {
    let engine = engine(context, Timestamp::now())?;
    Ok(engine.pool_standings().iter().map(PoolView::from).collect())
}

fn unknown_queue(queue: &QueueName) -> Complaint {
    Complaint::usage(format!("there is no queue {queue}")).hint("`spillway queues list` shows them")
}

fn unknown_pool(pool: &PoolName) -> Complaint {
    Complaint::usage(format!("there is no pool {pool}")).hint("`spillway pools list` shows them")
}

async fn pause_queue(
    args: &PauseQueueArgs,
    is_paused: bool,
    context: &Context,
) -> Result<ExitStatus> {
    if !context.config()?.queues.contains(&args.queue) {
        return Err(unknown_queue(&args.queue).into());
    }
    send(Pausable::Queue(args.queue.clone()), is_paused, args.dry_run, context).await
}

async fn pause_pool(
    args: &PausePoolArgs,
    is_paused: bool,
    context: &Context,
) -> Result<ExitStatus> {
    if context.config()?.pool.iter().all(|pool| pool.name != args.pool) {
        return Err(unknown_pool(&args.pool).into());
    }
    send(Pausable::Pool(args.pool.clone()), is_paused, args.dry_run, context).await
}

async fn send(
    target: Pausable,
    is_paused: bool,
    dry_run: bool,
    context: &Context,
) -> Result<ExitStatus> {
    let message = message::pause(&target, is_paused);
    let view = PauseView::new(&target, is_paused);
    if dry_run {
        context.output.show(&view.with_message(message))?;
        return Ok(ExitStatus::Ok);
    }
    let verb = if is_paused { "pause" } else { "resume" };
    let what = format!("the order to {verb} {target}");
    sender::send(&message, &what, context.config()?).await?;
    context.output.note(&format!("the dispatcher has been asked to {verb} {target}"));
    context.output.show(&view)?;
    Ok(ExitStatus::Ok)
}
