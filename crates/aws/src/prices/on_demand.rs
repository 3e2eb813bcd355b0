//! What On-Demand costs: from AWS's price list, or from a file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use aws_config::{Region, SdkConfig};
use aws_sdk_pricing::Client;
use aws_sdk_pricing::types::{Filter, FilterType};
use serde::Deserialize;
use spillway_core::effect::CallResult;
use spillway_core::error::chain;
use spillway_core::{CloudError, Market, MicroUsd, MicroUsdPerHour};

use super::assemble::Prices;
use super::file::{self, PricesFileError};
use crate::codes::Kind;
use crate::{call, limits};

const ACTION: &str = "pricing:GetProducts";

/// The price list is served in few regions; this one is always open to accounts of the `aws` partition (Price List API
/// reference, "Endpoints").
const PRICE_LIST_REGION: &str = "us-east-1";

/// Where On-Demand prices come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The Price List API.
    PriceList(Client),
    /// A file, read again each time.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PriceList(_) => f.write_str("AWS price list"),
            Self::File(path) => write!(f, "prices of {}", path.display()),
        }
    }
}

impl Source {
    pub(crate) fn price_list(sdk: &SdkConfig) -> Self {
        let config = aws_sdk_pricing::config::Builder::from(sdk);
        let config = config.region(Region::from_static(PRICE_LIST_REGION)).build();
        Self::PriceList(Client::from_conf(config))
    }

    /// A file that can be used now.
    pub(crate) fn file(path: PathBuf, region: &str) -> Result<Self, PricesFileError> {
        file::read(&path, region)?;
        Ok(Self::File(path))
    }

    /// What a GiB of gp3 costs a month; none from a file, which does not say, or where the list has none.
    pub(super) async fn volume_price(&self, region: &str) -> CallResult<Option<MicroUsd>> {
        let Self::PriceList(client) = self else { return Ok(None) };
        let listed = products(client, filters(&volumes(region))).await?;
        Ok(listed.iter().filter_map(|product| volume_price(product)).min())
    }

    pub(super) async fn read(&self, region: &str) -> CallResult<Prices> {
        match self {
            Self::PriceList(client) => list(client, region).await.map_err(with_way_out),
            Self::File(path) => file::read(path, region).map_err(|error| {
                call::cloud_error(Kind::Misconfigured, "prices-file", chain(&error))
            }),
        }
    }
}

/// Whoever may not read the price list can bring one.
fn with_way_out(error: CloudError) -> CloudError {
    match error {
        CloudError::Denied { action, detail } => CloudError::Denied {
            action,
            detail: format!("{detail} (or set prices-file to a file with prices)"),
        },
        other @ (CloudError::Unsettled { .. }
        | CloudError::Throttled { .. }
        | CloudError::Quota { .. }
        | CloudError::Misconfigured { .. }
        | CloudError::Invalid { .. }
        | CloudError::Conflict { .. }) => other,
    }
}

/// Linux without software, on shared hardware, not in a capacity reservation.
async fn list(client: &Client, region: &str) -> CallResult<Prices> {
    let mut prices = Prices::default();
    for product in products(client, filters(&instances(region))).await? {
        if let Some((instance_type, price)) = instance_price(&product) {
            prices.insert(Market::OnDemand, &instance_type, None, price);
        }
    }
    if prices.len() == 0 {
        let detail = format!("the price list has no USD prices for {region}; set prices-file");
        return Err(call::cloud_error(Kind::Misconfigured, ACTION, detail));
    }
    Ok(prices)
}

const fn instances(region: &str) -> [(&'static str, &str); 6] {
    [
        ("regionCode", region),
        ("operatingSystem", "Linux"),
        ("preInstalledSw", "NA"),
        ("capacitystatus", "Used"),
        ("marketoption", "OnDemand"),
        ("tenancy", "Shared"),
    ]
}

/// What hosts have as root volume.
const fn volumes(region: &str) -> [(&'static str, &str); 3] {
    [("regionCode", region), ("productFamily", "Storage"), ("volumeApiName", "gp3")]
}

fn filters(fields: &[(&str, &str)]) -> Vec<Filter> {
    let filter = |(field, value): &(&str, &str)| {
        Filter::builder().r#type(FilterType::TermMatch).field(*field).value(*value).build().ok()
    };
    fields.iter().filter_map(filter).collect()
}

/// The entries of EC2's list that pass all `filters`, each as JSON.
async fn products(client: &Client, filters: Vec<Filter>) -> CallResult<Vec<String>> {
    let mut pages = client
        .get_products()
        .service_code("AmazonEC2")
        .set_filters(Some(filters))
        .into_paginator()
        .page_size(limits::PRODUCTS_PAGE)
        .send();
    let mut products = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call::sort(ACTION, &error))?;
        products.extend(page.price_list.unwrap_or_default());
    }
    Ok(products)
}

