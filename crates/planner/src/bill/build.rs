//! The greedy: again and again the opening whose host is worth most for its cost.

use crate::bill::fill::{Filled, Filler, Opening, Seat};
use crate::bill::host::Host;
use crate::bill::prices::Prices;
use crate::bill::world::{Backlog, World};
use crate::headroom::Left;
use crate::knapsack::{Content, Weights};

/// An opening is taken if its host is this near to the best that others have once been.
const NEARLY_BEST: f64 = 0.9995;

/// What may be opened: a new host of an offering, by index, or a host there is already; a horizon, and a content to
/// begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) horizon: u32,
    pub(crate) lanes: Option<&'a Content>,
}

/// Where.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// On a new host of this offering, by index into those worth a look.
    New(usize),
    /// On a host there is already, and which of its dimensions matter.
    Seat(&'a Seat, Weights),
}

/// Opens hosts until the backlog is empty, no choice within `headroom` takes any of it, or they cost more than
/// `cost_max`.
pub(crate) fn build(
    world: &World,
    prices: &Prices,
    choices: &[Choice<'_>],
    filler: &mut Filler<'_>,
    backlog: &mut Backlog,
    headroom: &mut Left,
    cost_max: u64,
) -> Vec<Host> {
    let (mut hosts, mut cost) = (Vec::new(), 0_u64);
    let mut last_scores = vec![f64::INFINITY; choices.len()];
    while !backlog.is_empty() && cost <= cost_max {
        let Some((at, runner_up)) = most_promising(&last_scores) else { break };
        let opening = choices[at].opening(world, prices);
        let times_max = match choices[at].place {
            Place::New(_) => headroom.times(opening.offer),
            Place::Seat(..) => 1,
        };
        if times_max == 0 {
            last_scores[at] = 0.0;
            continue;
        }
        let Filled { host, efficiency } = filler.fill(&opening, backlog);
        let is_taken = !host.runs.is_empty() && runner_up * NEARLY_BEST <= efficiency;
        last_scores[at] = if host.runs.is_empty() { 0.0 } else { efficiency };
        if !is_taken {
            host.give_back(backlog);
            continue;
        }
        let each = host.cost(world.clock);
        if let Some(seat) = host.seat {
            for (score, choice) in last_scores.iter_mut().zip(choices) {
                if choice.seat() == Some(seat) {
                    *score = 0.0;
                }
            }
        } else {
            let more = host.times(backlog).min(times_max - 1);
            headroom.take(&host.offer, 1 + more);
            for _ in 0..more {
                host.take(backlog);
                cost = cost.saturating_add(each);
                hosts.push(host.clone());
            }
        }
        cost = cost.saturating_add(each);
        hosts.push(host);
    }
    hosts
}

impl<'a> Choice<'a> {
    fn opening(&self, world: &World, prices: &'a Prices) -> Opening<'a> {
        let (offer, weights, seat) = match self.place {
            Place::New(at) => (&prices.offers[at], prices.weights_of(at), None),
            Place::Seat(seat, weights) => (&seat.offer, weights, Some(seat)),
        };
        let (horizon, lanes, up_at) = (self.horizon, self.lanes, world.clock.boot);
        Opening { offer, weights, horizon, lanes, seat, up_at, until: u32::MAX, is_paid: false }
    }

    fn seat(&self) -> Option<usize> {
        match self.place {
            Place::New(_) => None,
            Place::Seat(seat, _) => Some(seat.at),
        }
    }
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
