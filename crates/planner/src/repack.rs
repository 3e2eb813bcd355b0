//! Ruin and recreate: again and again a few hosts are dissolved and their jobs packed anew, and what is cheaper stays.
//!
//! Which hosts is drawn from a fixed sequence of numbers, and how often is counted work: the same on every machine.
//! Never makes a packing dearer, never takes a job out of it.

use std::collections::BTreeMap;

use crate::amount::score_of;
use crate::buy::{Greed, Guide, Hosts, Packing, buy};
use crate::demand::Shape;
use crate::dive::dive;
use crate::draw::Draw;
use crate::generate::Generator;
use crate::headroom::Left;
use crate::improve::{right_size, top_up};
use crate::limits::{
    REPACK_EQUAL_HOSTS_MAX, REPACK_GREEDS, REPACK_HALVES_HOSTS_MIN, REPACK_HOSTS_MAX,
    REPACK_ROUNDS, REPACK_SHAPES_MAX, REPACK_WORK,
};
use crate::master::Master;
use crate::prune::Offer;
use crate::threads::Threads;
use crate::work::Work;

/// How much less likely hosts of another kind than the first are chosen.
const OTHER_KIND: f64 = 0.05;

/// What is packed anew, and with what.
pub(crate) struct Repacker<'a> {
    pub(crate) shapes: &'a [Shape],
    pub(crate) offers: &'a [Offer],
    pub(crate) by_price: &'a [Offer],
    pub(crate) guide: &'a Guide,
    /// At this price, in millionths of a dollar per hour, there is nothing left to gain.
    pub(crate) goal: u128,
}

/// A few hosts as a problem of its own.
struct Part {
    shapes: Vec<Shape>,
    /// For each of its shapes the index among all.
    of_all: Vec<usize>,
    offers: Vec<Offer>,
    guide: Guide,
    hosts: Vec<Hosts>,
    price: u64,
}