/// One entry of the price list, as far as it matters ("Reading the price list", `terms` by offer and rate code).
#[derive(Deserialize)]
struct Entry {
    product: Product,
    terms: Terms,
}

#[derive(Deserialize)]
struct Product {
    attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    instance_type: Option<String>,
}

#[derive(Deserialize)]
struct Terms {
    #[serde(rename = "OnDemand")]
    on_demand: std::collections::BTreeMap<String, Term>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    price_dimensions: std::collections::BTreeMap<String, Rate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rate {
    unit: String,
    price_per_unit: PricePerUnit,
}

#[derive(Deserialize)]
struct PricePerUnit {
    #[serde(rename = "USD")]
    usd: Option<String>,
}

impl Entry {
    /// The least price for a `unit` in dollars, as it is written; none for other currencies, other units and zero prices.
    fn price<T: FromStr + Ord + Default>(&self, unit: &str) -> Option<T> {
        let rates = self.terms.on_demand.values().flat_map(|term| term.price_dimensions.values());
        let rates = rates.filter(|rate| rate.unit == unit);
        let prices = rates.filter_map(|rate| rate.price_per_unit.usd.as_ref()?.parse().ok());
        prices.filter(|price| *price != T::default()).min()
    }
}

/// Type and price of an entry; none for the zero prices of types not sold yet.
fn instance_price(json: &str) -> Option<(String, MicroUsdPerHour)> {
    let entry: Entry = serde_json::from_str(json).ok()?;
    let price = entry.price("Hrs")?;
    Some((entry.product.attributes.instance_type?, price))
}

/// What a GiB of an entry costs a month. EC2 says `GB` and means GiB (Amazon EBS pricing).
fn volume_price(json: &str) -> Option<MicroUsd> {
    serde_json::from_str::<Entry>(json).ok()?.price("GB-Mo")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(unit: &str, price_per_unit: &str) -> String {
        format!(
            r#"{{"product": {{"productFamily": "Compute Instance", "attributes": {{"instanceType": "c5.large",
            "vcpu": "2"}}, "sku": "S"}}, "serviceCode": "AmazonEC2", "terms": {{"OnDemand": {{"S.JRTCKXETXF":
            {{"priceDimensions": {{"S.JRTCKXETXF.6YS6EN2CT7": {{"unit": "{unit}", "endRange": "Inf",
            "pricePerUnit": {price_per_unit}}}}}, "sku": "S", "termAttributes": {{}}}}}}}}}}"#
        )
    }

    #[test]
    fn a_product_has_one_hourly_price() {
        let price = instance_price(&entry("Hrs", r#"{"USD": "0.0850000000"}"#));

        assert_eq!(price, Some(("c5.large".into(), MicroUsdPerHour::new(85_000))));
    }

    #[test]
    fn other_currencies_units_and_free_types_have_none() {
        assert_eq!(instance_price(&entry("Hrs", r#"{"CNY": "0.5"}"#)), None);
        assert_eq!(instance_price(&entry("Quantity", r#"{"USD": "0.5"}"#)), None);
        assert_eq!(instance_price(&entry("Hrs", r#"{"USD": "0.0000000000"}"#)), None);
        assert_eq!(instance_price("{}"), None);
    }

    #[test]
    fn a_volume_has_a_price_for_a_gib_and_a_month() {
        let listed = r#"{"product": {"productFamily": "Storage", "attributes": {"volumeApiName": "gp3",
            "usagetype": "EBS:VolumeUsage.gp3"}, "sku": "V"}, "serviceCode": "AmazonEC2", "terms": {"OnDemand":
            {"V.JRTCKXETXF": {"priceDimensions": {"V.JRTCKXETXF.6YS6EN2CT7": {"unit": "GB-Mo", "endRange": "Inf",
            "pricePerUnit": {"USD": "0.0880000000"}}}, "sku": "V", "termAttributes": {}}}}}"#;

        assert_eq!(volume_price(listed), Some(MicroUsd::new(88_000)));
        assert_eq!(instance_price(listed), None);
        assert_eq!(volume_price(&entry("Hrs", r#"{"USD": "0.0850000000"}"#)), None);
    }

    #[test]
    fn the_list_is_asked_for_plain_linux() {
        let filters = filters(&instances("eu-west-1"));

        assert_eq!(filters.len(), 6);
        assert!(filters.iter().any(|f| f.field() == "regionCode" && f.value() == "eu-west-1"));
    }

    #[test]
    fn who_may_not_read_the_list_is_told_of_the_file() {
        let denied = CloudError::Denied { action: ACTION.into(), detail: "no".into() };

        assert!(with_way_out(denied).to_string().contains("prices-file"));
    }
}
