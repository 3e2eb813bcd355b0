//! What a plan's bound rests on, in a form that code which shares nothing with the solver can re-derive.

use std::collections::BTreeMap;

use spillway_core::plan::DemandKey;

use crate::amount::{score_of, whole_of};
use crate::demand::Shape;

/// Prices of jobs that the solver takes its bound from, in millionths of a millionth of a dollar per hour.
///
/// A claim, no proof: that no content of any offering is worth more than the offering costs has yet to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    /// What one job of each shape is worth; empty where the bound rests on resource prices or on one job.
    pub(crate) prices: Vec<u64>,
}

/// Prices are counted in millionths of the planner's unit of money.
const PICOS_PER_MICRO: f64 = 1e6;

impl Proof {
    /// The prices `worth`, in millionths of a dollar per hour, scaled so that all jobs together are worth `bound`.
    pub(crate) fn scaled(worth: &[f64], counts: &[u64], bound: u64) -> Self {
        let of_shape = |(worth, count): (&f64, &u64)| worth * score_of(*count);
        let all: f64 = worth.iter().zip(counts).map(of_shape).sum();
        let is_sensible = all.is_finite() && 0.0 < all;
        if !is_sensible {
            return Self::default();
        }
        let scale = score_of(bound) / all * PICOS_PER_MICRO;
        let of_shape = |worth: &f64| u64::try_from(whole_of(worth * scale)).unwrap_or(u64::MAX);
        Self { prices: worth.iter().map(of_shape).collect() }
    }
}

/// The same for those who ask: what one job of each group is worth, in millionths of a millionth of a dollar per hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobPrices(pub(crate) BTreeMap<DemandKey, u64>);

impl JobPrices {
    pub(crate) fn of(shapes: &[Shape], proof: &Proof) -> Self {
        let mut prices = BTreeMap::new();
        for (shape, price) in shapes.iter().zip(&proof.prices) {
            prices.extend(shape.groups.iter().map(|group| (group.key, *price)));
        }
        Self(prices)
    }
}
