//! A price list in a file: what `spillway prices` prints and `spillway simulate --prices` reads. Its lines are the offers of a benchmark
//! problem, so a problem is a price list too.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use spillway_core::gpu::GpuKind;
use spillway_core::{Extras, Offering, PoolId, Zone};
use spillway_planner::problem::{Offer, Problem};

use crate::error::Complaint;
use crate::files;

/// One offering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedOffer {
    /// As a benchmark problem has it.
    #[serde(flatten)]
    pub offer: Offer,
    /// The kind of its GPUs, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_kind: Option<GpuKind>,
}

impl ListedOffer {
    /// Of an offering whose price has `extras` in it; the list has that of the instance alone.
    pub(crate) fn new(offering: &Offering, extras: &Extras) -> Self {
        let Offering { pool, arch, gpu, capacity, price, .. } = offering;
        let price = price.saturating_sub(extras.of(&pool.zone));
        Self {
            offer: Offer {
                instance_type: pool.instance_type.clone(),
                market: pool.market.to_string(),
                az: pool.zone.to_string(),
                vcpus: f64::from(capacity.cpu.get()) / 1024.0,
                memory_mib: capacity.memory.get(),
                gpus: capacity.gpus,
                arch: arch.to_string(),
                usd_per_hour: price.as_usd_f64(),
            },
            gpu_kind: *gpu,
        }
    }
}

/// What a file holds; what else is in it is passed over.
#[derive(Debug, Deserialize)]
struct PriceList {
    /// Dollars an hour, by zone.
    #[serde(default)]
    extras: BTreeMap<Zone, f64>,
    offers: Vec<ListedOffer>,
}

/// What a price list says.
#[derive(Debug, Clone)]
pub(crate) struct Offers {
    /// What is on offer, at the prices of instances alone.
    pub(crate) offerings: Vec<Offering>,
    /// What a host costs beside its instance, in the zones for which that is said.
    pub(crate) extras: Extras,
}

/// Reads a price list. Fails with a complaint that names the file, and the offer that is wrong.
pub(crate) fn read(path: &Path) -> Result<Offers, Complaint> {
    let shown = path.display();
    let wrong = |error: &dyn std::fmt::Display| {
        let hint = "`spillway prices --format json` prints a price list";
        Complaint::usage(format!("{shown}: {error}")).hint(hint)
    };
    let text = files::read(path)?;
    let mut json = serde_json::Deserializer::from_str(&text);
    let list: PriceList = serde_path_to_error::deserialize(&mut json).map_err(|e| wrong(&e))?;
    if list.offers.is_empty() {
        return Err(wrong(&"it offers nothing"));
    }
    let mut extras = Extras::default();
    for (zone, usd) in list.extras {
        let price = format!("{usd:.6}").parse();
        let price = price.map_err(|e| wrong(&format!("extras.{zone}: {e}")))?;
        extras.in_zone.insert(zone, price);
    }
    let kinds = list.offers.iter().map(|listed| listed.gpu_kind).collect::<Vec<_>>();
    let offers: Vec<Offer> = list.offers.into_iter().map(|listed| listed.offer).collect();
    let pool = |offer: &Offer| {
        let (zone, market) = (offer.az.parse().ok()?, offer.market.parse().ok()?);
        Some(PoolId { instance_type: offer.instance_type.clone(), zone, market })
    };
    let kinds: BTreeMap<Option<PoolId>, Option<GpuKind>> =
        offers.iter().map(pool).zip(kinds).collect();
    let input = Problem { offers, jobs: Vec::new() }.to_input().map_err(|e| wrong(&e))?;
    let with_kind = |offering: &Offering| {
        let gpu = kinds.get(&Some(offering.pool.clone())).copied().flatten();
        Offering { gpu, ..offering.clone() }
    };
    let offerings = input.catalog.offerings().iter().map(with_kind).collect();
    Ok(Offers { offerings, extras })
}
