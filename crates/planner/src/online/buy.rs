//! What is paid for what has no place yet: hosts kept longer, or new ones, whichever is worth more for its cost.

use std::cmp::Reverse;

use spillway_core::PlanPolicy;

use crate::amount::score_of;
use crate::bill::build::{Choice, Place, build};
use crate::bill::fill::{Filler, Opening, Seat};
use crate::bill::host::Host;
use crate::bill::prices::Prices;
use crate::bill::search::{Ground, Patience, STYLES, ruin_and_recreate, total};
use crate::bill::world::{Backlog, World};
use crate::demand::Shape;
use crate::headroom::Left;
use crate::knapsack::Weights;
use crate::online::known::Known;
use crate::online::queue::Queue;
use crate::online::room::Rooms;
use crate::prune::{Offer, undominated};
use crate::solve::Shelf;

/// Ends of hosts that are tried.
const HORIZONS_MAX: usize = 10;

/// Of these so many are skipped for hosts there are.
const SEAT_HORIZON_STEP: usize = 3;

/// Hosts there are that are looked at: so many with room, and so many with room soon.
const SEATS_MAX: usize = 64;

/// Ways of choosing that are tried.
const STYLES_MAX: usize = 2;

/// Jobs weighed in a plan of nothing, and for each dollar at stake.
const STEPS_BASE: u64 = 300_000;
const STEPS_PER_DOLLAR: u64 = 50_000_000;
const STEPS_MAX: u64 = 100_000_000;
const IDLE_ROUNDS_MAX: usize = 200;

/// What the work that waits is worth. What fits nothing that is sold now counts by its size.
pub(crate) fn prices(queue: &Queue, shelf: &Shelf, known: &mut Known) -> Prices {
    let world = &queue.world;
    if queue.is_buyable.iter().all(|is_buyable| *is_buyable) {
        let offers = undominated(&shelf.frontier, &world.shapes);
        let prices = known.prices(&world.shapes, offers, &world.job_seconds());
        return evened(world, prices);
    }
    let kept = |at: &usize| queue.is_buyable[*at];
    let places: Vec<usize> = (0..world.shapes.len()).filter(kept).collect();
    let shapes: Vec<Shape> = places.iter().map(|at| world.shapes[*at].clone()).collect();
    let all_secs = world.job_seconds();
    let secs: Vec<u64> = places.iter().map(|at| all_secs[*at]).collect();
    let offers = undominated(&shelf.frontier, &shapes);
    let mut prices = known.prices(&shapes, offers, &secs);
    let mut worth: Vec<f64> =
        world.shapes.iter().map(|s| crate::fill::size_score(&s.need)).collect();
    for (at, of_part) in places.iter().zip(&prices.worth) {
        worth[*at] = *of_part;
    }
    prices.worth = worth;
    evened(world, prices)
}

/// A job is worth the same whichever way it is run: what it is worth the cheapest way.
fn evened(world: &World, mut prices: Prices) -> Prices {
    for set in world.ways.iter().flat_map(|ways| ways.sets()) {
        let Some((first, rank)) = set.first() else { continue };
        let of_job = prices.worth[*first] * f64::from(world.secs(*first, *rank).max(1));
        for (shape, rank) in set {
            prices.worth[*shape] = of_job / f64::from(world.secs(*shape, *rank).max(1));
        }
    }
    prices
}

/// Finds a place for the backlog, as far as the headroom goes: on hosts that are kept longer for it, and on new ones.
pub(crate) fn buy(
    queue: &Queue,
    prices: &Prices,
    rooms: &Rooms,
    backlog: &mut Backlog,
    shelf: &Shelf,
    left: &mut Left,
    policy: &PlanPolicy,
) -> Vec<Host> {
    let world = &queue.world;
    let headroom = *left;
    let (seats, rooms_of_seats) = seats(queue, prices, rooms);
    let horizons = horizons(world, backlog);
    let mut choices = Vec::new();
    for (seat, weights) in &seats {
        if seat.start < seat.paid_until {
            let horizon = seat.paid_until;
            choices.push(Choice { place: Place::Seat(seat, *weights), horizon, lanes: None });
        }
    }
    for (ord, horizon) in horizons.iter().enumerate() {
        for offer in 0..prices.offers.len() {
            let horizon = horizon.saturating_add(policy.boot_secs);
            choices.push(Choice { place: Place::New(offer), horizon, lanes: None });
        }
        if !ord.is_multiple_of(SEAT_HORIZON_STEP) {
            continue;
        }
        for (seat, weights) in &seats {
            let horizon = horizon.saturating_add(seat.start);
            if seat.paid_until < horizon {
                choices.push(Choice { place: Place::Seat(seat, *weights), horizon, lanes: None });
            }
        }
    }
    let mut best: Option<(f64, u64, Vec<Host>, Left, Backlog)> = None;
    for style in STYLES.iter().take(STYLES_MAX).copied() {
        let mut filler = Filler::new(world, &prices.worth, style);
        let (mut left, mut rest) = (headroom, backlog.clone());
        let mut hosts = build(world, prices, &choices, &mut filler, &mut rest, &mut left, u64::MAX);
        for host in &mut hosts {
            host.right_size(world, headroom.cpu.is_some());
        }
        let (lost, cost) = (lost(world, prices, &rest), total(&hosts, world));
        let is_better = best.as_ref().is_none_or(|(least_lost, least, ..)| {
            lost.total_cmp(least_lost).then(cost.cmp(least)).is_lt()
        });
        if is_better {
            best = Some((lost, cost, hosts, left, rest));
        }
    }
    let Some((_, cost, mut hosts, mut after, rest)) = best else { return Vec::new() };
    *backlog = rest;
    scrape_together(queue, shelf, prices, backlog, &mut after, &mut hosts);
    if 1 < hosts.len() {
        let horizons: Vec<u32> =
            horizons.iter().map(|h| h.saturating_add(policy.boot_secs)).collect();
        let ground = Ground { horizons: &horizons, seats: &seats, headroom: after };
        let dollars = score_of(cost) / 3.6e9;
        let more = crate::amount::whole_of(dollars * score_of(STEPS_PER_DOLLAR));
        let more = u64::try_from(more).unwrap_or(STEPS_MAX);
        let patience = Patience {
            steps_max: STEPS_BASE.saturating_add(more).min(STEPS_MAX),
            idle_rounds_max: IDLE_ROUNDS_MAX,
        };
        ruin_and_recreate(world, prices, &ground, patience, &mut hosts);
    }
    for host in &mut hosts {
        match host.seat {
            Some(at) => host.seat = rooms_of_seats.get(at).copied(),
            None => left.take(&host.offer, 1),
        }
    }
    hosts
}

