//! `spillway why JOB`: why a job waits, when it should start, and what would start it now. Buys nothing and changes
//! nothing; works with the dispatcher up or down.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use spillway_core::{Catalog, HostId, Job, JobId, JobState, LedgerState};
use spillway_engine::{Engine, HeldBack, Standing};
use spillway_planner::explain::job;

use crate::asked;
use crate::config::Config;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::prices::{self, PriceArgs, PricesView};
use crate::views::why::{Place, WhyView};
use crate::why;

pub(crate) const LONG_ABOUT: &str = "\
Says why a job waits: the reason and its numbers, counted over everything on offer; its place in line; when it should \
start; and the smallest changes that would start it now, each with what it costs or saves.

It is worked out from the ledger and from prices, by the dispatcher's own planner, whether a dispatcher runs or not.

Examples:
  spillway why 3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11
  spillway why ID --builtin-prices
  spillway why ID --format json | jq -r .code";

/// Flags of `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The job's id, as `submit` printed it
    #[arg(value_name = "JOB")]
    pub job: JobId,
    /// Where prices come from
    #[command(flatten)]
    pub prices: PriceArgs,
}

/// Explains.
pub async fn run(args: &WhyArgs, context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    let reader = ledger::reader(config)?;
    let Some(job) = reader.job(args.job)? else {
        return Err(Complaint::usage(format!("there is no job {} in the ledger", args.job))
            .hint("its message may still be in the queue; `spillway jobs list` shows what was accepted")
            .into());
    };
    let state = reader.state()?;
    let now = Timestamp::now();
    let engine = Engine::new(config.engine(), state.clone(), now);
    let job = engine.child(job.id).unwrap_or(job);
    let view = match &job.state {
        JobState::Runnable { since } => {
            let (all, prices) = prices_or_none(args, config, context).await;
            if let Some(gang) = &job.spec.gang {
                let notes = why::notes(&job, &state, config);
                let engine = engine.with_prices(all, now);
                let reason = why::of_nodes(&job, gang.n_nodes(), &engine, now);
                let notes = notes.into_iter().map(|note| ("note", note));
                let reasons = std::iter::once(reason).chain(notes).collect();
                let mut view = WhyView::pending(&job, reasons);
                view.set_prices(prices);
                view.set_since(now.duration_since(*since));
                context.output.show(&view)?;
                return Ok(ExitStatus::Ok);
            }
            // Who is not offered a place is told so first; what the planner would do with it comes after.
            let not_bought = engine.why_not_bought(&job);
            let engine = engine.with_prices(all.clone(), now);
            let held_back = why::held_back(&job, &engine);
            let mut view = waiting(&job, state, &all, config, not_bought.as_ref());
            view.set_held_back(held_back.as_ref());
            let why_none = not_bought.as_ref().filter(|why| view.code == why.code());
            let told = held_back.as_ref().or(why_none);
            let ways = told.map(|why| why::ways_out(why, &job, &engine, now));
            view.set_ways_out(ways.unwrap_or_default());
            view.set_prices(prices);
            view.set_since(now.duration_since(*since));
            view
        }
        JobState::Pending => {
            let mut view = WhyView::pending(&job, why::pending(&job, &engine));
            let targets =
                engine.waits_for(job.id).into_iter().map(|(dependency, _)| dependency.job);
            view.set_ways_out(targets.filter_map(|id| why::standing_of(id, &engine)).collect());
            view
        }
        JobState::Submitted => WhyView::unseen(&job),
        JobState::Starting { attempt } | JobState::Running { attempt, .. } => {
            WhyView::placed(&job, &why::host_name(attempt.host, &state))
        }
        JobState::Succeeded { .. } | JobState::Failed { .. } => WhyView::ended(&job),
    };
    context.output.show(&view)?;
    Ok(ExitStatus::Ok)
}

/// Without prices there is still the ledger: then what they would tell is missing, and it is said why.
async fn prices_or_none(
    args: &WhyArgs,
    config: &Config,
    context: &Context,
) -> (Catalog, Option<PricesView>) {
    match prices::catalog(&args.prices.choice(), config).await {
        Ok((catalog, prices)) => (catalog, Some(prices)),
        Err(error) => {
            context.output.warn(&format!(
                "prices cannot be read ({error:#}); with --builtin-prices typical ones are taken"
            ));
            (Catalog::default(), None)
        }
    }
}

fn waiting(
    job: &Job,
    state: LedgerState,
    all: &Catalog,
    config: &Config,
    not_bought: Option<&HeldBack>,
) -> WhyView {
    let notes = why::notes(job, &state, config);
    let n_ahead = n_ahead(job, &state);
    let hosts: BTreeMap<HostId, String> =
        state.hosts.iter().map(|host| (host.id, why::host_text(host))).collect();
    let name = |id: HostId| hosts.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let (question, standing, expected) = asked::ask_for(job, state, all, config);
    let Some(Standing { key, n_ahead: n_ahead_alike }) = standing else {
        return WhyView::unseen(job);
    };
    let planned = question.plan();
    let alternatives = job::alternatives(&question, &planned, &key);
    let (key, start) = job::start_as(&question, &planned, &key, n_ahead_alike);
    let question = match start {
        job::Start::Now { .. } | job::Start::Boots { .. } | job::Start::Bought { .. } => question,
        job::Start::Waits { .. } => question.after(&planned),
    };
    let ways = match start {
        job::Start::Now { .. } => Vec::new(),
        job::Start::Boots { .. } | job::Start::Bought { .. } | job::Start::Waits { .. } => {
            job::ways(&question, &key)
        }
    };
    let place = Place { n_ahead, n_ahead_alike };
    let mut view = WhyView::waiting(job, place, &start, question.input.now, name);
    match start {
        job::Start::Now { .. } | job::Start::Boots { .. } => {}
        job::Start::Bought { .. } | job::Start::Waits { .. } => view.set_held_back(not_bought),
    }
    view.set_offerings(&job::counts(&question, &key));
    view.set_changes(&ways, name);
    let variant = key.way.map(|way| way.ord).unwrap_or_default();
    if let Some(expected) = expected.get(&variant) {
        view.set_expected(*expected);
    }
    view.set_variants(&alternatives, variant);
    view.set_notes(notes);
    view
}

/// How many jobs wait that came earlier.
fn n_ahead(job: &Job, state: &LedgerState) -> u32 {
    let is_ahead = |other: &&Job| {
        matches!(other.state, JobState::Runnable { .. })
            && (other.seq, other.id) < (job.seq, job.id)
    };
    u32::try_from(state.jobs.iter().filter(is_ahead).count()).unwrap_or(u32::MAX)
}
