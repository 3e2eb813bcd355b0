//! The thorough search: column generation and diving, for all shapes at once or part by part.

use crate::buy::{GREEDS, Guide, Packing, buy};
use crate::certificate::Proof;
use crate::demand::Shape;
use crate::dive::dive;
use crate::generate::Generator;
use crate::headroom::Left;
use crate::limits::{FEW_JOBS_PER_SHAPE, SHAPES_PER_PART_OF_FEW};
use crate::master::Master;
use crate::pass::Pass;
use crate::prune::Offer;
use crate::threads::Threads;
use crate::work::Work;

/// What the thorough search has found.
pub(crate) struct Found {
    pub(crate) packing: Packing,
    /// Better prices than the guess.
    pub(crate) guide: Guide,
    /// A proven bound, or zero where the demand was dealt into parts.
    pub(crate) bound: u64,
    /// What the bound rests on.
    pub(crate) proof: Proof,
}

/// Searches for hosts for all of `shapes`; `guide` is a first guess at prices.
pub(crate) fn search(
    shapes: &[Shape],
    offers: &[Offer],
    guide: &Guide,
    pass: &Pass,
    threads: Threads,
) -> Option<Found> {
    let work = pass.work_search;
    if shapes.len() <= pass.shapes_per_part {
        return search_part(shapes, offers, guide, Work::new(work), true);
    }
    let n_parts = shapes.len().div_ceil(shapes_per_part(shapes, pass));
    let n = u64::try_from(n_parts).unwrap_or(u64::MAX);
    let work = (work / n).max(pass.work_per_part_min);
    let parts = parts(shapes, n_parts);
    let search_one = |part: &Vec<usize>| {
        let of_part: Vec<Shape> = part.iter().filter_map(|at| shapes.get(*at).cloned()).collect();
        let worth = part.iter().filter_map(|at| guide.worth.get(*at).copied()).collect();
        let guess = Guide { worth, weights: guide.weights.clone() };
        search_part(&of_part, offers, &guess, Work::new(work), false)
    };
    let (first, second) = parts.split_at(n_parts / 2);
    let search_all = |parts: &[Vec<usize>]| parts.iter().map(search_one).collect::<Vec<_>>();
    let (mut found, of_second) = threads.both(|| search_all(first), || search_all(second));
    found.extend(of_second);
    let mut packing = Packing { hosts: Vec::new(), left: vec![0; shapes.len()] };
    let mut prices = Guide { worth: vec![0.0; shapes.len()], weights: guide.weights.clone() };
    for (part, found) in parts.iter().zip(found) {
        let found = found?;
        for (at, (left, price)) in
            part.iter().zip(found.packing.left.iter().zip(&found.guide.worth))
        {
            if let (Some(of_all), Some(price_of_all)) =
                (packing.left.get_mut(*at), prices.worth.get_mut(*at))
            {
                *of_all = *left;
                *price_of_all = *price;
            }
        }
        for mut host in found.packing.hosts {
            for (shape, _) in &mut host.content {
                *shape = part.get(*shape).copied().unwrap_or(*shape);
            }
            host.content.sort_unstable();
            packing.hosts.push(host);
        }
    }
    Some(Found { packing, guide: prices, bound: 0, proof: Proof::default() })
}

fn shapes_per_part(shapes: &[Shape], pass: &Pass) -> usize {
    let n_jobs = shapes.iter().fold(0_u64, |sum, shape| sum.saturating_add(shape.count));
    let n_shapes = u64::try_from(shapes.len()).unwrap_or(u64::MAX);
    let are_few = n_jobs / n_shapes.max(1) < FEW_JOBS_PER_SHAPE;
    if are_few { SHAPES_PER_PART_OF_FEW } else { pass.shapes_per_part }
}

/// Deals the shapes out so that each part is a mixture like the whole: by where they may run, then by what they need
/// most of for their size.
fn parts(shapes: &[Shape], n_parts: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..shapes.len()).collect();
    let rank = |at: &usize| {
        shapes.get(*at).map(|shape| {
            let [cpu, memory, gpus] = shape.need.0;
            let ratio = u64::from(memory) * 16 / u64::from(cpu.max(1));
            (shape.classes, gpus, ratio, shape.need)
        })
    };
    order.sort_by_key(rank);
    let mut parts = vec![Vec::new(); n_parts];
    for (ord, at) in order.into_iter().enumerate() {
        if let Some(part) = parts.get_mut(ord % n_parts) {
            part.push(at);
        }
    }
    for part in &mut parts {
        part.sort_unstable();
    }
    parts
}

fn search_part(
    shapes: &[Shape],
    offers: &[Offer],
    guess: &Guide,
    mut work: Work,
    is_proof: bool,
) -> Option<Found> {
    let counts: Vec<u64> = shapes.iter().map(|s| s.count).collect();
    let mut master = Master::new(shapes, &counts, offers)?;
    let mut generator = Generator::new(shapes, &counts, offers, &guess.weights);
    for greed in GREEDS {
        let mut packing = Packing::empty(shapes);
        buy(&mut packing, &mut Left::unlimited(), shapes, offers, guess, greed);
        generator.seed(&mut master, &packing.hosts);
    }
    let prices = generator.run(&mut master, &guess.worth, &mut work, is_proof);
    let proof = Proof::scaled(&prices.proven, &counts, prices.bound);
    let guide = Guide { worth: prices.worth, weights: generator.weights().to_vec() };
    let mut packing = dive(&master, shapes, offers, &guide, &mut work);
    if packing.left.iter().any(|n| 0 < *n) {
        buy(&mut packing, &mut Left::unlimited(), shapes, offers, &guide, GREEDS[0]);
    }
    Some(Found { packing, guide, bound: prices.bound, proof })
}
