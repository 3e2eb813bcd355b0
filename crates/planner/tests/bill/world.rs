//! Small problems with durations, from a coarse grid, so that jobs often fit exactly, tie, or miss by one unit.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use spillway_planner::bill::{TimeRules, TimedJobLine, TimedProblem};
use spillway_planner::problem::Offer;

/// A Spot offering of x86 in the first zone.
pub(crate) fn offer(name: &str, vcpus: f64, memory_mib: u32, usd_per_hour: f64) -> Offer {
    Offer {
        instance_type: name.to_owned(),
        market: "spot".to_owned(),
        az: "us-east-1a".to_owned(),
        vcpus,
        memory_mib,
        gpus: 0,
        arch: "x86_64".to_owned(),
        usd_per_hour,
    }
}

/// Jobs of any architecture and market.
pub(crate) fn jobs(count: u32, vcpus: f64, memory_mib: u32, duration_s: f64) -> TimedJobLine {
    let arch = "any".to_owned();
    TimedJobLine { count, vcpus, memory_mib, gpus: 0, arch, spot_ok: true, duration_s }
}

fn offers(n_max: usize) -> impl Strategy<Value = Vec<Offer>> {
    let size = (
        select(vec![0.0, 1.0, 2.0, 4.0, 16.0]),
        select(vec![1024_u32, 1900, 4096, 65_536]),
        select(vec![0_u32, 0, 0, 1, 4]),
    );
    let pool = (0_u8..6, any::<bool>(), any::<bool>(), 0_u32..2_000_000);
    vec((size, pool), 1..=n_max).prop_map(|drawn| {
        let mut seen = BTreeSet::new();
        let mut offers = Vec::new();
        for ((vcpus, memory_mib, gpus), (name, is_spot, is_arm, micro)) in drawn {
            if seen.insert((name, is_spot)) {
                offers.push(Offer {
                    gpus,
                    market: if is_spot { "spot" } else { "on-demand" }.to_owned(),
                    arch: if is_arm { "arm64" } else { "x86_64" }.to_owned(),
                    ..offer(&format!("t{name}"), vcpus, memory_mib, f64::from(micro) / 1e6)
                });
            }
        }
        offers
    })
}

fn job_lines(n_max: usize, count_max: u32) -> impl Strategy<Value = Vec<TimedJobLine>> {
    let need = (
        select(vec![0.0, 0.25, 0.3, 1.0, 1.5, 4.0]),
        select(vec![1_u32, 512, 1024, 1900, 4000]),
        select(vec![0_u32, 0, 0, 1, 2]),
    );
    let rest = (
        1..=count_max,
        select(vec!["any", "any", "x86_64", "arm64"]),
        any::<bool>(),
        select(vec![0.0, 1.0, 7.0, 50.0, 100.0, 110.0, 400.0]),
    );
    vec((need, rest), 0..=n_max).prop_map(|drawn| {
        let mut lines = Vec::new();
        for ((vcpus, memory_mib, gpus), (count, arch, spot_ok, secs)) in drawn {
            let line = jobs(count, vcpus, memory_mib, secs);
            lines.push(TimedJobLine { gpus, arch: arch.to_owned(), spot_ok, ..line });
        }
        lines
    })
}

/// Problems in which every job fits something and can end in time.
pub(crate) fn problems(
    n_offers: usize,
    n_lines: usize,
    count_max: u32,
) -> impl Strategy<Value = TimedProblem> {
    let rules = (
        select(vec![0.0, 10.0, 90.0]),
        select(vec![0.0, 60.0]),
        select(vec![150.0, 500.0, 2000.0]),
    );
    (offers(n_offers), job_lines(n_lines, count_max), rules).prop_map(
        |(offers, mut jobs, (boot_s, min_billed_s, deadline_s))| {
            jobs.retain(|job| {
                boot_s + job.duration_s <= deadline_s && offers.iter().any(|o| holds(o, job))
            });
            TimedProblem { offers, jobs, time: TimeRules { boot_s, min_billed_s, deadline_s } }
        },
    )
}

/// Whether a job alone may run on a host and fits.
pub(crate) fn holds(offer: &Offer, job: &TimedJobLine) -> bool {
    (job.arch == "any" || job.arch == offer.arch)
        && (job.spot_ok || offer.market == "on-demand")
        && job.vcpus <= offer.vcpus
        && job.memory_mib <= offer.memory_mib
        && job.gpus <= offer.gpus
}
