//! What resources are worth to work that was asked about before: the prices of a plan whose work is nearly that of another.
//!
//! Where little happens one job comes or ends between two plans, and all that waits needs nearly what it did. So work is rounded before it is
//! priced, and the prices of the same rounded work are kept. They are guides, and say nothing that has to be proven: a
//! price found for an eighth more of some shape guides as well. What is answered depends on the question alone, never on
//! what is remembered.

use std::sync::Arc;

use crate::amount::Amount;
use crate::bill::prices::Prices;
use crate::bound::UnitPrices;
use crate::demand::{ClassSet, Shape};
use crate::knapsack::Weights;
use crate::prune::Offer;

/// Work that is remembered: each pool is asked about by itself, and some by several queues.
const KNOWN_MAX: usize = 16;

/// Digits, in base two, that are left of how much work there is of a shape: it is off by an eighth at most.
const DIGITS: u32 = 3;

/// Work and what it is worth.
#[derive(Debug)]
struct Found {
    work: Vec<(Amount, ClassSet, u64)>,
    offers: Vec<Offer>,
    worth: Vec<f64>,
    weights: Vec<Weights>,
}

/// The work that was priced last, the latest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    found: Vec<Arc<Found>>,
}

impl Known {
    /// Guiding prices for about `secs` of work of each shape. They prove nothing: the bound is 0.
    pub(crate) fn prices(&mut self, shapes: &[Shape], offers: Vec<Offer>, secs: &[u64]) -> Prices {
        let secs: Vec<u64> = secs.iter().map(|secs| rounded(*secs)).collect();
        let of_shape = |(shape, secs): (&Shape, &u64)| (shape.need, shape.classes, *secs);
        let work: Vec<_> = shapes.iter().zip(&secs).map(of_shape).collect();
        let is_same = |found: &Arc<Found>| found.work == work && found.offers == offers;
        let found = if let Some(at) = self.found.iter().position(is_same) {
            self.found.remove(at)
        } else {
            self.found.truncate(KNOWN_MAX - 1);
            let units = UnitPrices::guides(shapes, &secs, &offers);
            let (worth, weights) = (units.worths(shapes), units.weights().to_vec());
            Arc::new(Found { work, offers, worth, weights })
        };
        self.found.insert(0, Arc::clone(&found));
        Prices::guides(found.worth.clone(), found.offers.clone(), found.weights.clone())
    }
}

/// The nearest number that has `DIGITS` binary digits and only zeros after them.
const fn rounded(n: u64) -> u64 {
    let n_more = (u64::BITS - n.leading_zeros()).saturating_sub(DIGITS);
    if n_more == 0 {
        return n;
    }
    let half = 1 << (n_more - 1);
    (n.saturating_add(half) >> n_more) << n_more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headroom::CapSet;

    fn shape(cpu: u32, memory: u32) -> Shape {
        let need = Amount([cpu, memory, 0]);
        Shape { need, classes: ClassSet::ALL, count: 100, groups: Vec::new() }
    }

    fn offer(cpu: u32, memory: u32, price: u64) -> Offer {
        let (capacity, caps) = (Amount([cpu, memory, 0]), CapSet::default());
        Offer { capacity, price, class: 0, caps, at: 0 }
    }

    #[test]
    fn work_is_rounded_by_an_eighth_at_most_and_little_work_not_at_all() {
        for n in (0..5_000).chain([1 << 40, (1 << 40) + 12_345, u64::MAX / 3]) {
            let off = rounded(n).abs_diff(n);

            assert!(off <= n / 8, "{n} became {}", rounded(n));
        }
        assert_eq!((0..8).map(rounded).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_remembered_changes_no_answer() {
        let shapes = [shape(4, 10), shape(1, 16)];
        let offers = vec![offer(32, 64, 1_000_000), offer(32, 256, 1_700_000)];
        let mut known = Known::default();
        let works = [[90_000, 5_000], [90_001, 5_000], [2_000, 80_000], [90_001, 5_001]];

        for secs in works {
            let (of_known, of_new) = (
                known.prices(&shapes, offers.clone(), &secs),
                Known::default().prices(&shapes, offers.clone(), &secs),
            );

            assert_eq!(of_known.worth, of_new.worth);
            assert_eq!(of_known.weights, of_new.weights);
            assert_eq!(of_known.offers, of_new.offers);
        }
        assert_eq!(known.found.len(), 2, "work that is nearly the same is priced once");
    }
}
