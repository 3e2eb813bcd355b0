//! Offerings and prices of one region: which types exist, which zones have them, what they cost in each market.

mod assemble;
mod file;
mod on_demand;
mod spot;
mod types;

use std::collections::BTreeSet;

use aws_sdk_ec2::Client;
use jiff::Timestamp;
use spillway_core::effect::CallResult;
use spillway_core::port::PriceFeed;
use spillway_core::{Catalog, Extras, MicroUsd, MicroUsdPerHour, Zone, cost};
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
    hosts: ExtrasSettings,
    volume: Cache<(), Option<MicroUsd>>,
}

/// What the operator says of what hosts have beside their instances.
#[derive(Debug)]
struct ExtrasSettings {
    root_volume_gib: Option<u32>,
    volume_price: Option<MicroUsd>,
    public_address_price: MicroUsdPerHour,
}

impl ExtrasSettings {
    /// Their price in each zone: a volume everywhere, at `listed` for a GiB and a month where the operator says nothing, and an
    /// address where the subnet gives one.
    fn price(&self, listed: Option<MicroUsd>, with_address: &BTreeSet<Zone>) -> Extras {
        let gib = self.root_volume_gib.unwrap_or(cost::ROOT_VOLUME_GIB_DEFAULT);
        let price = self.volume_price.or(listed).unwrap_or(cost::VOLUME_PRICE_DEFAULT);
        let volume = cost::volume_price(gib, price);
        let with_one = volume.saturating_add(self.public_address_price);
        let in_zone = with_address.iter().map(|zone| (zone.clone(), with_one)).collect();
        Extras { elsewhere: volume, in_zone }
    }
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
            hosts: ExtrasSettings {
                root_volume_gib: settings.root_volume_gib,
                volume_price: settings.volume_price,
                public_address_price: settings.public_address_price,
            },
            volume: Cache::new(limits::TYPES_LIFETIME),
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

    /// What a GiB of a root volume costs a month by the price list. Nothing waits for it: it is cents beside what instances cost.
    async fn volume_price(&self) -> Option<MicroUsd> {
        if self.hosts.volume_price.is_some() {
            return None;
        }
        if let Some(known) = self.volume.get(&()) {
            return known;
        }
        match self.source.volume_price(&self.region).await {
            Ok(price) => {
                self.volume.put((), price);
                price
            }
            Err(error) => {
                warn!(%error, "the price of volumes cannot be read; the last one stays");
                self.volume.get_stale(&()).flatten()
            }
        }
    }
}

impl PriceFeed for AwsPrices {
    async fn catalog(&self) -> CallResult<Catalog> {
        let subnets = self.subnets.of_hosts().await?;
        let is_wanted = |zone: &String| self.zones.is_empty() || self.zones.contains(zone);
        let query = TypeQuery {
            patterns: self.instance_types.clone(),
            zones: subnets.by_zone.keys().map(ToString::to_string).filter(is_wanted).collect(),
        };
        // Dozens of pages, and nothing can be planned before they are read.
        let (types, listed, history, volume) = tokio::join!(
            self.types(&query),
            self.source.read(&self.region),
            spot::history(&self.client, &query),
            self.volume_price()
        );
        let (types, zones) = types?;
        let listed = kept(&self.on_demand, listed, "On-Demand")?;
        let mut prices = kept(&self.spot, history, "Spot")?;
        // What the operator wrote counts more than what EC2 says.
        prices.extend(listed);
        let catalog = assemble::catalog(Timestamp::now(), &types, &zones, &prices);
        let catalog = catalog.with_extras(self.hosts.price(volume, &subnets.with_address));
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
    fn a_host_pays_for_its_volume_and_for_an_address_where_it_gets_one() {
        let hosts = ExtrasSettings {
            root_volume_gib: None,
            volume_price: None,
            public_address_price: cost::PUBLIC_ADDRESS_PRICE,
        };
        let zone = |name: &str| name.parse::<Zone>().unwrap();
        let public = BTreeSet::from([zone("us-east-1a")]);
        let prices =
            |extras: Extras| ["us-east-1a", "us-east-1b"].map(|name| extras.of(&zone(name)).get());

        assert_eq!(prices(hosts.price(None, &public)), [8_288, 3_288]);
        assert_eq!(prices(hosts.price(Some(MicroUsd::new(160_000)), &public)), [11_576, 6_576]);
        let said = MicroUsd::new(73_000);
        let hosts =
            ExtrasSettings { root_volume_gib: Some(100), volume_price: Some(said), ..hosts };
        assert_eq!(prices(hosts.price(Some(MicroUsd::new(160_000)), &public)), [15_000, 10_000]);
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
