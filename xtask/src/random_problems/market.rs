//! What can be bought in a random problem: families in sizes, zones with prices of their own, both markets; or amounts
//! from a coarse grid, so that jobs often fit exactly, tie, or miss by one unit.

use std::collections::BTreeSet;

use spillway_planner::problem::Offer;

use super::draw::Draw;

/// At least one offering, of which no two are the same type, market and zone.
pub(crate) fn offers(draw: &mut Draw, families_max: u32) -> Vec<Offer> {
    let mut offers = if draw.percent(25) { Vec::new() } else { families(draw, families_max) };
    if offers.is_empty() {
        offers = coarse(draw, families_max * 4);
    }
    offers
}

/// As EC2 sells: a price per vCPU for each family, sizes in proportion, Spot at a part of it that differs everywhere.
fn families(draw: &mut Draw, n_max: u32) -> Vec<Offer> {
    let mut offers = Vec::new();
    let zones = &["us-east-1a", "us-east-1b", "us-east-1c"][..=usize::from(draw.percent(60))];
    let largest = draw.one_of(&[8, 32, 96, 192]);
    for family in 0..draw.between(1, n_max) {
        // vCPUs, GiB of memory per vCPU, GPUs, of the smallest size.
        let (vcpus, gib, gpus) = draw.one_of(&[
            (1, 2, 0),
            (1, 4, 0),
            (2, 2, 0),
            (2, 4, 0),
            (2, 8, 0),
            (4, 4, 1),
            (8, 8, 1),
            (2, 16, 0),
        ]);
        let arch = if draw.percent(40) && gpus == 0 { "arm64" } else { "x86_64" };
        // Hundred-thousandths of a dollar per vCPU and hour.
        let level = draw.between(2500, 4500) + 400 * gib + 40_000 * gpus;
        let is_spot_too = draw.percent(85);
        // What the system keeps for itself.
        let kept_percent = draw.between(3, 8);
        for size in [1, 2, 4, 8, 12, 16, 24, 48, 96] {
            let vcpus = vcpus * size;
            if largest < vcpus || draw.percent(25) {
                continue;
            }
            let on_demand = level * vcpus;
            for az in zones {
                let offer = |market: &str, price: u32| Offer {
                    instance_type: format!("m{family}.{size}xlarge"),
                    market: market.to_owned(),
                    az: (*az).to_owned(),
                    vcpus: f64::from(vcpus),
                    memory_mib: vcpus * gib * 1024 / 100 * (100 - kept_percent),
                    gpus: gpus * size,
                    arch: arch.to_owned(),
                    usd_per_hour: f64::from(price) / 1e5,
                };
                offers.push(offer("on-demand", on_demand));
                if is_spot_too && draw.percent(90) {
                    offers.push(offer("spot", on_demand / 1000 * draw.between(150, 900)));
                }
            }
        }
    }
    offers
}

fn coarse(draw: &mut Draw, n_max: u32) -> Vec<Offer> {
    let mut seen = BTreeSet::new();
    let mut offers = Vec::new();
    for _ in 0..draw.between(1, n_max) {
        let (name, is_spot) = (draw.below(30), draw.percent(60));
        let vcpus = draw.one_of(&[0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]);
        let memory_mib = draw.one_of(&[1024, 1900, 3900, 4096, 7800, 16_384, 65_536]);
        let gpus = draw.one_of(&[0, 0, 0, 1, 4]);
        let micro = draw.below(2_000_000);
        if seen.insert((name, is_spot)) {
            offers.push(Offer {
                instance_type: format!("t{name}.large"),
                market: if is_spot { "spot" } else { "on-demand" }.to_owned(),
                az: "us-east-1a".to_owned(),
                vcpus,
                memory_mib,
                gpus,
                arch: draw.one_of(&["x86_64", "arm64"]).to_owned(),
                usd_per_hour: f64::from(micro) / 1e6,
            });
        }
    }
    offers
}
