//! Prices of jobs as a proof: scaled down until no content is worth more than its host costs, their sum is a lower
//! bound on the price of any hosts that hold all jobs (Farley). In integers, so that it holds whatever the floats did.

use crate::amount::{score_of, whole_of};
use crate::exact::WORTH_SHIFT;
use crate::prune::Offer;

/// The prices of jobs that gave the best bound so far. Prices between them and those of the linear program, which
/// jump about, lead to better contents and better bounds (du Merle and others; Wentges).
pub(crate) struct Center {
    pub(crate) worth: Vec<f64>,
    pub(crate) bound: u64,
}

impl Center {
    pub(crate) fn mixed(&self, worth: &[f64], part: f64) -> Vec<f64> {
        self.worth.iter().zip(worth).map(|(a, b)| part * a + (1.0 - part) * b).collect()
    }
}

/// The highest ratio of a content's worth to its host's price, as a fraction; at least 1.
pub(crate) struct Ratio {
    upper: u128,
    price: u128,
}

impl Ratio {
    pub(crate) const fn new() -> Self {
        Self { upper: 1, price: 1 }
    }

    /// Takes note that no content of a host of this price is worth more than `upper`.
    pub(crate) fn raise(&mut self, upper: u128, price: u128) {
        let (Some(this), Some(highest)) =
            (upper.checked_mul(self.price), self.upper.checked_mul(price))
        else {
            // Beyond all that is sensible: a ratio that proves nothing.
            (self.upper, self.price) = (u128::MAX, 1);
            return;
        };
        if highest < this {
            (self.upper, self.price) = (upper, price);
        }
    }

    /// What all jobs are worth when the prices are divided by the ratio. What hosts cost is whole millionths of a
    /// dollar, so a part of one counts as one.
    pub(crate) fn bound(&self, worth: &[u64], counts: &[u64]) -> u64 {
        let mut sum: u128 = 0;
        for (worth, count) in worth.iter().zip(counts) {
            let Some(scaled) = u128::from(*worth).checked_mul(self.price) else { return 0 };
            let each = scaled / self.upper.max(1);
            sum = sum.saturating_add(each.saturating_mul(u128::from(*count)));
        }
        u64::try_from(sum.div_ceil(1 << WORTH_SHIFT)).unwrap_or(0)
    }
}

/// A host's price in the unit of worths.
pub(crate) fn price_of(offer: &Offer) -> u128 {
    u128::from(offer.price) << WORTH_SHIFT
}

/// Worths in integers, rounded down.
pub(crate) fn whole_worth(worth: &[f64]) -> Vec<u64> {
    let unit = score_of(1 << WORTH_SHIFT);
    worth.iter().map(|worth| u64::try_from(whole_of(worth * unit)).unwrap_or(u64::MAX)).collect()
}
