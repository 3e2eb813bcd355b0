//! Demand as the solver sees it: groups that may share every host are one shape.
//!
//! The expected duration tells two groups apart but not what they need now, so the solver counts them together;
//! [`crate::deal`] tells them apart again, groups of like duration side by side.

use std::cmp::Reverse;

use spillway_core::plan::{Demand, DemandKey};
use spillway_core::{Arch, GpuKind, GpuKinds, HostTraits, Market};

use crate::amount::{Amount, Total};

/// How many classes of host there are: architecture, market and kind of GPU.
pub(crate) const N_CLASSES: usize = N_WAYS * (GpuKind::ALL.len() + 1);

/// Architecture and market, the lowest part of a class.
const N_WAYS: usize = 4;

/// The index of a host's class.
pub(crate) fn class_of(host: HostTraits) -> usize {
    let way = match (host.arch, host.market) {
        (Arch::X86_64, Market::OnDemand) => 0,
        (Arch::X86_64, Market::Spot) => 1,
        (Arch::Arm64, Market::OnDemand) => 2,
        (Arch::Arm64, Market::Spot) => 3,
    };
    way + N_WAYS * GpuKind::code_of(host.gpu)
}

/// The architecture of a class.
pub(crate) const fn arch_of(class: usize) -> Arch {
    if class % N_WAYS < 2 { Arch::X86_64 } else { Arch::Arm64 }
}

/// Whether hosts of both are of one architecture and bought in one market: one launch may be served by either.
pub(crate) const fn are_bought_alike(class: usize, other: usize) -> bool {
    class % N_WAYS == other % N_WAYS
}

/// The classes of host a job may run on: some architectures in some markets, with some kinds of GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClassSet {
    /// One bit for each architecture in each market.
    ways: u8,
    gpus: GpuKinds,
}

impl ClassSet {
    pub(crate) const ALL: Self = Self { ways: 0b1111, gpus: GpuKinds::ANY };

    pub(crate) fn of(key: &DemandKey) -> Self {
        let mut ways = 0;
        for arch in Arch::ALL {
            for market in [Market::OnDemand, Market::Spot] {
                let is_arch = key.arch.is_none_or(|wanted| wanted == arch);
                if is_arch && key.market.allows(market) {
                    ways |= 1 << class_of(HostTraits { arch, market, gpu: None });
                }
            }
        }
        Self { ways, gpus: key.gpu_kinds }
    }

    pub(crate) const fn has(self, class: usize) -> bool {
        self.ways >> (class % N_WAYS) & 1 == 1 && self.gpus.has_code(class / N_WAYS)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self { ways: self.ways & other.ways, gpus: self.gpus.and(other.gpus) }
    }
}

/// So many jobs of one group that have no place yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unplaced {
    pub(crate) key: DemandKey,
    pub(crate) count: u32,
}

/// The demand in the order of its keys, each once.
pub(crate) fn merged(demands: &[Demand]) -> Vec<Unplaced> {
    let mut sorted = demands.to_vec();
    sorted.sort_unstable();
    let mut merged: Vec<Unplaced> = Vec::new();
    for demand in sorted {
        match merged.last_mut() {
            Some(last) if last.key == demand.key => {
                last.count = last.count.saturating_add(demand.count);
            }
            _ => merged.push(Unplaced { key: demand.key, count: demand.count }),
        }
    }
    merged
}

/// Jobs that need the same and may run on the same hosts.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) need: Amount,
    pub(crate) classes: ClassSet,
    /// How many, over all groups.
    pub(crate) count: u64,
    /// The groups: those that run longest first, those of unknown duration last.
    pub(crate) groups: Vec<Unplaced>,
}

/// The shapes of what has no place yet.
pub(crate) fn shapes(unplaced: &[Unplaced]) -> Vec<Shape> {
    let mut groups: Vec<(ClassSet, Amount, Unplaced)> = Vec::new();
    for group in unplaced {
        if 0 < group.count {
            groups.push((ClassSet::of(&group.key), Amount::of(&group.key.need), *group));
        }
    }
    groups.sort_by_key(|(classes, need, g)| (*classes, *need, Reverse(g.key.expected_secs), g.key));
    let mut shapes: Vec<Shape> = Vec::new();
    for (classes, need, group) in groups {
        let count = u64::from(group.count);
        match shapes.last_mut() {
            Some(last) if last.classes == classes && last.need == need => {
                last.count = last.count.saturating_add(count);
                last.groups.push(group);
            }
            _ => shapes.push(Shape { need, classes, count, groups: vec![group] }),
        }
    }
    shapes
}

/// What all jobs together need, by the classes of host they may run on.
pub(crate) struct Totals(Vec<(ClassSet, Total)>);

impl Totals {
    /// Of so many jobs of each shape.
    pub(crate) fn of(shapes: &[Shape], counts: impl IntoIterator<Item = u64>) -> Self {
        let mut totals: Vec<(ClassSet, Total)> = Vec::new();
        for (shape, count) in shapes.iter().zip(counts) {
            let at = totals.iter().position(|(classes, _)| *classes == shape.classes);
            let at = at.unwrap_or_else(|| {
                totals.push((shape.classes, Total::default()));
                totals.len() - 1
            });
            totals[at].1.add(&shape.need, count);
        }
        Self(totals)
    }

    /// Of those that may run on a class of host: no host of it can use more.
    pub(crate) fn on(&self, class: usize) -> Amount {
        let mut sum = Total::default();
        for (_, total) in self.0.iter().filter(|(classes, _)| classes.has(class)) {
            sum.add_all(total);
        }
        sum.clipped()
    }

    /// Whether any job may run on a class of host.
    pub(crate) fn has(&self, class: usize) -> bool {
        self.0.iter().any(|(classes, _)| classes.has(class))
    }

    /// Whether every job that may run on one class may run on the other too.
    pub(crate) fn may_stand_in(&self, other: usize, class: usize) -> bool {
        class == other
            || self.0.iter().all(|(classes, _)| !classes.has(class) || classes.has(other))
    }
}