impl Repacker<'_> {
    /// Packs parts of the hosts anew until the work is spent. Many hosts are dealt into two halves, anew from time to
    /// time.
    pub(crate) fn run(&self, packing: &mut Packing, work: u64, threads: Threads) {
        let (mut hosts, rest) = singles(std::mem::take(&mut packing.hosts));
        let mut draw = Draw::new();
        let are_few = hosts.len() < REPACK_HALVES_HOSTS_MIN;
        let (n_rounds, n_halves) = if are_few { (1, 1) } else { (REPACK_ROUNDS, 2) };
        for _ in 0..n_rounds {
            let of_rest: u128 = rest.iter().map(price_of).sum();
            if of_rest + hosts.iter().map(price_of).sum::<u128>() <= self.goal {
                break;
            }
            let mut halves = (Vec::new(), Vec::new());
            for host in hosts.drain(..) {
                let half = if draw.below(n_halves) == 0 { &mut halves.0 } else { &mut halves.1 };
                half.push(host);
            }
            let (of_first, of_second) = (draw.branch(), draw.branch());
            let work = work / n_rounds / u64::try_from(n_halves).unwrap_or(1);
            // A half does not know what the other has come to.
            let goal = if are_few { self.goal.saturating_sub(of_rest) } else { 0 };
            let (first, second) = threads.both(
                || self.repacked(halves.0.clone(), goal, of_first, Work::new(work)),
                || self.repacked(halves.1, goal, of_second, Work::new(work)),
            );
            hosts = first;
            hosts.extend(second);
        }
        packing.hosts = hosts;
        packing.hosts.extend(rest);
    }

    fn repacked(
        &self,
        mut hosts: Vec<Hosts>,
        goal: u128,
        mut draw: Draw,
        mut work: Work,
    ) -> Vec<Hosts> {
        while !work.is_spent() && 1 < hosts.len() {
            if hosts.iter().map(price_of).sum::<u128>() <= goal {
                break;
            }
            work.spend(8 * hosts.len() + 10_000);
            let chosen = self.choose(&hosts, &mut draw);
            let part = self.part(&hosts, &chosen);
            let Some(better) = self.recreate(&part, &mut draw, &mut work) else { continue };
            let mut at = 0;
            hosts.retain(|_| {
                at += 1;
                chosen.binary_search(&(at - 1)).is_err()
            });
            hosts.extend(better);
        }
        hosts
    }

    /// How much of its price a host's content is not worth.
    fn waste(&self, host: &Hosts) -> f64 {
        let each = |(at, n): &(usize, u32)| {
            self.guide.worth.get(*at).map_or(0.0, |worth| worth * f64::from(*n))
        };
        score_of(host.offer.price) - host.content.iter().map(each).sum::<f64>()
    }

    /// Some hosts, rather those that waste more, by index, in order.
    fn choose(&self, hosts: &[Hosts], draw: &mut Draw) -> Vec<usize> {
        let mut order: Vec<(f64, usize)> = Vec::with_capacity(hosts.len());
        let alike = hosts.get(draw.below(hosts.len())).map(|host| host.offer.class);
        for (at, host) in hosts.iter().enumerate() {
            // The larger the waste, the earlier, with chance in it.
            // Hosts of one kind can exchange jobs, those of different kinds rarely.
            let part = if alike == Some(host.offer.class) { 1.0 } else { OTHER_KIND };
            order.push((part * self.waste(host).max(1.0) * draw.part(), at));
        }
        order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let n_wanted = 2 + draw.below(REPACK_HOSTS_MAX - 1);
        let mut chosen = Vec::with_capacity(n_wanted);
        let mut shapes: Vec<usize> = Vec::new();
        for (_, at) in order {
            let Some(host) = hosts.get(at) else { continue };
            let mut joined = shapes.clone();
            joined.extend(host.content.iter().map(|(shape, _)| *shape));
            joined.sort_unstable();
            joined.dedup();
            let is_too_many = REPACK_SHAPES_MAX < joined.len() && 2 <= chosen.len();
            if is_too_many || n_wanted <= chosen.len() {
                break;
            }
            shapes = joined;
            chosen.push(at);
        }
        chosen.sort_unstable();
        chosen
    }

    fn part(&self, hosts: &[Hosts], chosen: &[usize]) -> Part {
        let mut of_part: Vec<Hosts> = Vec::with_capacity(chosen.len());
        let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
        let mut price: u64 = 0;
        for host in chosen.iter().filter_map(|at| hosts.get(*at)) {
            for (shape, n) in &host.content {
                *counts.entry(*shape).or_insert(0) += u64::from(*n);
            }
            price = price.saturating_add(host.offer.price);
            of_part.push(host.clone());
        }
        let (mut shapes, mut of_all, mut worth) = (Vec::new(), Vec::new(), Vec::new());
        for (at, count) in counts {
            let Some(shape) = self.shapes.get(at) else { continue };
            let (need, classes) = (shape.need, shape.classes);
            shapes.push(Shape { need, classes, count, groups: Vec::new() });
            of_all.push(at);
            worth.push(self.guide.worth.get(at).copied().unwrap_or(0.0));
        }
        for host in &mut of_part {
            for (shape, _) in &mut host.content {
                *shape = of_all.binary_search(shape).unwrap_or(*shape);
            }
        }
        let (mut offers, mut weights) = (Vec::new(), Vec::new());
        for (offer, of_offer) in self.offers.iter().zip(&self.guide.weights) {
            // What costs as much as all together cannot make them cheaper.
            if offer.price < price {
                offers.push(*offer);
                weights.push(*of_offer);
            }
        }
        Part { shapes, of_all, offers, guide: Guide { worth, weights }, hosts: of_part, price }
    }

    /// Hosts for the same jobs that cost less, or as much where that is not what we had.
    fn recreate(&self, part: &Part, draw: &mut Draw, work: &mut Work) -> Option<Vec<Hosts>> {
        let mut best: Option<(u128, Packing)> = None;
        for _ in 0..REPACK_GREEDS {
            let mut guide = part.guide.clone();
            for worth in &mut guide.worth {
                *worth *= 0.9 + 0.2 * draw.part();
            }
            let greed = Greed { size_bonus: draw.part(), price_exponent: 1.0 };
            let mut packing = Packing::empty(&part.shapes);
            let mut left = Left::unlimited();
            let steps = buy(&mut packing, &mut left, &part.shapes, &part.offers, &guide, greed);
            work.spend(steps);
            self.consider(packing, part, &mut best);
        }
        if let Some(packing) = generated(part, work) {
            self.consider(packing, part, &mut best);
        }
        let (cost, packing) = best?;
        if u128::from(part.price) < cost {
            return None;
        }
        let mut hosts = Vec::with_capacity(packing.hosts.len());
        for mut host in packing.hosts {
            for (shape, _) in &mut host.content {
                *shape = part.of_all.get(*shape).copied().unwrap_or(*shape);
            }
            for _ in 0..host.count {
                hosts.push(Hosts { count: 1, ..host.clone() });
            }
        }
        Some(hosts)
    }

    fn consider(&self, mut packing: Packing, part: &Part, best: &mut Option<(u128, Packing)>) {
        top_up(&mut packing, &part.shapes);
        if packing.left.iter().any(|n| 0 < *n) {
            return;
        }
        right_size(&mut packing.hosts, self.by_price, &part.shapes, &Left::unlimited());
        let cost = packing.cost();
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            *best = Some((cost, packing));
        }
    }
}

fn price_of(hosts: &Hosts) -> u128 {
    u128::from(hosts.offer.price) * u128::from(hosts.count)
}

/// A packing by column generation and diving.
fn generated(part: &Part, work: &mut Work) -> Option<Packing> {
    let counts: Vec<u64> = part.shapes.iter().map(|s| s.count).collect();
    let mut master = Master::new(&part.shapes, &counts, &part.offers)?;
    let mut generator = Generator::new(&part.shapes, &counts, &part.offers, &part.guide.weights);
    generator.seed(&mut master, &part.hosts);
    let mut purse = Work::new(REPACK_WORK);
    let worth = generator.refine(&mut master, &mut purse);
    let guide = Guide { worth, weights: generator.weights().to_vec() };
    let mut packing = dive(&master, &part.shapes, &part.offers, &guide, &mut purse);
    work.spend(usize::try_from(purse.spent()).unwrap_or(usize::MAX));
    if packing.left.iter().any(|n| 0 < *n) {
        let mut left = Left::unlimited();
        let greed = Greed { size_bonus: 0.25, price_exponent: 1.0 };
        let steps = buy(&mut packing, &mut left, &part.shapes, &part.offers, &guide, greed);
        work.spend(steps);
    }
    Some(packing)
}

/// Hosts one by one, of many equal ones only some; and the rest.
fn singles(hosts: Vec<Hosts>) -> (Vec<Hosts>, Vec<Hosts>) {
    let (mut singles, mut rest) = (Vec::new(), Vec::new());
    for host in hosts {
        let n_single = host.count.min(REPACK_EQUAL_HOSTS_MAX);
        for _ in 0..n_single {
            singles.push(Hosts { count: 1, ..host.clone() });
        }
        if n_single < host.count {
            rest.push(Hosts { count: host.count - n_single, ..host });
        }
    }
    (singles, rest)
}
