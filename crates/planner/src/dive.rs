//! From parts of hosts to whole ones: buy the whole part of the mix, then the largest fractions, and solve again for
//! what is left.

use std::collections::BTreeSet;

use crate::amount::whole_of;
use crate::buy::{Guide, Hosts, Packing, times};
use crate::demand::Shape;
use crate::generate::Generator;
use crate::knapsack::Content;
use crate::limits::DIVES_MAX;
use crate::master::{Column, Master};
use crate::prune::Offer;
use crate::work::Work;

/// Fractions above this are bought in one go.
const NEARLY_WHOLE: f64 = 0.85;

/// What is missing to a whole number and still taken for one.
const ROUNDING: f64 = 1e-4;

/// Buys whole hosts by the mix of `master` until all is held, no work is left, or nothing more comes of it.
pub(crate) fn dive(
    master: &Master<'_>,
    shapes: &[Shape],
    offers: &[Offer],
    guide: &Guide,
    work: &mut Work,
) -> Packing {
    let mut packing = Packing::empty(shapes);
    take_mix(master, &mut packing, offers);
    let mut pool: Vec<Column> = master.columns().cloned().collect();
    for _ in 0..DIVES_MAX {
        if packing.left.iter().all(|n| *n == 0) || work.is_spent() {
            break;
        }
        let left = packing.left.clone();
        pool = clipped(&pool, &left, shapes, offers);
        let Some(mut master) = Master::new(shapes, &left, offers) else { break };
        for column in &pool {
            master.add(column.clone());
        }
        Generator::new(shapes, &left, offers, &guide.weights).run(
            &mut master,
            &guide.worth,
            work,
            false,
        );
        take_mix(&master, &mut packing, offers);
        pool = master.columns().cloned().collect();
    }
    packing
}

/// Buys the whole part of the mix; then fractions, the largest first, as long as they are nearly whole, and at least
/// one host in all.
fn take_mix(master: &Master<'_>, packing: &mut Packing, offers: &[Offer]) {
    let mix = master.mix();
    let mut n_taken: u32 = 0;
    let mut fractions = Vec::new();
    for (value, column) in mix {
        let whole = u32::try_from(whole_of(value + ROUNDING)).unwrap_or(u32::MAX);
        n_taken = n_taken.saturating_add(take(packing, column, whole, offers));
        fractions.push((value - f64::from(whole), column));
    }
    fractions.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    for (fraction, column) in fractions {
        if fraction < NEARLY_WHOLE && 0 < n_taken {
            break;
        }
        n_taken = n_taken.saturating_add(take(packing, column, 1, offers));
    }
}

/// Buys up to `count` hosts of a column, as many as there are jobs for; gives how many.
fn take(packing: &mut Packing, column: &Column, count: u32, offers: &[Offer]) -> u32 {
    let Some(offer) = offers.get(column.offer) else { return 0 };
    let count = count.min(times(&column.content, &packing.left));
    if count == 0 {
        return 0;
    }
    for (shape, n) in &column.content {
        if let Some(left) = packing.left.get_mut(*shape) {
            *left = left.saturating_sub(u64::from(*n) * u64::from(count));
        }
    }
    packing.hosts.push(Hosts { offer: *offer, content: column.content.clone(), count });
    count
}

/// The columns cut to what is left, each on the cheapest offering that holds it.
fn clipped(columns: &[Column], left: &[u64], shapes: &[Shape], offers: &[Offer]) -> Vec<Column> {
    let mut clipped: BTreeSet<Column> = BTreeSet::new();
    for column in columns {
        let mut content: Content = Vec::with_capacity(column.content.len());
        let mut is_cut = false;
        for (shape, n) in &column.content {
            let left = left.get(*shape).copied().unwrap_or(0);
            let kept = (*n).min(u32::try_from(left).unwrap_or(u32::MAX));
            is_cut |= kept < *n;
            if 0 < kept {
                content.push((*shape, kept));
            }
        }
        if content.is_empty() {
            continue;
        }
        let mut offer = column.offer;
        if is_cut {
            let load = crate::improve::load(&content, shapes);
            let classes = crate::improve::classes(&content, shapes);
            let holds = |o: &Offer| classes.has(o.class) && load.fits(&o.capacity);
            offer = offers.iter().position(holds).unwrap_or(offer);
        }
        clipped.insert(Column { offer, content });
    }
    clipped.into_iter().collect()
}
