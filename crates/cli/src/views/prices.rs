//! What may be bought, as people and scripts see it.

use serde::Serialize;
use spillway_core::{MicroUsdPerHour, Offering};

use crate::offers::ListedOffer;
use crate::output::{Lines, Page, Rows, View};
use crate::prices::PricesView;

/// The answer of `prices`.
#[derive(Debug, Serialize)]
pub struct PriceListView {
    /// Where they come from.
    pub prices: PricesView,
    /// Each offering.
    pub offers: Vec<ListedOffer>,
    #[serde(skip)]
    rows: Vec<[String; 8]>,
}

impl PriceListView {
    /// Of these offerings.
    pub(crate) fn new<'a>(
        prices: PricesView,
        offerings: impl Iterator<Item = &'a Offering> + Clone,
    ) -> Self {
        let row = |offering: &Offering| {
            let Offering { pool, arch, gpu, capacity, price, .. } = offering;
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
        Self {
            prices,
            offers: offerings.clone().map(ListedOffer::from).collect(),
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
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.offers.iter().try_for_each(|offer| lines.item(offer))
    }
}
