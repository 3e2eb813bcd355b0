//! The greedy: again and again the opening whose host is worth most for its cost.

use crate::bill::fill::{Filled, Filler, Opening};
use crate::bill::host::Host;
use crate::bill::prices::Prices;
use crate::bill::world::{Backlog, World};
use crate::knapsack::Content;

/// An opening is taken if its host is this near to the best that others have once been.
const NEARLY_BEST: f64 = 0.9995;

/// An offering by index, a horizon, and a content to begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) offer: usize,
    pub(crate) horizon: u32,
    pub(crate) lanes: Option<&'a Content>,
}

/// Opens hosts until the backlog is empty, no choice takes any of it, or they cost more than `cost_max`.
pub(crate) fn build(
    world: &World,
    prices: &Prices,
    choices: &[Choice<'_>],
    filler: &mut Filler<'_>,
    backlog: &mut Backlog,
    cost_max: u64,
) -> Vec<Host> {
    let (mut hosts, mut cost) = (Vec::new(), 0_u64);
    let mut last_scores = vec![f64::INFINITY; choices.len()];
    while !backlog.is_empty() && cost <= cost_max {
        let Some((at, runner_up)) = most_promising(&last_scores) else { break };
        let Filled { host, efficiency } = open(prices, &choices[at], filler, backlog);
        let is_taken = !host.runs.is_empty() && runner_up * NEARLY_BEST <= efficiency;
        last_scores[at] = if host.runs.is_empty() { 0.0 } else { efficiency };
        if !is_taken {
            host.give_back(backlog);
            continue;
        }
        let each = host.cost(world.clock);
        for _ in 0..host.times(backlog) {
            host.take(backlog);
            cost = cost.saturating_add(each);
            hosts.push(host.clone());
        }
        cost = cost.saturating_add(each);
        hosts.push(host);
    }
    hosts
}

fn open(
    prices: &Prices,
    choice: &Choice<'_>,
    filler: &mut Filler<'_>,
    backlog: &mut Backlog,
) -> Filled {
    let opening = Opening {
        offer: &prices.offers[choice.offer],
        weights: prices.weights_of(choice.offer),
        horizon: choice.horizon,
        lanes: choice.lanes,
    };
    filler.fill(&opening, backlog)
}

/// The choice that scored most when it was last looked at, and the next one's score.
fn most_promising(scores: &[f64]) -> Option<(usize, f64)> {
    let (mut best, mut runner_up): (Option<(usize, f64)>, f64) = (None, 0.0);
    for (at, score) in scores.iter().enumerate() {
        match best {
            _ if *score <= 0.0 => {}
            Some((_, highest)) if *score <= highest => runner_up = runner_up.max(*score),
            Some((_, highest)) => (runner_up, best) = (highest, Some((at, *score))),
            None => best = Some((at, *score)),
        }
    }
    best.map(|(at, _)| (at, if runner_up.is_finite() { runner_up } else { f64::INFINITY }))
}

/// From the deadline down to a few times the boot, each a sixth shorter.
pub(crate) fn ladder(world: &World) -> Vec<u32> {
    let mut horizons = Vec::new();
    let mut horizon = world.clock.deadline;
    let shortest = world.clock.boot.saturating_mul(4).max(60);
    while shortest < horizon {
        horizons.push(horizon);
        horizon -= (horizon / 6).max(1);
    }
    if horizons.is_empty() {
        horizons.push(world.clock.deadline);
    }
    horizons
}
