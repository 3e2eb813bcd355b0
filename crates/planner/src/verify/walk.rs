//! One host: the proof that nothing that fits on it is worth more than a limit.
//!
//! A witness gives prices of a unit of each resource. At any such prices `u`, whatever is put into a room is worth at
//! most what the room costs plus what jobs are worth beyond what they take: `u room + sum max(0, v_i - u need_i) n_i`
//! (Lagrange). GPUs are few, so the second part is worked out exactly for every number of free GPUs. Where that is
//! more than the limit, the walk looks at every number of jobs of the next shape, and so on, until every branch is
//! closed. The order of the shapes follows from the witness; the walk decides nothing.
//!
//! The number of branches is known beforehand and limited, so a walk always ends. All of it is in integers, and nothing
//! is rounded: see [`FINE`].

use super::terms::{Amounts, DIMS};

/// Prices of a vCPU, a GiB and a GPU, in picodollars (10^-12 dollars) per hour.
pub(crate) type UnitPrices = [u64; DIMS];

/// What resources cost and contents are worth is counted in 1/1,024,000 of a picodollar per hour: amounts are
/// thousandths of a vCPU and 1,024ths of a GiB.
pub(crate) const FINE: u128 = 1000 * 1024;

/// Jobs of one shape that may be put on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) need: Amounts,
    /// How many at most: what there are, and what fits.
    pub(crate) most: u64,
    /// What each is worth, in picodollars per hour.
    pub(crate) worth: u64,
}

/// What a walk has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walked {
    /// The branches it took.
    pub(crate) branches: u64,
    /// No content is worth more than this, in picodollars per hour, rounded up.
    pub(crate) most: u128,
}

/// Why a walk proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Astray {
    /// A content is worth more than the limit: so many picodollars per hour.
    TooGood(u128),
    /// More branches than were said.
    TooLong,
    /// Unit prices at which the host costs more than can be counted, or none at all.
    BadPrices,
}

/// Free GPUs beyond which their number is priced like the other resources: no EC2 host has more than 16.
const GPUS_COUNTED_MAX: u64 = 32;

/// Places to remember rooms in.
const SEEN_SLOTS: usize = 4096;

/// Walks through all contents of a host that could be worth more than `limit`, in picodollars per hour.
pub(crate) fn walk(
    room: &Amounts,
    mut items: Vec<Item>,
    prices: &[UnitPrices],
    limit: u128,
    branches_max: u64,
) -> Result<Walked, Astray> {
    let first = prices.first().ok_or(Astray::BadPrices)?;
    items.retain(|item| 0 < item.most && 0 < item.worth);
    let highest = items.iter().map(|item| u128::from(item.worth)).max().unwrap_or(0);
    for units in prices {
        // What comes below multiplies the one with the other.
        cost(units, room).checked_mul(highest).ok_or(Astray::BadPrices)?;
    }
    let room = &useful(room, &items);
    let limit = limit.checked_mul(FINE).ok_or(Astray::BadPrices)?;
    // Most worth for what it takes first: a/b > c/d is a*d > c*b.
    let weight = |item: &Item| cost(first, &item.need);
    items.sort_by(|a, b| {
        let (left, right) = (u128::from(b.worth) * weight(a), u128::from(a.worth) * weight(b));
        left.cmp(&right).then_with(|| (a.need, a.worth, a.most).cmp(&(b.need, b.worth, b.most)))
    });
    let bounds = Bounds::new(room, &items, prices);
    Walk { items, bounds, limit, seen: vec![Seen::default(); SEEN_SLOTS] }.run(room, branches_max)
}

/// A room, cut to what all the items need together.
pub(crate) fn useful(room: &Amounts, items: &[Item]) -> Amounts {
    let mut all: Amounts = [0; DIMS];
    for item in items {
        for (sum, need) in all.iter_mut().zip(item.need) {
            *sum = sum.saturating_add(need.saturating_mul(item.most));
        }
    }
    [room[0].min(all[0]), room[1].min(all[1]), room[2].min(all[2])]
}

