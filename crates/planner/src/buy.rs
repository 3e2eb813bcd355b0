//! The greedy: again and again the offering whose best content is worth most for its price.

use crate::amount::DIMS;
use crate::demand::Shape;
use crate::headroom::Left;
use crate::knapsack::{Content, Knapsack, Weights};
use crate::prune::Offer;

/// So many equal hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hosts {
    pub(crate) offer: Offer,
    pub(crate) content: Content,
    pub(crate) count: u32,
}

/// Hosts for the demand, and what has no place in them.
#[derive(Debug, Clone)]
pub(crate) struct Packing {
    pub(crate) hosts: Vec<Hosts>,
    pub(crate) left: Vec<u64>,
}

impl Packing {
    pub(crate) fn empty(shapes: &[Shape]) -> Self {
        Self { hosts: Vec::new(), left: shapes.iter().map(|s| s.count).collect() }
    }

    /// Millionths of a dollar per hour.
    pub(crate) fn cost(&self) -> u128 {
        self.hosts.iter().map(|h| u128::from(h.offer.price) * u128::from(h.count)).sum()
    }

    /// How many of each shape are in a host.
    pub(crate) fn held(&self, shapes: &[Shape]) -> Vec<u64> {
        shapes.iter().zip(&self.left).map(|(s, left)| s.count.saturating_sub(*left)).collect()
    }
}

/// What the greedy goes by.
#[derive(Debug, Clone)]
pub(crate) struct Guide {
    /// What one job of each shape costs, in millionths of a dollar per hour.
    pub(crate) worth: Vec<f64>,
    /// For each offering which of its dimensions matter.
    pub(crate) weights: Vec<Weights>,
}

/// A way of being greedy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Greed {
    /// How much large jobs are preferred, 0 to 1.
    pub(crate) size_bonus: f64,
    /// 1 looks at worth per dollar; less than 1 favours large hosts, for when their number is limited.
    pub(crate) price_exponent: f64,
}

/// The two that together do well on most demand.
pub(crate) const GREEDS: [Greed; 2] = [
    Greed { size_bonus: 0.25, price_exponent: 1.0 },
    Greed { size_bonus: 1.0, price_exponent: 1.0 },
];

/// An offering is taken if it is this near to the best that others have once been.
const NEARLY_BEST: f64 = 0.9995;

/// Buys for what the packing has left, within `headroom`, until nothing more can be bought that holds any of it;
/// gives what that has cost in elementary steps.
pub(crate) fn buy(
    packing: &mut Packing,
    headroom: &mut Left,
    shapes: &[Shape],
    offers: &[Offer],
    prices: &Guide,
    greed: Greed,
) -> usize {
    let mut knapsack = Knapsack::new(shapes, prices.worth.clone(), greed.size_bonus);
    // What the best content of each offering last scored. It rarely scores more when less is left to choose from.
    let mut last_scores = vec![f64::INFINITY; offers.len()];
    while let Some((at, offer, runner_up)) = most_promising(&last_scores, offers, headroom) {
        let weights = prices.weights.get(at).unwrap_or(&[1.0; DIMS]);
        let (content, worth) = knapsack.fill(&offer, &packing.left, weights);
        let price = f64::max(crate::amount::score_of(offer.price), 1e-3);
        let score = if content.is_empty() {
            0.0
        } else {
            worth.max(1e-12) / price.powf(greed.price_exponent)
        };
        if let Some(last) = last_scores.get_mut(at) {
            *last = score;
        }
        if content.is_empty() || score < runner_up * NEARLY_BEST {
            continue;
        }
        let count = times(&content, &packing.left).max(1).min(headroom.times(&offer));
        headroom.take(&offer, count);
        for (shape, n) in &content {
            if let Some(left) = packing.left.get_mut(*shape) {
                *left = left.saturating_sub(u64::from(*n) * u64::from(count));
            }
        }
        packing.hosts.push(Hosts { offer, content, count });
        knapsack.forget_used_up(&packing.left);
    }
    knapsack.n_steps()
}

/// How many hosts with this content the jobs that are left fill.
pub(crate) fn times(content: &Content, left: &[u64]) -> u32 {
    let mut times = u32::MAX;
    for (shape, n) in content {
        let of_shape = left.get(*shape).and_then(|left| left.checked_div(u64::from(*n)));
        times = times.min(u32::try_from(of_shape.unwrap_or(0)).unwrap_or(u32::MAX));
    }
    times
}

/// The affordable offering with the highest score when it was last looked at, and the next one's score.
fn most_promising(
    scores: &[f64],
    offers: &[Offer],
    headroom: &Left,
) -> Option<(usize, Offer, f64)> {
    let mut best: Option<(usize, Offer, f64)> = None;
    let mut runner_up: f64 = 0.0;
    for (at, (score, offer)) in scores.iter().zip(offers).enumerate() {
        if *score <= 0.0 || headroom.times(offer) == 0 {
            continue;
        }
        match best {
            Some((_, _, highest)) if *score <= highest => runner_up = runner_up.max(*score),
            Some((_, _, highest)) => {
                runner_up = highest;
                best = Some((at, *offer, *score));
            }
            None => best = Some((at, *offer, *score)),
        }
    }
    let runner_up = if runner_up.is_finite() { runner_up } else { f64::INFINITY };
    best.map(|(at, offer, _)| (at, offer, runner_up))
}
