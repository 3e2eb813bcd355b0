//! What a job is worth per hour: by itself, on the cheapest host that holds it, and as one of many, on the host that
//! holds it at the least price for each.

use crate::amount::{Amount, DIMS, score_of};
use crate::demand::ClassSet;
use crate::prune::Offer;

/// Millionths of a dollar per hour, for scores.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Worth {
    /// The cheapest host that holds it: what it would cost to give it one of its own.
    pub(crate) alone: f64,
    /// The least price of its part of a host that is full of its like.
    pub(crate) among_many: f64,
}

impl Worth {
    /// None where nothing that is sold holds it.
    pub(crate) fn of(need: &Amount, classes: ClassSet, offers: &[Offer]) -> Option<Self> {
        let holds = |o: &&Offer| classes.has(o.class) && need.fits(&o.capacity);
        let mut worth: Option<Self> = None;
        for offer in offers.iter().filter(holds) {
            let price = score_of(offer.price);
            let part = largest_part(need, &offer.capacity);
            let before = worth.unwrap_or(Self { alone: f64::MAX, among_many: f64::MAX });
            worth = Some(Self {
                alone: before.alone.min(price),
                among_many: before.among_many.min(price * part),
            });
        }
        worth
    }
}

/// The part of a host that a job takes in the dimension of which it takes most, 0 to 1.
pub(crate) fn largest_part(need: &Amount, capacity: &Amount) -> f64 {
    parts(need, capacity).into_iter().fold(0.0, f64::max)
}

/// The parts of a host that a job takes, added up.
pub(crate) fn sum_of_parts(need: &Amount, capacity: &Amount) -> f64 {
    parts(need, capacity).into_iter().sum()
}

fn parts(need: &Amount, capacity: &Amount) -> [f64; DIMS] {
    let mut parts = [0.0; DIMS];
    for (part, (need, capacity)) in
        parts.iter_mut().zip(need.as_f64().into_iter().zip(capacity.as_f64()))
    {
        if 0.0 < capacity {
            *part = need / capacity;
        }
    }
    parts
}