/// What an amount costs, in the fine unit.
pub(crate) fn cost(units: &UnitPrices, amounts: &Amounts) -> u128 {
    const PARTS: [u128; DIMS] = [FINE / 1000, FINE / 1024, FINE];
    let of_dim = |((unit, n), part): ((&u64, &u64), u128)| {
        (u128::from(*unit) * u128::from(*n)).saturating_mul(part)
    };
    units.iter().zip(amounts).zip(PARTS).map(of_dim).fold(0, u128::saturating_add)
}

/// What so many jobs of an item are worth, in the fine unit.
fn worth(item: &Item, n: u64) -> u128 {
    (u128::from(item.worth) * u128::from(n)).saturating_mul(FINE)
}

/// Bounds on what items from some place on add to a room.
struct Bounds {
    beyond: Vec<Priced>,
    first: UnitPrices,
    /// For each place, what all items before it cost at the first prices and what they are worth.
    before: Vec<(u128, u128)>,
}

/// What jobs are worth beyond what they take at some prices.
struct Priced {
    units: UnitPrices,
    /// For each place among the items and each number of free GPUs.
    beyond: Vec<Vec<u128>>,
}

impl Bounds {
    fn new(room: &Amounts, items: &[Item], prices: &[UnitPrices]) -> Self {
        let [_, _, gpus] = *room;
        let n_gpus = if gpus <= GPUS_COUNTED_MAX { usize::try_from(gpus).unwrap_or(0) } else { 0 };
        let is_counted = gpus <= GPUS_COUNTED_MAX;
        let beyond = prices.iter().map(|units| Priced::new(*units, items, n_gpus, is_counted));
        let first = prices.first().copied().unwrap_or_default();
        let mut before = Vec::with_capacity(items.len() + 1);
        let (mut weight, mut worth) = (0_u128, 0_u128);
        before.push((weight, worth));
        for item in items {
            let most = u128::from(item.most);
            weight = weight.saturating_add(cost(&first, &item.need).saturating_mul(most));
            worth = worth.saturating_add(self::worth(item, item.most));
            before.push((weight, worth));
        }
        Self { beyond: beyond.collect(), first, before }
    }

    /// No more than this is added by items from `at` on.
    fn at(&self, at: usize, free: &Amounts, items: &[Item]) -> u128 {
        let of_prices = |priced: &Priced| priced.at(at, free);
        let least = self.beyond.iter().map(of_prices).min().unwrap_or(u128::MAX);
        least.min(self.by_density(at, free, items))
    }

    /// All dimensions as one, at the first prices: the items in their order, the last one in part (Dantzig).
    fn by_density(&self, at: usize, free: &Amounts, items: &[Item]) -> u128 {
        let Some((weight, worth)) = self.before.get(at).copied() else { return 0 };
        let room = weight.saturating_add(cost(&self.first, free));
        let n_whole = self.before.partition_point(|(weight, _)| *weight <= room);
        let Some((used, gained)) = n_whole.checked_sub(1).and_then(|n| self.before.get(n)) else {
            return u128::MAX;
        };
        let part = items.get(n_whole - 1).map_or(0, |item| {
            let weight = cost(&self.first, &item.need).max(1);
            (u128::from(item.worth) * (room - used)).div_ceil(weight).saturating_mul(FINE)
        });
        (gained - worth).saturating_add(part)
    }
}

