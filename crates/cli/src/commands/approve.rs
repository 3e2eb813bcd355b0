//! `spillway approve`: shows what is held because it is dear, and has it bought. To approve is a message, as every order is; what reads
//! reads the ledger.

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use spillway_core::{Burst, BurstHash, message};
use spillway_engine::Engine;

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::output::Format;
use crate::sender;
use crate::views::burst::{ApproveView, BurstView};

pub(crate) const LONG_ABOUT: &str = "\
Has the dispatcher buy what it holds because it is dear. With `limits.approve-over` in the configuration the fleet grows by itself \
up to that price per hour; for what would cost more the dispatcher works out what the whole fleet would come to, holds it, and \
names it by a hash. Without HASH this shows what is held.

An approval is for that price and no more: what is wanted beyond it is held again under another hash, and a hash that is out of date \
is refused. It is over once nobody waits and the fleet costs no more than may be spent anyway, or after a day. \
`limits.max-price-per-hour` cannot be approved away. Who may approve is said by `limits.approvers`, by what SQS says of the sender.

Examples:
  spillway approve
  spillway approve 5f3a09c1
  spillway approve --format json | jq -r .held.hash";

/// Flags of `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// What is approved, as `spillway approve` shows it; without it, show what is held
    #[arg(value_name = "HASH")]
    pub hash: Option<BurstHash>,
    /// Print the message and send nothing
    #[arg(long, requires = "hash")]
    pub dry_run: bool,
}

/// Shows or approves.
pub async fn run(args: &ApproveArgs, context: &Context) -> Result<ExitStatus> {
    match args.hash {
        Some(hash) => approve(hash, args.dry_run, context).await,
        None => show(context),
    }
}

fn show(context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    let state = ledger::reader(config)?.state()?;
    let engine = Engine::new(config.engine(), state, Timestamp::now());
    let Some(view) = BurstView::of(&engine, config, None) else {
        let hint = "set limits.approve-over in spillway.toml, such as \"$50\"";
        return Err(Complaint::usage("nothing has to be approved".to_owned()).hint(hint).into());
    };
    let is_none = view.is_none();
    context.output.show(&view)?;
    if context.output.format() == Format::Human && is_none {
        context.output.note("nothing is held");
    }
    Ok(ExitStatus::Ok)
}

/// What is out of date is told before it is sent; where the ledger is out of reach the dispatcher alone can tell.
fn check(hash: BurstHash, context: &Context) -> Result<()> {
    let config = context.config()?;
    let burst = match ledger::reader(config).and_then(|reader| reader.burst()) {
        Ok(burst) => burst,
        Err(error) => {
            let text = format!("whether {hash} is held cannot be seen from here: {error:#}");
            context.output.note(&text);
            return Ok(());
        }
    };
    let Burst { held, approved } = burst;
    if held.is_some_and(|held| held.hash() == hash) {
        return Ok(());
    }
    let is_approved = approved.is_some_and(|approved| approved.held.hash() == hash);
    let text = if is_approved {
        format!("{hash} is approved already")
    } else {
        format!("{hash} is not held")
    };
    let hint = match held {
        Some(held) => format!("{} for the whole fleet is held as {}", held.price, held.hash()),
        None => "nothing is held now".to_owned(),
    };
    Err(Complaint::usage(text).hint(hint).into())
}

async fn approve(hash: BurstHash, is_dry: bool, context: &Context) -> Result<ExitStatus> {
    check(hash, context)?;
    let order = message::approve_burst(hash);
    let view = ApproveView::new(hash);
    if is_dry {
        context.output.show(&view.with_message(order))?;
        return Ok(ExitStatus::Ok);
    }
    sender::send(&order, &format!("the approval of {hash}"), context.config()?).await?;
    context.output.note(&format!("the dispatcher has been asked to buy {hash}"));
    context.output.show(&view)?;
    Ok(ExitStatus::Ok)
}
