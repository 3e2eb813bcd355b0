//! Karpenter's provisioner: pods first-fit decreasing (CPU, then memory) into planned nodes, each of which is not a type but the set
//! of types that still hold it; the cheapest type of the set is launched.
//!
//! From its sources (`scheduling/queue.go`, `scheduler.go`, `instance/filter`): a pod goes to an existing node, else to a planned node
//! that can take it, those with the fewest pods first, else to a new one. Types with GPUs are left out where nothing needs them. Spot
//! is taken where it is on offer, unless it is dearer than the cheapest On-Demand type of the set. Prices play no part before the
//! launch: a node grows until not even the largest type holds more, which is what makes its hosts large.
//!
//! Kinder than the product: pods that are equal are looked at together; the launch gets the cheapest pool of the set, where EC2's
//! `price-capacity-optimized` may take a dearer one; memory is known as it will be registered. Not modelled: consolidation of nodes that
//! are not empty, which evicts pods and is switched off for batch jobs (`karpenter.sh/do-not-disrupt`).

use std::cmp::Reverse;

use spillway_core::{CpuUnits, Resources};

use super::draft::{Draft, Group, Kinds, Offer, SPOT};

/// So many equal planned nodes.
#[derive(Debug, Clone)]
struct Node {
    /// The kinds of host that all its pods allow.
    kinds: Kinds,
    load: Resources,
    contents: Vec<(usize, u32)>,
    n_pods: u64,
    count: u32,
}

/// How an operator has set it up.
#[derive(Clone, Copy)]
struct Setup {
    /// Pods that may run on Spot go to a pool of their own where that holds them, instead of one pool for all.
    has_spot_pool: bool,
    /// The most vCPUs of a node.
    cpu_max: CpuUnits,
}

/// One pool of nodes, as installed: a node that takes a pod for On-Demand only becomes an On-Demand node, whatever else is on it.
pub(super) fn buy(draft: &mut Draft<'_>) {
    buy_with(draft, Setup { has_spot_pool: false, cpu_max: CpuUnits::new(u32::MAX) });
}

/// A pool for each market and nodes of at most 64 vCPUs, as careful operators set it up. What no such node holds gets the cheapest
/// host that does.
pub(super) fn buy_in_two_pools(draft: &mut Draft<'_>) {
    buy_with(draft, Setup { has_spot_pool: true, cpu_max: CpuUnits::from_vcpus(64) });
}

const ANY: Kinds = Kinds::MAX;

fn buy_with(draft: &mut Draft<'_>, setup: Setup) {
    let is_small_enough = |offer: &&Offer| offer.capacity.cpu <= setup.cpu_max;
    let types = Types::new(draft.offers.iter().filter(is_small_enough).copied().collect());
    let mut order: Vec<usize> = (0..draft.groups.len()).collect();
    order.sort_by_key(|at| {
        draft.groups.get(*at).map(|g| Reverse((g.need.cpu, g.need.memory, g.need.gpus)))
    });
    let mut nodes: Vec<Node> = Vec::new();
    for at in order {
        let Some(mut group) = draft.groups.get(at).copied() else { continue };
        let is_on_spot = |offer: &Offer| offer.kind & SPOT != 0 && offer.holds(&group);
        if setup.has_spot_pool && types.offers.iter().any(is_on_spot) {
            group.kinds &= SPOT;
        }
        let group = &group;
        let mut left = group.count;
        nodes.sort_by_key(|node| node.n_pods);
        let mut place = 0;
        while 0 < left
            && let Some(node) = nodes.get(place)
        {
            let parts = node.with(at, group, &types, &mut left);
            let n_parts = parts.len();
            nodes.splice(place..=place, parts);
            place += n_parts;
        }
        let empty = |count| Node {
            kinds: ANY,
            load: Resources::ZERO,
            contents: Vec::new(),
            n_pods: 0,
            count,
        };
        while 0 < left && 0 < types.room(&empty(1), group) {
            let before = left;
            let each = types.room(&empty(1), group).min(left);
            let parts = empty((left / each).max(1)).with(at, group, &types, &mut left);
            nodes.extend(parts.into_iter().filter(|node| 0 < node.n_pods));
            debug_assert!(left < before, "a new node takes at least one pod");
        }
    }
    for node in nodes {
        if let Some(offer) = types.cheapest(&node) {
            draft.buy(offer, &node.contents, node.count);
        }
    }
}

