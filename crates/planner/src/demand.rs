//! Demand as the solver sees it: groups that may share every host are one shape.
//!
//! The expected duration tells two groups apart but not what they need now, so the solver counts them together;
//! [`crate::deal`] tells them apart again, groups of like duration side by side.

use std::cmp::Reverse;

use spillway_core::plan::{Demand, DemandKey};
use spillway_core::{Arch, Market};

use crate::amount::{Amount, Total};

/// The four kinds of host that differ in what may run on them.
pub(crate) const CLASSES: [(Arch, Market); 4] = [
    (Arch::X86_64, Market::OnDemand),
    (Arch::X86_64, Market::Spot),
    (Arch::Arm64, Market::OnDemand),
    (Arch::Arm64, Market::Spot),
];

/// The index of a host's kind in [`CLASSES`].
pub(crate) const fn class_of(arch: Arch, market: Market) -> usize {
    match (arch, market) {
        (Arch::X86_64, Market::OnDemand) => 0,
        (Arch::X86_64, Market::Spot) => 1,
        (Arch::Arm64, Market::OnDemand) => 2,
        (Arch::Arm64, Market::Spot) => 3,
    }
}

/// The kinds of host a job may run on: bit `i` stands for `CLASSES[i]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClassSet(u8);

impl ClassSet {
    pub(crate) const ALL: Self = Self(0b1111);

    pub(crate) fn of(key: &DemandKey) -> Self {
        let mut bits = 0;
        for (class, (arch, market)) in CLASSES.into_iter().enumerate() {
            if key.allows(arch, market) {
                bits |= 1 << class;
            }
        }
        Self(bits)
    }

    pub(crate) const fn has(self, class: usize) -> bool {
        self.0 >> class & 1 == 1
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
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

/// What all jobs together need that may run on each kind of host.
pub(crate) fn totals(shapes: &[Shape], left: &[u64]) -> [Total; 4] {
    let mut totals = [Total::default(); 4];
    for (shape, left) in shapes.iter().zip(left) {
        for (class, total) in totals.iter_mut().enumerate() {
            if shape.classes.has(class) {
                total.add(&shape.need, *left);
            }
        }
    }
    totals
}
