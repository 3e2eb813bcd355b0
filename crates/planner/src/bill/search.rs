//! The search for a small bill: the best of several greedy plans, then again and again a few hosts dissolved and their
//! jobs put on new ones, kept if that is no dearer (ruin and recreate).

use crate::amount::score_of;
use crate::bill::build::{Choice, Place, build, ladder};
use crate::bill::fill::{Filler, Seat, Style};
use crate::bill::host::Host;
use crate::bill::prices::Prices;
use crate::bill::sequence::Sequence;
use crate::bill::world::World;
use crate::headroom::Left;
use crate::knapsack::Weights;
use crate::limits::{
    BILL_CHOICES_TIMES_SHAPES_MAX, BILL_GREEDY_STEPS_MAX, BILL_HOSTS_DISSOLVED_MAX,
    BILL_IDLE_ROUNDS_MAX, BILL_STEPS_MAX,
};

/// Ways of choosing that together do well on most demand.
pub(crate) const STYLES: [Style; 4] = [
    Style { size_bonus: 0.25, length_bonus: 1.0 },
    Style { size_bonus: 0.25, length_bonus: 0.3 },
    Style { size_bonus: 0.5, length_bonus: 2.0 },
    Style { size_bonus: 1.0, length_bonus: 1.0 },
];

/// Offerings, horizons and contents that are tried for the jobs of dissolved hosts, beside those they had.
const MORE_OFFERS: usize = 6;
const MORE_HORIZONS: usize = 2;
const MORE_LANES: usize = 4;
const MORE_SEATS: usize = 4;

/// Hosts that run all jobs.
pub(crate) fn search(world: &World, prices: &Prices) -> Vec<Host> {
    let mut hosts = greedy(world, prices);
    let ground = Ground { horizons: &ladder(world), seats: &[], headroom: Left::unlimited() };
    let patience = Patience { steps_max: BILL_STEPS_MAX, idle_rounds_max: BILL_IDLE_ROUNDS_MAX };
    ruin_and_recreate(world, prices, &ground, patience, &mut hosts);
    hosts
}

/// The best of several greedy plans.
fn greedy(world: &World, prices: &Prices) -> Vec<Host> {
    let mut best: Option<(u64, Vec<Host>)> = None;
    let horizons = few_horizons(world, prices);
    let mut n_steps = 0_u64;
    for (style, has_lanes) in STYLES.iter().flat_map(|style| [(style, true), (style, false)]) {
        if best.is_some() && BILL_GREEDY_STEPS_MAX < n_steps {
            break;
        }
        let mut choices = Vec::new();
        for horizon in &horizons {
            for offer in 0..prices.offers.len() {
                choices.push(Choice { place: Place::New(offer), horizon: *horizon, lanes: None });
            }
            for (offer, content) in prices.columns.iter().filter(|_| has_lanes) {
                let place = Place::New(*offer);
                choices.push(Choice { place, horizon: *horizon, lanes: Some(content) });
            }
        }
        let mut filler = Filler::new(world, &prices.worth, *style);
        let mut backlog = world.backlog();
        let mut hosts = build(
            world,
            prices,
            &choices,
            &mut filler,
            &mut backlog,
            &mut Left::unlimited(),
            u64::MAX,
        );
        n_steps = n_steps.saturating_add(filler.n_steps);
        for host in &mut hosts {
            host.right_size(world, false);
        }
        let cost = total(&hosts, world);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, hosts));
        }
    }
    best.map(|(_, hosts)| hosts).unwrap_or_default()
}

/// The ladder, thinned out where there are many shapes, so that every choice can be looked at.
fn few_horizons(world: &World, prices: &Prices) -> Vec<u32> {
    let each = prices.offers.len().saturating_mul(world.shapes.len()).max(1);
    let n_max = (BILL_CHOICES_TIMES_SHAPES_MAX / each).max(2);
    let horizons = ladder(world);
    let step = horizons.len().div_ceil(n_max).max(1);
    horizons.into_iter().step_by(step).collect()
}

pub(crate) fn total(hosts: &[Host], world: &World) -> u64 {
    hosts.iter().fold(0_u64, |sum, host| sum.saturating_add(host.cost(world.clock)))
}

/// How long hosts are dissolved and their jobs put on new ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Jobs weighed.
    pub(crate) steps_max: u64,
    /// Times in a row without a better bill.
    pub(crate) idle_rounds_max: usize,
}

/// What hosts may be dissolved into.
pub(crate) struct Ground<'a> {
    /// Ends of hosts to try, longest first.
    pub(crate) horizons: &'a [u32],
    /// Hosts there are already, and which of their dimensions matter.
    pub(crate) seats: &'a [(Seat, Weights)],
    /// What may be bought beyond the hosts that are dissolved.
    pub(crate) headroom: Left,
}