/// The hosts that may take more work, as far as they are worth a look: those with room now that are paid for longest, and
/// those on which something ends soonest. Beside each its place among the rooms.
fn seats(queue: &Queue, prices: &Prices, rooms: &Rooms) -> (Vec<(Seat, Weights)>, Vec<usize>) {
    let least = queue.least();
    let latest = queue.latest();
    let (mut open, mut ending): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (at, room) in rooms.all.iter().enumerate() {
        let seat = &room.seat;
        if least.fits(&seat.free) {
            open.push(at);
        } else if least.fits(&seat.offer.capacity)
            && seat.ends.first().is_some_and(|(end, _)| *end <= latest)
        {
            ending.push(at);
        }
    }
    let seat = |at: &usize| &rooms.all[*at].seat;
    open.sort_by_key(|at| (Reverse(seat(at).paid_until), seat(at).offer.price, *at));
    ending.sort_by_key(|at| (seat(at).ends.first().map(|(end, _)| *end), *at));
    open.truncate(SEATS_MAX);
    ending.truncate(SEATS_MAX);
    let mut places = [open, ending].concat();
    places.sort_unstable();
    let of_place = |(ord, at): (usize, &usize)| {
        let seat = Seat { at: ord, ..seat(at).clone() };
        let weights = prices.weights_like(&seat.offer);
        (seat, weights)
    };
    (places.iter().enumerate().map(of_place).collect(), places)
}

/// What a limit keeps from the offerings worth a look may still go on another one: dearer, but small or cheap enough.
fn scrape_together(
    queue: &Queue,
    shelf: &Shelf,
    prices: &Prices,
    backlog: &mut Backlog,
    left: &mut Left,
    hosts: &mut Vec<Host>,
) {
    let world = &queue.world;
    let mut filler = Filler::new(world, &prices.worth, STYLES[0]);
    for (at, shape) in world.shapes.iter().enumerate() {
        while queue.is_buyable[at] && backlog.has(at) {
            let is_possible = |o: &&Offer| {
                shape.classes.has(o.class) && shape.need.fits(&o.capacity) && 0 < left.times(o)
            };
            let Some(offer) = shelf.by_price.iter().find(is_possible) else { break };
            let opening = Opening {
                offer,
                weights: prices.weights_like(offer),
                horizon: world.clock.deadline,
                lanes: Some(&vec![(at, 1)]),
                seat: None,
                up_at: world.clock.boot,
                until: u32::MAX,
                is_paid: true,
            };
            let host = filler.fill(&opening, backlog).host;
            if host.runs.is_empty() {
                break;
            }
            left.take(offer, 1);
            hosts.push(host);
        }
    }
}

/// What it is worth to have what is still left over.
fn lost(world: &World, prices: &Prices, rest: &Backlog) -> f64 {
    let mut lost = 0.0;
    for (shape, worth) in prices.worth.iter().enumerate() {
        for (rank, n) in rest.groups(shape).iter().enumerate() {
            if !world.is_first_way((shape, rank)) {
                continue;
            }
            lost += worth * f64::from(*n) * f64::from(world.secs(shape, rank));
        }
    }
    lost
}

/// How long hosts may be wanted for once they are up, longest first: as long as one job, and as long as several one
/// after another where some may wait.
fn horizons(world: &World, backlog: &Backlog) -> Vec<u32> {
    let mut horizons: Vec<u32> = Vec::new();
    let mut furthest = 0;
    for (shape, groups) in world.groups.iter().enumerate() {
        for (group, n) in groups.iter().zip(backlog.groups(shape)) {
            if 0 < *n {
                horizons.push(group.secs);
                let waits = group.latest.saturating_sub(world.clock.boot);
                furthest = furthest.max(waits.saturating_add(group.secs));
            }
        }
    }
    let longest = horizons.iter().max().copied().unwrap_or(0);
    while longest < furthest {
        horizons.push(furthest);
        furthest -= (furthest / 6).max(1);
    }
    horizons.sort_unstable();
    horizons.dedup();
    horizons.reverse();
    let step = horizons.len().div_ceil(HORIZONS_MAX).max(1);
    horizons.into_iter().step_by(step).collect()
}
