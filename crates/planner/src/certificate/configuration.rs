//! From prices of jobs to a proof in integers: how much they have to be scaled down until no content of any host is
//! worth more than the host costs (Farley), and for every host the witness that says so.
//!
//! What is good enough is not judged here: the verifier's own walk over each host does that.

use crate::amount::score_of;
use crate::certificate::hosts_to_prove;
use crate::certificate::tune::{Room, Tuner, whole};
use crate::limits::{
    CERTIFICATE_BRANCHES_MAX, CERTIFICATE_BRANCHES_PER_HOST, CERTIFICATE_TUNING_STEPS_MAX,
};
use crate::verify::walk::{Astray, Item, UnitPrices, Walked, walk};
use crate::verify::{Host, Shapes, Terms, Witness, price};

/// Prices of jobs, line by line, and why nothing on any host is worth more than it costs at them.
pub(super) struct Configuration {
    pub(super) job_prices: Vec<u64>,
    pub(super) hosts: Vec<Witness>,
}

/// Makes the proof; none if it would be too much work.
pub(super) fn configuration(terms: &Terms, claimed: &[u64]) -> Option<Configuration> {
    let is_for_nothing = claimed.iter().all(|price| *price == 0);
    if is_for_nothing || claimed.len() != terms.jobs.len() {
        return None;
    }
    let mut left =
        Left { branches: CERTIFICATE_BRANCHES_MAX, tuning: CERTIFICATE_TUNING_STEPS_MAX };
    let mut candidates = candidates(terms, claimed, &mut left)?;
    candidates.sort_by(|a, b| b.root_ratio().total_cmp(&a.root_ratio()));
    let mut scale = Scale { num: 0, den: 1 };
    for candidate in &mut candidates {
        candidate.raise(&mut scale, &mut left);
    }
    if scale.num == 0 {
        return None;
    }
    for shift in SCALINGS {
        scale.widen(shift);
        let job_prices: Vec<u64> = claimed.iter().map(|price| scale.down(*price)).collect();
        let shapes = Shapes::of(terms, &job_prices);
        let witness = |candidate: &Candidate<'_>| candidate.witness(&shapes, &scale);
        let hosts: Option<Vec<Witness>> = candidates.iter().map(witness).collect();
        if let Some(mut hosts) = hosts {
            hosts.sort_by_key(|witness| witness.offer);
            return Some(Configuration { job_prices, hosts });
        }
    }
    None
}

/// Rounding may open a branch that was closed before; prices a little lower close it again: by a part of 2 to these powers, one
/// after the other.
const SCALINGS: [u32; 8] = [30, 28, 26, 24, 21, 18, 15, 12];

/// Work that may still be done.
struct Left {
    branches: u64,
    tuning: u64,
}

impl Left {
    const fn spend_tuning(&mut self, steps: u64) {
        self.tuning = self.tuning.saturating_sub(steps);
    }

    const fn spend_branches(&mut self, branches: u64) {
        self.branches = self.branches.saturating_sub(branches);
    }
}

/// By what fraction claimed prices are divided.
#[derive(Debug, Clone, Copy)]
struct Scale {
    num: u128,
    den: u128,
}

impl Scale {
    /// What a content may be worth at the claimed prices, on a host of this price.
    fn limit(&self, price: u128) -> u128 {
        price.saturating_mul(self.num) / self.den.max(1)
    }

    fn raise(&mut self, worth: u128, price: u128) {
        if self.limit(price) < worth {
            (self.num, self.den) = (worth, price.max(1));
        }
    }

    /// A little larger: by a part of two to this power.
    fn widen(&mut self, shift: u32) {
        let part = self.num >> shift;
        self.num = self.num.saturating_add(part.max(1));
    }

    fn down(&self, price: u64) -> u64 {
        let scaled = u128::from(price).saturating_mul(self.den) / self.num.max(1);
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

/// A host that needs a witness.
struct Candidate<'a> {
    offer: usize,
    host: &'a Host,
    price: u128,
    /// At the claimed prices.
    items: Vec<Item>,
    unit_prices: Vec<UnitPrices>,
    tuner: Tuner,
    /// What the unit prices say without branches.
    root: u128,
}

/// Every host that needs a witness; none if finding unit prices for them is too much work.
fn candidates<'a>(
    terms: &'a Terms,
    claimed: &[u64],
    left: &mut Left,
) -> Option<Vec<Candidate<'a>>> {
    let shapes = Shapes::of(terms, claimed);
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for (offer, host) in hosts_to_prove(terms, &shapes) {
        let candidate = Candidate::new(offer, host, shapes.items(host));
        left.spend_tuning(candidate.tuner.steps);
        if left.tuning == 0 {
            return None;
        }
        candidates.push(candidate);
    }
    Some(candidates)
}

/// A host whose contents are worth less than this part of its price is in nobody's way.
const IDLE_RATIO: f64 = 0.9;

