//! What must be run in a random problem: the mixes that people have, from a few request sizes to one for each job.

use spillway_planner::problem::{JobLine, Offer};

use super::draw::Draw;

/// Where the sizes of jobs come from.
#[derive(Debug, Clone, Copy)]
enum Mix {
    /// The sizes that Fargate sells.
    Fargate,
    /// A few labels, as pipelines give them.
    Labels,
    /// Much memory for little CPU, On-Demand.
    Memory,
    /// GPUs for most.
    Gpus,
    /// Mostly small, sometimes very large, hardly two alike.
    HeavyTail,
    /// Just over a half or a third of a host.
    Awkward,
    /// From a grid, with nothing of some resources.
    Coarse,
}

const MIXES: [Mix; 7] =
    [Mix::Fargate, Mix::Labels, Mix::Memory, Mix::Gpus, Mix::HeavyTail, Mix::Awkward, Mix::Coarse];

/// Up to so many lines of which every job fits something; never none if anything is on offer.
pub(crate) fn lines(draw: &mut Draw, offers: &[Offer], n: u32, count_max: u32) -> Vec<JobLine> {
    let mix = draw.one_of(&MIXES);
    let mut lines = Vec::new();
    for _ in 0..n {
        let line = line(draw, mix, offers, count_max);
        if offers.iter().any(|offer| holds(offer, &line)) {
            lines.push(line);
        }
    }
    if lines.is_empty() {
        lines.extend(offers.first().map(|offer| JobLine {
            count: 1,
            vcpus: offer.vcpus / 2.0,
            memory_mib: offer.memory_mib,
            gpus: offer.gpus,
            arch: offer.arch.clone(),
            spot_ok: offer.market == "spot",
        }));
    }
    lines
}

/// A mix of its own, sizes alone: vCPUs, MiB, GPUs.
fn line(draw: &mut Draw, mix: Mix, offers: &[Offer], count_max: u32) -> JobLine {
    let any = || "any".to_owned();
    let mut line = JobLine {
        count: draw.magnitude(count_max).min(count_max),
        vcpus: 1.0,
        memory_mib: 1024,
        gpus: 0,
        arch: if draw.percent(70) { any() } else { draw.one_of(&["x86_64", "arm64"]).to_owned() },
        spot_ok: draw.percent(75),
    };
    match mix {
        Mix::Fargate => {
            line.vcpus = draw.one_of(&[0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]);
            line.memory_mib = mib_for(line.vcpus, 512 * draw.between(4, 16));
        }
        Mix::Labels => {
            let label =
                draw.one_of(&[(1.0, 6), (2.0, 12), (6.0, 36), (12.0, 72), (2.0, 200), (4.0, 16)]);
            (line.vcpus, line.memory_mib) = (label.0, label.1 * 1024);
        }
        Mix::Memory => {
            line.vcpus = draw.one_of(&[0.25, 0.5, 1.0, 2.0]);
            line.memory_mib = mib_for(line.vcpus, draw.between(6000, 40_000));
            line.spot_ok = false;
        }
        Mix::Gpus => {
            line.gpus = draw.one_of(&[0, 1, 1, 1, 2, 4, 8]);
            line.vcpus = f64::from(draw.between(1, 12));
            line.memory_mib = 1024 * draw.between(2, 48);
        }
        Mix::HeavyTail => {
            line.vcpus = f64::from(draw.magnitude(64)) / f64::from(draw.between(1, 5));
            line.memory_mib = 64 * draw.magnitude(2048);
        }
        Mix::Awkward => {
            let offer = &offers[draw.index(offers.len())];
            let parts = draw.between(2, 4);
            line.vcpus = (offer.vcpus / f64::from(parts) + 0.001).min(offer.vcpus);
            line.memory_mib = (offer.memory_mib / draw.between(2, 4) + 1).min(offer.memory_mib);
        }
        Mix::Coarse => {
            line.vcpus = draw.one_of(&[0.0, 0.25, 0.3, 1.0, 1.001, 1.5, 4.0]);
            line.memory_mib = draw.one_of(&[1, 512, 1024, 1900, 4000, 16_384]);
            line.gpus = draw.one_of(&[0, 0, 0, 1, 2]);
        }
    }
    line.vcpus = (line.vcpus * 1000.0).round() / 1000.0;
    line
}

/// So many MiB for every vCPU.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "a size of memory, far below 2^32"
)]
fn mib_for(vcpus: f64, per_vcpu: u32) -> u32 {
    (vcpus * f64::from(per_vcpu)).round() as u32
}

/// Whether a job alone may run on a host and fits.
pub(crate) fn holds(offer: &Offer, job: &JobLine) -> bool {
    (job.arch == "any" || job.arch == offer.arch)
        && (job.spot_ok || offer.market == "on-demand")
        && milli(job.vcpus) <= milli(offer.vcpus)
        && job.memory_mib <= offer.memory_mib
        && job.gpus <= offer.gpus
}

/// Thousandths: what problem files count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "a small number, not negative"
)]
pub(crate) fn milli(vcpus: f64) -> u64 {
    (vcpus * 1000.0).round() as u64
}
