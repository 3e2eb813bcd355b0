//! What a job is worth per hour: by itself, on the cheapest host that holds it; as one of many, on the host that holds it at the
//! least price for each; and as one of its like alone, as many as fit on a host whole.

use crate::amount::{Amount, DIMS, score_of};
use crate::demand::ClassSet;
use crate::online::tail::lost_to_tail;
use crate::prune::Offer;

/// Of what the first job on a new host is worth, so much is what a host of its own would cost; the rest is what it costs among its
/// like. Chosen on the shipped traces with other seeds, with and without what hosts have beside them, of 0 to 1.
const OWN_PART: f64 = 0.5;

/// Millionths of a dollar per hour, for scores.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Worth {
    /// The cheapest host that holds it: what it would cost to give it one of its own.
    pub(crate) alone: f64,
    /// The least price of its part of a host that is full, whatever fills the rest.
    pub(crate) among_many: f64,
    /// The least price for each of a host that holds as many as fit, and is kept by the last of them.
    among_its_like: f64,
}

impl Worth {
    /// None where nothing that is sold holds it.
    pub(crate) fn of(need: &Amount, classes: ClassSet, offers: &[Offer]) -> Option<Self> {
        let holds = |o: &&Offer| classes.has(o.class) && need.fits(&o.capacity);
        let mut worth: Option<Self> = None;
        for offer in offers.iter().filter(holds) {
            let price = score_of(offer.price);
            let part = largest_part(need, &offer.capacity);
            let times = f64::from(need.times_in(&offer.capacity));
            let each = price / times * (1.0 + lost_to_tail(times));
            let before = worth.unwrap_or(Self {
                alone: f64::MAX,
                among_many: f64::MAX,
                among_its_like: f64::MAX,
            });
            worth = Some(Self {
                alone: before.alone.min(price),
                among_many: before.among_many.min(price * part),
                among_its_like: before.among_its_like.min(each),
            });
        }
        worth
    }

    /// What the first job on a new host counts as where its host is chosen.
    pub(crate) fn of_first(&self) -> f64 {
        OWN_PART * self.alone + (1.0 - OWN_PART) * self.among_its_like
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
    fn among_its_like_a_job_costs_what_whole_ones_leave_room_for_and_what_the_last_of_them_keeps() {
        let worth =
            |offers: &[Offer]| Worth::of(&Amount([2, 16, 0]), ClassSet::ALL, offers).unwrap();

        // One fits on the small host, and leaves half of it to nobody; three on the large one.
        let (small, large) = (offer(4, 30, 100), offer(8, 61, 200));

        assert!((worth(&[small]).of_first() - 100.0).abs() < 1e-9);
        let among_its_like = 200.0 / 3.0 * (1.0 + lost_to_tail(3.0));
        let of_first = worth(&[small, large]).of_first();
        assert!((of_first - f64::midpoint(100.0, among_its_like)).abs() < 1e-9, "{of_first}");
        assert!(of_first < 90.0);
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