/// Again and again dissolves a few hosts and puts their jobs on others, if that is no dearer. Never makes the hosts
/// dearer, never leaves a job behind.
pub(crate) fn ruin_and_recreate(
    world: &World,
    prices: &Prices,
    ground: &Ground<'_>,
    patience: Patience,
    hosts: &mut Vec<Host>,
) {
    let mut sequence = Sequence::new();
    let mut n_steps = 0_u64;
    let mut fillers = STYLES.map(|style| Filler::new(world, &prices.worth, style));
    let mut scores: Vec<f64> = hosts.iter().map(|host| efficiency(host, world, prices)).collect();
    let mut cost = total(hosts, world);
    let mut headroom = ground.headroom;
    let mut taken = vec![false; ground.seats.len()];
    for seat in hosts.iter().filter_map(|host| host.seat) {
        taken[seat] = true;
    }
    let mut n_idle = 0;
    // What a round costs beside filling.
    let n_groups = world.groups.iter().map(Vec::len).sum::<usize>();
    let round_steps = u64::try_from(n_groups).unwrap_or(u64::MAX).saturating_add(2000);
    while prices.bound < cost && n_steps < patience.steps_max && n_idle < patience.idle_rounds_max {
        let picked = pick(&scores, &mut sequence);
        let mut backlog = world.nothing_left();
        let mut left = headroom;
        for at in &picked {
            hosts[*at].give_back(&mut backlog);
            match hosts[*at].seat {
                Some(seat) => taken[seat] = false,
                None => left.give_back(&hosts[*at].offer),
            }
        }
        let old: Vec<&Host> = picked.iter().map(|at| &hosts[*at]).collect();
        let cost_old = old.iter().fold(0_u64, |sum, h| sum.saturating_add(h.cost(world.clock)));
        let choices = choices(world, prices, &old, ground, &taken, &mut sequence);
        let filler = &mut fillers[sequence.below(STYLES.len())];
        let before = filler.n_steps;
        let mut new = build(world, prices, &choices, filler, &mut backlog, &mut left, cost_old);
        n_steps = n_steps.saturating_add(filler.n_steps - before).saturating_add(round_steps);
        for host in &mut new {
            host.right_size(world, headroom.cpu.is_some());
        }
        let cost_new = total(&new, world);
        n_idle = if backlog.is_empty() && cost_new < cost_old { 0 } else { n_idle + 1 };
        if backlog.is_empty() && cost_new <= cost_old {
            cost -= cost_old - cost_new;
            headroom = left;
            for at in picked.iter().rev() {
                hosts.swap_remove(*at);
                scores.swap_remove(*at);
            }
            scores.extend(new.iter().map(|host| efficiency(host, world, prices)));
            for seat in new.iter().filter_map(|host| host.seat) {
                taken[seat] = true;
            }
            hosts.append(&mut new);
        } else {
            for seat in picked.iter().filter_map(|at| hosts[*at].seat) {
                taken[seat] = true;
            }
        }
    }
}

/// Some hosts, in order; those that are worth little for their cost more often than others.
fn pick(scores: &[f64], sequence: &mut Sequence) -> Vec<usize> {
    let n = (2 + sequence.below(BILL_HOSTS_DISSOLVED_MAX - 1)).min(scores.len());
    let mut picked = Vec::with_capacity(n);
    for _ in 0..n {
        let (a, b) = (sequence.below(scores.len()), sequence.below(scores.len()));
        picked.push(if scores[b] < scores[a] { b } else { a });
    }
    picked.sort_unstable();
    picked.dedup();
    picked
}

/// What may be opened for the jobs of these hosts.
fn choices<'a>(
    world: &World,
    prices: &'a Prices,
    old: &[&Host],
    ground: &'a Ground<'_>,
    taken: &[bool],
    sequence: &mut Sequence,
) -> Vec<Choice<'a>> {
    let mut offers: Vec<usize> = Vec::new();
    let mut horizons: Vec<u32> = vec![world.clock.deadline];
    let mut seats: Vec<usize> = Vec::new();
    for host in old {
        offers.extend(prices.offers.iter().position(|offer| offer.at == host.offer.at));
        horizons.push(host.end());
        seats.extend(host.seat);
    }
    if !prices.offers.is_empty() {
        offers.extend((0..MORE_OFFERS).map(|_| sequence.below(prices.offers.len())));
    }
    let ladder = ground.horizons;
    horizons.extend((0..MORE_HORIZONS).map(|_| ladder[sequence.below(ladder.len())]));
    let mut lanes: Vec<usize> = Vec::new();
    if !prices.columns.is_empty() {
        lanes.extend((0..MORE_LANES).map(|_| sequence.below(prices.columns.len())));
    }
    if !ground.seats.is_empty() {
        seats.extend((0..MORE_SEATS).map(|_| sequence.below(ground.seats.len())));
    }
    for list in [&mut offers, &mut lanes, &mut seats] {
        list.sort_unstable();
        list.dedup();
    }
    seats.retain(|seat| !taken[*seat]);
    horizons.sort_unstable();
    horizons.dedup();
    let mut choices = Vec::new();
    for horizon in horizons.into_iter().rev() {
        for offer in &offers {
            choices.push(Choice { place: Place::New(*offer), horizon, lanes: None });
        }
        for at in &lanes {
            let (offer, content) = &prices.columns[*at];
            choices.push(Choice { place: Place::New(*offer), horizon, lanes: Some(content) });
        }
        for (seat, weights) in seats.iter().map(|at| &ground.seats[*at]) {
            choices.push(Choice { place: Place::Seat(seat, *weights), horizon, lanes: None });
        }
    }
    choices
}

/// What a host's work is worth for its cost.
fn efficiency(host: &Host, world: &World, prices: &Prices) -> f64 {
    let of_run = |run: &crate::bill::host::Run| {
        prices.worth[run.shape] * f64::from(run.end - run.start) * f64::from(run.count)
    };
    host.runs.iter().map(of_run).sum::<f64>() / score_of(host.cost(world.clock)).max(1e-3)
}
