//! What may be bought, as people and scripts see it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use spillway_core::{Extras, MicroUsdPerHour, Offering, Zone};

use crate::offers::ListedOffer;
use crate::output::{Lines, Page, Rows, View};
use crate::prices::PricesView;

/// The answer of `prices`.
#[derive(Debug, Serialize)]
pub struct PriceListView {
    /// Where they come from.
    pub prices: PricesView,
    /// What each host costs an hour beside its instance, in dollars, by zone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extras: BTreeMap<String, f64>,
    /// Each offering, at the price of its instance alone.
    pub offers: Vec<ListedOffer>,
    #[serde(skip)]
    extras_text: Option<String>,
    #[serde(skip)]
    rows: Vec<[String; 8]>,
}

impl PriceListView {
    /// Of these offerings.
    pub(crate) fn new<'a>(
        prices: PricesView,
        offerings: impl Iterator<Item = &'a Offering> + Clone,
        extras: &Extras,
    ) -> Self {
        let row = |offering: &Offering| {
            let Offering { pool, arch, gpu, capacity, price, .. } = offering;
            let price = price.saturating_sub(extras.of(&pool.zone));
            let gpus = gpu.map_or_else(String::new, |kind| format!("{} {kind}", capacity.gpus));
            let per_vcpu = price.get().saturating_mul(1024).checked_div(capacity.cpu.get().into());
            [
                pool.instance_type.clone(),
                pool.zone.to_string(),
                pool.market.to_string(),
                arch.to_string(),
                capacity.cpu.to_string(),
                capacity.memory.to_string(),
                gpus,
                format!("{price}, {} a vCPU", MicroUsdPerHour::new(per_vcpu.unwrap_or(0))),
            ]
        };
        let zones: BTreeSet<&Zone> = offerings.clone().map(|o| &o.pool.zone).collect();
        let of_zone = |zone: &&Zone| (zone.to_string(), extras.of(zone));
        let by_zone = zones.iter().map(of_zone).filter(|(_, price)| !price.is_zero());
        let what =
            "A host costs more than its instance, for its root volume and its public address";
        let extras_text = extras.told(zones.iter().copied()).map(|told| format!("{what}: {told}."));
        Self {
            prices,
            extras: by_zone.map(|(zone, price)| (zone, price.as_usd_f64())).collect(),
            extras_text,
            offers: offerings.clone().map(|o| ListedOffer::new(o, extras)).collect(),
            rows: offerings.map(row).collect(),
        }
    }
}

impl View for PriceListView {
    fn page(&self, page: &mut Page) {
        let header = ["TYPE", "ZONE", "MARKET", "ARCH", "VCPUS", "MEMORY", "GPUS", "PRICE"];
        let mut table = Rows::new(&header);
        for row in &self.rows {
            table.row(row.clone().map(Into::into));
        }
        page.table(table);
        if let Some(text) = &self.extras_text {
            page.line(text);
        }
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.offers.iter().try_for_each(|offer| lines.item(offer))
    }
}
