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

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(cpu: u32, memory: u32, price: u64) -> Offer {
        Offer { capacity: Amount([cpu, memory, 0]), price, ..Offer::NOTHING }
    }

    #[test]
    fn alone_a_job_costs_the_cheapest_host_that_holds_it_and_among_many_its_part_of_the_best() {
        let offers = [offer(1, 8, 50), offer(2, 4, 60), offer(16, 64, 320)];

        let worth =
            Worth::of(&Amount([2, 4, 0]), ClassSet::ALL, &offers).map(|w| (w.alone, w.among_many));

        assert_eq!(worth, Some((60.0, 40.0)));
    }

    #[test]
    fn what_fits_nothing_has_no_worth() {
        assert!(Worth::of(&Amount([2, 9, 0]), ClassSet::ALL, &[offer(1, 8, 50)]).is_none());
    }

    #[test]
    fn parts_of_what_a_host_does_not_have_count_nothing() {
        let (need, capacity) = (Amount([2, 4, 0]), Amount([4, 32, 0]));

        assert_eq!((largest_part(&need, &capacity), sum_of_parts(&need, &capacity)), (0.5, 0.625));
    }
}