impl Priced {
    fn new(units: UnitPrices, items: &[Item], n_gpus: usize, is_counted: bool) -> Self {
        let mut beyond = vec![vec![0; n_gpus + 1]; items.len() + 1];
        let mut later = vec![0_u128; n_gpus + 1];
        for (slot, item) in beyond.iter_mut().zip(items).rev() {
            let more = worth(item, 1).saturating_sub(cost(&units, &item.need));
            let [_, _, gpus] = item.need;
            let gpus = if is_counted { usize::try_from(gpus).unwrap_or(usize::MAX) } else { 0 };
            for (free, best) in slot.iter_mut().enumerate() {
                *best = match free.checked_div(gpus) {
                    None => later[free].saturating_add(more.saturating_mul(item.most.into())),
                    Some(fits) => {
                        let most = fits.min(usize::try_from(item.most).unwrap_or(usize::MAX));
                        let gain =
                            |n: usize| more.saturating_mul(n.try_into().unwrap_or(u128::MAX));
                        let with = |n: usize| later[free - n * gpus].saturating_add(gain(n));
                        (0..=most).map(with).max().unwrap_or(0)
                    }
                };
            }
            later.clone_from(slot);
        }
        Self { units, beyond }
    }

    fn at(&self, at: usize, free: &Amounts) -> u128 {
        let Some(by_gpus) = self.beyond.get(at) else { return 0 };
        let [_, _, gpus] = *free;
        let gpus = usize::try_from(gpus).unwrap_or(usize::MAX).min(by_gpus.len() - 1);
        by_gpus[gpus].saturating_add(cost(&self.units, free))
    }
}

/// A room that some items have met, and with how much worth beside it.
#[derive(Clone, Default)]
struct Seen {
    is_set: bool,
    at: usize,
    free: Amounts,
    worth: u128,
}

struct Walk {
    items: Vec<Item>,
    bounds: Bounds,
    limit: u128,
    seen: Vec<Seen>,
}

impl Walk {
    fn run(mut self, room: &Amounts, branches_max: u64) -> Result<Walked, Astray> {
        let mut most = self.bounds.at(0, room, &self.items);
        let mut branches: u64 = 0;
        let mut open = Vec::new();
        if self.limit < most {
            open.push((0, *room, 0));
            most = 0;
        }
        while let Some((mut at, free, worth)) = open.pop() {
            if self.limit < worth {
                return Err(Astray::TooGood(worth / FINE));
            }
            // What does not fit any more is passed over.
            while self.items.get(at).is_some_and(|item| fitting(item, &free) == 0) {
                at += 1;
            }
            let Some(item) = self.items.get(at).cloned() else {
                most = most.max(worth);
                continue;
            };
            if self.has_seen(at, &free, worth) {
                continue;
            }
            for n in 0..=fitting(&item, &free) {
                branches += 1;
                if branches_max < branches {
                    return Err(Astray::TooLong);
                }
                let mut rest = free;
                for (rest, need) in rest.iter_mut().zip(item.need) {
                    *rest -= need * n;
                }
                let worth = worth.saturating_add(self::worth(&item, n));
                let bound = worth.saturating_add(self.bounds.at(at + 1, &rest, &self.items));
                if self.limit < bound {
                    open.push((at + 1, rest, worth));
                } else {
                    most = most.max(bound);
                }
            }
        }
        Ok(Walked { branches, most: most.div_ceil(FINE) })
    }

    /// Whether the items from `at` on have met this room with no less worth before: nothing new can come of it.
    fn has_seen(&mut self, at: usize, free: &Amounts, worth: u128) -> bool {
        let mut mixed: u64 = u64::try_from(at).unwrap_or(0);
        for n in free {
            mixed = (mixed ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        }
        let n_slots = u64::try_from(SEEN_SLOTS).unwrap_or(1);
        let slot = usize::try_from(mixed % n_slots).unwrap_or(0);
        let Some(seen) = self.seen.get_mut(slot) else { return false };
        if seen.is_set && seen.at == at && seen.free == *free && worth <= seen.worth {
            return true;
        }
        *seen = Seen { is_set: true, at, free: *free, worth };
        false
    }
}

/// How many jobs of an item fit into a room.
fn fitting(item: &Item, free: &Amounts) -> u64 {
    let of_dim = |(need, free): (&u64, &u64)| free.checked_div(*need).unwrap_or(u64::MAX);
    let fits = item.need.iter().zip(free).map(of_dim).min().unwrap_or(0);
    fits.min(item.most)
}
