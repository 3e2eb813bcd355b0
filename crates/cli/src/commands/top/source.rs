//! Reads one view after the other. Prices are read more seldom than the ledger.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use spillway_core::Catalog;
use tokio::runtime::Handle;

use super::gather;
use super::reading::Reading;
use crate::config::Config;
use crate::ledger;
use crate::prices::{self, PriceChoice, PricesView};
use crate::views::top::TopView;

/// Spot prices change a few times a day.
const PRICES_FOR: Duration = Duration::from_mins(10);

/// Prices, or why there are none.
type Prices = Result<(Catalog, PricesView), String>;

/// Where views come from.
pub(super) struct Source {
    config: Config,
    choice: PriceChoice,
    prices: Option<(Instant, Prices)>,
    runtime: Handle,
}

impl Source {
    /// Must be called within the runtime.
    pub(super) fn new(config: Config, choice: PriceChoice) -> Self {
        Self { config, choice, prices: None, runtime: Handle::current() }
    }

    /// Reads the ledger, and prices if they are old. Blocks.
    pub(super) fn read(&mut self) -> Result<TopView> {
        let _within = self.runtime.enter();
        let reader = ledger::reader(&self.config)?;
        let reading = Reading::of(reader.as_ref(), Timestamp::now())?;
        let known = self.prices.take().filter(|(read_at, _)| read_at.elapsed() < PRICES_FOR);
        let (read_at, prices) = known.unwrap_or_else(|| (Instant::now(), self.read_prices()));
        let view = gather::view(reading, &self.config, prices.as_ref().map_err(String::as_str));
        self.prices = Some((read_at, prices));
        Ok(view)
    }

    fn read_prices(&self) -> Prices {
        let asked = prices::catalog(&self.choice, &self.config);
        let answer = tokio::task::block_in_place(|| self.runtime.block_on(asked));
        answer.map_err(|error| format!("{error:#}"))
    }
}