impl Node {
    /// The same nodes with pods of a group: those that are filled with them, one that takes the rest, those that stay as they are.
    fn with(&self, at: usize, group: &Group, types: &Types, left: &mut u32) -> Vec<Self> {
        let each = types.room(self, group).min(*left);
        let n_full = left.checked_div(each).unwrap_or(0).min(self.count);
        let rest = if n_full < self.count { left.checked_rem(each).unwrap_or(0) } else { 0 };
        let n_partly = u32::from(0 < rest);
        *left -= each * n_full + rest;
        let parts = [(n_full, each), (n_partly, rest), (self.count - n_full - n_partly, 0)];
        let parts = parts.into_iter().filter(|(count, _)| 0 < *count);
        parts.map(|(count, each)| self.part(count, at, group, each)).collect()
    }

    fn part(&self, count: u32, at: usize, group: &Group, each: u32) -> Self {
        let mut part = Self { count, ..self.clone() };
        if 0 < each {
            let need = group.need.checked_mul(each).unwrap_or(group.need);
            part.load = part.load.checked_add(&need).unwrap_or(part.load);
            part.kinds &= group.kinds;
            part.contents.push((at, each));
            part.n_pods += u64::from(each);
        }
        part
    }
}

/// All offerings, and for each kind those that no other of the kind exceeds: enough to tell what still fits.
struct Types {
    offers: Vec<Offer>,
    largest: Vec<Offer>,
}

impl Types {
    fn new(offers: Vec<Offer>) -> Self {
        let mut by_size = offers.clone();
        by_size.sort_by_key(|o| {
            (
                o.kind,
                o.capacity.gpus == 0,
                Reverse((o.capacity.cpu, o.capacity.memory, o.capacity.gpus)),
            )
        });
        let mut largest: Vec<Offer> = Vec::new();
        for offer in by_size {
            let is_exceeded = |other: &Offer| {
                let same = other.kind == offer.kind
                    && (other.capacity.gpus == 0) == (offer.capacity.gpus == 0);
                same && offer.capacity.fits(&other.capacity)
            };
            if !largest.iter().any(is_exceeded) {
                largest.push(offer);
            }
        }
        Self { offers, largest }
    }

    /// How many pods of a group some type of the node's set still takes.
    fn room(&self, node: &Node, group: &Group) -> u32 {
        let kinds = node.kinds & group.kinds;
        let needs_gpu = 0 < node.load.gpus || 0 < group.need.gpus;
        let mut most = 0;
        for offer in &self.largest {
            let is_exotic = 0 < offer.capacity.gpus && !needs_gpu;
            if offer.kind & kinds != 0
                && !is_exotic
                && let Some(free) = offer.capacity.checked_sub(&node.load)
            {
                most = most.max(group.need.times_in(&free));
            }
        }
        most
    }

    /// The cheapest offering of the node's set: a Spot one if there is any that is not dearer than On-Demand.
    fn cheapest(&self, node: &Node) -> Option<Offer> {
        let mut set: Vec<&Offer> = Vec::new();
        for offer in &self.offers {
            let is_exotic = 0 < offer.capacity.gpus && node.load.gpus == 0;
            if offer.kind & node.kinds != 0 && !is_exotic && node.load.fits(&offer.capacity) {
                set.push(offer);
            }
        }
        set.into_iter().min_by_key(|o| (o.price, o.kind & SPOT == 0, o.at)).copied()
    }
}
