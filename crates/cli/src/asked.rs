//! What the dispatcher would ask the planner now, with everything on offer beside it. Reads only.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::Timestamp;
use spillway_core::plan::Effort;
use spillway_core::{Catalog, Expectation, Job, LedgerState, PlanInput, PlanPolicy, VariantOrd};
use spillway_engine::{Engine, Standing};
use spillway_planner::explain::{self, Question};

use crate::config::Config;
use crate::ledger;
use crate::prices::{self, PriceChoice, PricesView};
use crate::views::burst::BurstView;

/// The question, and the prices it is for.
pub(crate) struct Asked {
    pub(crate) question: Question,
    pub(crate) prices: PricesView,
    /// What is held or approved, or would be held now; none if nothing has to be approved.
    pub(crate) burst: Option<BurstView>,
}

/// Reads the ledger and the prices.
pub(crate) async fn ask(choice: &PriceChoice, effort: Effort, config: &Config) -> Result<Asked> {
    let state = ledger::reader(config)?.state()?;
    let (all, prices) = prices::catalog(choice, config).await?;
    let now = Timestamp::now();
    let mut engine = Engine::new(config.engine(), state, now).with_prices(all.clone(), now);
    let wanted = engine.wanted_burst(now);
    let burst = BurstView::of(&engine, config, wanted);
    let input = engine.plan_input(now);
    Ok(Asked { question: with_all(&engine, input, effort, &all, config), prices, burst })
}

/// The question, where a job stands in it (nowhere if it does not wait for a place), and how long it is expected to run as each
/// of its alternatives.
pub(crate) fn ask_for(
    job: &Job,
    state: LedgerState,
    all: &Catalog,
    config: &Config,
) -> (Question, Option<Standing>, BTreeMap<VariantOrd, Expectation>) {
    let now = Timestamp::now();
    let engine = Engine::new(config.engine(), state, now).with_prices(all.clone(), now);
    let (input, standing) = engine.plan_input_for(now, job.id);
    let expected = |variant| (variant, engine.expectation(now, &job.spec, variant));
    let expected = job.spec.variant_ords().map(expected).collect();
    (with_all(&engine, input, Effort::Default, all, config), standing, expected)
}

fn with_all(
    engine: &Engine,
    input: PlanInput,
    effort: Effort,
    all: &Catalog,
    config: &Config,
) -> Question {
    let offerings = config.engine().offerings;
    let policy = PlanPolicy { effort, ..engine.plan_policy() };
    Question::new(input, policy, all, |offering| offerings.left_out_by(offering))
}

/// How many jobs wait for a place.
pub(crate) fn n_jobs(input: &PlanInput) -> u32 {
    u32::try_from(explain::n_jobs(input)).unwrap_or(u32::MAX)
}
