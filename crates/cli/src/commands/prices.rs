//! `spillway prices`: what may be bought, and for how much. Buys nothing.

use anyhow::Result;
use clap::Args;

use crate::context::Context;
use crate::exit::ExitStatus;
use crate::prices::{self, PriceArgs};
use crate::views::prices::PriceListView;

pub(crate) const LONG_ABOUT: &str = "\
Lists everything that may be bought: each type in each zone and market, what tasks can use of it, and its price per hour now. What \
`offerings` of the configuration leaves out is left out. Prices are the account's (On-Demand of the Price List, Spot of now), or those \
you say.

As JSON it is a price list that `spillway simulate --prices FILE` takes, so that a simulation is held at the prices of an account and \
a day.

Examples:
  spillway prices --builtin-prices
  spillway prices --format json > today.json && spillway simulate s.toml --prices today.json --compare
  spillway prices --format json | jq -r '.offers | min_by(.usd_per_hour / .vcpus).type'";

/// Flags of `prices`.
#[derive(Debug, Args)]
pub struct PricesArgs {
    /// Where prices come from
    #[command(flatten)]
    pub prices: PriceArgs,
}

/// Lists them.
pub async fn run(args: &PricesArgs, context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    let (catalog, prices) = prices::catalog(&args.prices.choice(), config).await?;
    let filter = config.engine().offerings;
    let offerings = catalog.offerings().iter().filter(|offering| filter.allows(offering));
    context.output.show(&PriceListView::new(prices, offerings, catalog.extras()))?;
    Ok(ExitStatus::Ok)
}
