//! Where a plan's prices come from. It must never leave unsaid which they were.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use spillway_core::Catalog;

use crate::config::Config;

/// Which prices to plan with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceChoice {
    /// What the account is offered now.
    Account,
    /// The list that comes with Spillway.
    BuiltIn,
    /// What a scenario's world sells.
    World(PathBuf),
}

/// Which prices were used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PricesView {
    /// Their source, for people.
    pub source: String,
    /// When they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// How many offerings they have, after `offerings.*` of the configuration.
    pub n_offerings: usize,
}

/// Where `plan` and `why` take prices from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct PriceArgs {
    /// Take the prices of what a scenario's world sells
    #[arg(long, value_name = "SCENARIO", conflicts_with = "builtin_prices")]
    pub world: Option<PathBuf>,
    /// Take the price list that comes with Spillway (us-east-1; Spot prices are typical ones)
    #[arg(long)]
    pub builtin_prices: bool,
}

impl PriceArgs {
    /// What the flags say.
    pub fn choice(&self) -> PriceChoice {
        match (&self.world, self.builtin_prices) {
            (Some(path), _) => PriceChoice::World(path.clone()),
            (None, true) => PriceChoice::BuiltIn,
            (None, false) => PriceChoice::Account,
        }
    }
}

/// Everything on offer by the prices chosen, what the configuration leaves out of it included.
pub async fn catalog(choice: &PriceChoice, config: &Config) -> Result<(Catalog, PricesView)> {
    let now = Timestamp::now();
    let (catalog, source) = match choice {
        PriceChoice::Account => account(config).await?,
        PriceChoice::BuiltIn => {
            let catalog = spillway_sim::catalog::built_in(now);
            (catalog.with_extras(config.hosts.extras()), "built-in price list".to_owned())
        }
        PriceChoice::World(path) => {
            let scenario = crate::world::scenario(path)?;
            (crate::world::catalog(&scenario, now), format!("the world of {}", path.display()))
        }
    };
    let filter = config.engine().offerings;
    let n_offerings = catalog.offerings().iter().filter(|o| filter.allows(o)).count();
    let view = PricesView { source, as_of: catalog.as_of, n_offerings };
    Ok((catalog, view))
}

#[cfg(feature = "aws")]
async fn account(config: &Config) -> Result<(Catalog, String)> {
    crate::cloud::catalog(config).await
}

#[cfg(not(feature = "aws"))]
async fn account(_: &Config) -> Result<(Catalog, String)> {
    std::future::ready(Err(crate::cloudless::complaint("read prices").into())).await
}
