//! Unit prices under which what fits into a room is worth as little as possible beyond what it takes: suggestions, in
//! floats. The verifier's walk says in integers what they are good for.

use crate::amount::{score_of, whole_of};
use crate::verify::Amounts;
use crate::verify::walk::{Item, UnitPrices};

/// Picodollars per hour for a vCPU, a GiB and a GPU; and amounts of these.
type Units = [f64; 3];

/// By how much prices are changed, coarse first.
const STEPS: [f64; 4] = [2.5, 1.4, 1.1, 1.02];

/// Sweeps over all directions for each step.
const SWEEPS_MAX: usize = 4;

/// One price, or two against each other: one alone would get stuck in the creases of the bound.
const DIRECTIONS: [[i32; 3]; 12] = [
    [1, 0, 0],
    [-1, 0, 0],
    [0, 1, 0],
    [0, -1, 0],
    [0, 0, 1],
    [0, 0, -1],
    [1, -1, 0],
    [-1, 1, 0],
    [1, 0, -1],
    [-1, 0, 1],
    [0, 1, -1],
    [0, -1, 1],
];

/// Free GPUs up to which their number is counted exactly, as the verifier does.
const GPUS_COUNTED_MAX: u64 = 32;

/// A host, or what is left of one.
pub(super) struct Room {
    pub(super) amounts: Amounts,
    /// Whether jobs are counted exactly by their GPUs; otherwise GPUs have a price like all else.
    pub(super) counts_gpus: bool,
}

/// What the search of prices needs to know of a host's items.
pub(super) struct Tuner {
    items: Vec<(f64, Units, f64, usize)>,
    /// Pieces of work done.
    pub(super) steps: u64,
}

impl Tuner {
    pub(super) fn new(items: &[Item]) -> Self {
        let of_item = |item: &Item| {
            let gpus = usize::try_from(item.need[2]).unwrap_or(usize::MAX);
            let need = item.need.map(score_of);
            let need = [need[0] / 1000.0, need[1] / 1024.0, need[2]];
            (score_of(item.worth), need, score_of(item.most), gpus)
        };
        Self { items: items.iter().map(of_item).collect(), steps: 0 }
    }

    /// The best unit prices for a room that can be found from `start` on; good enough once they are below the goal.
    pub(super) fn tuned(&mut self, room: &Room, start: Option<Units>, goal: f64) -> Units {
        let [_, _, gpus] = room.amounts;
        let is_counted = room.counts_gpus && 0 < gpus && gpus <= GPUS_COUNTED_MAX;
        let room = room.amounts.map(score_of);
        let room = [room[0] / 1000.0, room[1] / 1024.0, room[2]];
        let mut units = start.unwrap_or_else(|| room.map(|n| 1e9 / n.max(1e-6)));
        for (unit, room) in units.iter_mut().zip(room) {
            *unit = if room <= 0.0 { 0.0 } else { *unit };
        }
        if start.is_none() {
            self.rescale(&room, &mut units);
        }
        if is_counted {
            units[2] = 0.0;
        }
        let mut least = self.bound(&room, &units, is_counted);
        for step in STEPS {
            for _ in 0..SWEEPS_MAX {
                let before = least;
                if least < goal {
                    return units;
                }
                for direction in DIRECTIONS {
                    let is_idle =
                        direction.iter().zip(units).all(|(d, unit)| *d == 0 || unit <= 0.0);
                    if is_idle {
                        continue;
                    }
                    let mut tried = units;
                    for (unit, exponent) in tried.iter_mut().zip(direction) {
                        *unit *= f64::powi(step, exponent);
                    }
                    if !is_counted {
                        self.rescale(&room, &mut tried);
                    }
                    let bound = self.bound(&room, &tried, is_counted);
                    if bound < least {
                        (least, units) = (bound, tried);
                    }
                }
                if before * (1.0 - 1e-9) <= least {
                    break;
                }
            }
        }
        units
    }

    /// What they prove for the room.
    fn bound(&mut self, room: &Units, units: &Units, is_counted: bool) -> f64 {
        self.steps += 1 + u64::try_from(self.items.len()).unwrap_or(0);
        let mut sum = dot(units, room);
        if !is_counted {
            for (worth, need, most, _) in &self.items {
                sum += most * (worth - dot(units, need)).max(0.0);
            }
            return sum;
        }
        let n = usize::try_from(whole_of(room[2])).unwrap_or(0);
        let mut best = vec![0.0_f64; n + 1];
        for (worth, need, most, gpus) in &self.items {
            let more = worth - dot(units, need);
            if more <= 0.0 || n < *gpus {
                continue;
            }
            if *gpus == 0 {
                sum += most * more;
                continue;
            }
            self.steps += u64::try_from(n / gpus * n).unwrap_or(0);
            for free in (*gpus..=n).rev() {
                let fits =
                    (free / gpus).min(usize::try_from(whole_of(*most)).unwrap_or(usize::MAX));
                let (mut high, mut gain) = (best[free], 0.0);
                for k in 1..=fits {
                    gain += more;
                    high = high.max(best[free - k * gpus] + gain);
                }
                best[free] = high;
            }
        }
        sum + best[n]
    }

    /// Scales all prices alike so that the bound is least.
    fn rescale(&mut self, room: &Units, units: &mut Units) {
        let mut order: Vec<(f64, f64)> = Vec::with_capacity(self.items.len());
        for (worth, need, most, _) in &self.items {
            let taken = dot(units, need);
            order.push((worth / taken.max(1e-9), taken * most));
        }
        order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        self.steps += 10 * u64::try_from(order.len()).unwrap_or(0);
        let mut left = dot(units, room);
        for (density, taken) in order {
            left -= taken;
            if left <= 0.0 {
                for unit in units.iter_mut() {
                    *unit *= density;
                }
                return;
            }
        }
    }
}

fn dot(units: &Units, amounts: &Units) -> f64 {
    units.iter().zip(amounts).map(|(u, n)| u * n).sum()
}

/// Rounded to whole units of money.
pub(super) fn whole(units: &Units) -> UnitPrices {
    units.map(|unit| u64::try_from(whole_of(unit.round())).unwrap_or(u64::MAX))
}
