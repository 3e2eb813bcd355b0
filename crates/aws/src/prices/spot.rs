//! What Spot costs now, by type and zone.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{InstanceType as SdkInstanceType, SpotPrice};
use jiff::Timestamp;
use spillway_core::catalog::InstanceType;
use spillway_core::effect::CallResult;
use spillway_core::{Market, MicroUsdPerHour, Zone};

use super::assemble::Prices;
use super::types::TypeQuery;
use crate::{call, convert, limits};

/// Linux in a VPC and Linux outside one are two products with one price; old types are listed under the one, new ones
/// under the other (EC2 API reference, `DescribeSpotPriceHistory`).
const PRODUCTS: [&str; 2] = ["Linux/UNIX", "Linux/UNIX (Amazon VPC)"];

/// The current prices. A history that starts now holds the last change of each pool.
pub(super) async fn history(client: &Client, query: &TypeQuery) -> CallResult<Prices> {
    let filters = query.type_filter().into_iter().chain([query.zone_filter("availability-zone")]);
    let mut pages = client
        .describe_spot_price_history()
        .start_time(convert::sdk_time(Timestamp::now()))
        .set_product_descriptions(Some(PRODUCTS.map(str::to_owned).to_vec()))
        .set_filters(Some(filters.collect()))
        .into_paginator()
        .page_size(limits::EC2_PAGE)
        .send();
    let mut newest = Newest::default();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call::sort("ec2:DescribeSpotPriceHistory", &error))?;
        for line in page.spot_price_history() {
            newest.take(line);
        }
    }
    Ok(newest.prices())
}

/// Of several prices of a pool the newest.
#[derive(Debug, Default)]
struct Newest(BTreeMap<(InstanceType, Zone), (Timestamp, MicroUsdPerHour)>);

impl Newest {
    /// Lines without a usable type, zone or price are skipped.
    fn take(&mut self, line: &SpotPrice) {
        let name = line.instance_type().map(SdkInstanceType::as_str);
        let zone = line.availability_zone().and_then(|zone| zone.parse::<Zone>().ok());
        let price = line.spot_price().and_then(|p| p.parse::<MicroUsdPerHour>().ok());
        let price = price.filter(|price| *price != MicroUsdPerHour::ZERO);
        let (Some(name), Some(zone), Some(price)) = (name, zone, price) else { return };
        let at = line.timestamp().and_then(convert::timestamp).unwrap_or(Timestamp::MIN);
        let entry = self.0.entry((name.to_owned(), zone)).or_insert((at, price));
        if entry.0 < at {
            *entry = (at, price);
        }
    }

    fn prices(self) -> Prices {
        let mut prices = Prices::default();
        for ((instance_type, zone), (_, price)) in self.0 {
            prices.insert(Market::Spot, &instance_type, Some(zone), price);
        }
        prices
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;
    use spillway_core::catalog::PoolId;

    use super::*;

    fn line(price: &str, at: i64) -> SpotPrice {
        SpotPrice::builder()
            .instance_type(SdkInstanceType::from("c5.large"))
            .availability_zone("us-east-1a")
            .spot_price(price)
            .timestamp(DateTime::from_secs(at))
            .build()
    }

    #[test]
    fn the_newest_price_of_a_pool_counts_in_whatever_order_they_come() {
        let mut newest = Newest::default();
        for (price, at) in [("0.031", 20), ("0.030000", 30), ("0.05", 10)] {
            newest.take(&line(price, at));
        }

        let pool = PoolId {
            instance_type: "c5.large".into(),
            zone: "us-east-1a".parse().unwrap(),
            market: Market::Spot,
        };
        assert_eq!(newest.prices().get(&pool), Some(MicroUsdPerHour::new(30_000)));
    }

    #[test]
    fn a_line_without_a_price_is_skipped() {
        let mut newest = Newest::default();

        newest.take(&line("free", 1));
        newest.take(&line("0", 1));

        assert_eq!(newest.prices().len(), 0);
    }
}