impl<'a> Candidate<'a> {
    fn new(offer: usize, host: &'a Host, items: Vec<Item>) -> Self {
        let mut tuner = Tuner::new(&items);
        let price = price(host);
        let goal = score_of(u64::try_from(price).unwrap_or(u64::MAX)) * IDLE_RATIO;
        let linear = tuner.tuned(&Room { amounts: host.room, counts_gpus: false }, None, goal);
        let mut unit_prices = vec![whole(&linear)];
        if 0 < host.room[2] {
            let counted = Room { amounts: host.room, counts_gpus: true };
            push_new(&mut unit_prices, whole(&tuner.tuned(&counted, Some(linear), goal)));
        }
        let root = root_bound(host, &items, &unit_prices);
        Self { offer, host, price, items, unit_prices, tuner, root }
    }

    fn root_ratio(&self) -> f64 {
        let float = |n: u128| score_of(u64::try_from(n).unwrap_or(u64::MAX));
        float(self.root) / float(self.price).max(1.0)
    }

    /// Raises the scale as far as this host needs it, with branches as far as there are any left.
    fn raise(&mut self, scale: &mut Scale, left: &mut Left) {
        let mut low = scale.limit(self.price);
        if self.root <= low {
            return;
        }
        self.tune_deeper(left);
        let mut high = root_bound(self.host, &self.items, &self.unit_prices);
        let mut tried = low.max(high / 2);
        for _ in 0..TRIES_MAX {
            let is_close = high.saturating_sub(low) <= self.price >> 22;
            if left.branches == 0 || is_close {
                break;
            }
            let branches_max = CERTIFICATE_BRANCHES_PER_HOST.min(left.branches);
            match self.walk(&self.items, &self.unit_prices, tried, branches_max) {
                Ok(walked) => {
                    left.spend_branches(walked.branches);
                    high = tried;
                    tried = low.midpoint(high);
                    let is_all_there_is = high <= low;
                    if is_all_there_is {
                        break;
                    }
                }
                Err(Astray::TooGood(worth)) => {
                    // No less will do; perhaps no more is needed.
                    left.spend_branches(branches_max / 8);
                    low = low.max(worth);
                    tried = low;
                }
                Err(Astray::TooLong | Astray::BadPrices) => {
                    left.spend_branches(branches_max);
                    low = low.max(tried);
                    tried = low.midpoint(high);
                }
            }
        }
        scale.raise(high, self.price);
    }

    /// Unit prices for what is left of the host deep among the branches, where other dimensions are scarce.
    fn tune_deeper(&mut self, left: &mut Left) {
        let [cpu, memory, gpus] = self.host.room;
        let mut rooms =
            vec![[cpu / 3, memory, gpus], [cpu, memory / 3, gpus], [cpu / 2, memory / 2, gpus]];
        if 0 < gpus {
            rooms.extend([
                [cpu, memory, gpus / 2],
                [cpu / 2, memory / 2, gpus / 2],
                [cpu / 4, memory, gpus / 2],
                [cpu, memory, 0],
                [cpu / 3, memory, 0],
            ]);
        }
        for amounts in rooms {
            if left.tuning == 0 {
                return;
            }
            let before = self.tuner.steps;
            let room = Room { amounts, counts_gpus: true };
            push_new(&mut self.unit_prices, whole(&self.tuner.tuned(&room, None, 0.0)));
            left.spend_tuning(self.tuner.steps - before);
        }
    }

    fn walk(
        &self,
        items: &[Item],
        unit_prices: &[UnitPrices],
        limit: u128,
        branches_max: u64,
    ) -> Result<Walked, Astray> {
        walk(&self.host.room, items.to_vec(), unit_prices, limit, branches_max)
    }

    /// The witness at scaled prices, with as few unit prices as will do.
    fn witness(&self, shapes: &Shapes, scale: &Scale) -> Option<Witness> {
        let items = shapes.items(self.host);
        let down = |units: &UnitPrices| units.map(|unit| scale.down(unit));
        let mut unit_prices: Vec<UnitPrices> = Vec::new();
        for units in &self.unit_prices {
            push_new(&mut unit_prices, down(units));
        }
        let most = CERTIFICATE_BRANCHES_PER_HOST * 2;
        let mut walked = self.walk(&items, &unit_prices, self.price, most).ok()?;
        if let Some((units, closed)) = unit_prices.iter().find_map(|units| {
            let closed = self.walk(&items, std::slice::from_ref(units), self.price, 0).ok()?;
            Some((*units, closed))
        }) {
            (unit_prices, walked) = (vec![units], closed);
        }
        for at in (1..unit_prices.len()).rev() {
            let mut fewer = unit_prices.clone();
            fewer.remove(at);
            let most = walked.branches + walked.branches / 8 + 100;
            if let Ok(shorter) = self.walk(&items, &fewer, self.price, most) {
                (unit_prices, walked) = (fewer, shorter);
            }
        }
        let most = u64::try_from(walked.most).ok()?;
        Some(Witness { offer: self.offer, unit_prices, branches: walked.branches, most })
    }
}

/// Walks for one host, at most.
const TRIES_MAX: u32 = 24;

fn push_new(all: &mut Vec<UnitPrices>, units: UnitPrices) {
    if !all.contains(&units) {
        all.push(units);
    }
}

/// What unit prices say without branches.
fn root_bound(host: &Host, items: &[Item], unit_prices: &[UnitPrices]) -> u128 {
    const NO_LIMIT: u128 = 1 << 100;
    let walked = walk(&host.room, items.to_vec(), unit_prices, NO_LIMIT, 0);
    walked.map_or(NO_LIMIT, |walked| walked.most)
}
