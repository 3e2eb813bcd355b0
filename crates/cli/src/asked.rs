//! What the dispatcher would ask the planner now, with everything on offer beside it. Reads only.

use anyhow::Result;
use jiff::Timestamp;
use spillway_core::plan::Effort;
use spillway_core::{Catalog, DemandKey, Job, LedgerState, PlanInput, PlanPolicy};
use spillway_planner::explain::{Offered, Question};

use crate::config::Config;
use crate::prices::{self, PriceChoice, PricesView};
use crate::{ledger, live_plan};

/// The question, and the prices it is for.
pub(crate) struct Asked {
    pub(crate) question: Question,
    pub(crate) prices: PricesView,
}

/// Reads the ledger and the prices.
pub(crate) async fn ask(choice: &PriceChoice, effort: Effort, config: &Config) -> Result<Asked> {
    let state = ledger::reader(&config.ledger)?.state()?;
    let (all, prices) = prices::catalog(choice, config).await?;
    let question = question(&state, all, effort, config);
    Ok(Asked { question, prices })
}

/// The question for what the ledger holds and `all` that is on offer.
pub(crate) fn question(
    state: &LedgerState,
    all: Catalog,
    effort: Effort,
    config: &Config,
) -> Question {
    let engine = config.engine();
    let all = all.with_learned(&state.learned);
    let offered = Offered::new(all, |offering| engine.offerings.left_out_by(offering));
    let input = live_plan::question(state, offered.allowed(), &engine.limits, Timestamp::now());
    Question::new(input, PlanPolicy { effort, ..engine.plan }, offered)
}

/// The group a job belongs to in the question.
pub(crate) fn key(job: &Job) -> DemandKey {
    DemandKey::of(&job.spec)
}

/// How many jobs wait for a place.
pub(crate) fn n_jobs(input: &PlanInput) -> u32 {
    input.demands.iter().fold(0_u32, |sum, demand| sum.saturating_add(demand.count))
}
