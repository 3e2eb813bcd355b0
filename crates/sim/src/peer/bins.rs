//! Hosts in the making, equal ones as one, and first fit into them.

use spillway_core::Resources;

use super::draft::{Group, Offer};

/// So many equal hosts, each with the same contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bin {
    pub(super) offer: Offer,
    /// What is free on each.
    pub(super) free: Resources,
    /// Groups by index, and how many of each on each host.
    pub(super) contents: Vec<(usize, u32)>,
    pub(super) count: u32,
}

impl Bin {
    pub(super) const fn new(offer: Offer, count: u32) -> Self {
        Self { offer, free: offer.capacity, contents: Vec::new(), count }
    }

    /// Puts `each` jobs of a group on every one of these hosts. They fit.
    pub(super) fn put(&mut self, at: usize, group: &Group, each: u32) {
        let need = group.need.checked_mul(each).unwrap_or(self.free);
        self.free = self.free.saturating_sub(&need);
        match self.contents.iter_mut().find(|(known, _)| *known == at) {
            Some((_, n)) => *n = n.saturating_add(each),
            None => self.contents.push((at, each)),
        }
    }

    /// The same hosts, fewer of them.
    fn part(&self, count: u32) -> Self {
        Self { count, ..self.clone() }
    }
}

/// Puts jobs of a group on the first hosts that have room, one after the other, exactly as if each host were looked at by itself;
/// takes them off the group.
pub(super) fn first_fit(bins: &mut Vec<Bin>, at: usize, group: &mut Group) {
    let mut place = 0;
    while 0 < group.count
        && let Some(bin) = bins.get_mut(place)
    {
        let each =
            if bin.offer.kind & group.kinds == 0 { 0 } else { group.need.times_in(&bin.free) };
        let each = each.min(group.count);
        place += 1;
        if each == 0 {
            continue;
        }
        let n_full = (group.count / each).min(bin.count);
        let rest = if n_full < bin.count { group.count % each } else { 0 };
        let untouched = bin.part(bin.count - n_full - u32::from(0 < rest));
        let mut partly = bin.part(1);
        bin.count = n_full;
        bin.put(at, group, each);
        group.count -= each * n_full;
        let mut next = place;
        if 0 < rest {
            partly.put(at, group, rest);
            group.count -= rest;
            bins.insert(next, partly);
            next += 1;
        }
        if 0 < untouched.count {
            bins.insert(next, untouched);
        }
    }
}

/// All jobs of these groups (by index, in this order) on hosts of one offering by first fit. None if one fits on none.
pub(super) fn first_fit_decreasing(
    offer: Offer,
    groups: &[Group],
    order: &[usize],
) -> Option<Vec<Bin>> {
    let mut bins = Vec::new();
    for at in order {
        let mut group = *groups.get(*at)?;
        if !offer.holds(&group) {
            return None;
        }
        first_fit(&mut bins, *at, &mut group);
        open(&mut bins, offer, *at, &mut group);
    }
    Some(bins)
}

/// New hosts for all that is left of a group; each holds at least one.
pub(super) fn open(bins: &mut Vec<Bin>, offer: Offer, at: usize, group: &mut Group) {
    let each = group.need.times_in(&offer.capacity).min(group.count);
    let n_full = group.count.checked_div(each).unwrap_or(0);
    let rest = group.count.checked_rem(each).unwrap_or(0);
    for (each, count) in [(each, n_full), (rest, u32::from(0 < rest))] {
        if 0 < count {
            let mut bin = Bin::new(offer, count);
            bin.put(at, group, each);
            bins.push(bin);
        }
    }
    group.count = 0;
}
