//! Offerings and prices of one region: which types exist, which zones have them, what they cost in each market.

mod assemble;
mod file;
mod on_demand;
mod spot;
mod types;

use aws_sdk_ec2::Client;
use jiff::Timestamp;
use spillway_core::Catalog;
use spillway_core::effect::CallResult;
use spillway_core::port::PriceFeed;
use tracing::{info, warn};

pub use file::PricesFileError;
pub(crate) use on_demand::Source;

use crate::cache::Cache;
use crate::ec2::Subnets;
use crate::limits;
use crate::settings::Settings;
use assemble::Prices;
use types::{TypeInfo, TypeQuery, ZonesByType};

/// Prices behind the port [`PriceFeed`].
#[derive(Debug)]
pub struct AwsPrices {
    client: Client,
    source: Source,
    region: String,
    subnets: Subnets,
    instance_types: Vec<String>,
    zones: Vec<String>,
    types: Cache<(), (Vec<TypeInfo>, ZonesByType)>,
    /// The last prices that were read: old ones are better than none.
    on_demand: Cache<(), Prices>,
    spot: Cache<(), Prices>,
}

impl AwsPrices {
    pub(crate) fn new(client: Client, source: Source, settings: &Settings, region: String) -> Self {
        Self {
            source,
            region,
            subnets: Subnets::new(client.clone(), settings.subnets.clone()),
            instance_types: settings.instance_types.clone(),
            zones: settings.zones.clone(),
            types: Cache::new(limits::TYPES_LIFETIME),
            on_demand: Cache::new(limits::TYPES_LIFETIME),
            spot: Cache::new(limits::TYPES_LIFETIME),
            client,
        }
    }

    /// Where On-Demand prices come from, for people.
    pub fn source(&self) -> String {
        self.source.to_string()
    }

    async fn types(&self, query: &TypeQuery) -> CallResult<(Vec<TypeInfo>, ZonesByType)> {
        if let Some(known) = self.types.get(&()) {
            return Ok(known);
        }
        let (types, zones) = tokio::try_join!(
            types::describe(&self.client, query),
            types::zones(&self.client, query)
        )?;
        self.types.put((), (types.clone(), zones.clone()));
        Ok((types, zones))
    }
}

impl PriceFeed for AwsPrices {
    async fn catalog(&self) -> CallResult<Catalog> {
        let subnets = self.subnets.by_zone().await?;
        let is_wanted = |zone: &String| self.zones.is_empty() || self.zones.contains(zone);
        let query = TypeQuery {
            patterns: self.instance_types.clone(),
            zones: subnets.keys().map(ToString::to_string).filter(is_wanted).collect(),
        };
        // Dozens of pages, and nothing can be planned before they are read.
        let (types, listed, history) = tokio::join!(
            self.types(&query),
            self.source.read(&self.region),
            spot::history(&self.client, &query)
        );
        let (types, zones) = types?;
        let listed = kept(&self.on_demand, listed, "On-Demand")?;
        let mut prices = kept(&self.spot, history, "Spot")?;
        // What the operator wrote counts more than what EC2 says.
        prices.extend(listed);
        let catalog = assemble::catalog(Timestamp::now(), &types, &zones, &prices);
        info!(
            types = types.len(),
            zones = query.zones.len(),
            offerings = catalog.offerings().len(),
            "read offerings and prices"
        );
        Ok(catalog)
    }
}

/// The new prices, or, if they could not be read, the last ones.
fn kept(cache: &Cache<(), Prices>, read: CallResult<Prices>, market: &str) -> CallResult<Prices> {
    match read {
        Ok(prices) => {
            cache.put((), prices.clone());
            Ok(prices)
        }
        Err(error) => {
            let Some(old) = cache.get_stale(&()) else { return Err(error) };
            warn!(%error, market, "prices cannot be read; the last ones stay");
            Ok(old)
        }
    }
}

/// Whether `name` matches one of `patterns`; a trailing `*` matches the rest, and no patterns match everything.
fn is_asked_for(patterns: &[String], name: &str) -> bool {
    let matches = |pattern: &String| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    };
    patterns.is_empty() || patterns.iter().any(matches)
}

#[cfg(test)]
mod tests {
    use spillway_core::CloudError;

    use super::*;

    #[test]
    fn patterns_end_in_a_star_or_name_one_type() {
        let patterns = ["c7*".to_owned(), "m5.large".to_owned()];

        assert!(is_asked_for(&patterns, "c7g.large") && is_asked_for(&patterns, "m5.large"));
        assert!(!is_asked_for(&patterns, "m5.xlarge"));
        assert!(is_asked_for(&[], "anything"));
    }

    #[test]
    fn old_prices_stay_when_new_ones_cannot_be_read() {
        let failed = || {
            let action = "pricing:GetProducts".to_owned();
            Err(CloudError::Unsettled { action, detail: String::new() })
        };
        let cache = Cache::new(limits::TYPES_LIFETIME);

        assert!(kept(&cache, failed(), "On-Demand").is_err());
        assert!(kept(&cache, Ok(Prices::default()), "On-Demand").is_ok());
        assert!(kept(&cache, failed(), "On-Demand").is_ok());
    }
}
