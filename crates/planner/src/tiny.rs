//! The cheapest hosts for a handful of jobs, exactly: dynamic programming over every part of the demand.
//!
//! A *part* is so many jobs of each shape, told by one number in mixed radix. The cheapest hosts for a part are the
//! cheapest host for some content with one of its first jobs, and the cheapest hosts for what is left. Gives up before it
//! begins where that would take too long.

use crate::amount::Amount;
use crate::buy::{Hosts, Packing};
use crate::demand::{ClassSet, Shape};
use crate::knapsack::Content;
use crate::limits::{TINY_PARTS_MAX, TINY_STEPS_MAX};
use crate::prune::Offer;

/// The content of one host, and the cheapest offering that holds it.
struct Candidate {
    part: usize,
    counts: Vec<u32>,
    offer: Offer,
}

/// The cheapest hosts for all of `shapes`; none where there are too many parts of it, or a job fits nothing.
pub(crate) fn pack(shapes: &[Shape], offers: &[Offer]) -> Option<Packing> {
    let radix = Radix::of(shapes)?;
    let by_price = {
        let mut offers = offers.to_vec();
        offers.sort_unstable_by_key(|offer| (offer.price, offer.at));
        offers
    };
    let candidates = candidates(&radix, shapes, &by_price);
    if TINY_STEPS_MAX < candidates.len().saturating_mul(radix.n_parts) {
        return None;
    }
    // For each part what its cheapest hosts cost, and which of the candidates one of them is.
    let mut best: Vec<Option<(u128, usize)>> = vec![None; radix.n_parts];
    for part in 1..radix.n_parts {
        let counts = radix.counts(part);
        let first = counts.iter().position(|n| 0 < *n)?;
        for (at, candidate) in candidates.iter().enumerate() {
            let is_within = candidate.counts.iter().zip(&counts).all(|(n, have)| n <= have);
            // Some host holds a job of the first shape: let it be this one.
            if !is_within || candidate.counts.get(first) == Some(&0) {
                continue;
            }
            let rest = part - candidate.part;
            let of_rest = if rest == 0 { Some(0) } else { best[rest].map(|(cost, _)| cost) };
            let Some(of_rest) = of_rest else { continue };
            let cost = of_rest + u128::from(candidate.offer.price);
            if best[part].is_none_or(|(least, _)| cost < least) {
                best[part] = Some((cost, at));
            }
        }
    }
    let mut packing = Packing { hosts: Vec::new(), left: vec![0; shapes.len()] };
    let mut part = radix.n_parts - 1;
    while 0 < part {
        let candidate = candidates.get(best[part]?.1)?;
        let with_count = |(shape, n): (usize, &u32)| (0 < *n).then_some((shape, *n));
        let content: Content = candidate.counts.iter().enumerate().filter_map(with_count).collect();
        packing.hosts.push(Hosts { offer: candidate.offer, content, count: 1 });
        part -= candidate.part;
    }
    Some(packing)
}

/// How parts are numbered.
struct Radix {
    /// For each shape how many jobs of it there are, and what one of them adds to a part's number.
    digits: Vec<(u32, usize)>,
    n_parts: usize,
}

impl Radix {
    fn of(shapes: &[Shape]) -> Option<Self> {
        let mut digits = Vec::with_capacity(shapes.len());
        let mut n_parts: usize = 1;
        for shape in shapes {
            let count = u32::try_from(shape.count).ok()?;
            digits.push((count, n_parts));
            n_parts = n_parts.checked_mul(usize::try_from(count).ok()?.checked_add(1)?)?;
            if TINY_PARTS_MAX < n_parts {
                return None;
            }
        }
        Some(Self { digits, n_parts })
    }

    fn counts(&self, part: usize) -> Vec<u32> {
        let digit = |(max, step): &(u32, usize)| {
            let n = usize::try_from(*max).map_or(1, |max| max + 1);
            u32::try_from(part / step % n).unwrap_or(*max)
        };
        self.digits.iter().map(digit).collect()
    }
}

/// Every part that fits on one host.
fn candidates(radix: &Radix, shapes: &[Shape], by_price: &[Offer]) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for part in 1..radix.n_parts {
        let counts = radix.counts(part);
        let (mut load, mut classes) = (Amount::default(), ClassSet::ALL);
        for (shape, n) in shapes.iter().zip(&counts).filter(|(_, n)| 0 < **n) {
            load = load.plus(&shape.need, *n);
            classes = classes.and(shape.classes);
        }
        let holds = |o: &&Offer| classes.has(o.class) && load.fits(&o.capacity);
        if let Some(offer) = by_price.iter().find(holds) {
            candidates.push(Candidate { part, counts, offer: *offer });
        }
    }
    candidates
}
