//! The dispatcher's plan: jobs come one after another and have durations, hosts are paid from launch to termination.
//!
//! Pure as the rest of the planner: no clock, no chance, no hash order. It decides; it never places more than is asked
//! for nor more than a host has free. `README.md`, "The dispatcher's plan", states the method.

mod answer;
mod buy;
mod hasty;
mod keep;
mod known;
mod promise;
mod queue;
mod reserved;
mod room;
mod starts;
mod stream;
mod tail;
mod worth;

use std::collections::BTreeMap;

use spillway_core::{ChoiceId, DemandKey, PlanInput, PlanPolicy, Planned};

use crate::bill::host::Run;
use crate::bill::prices::Prices;
use crate::bill::search::STYLES;
use crate::bill::world::{Backlog, Place};
use crate::headroom::Left;
use crate::online::answer::Answer;
use crate::online::hasty::Hasty;
use crate::online::keep::Idle;
use crate::online::known::Known;
use crate::online::promise::Promises;
use crate::online::queue::Queue;
use crate::online::reserved::Reservations;
use crate::online::room::Rooms;
use crate::online::starts::Startable;
use crate::online::stream::Streams;
use crate::solve::Shelf;
use crate::{prune, stock};

/// Times that work is moved to hosts that are ready, and what that leaves is bought and filled anew. One or two do.
const ROUNDS_MAX: usize = 8;

/// What is remembered between plans.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    streams: Streams,
    promises: Promises,
    idle: Idle,
    known: Known,
}

/// Decides what starts where now, what waits for which room, what is bought, and what goes back.
pub(crate) fn plan(input: &PlanInput, policy: &PlanPolicy, memory: &mut Memory) -> Planned {
    memory.streams.observe(input, policy);
    let startable = Startable::of(input, policy);
    let mut planned = plan_all(&startable.input, policy, memory, startable.is_part());
    startable.report_withheld(&mut planned.report);
    memory.streams.answered(input, policy, &planned.plan);
    planned
}

/// Of each set of alternatives the one that is expected to cost least on new hosts.
pub(crate) fn cheapest_ways(
    input: &PlanInput,
    policy: &PlanPolicy,
) -> BTreeMap<ChoiceId, DemandKey> {
    let shelf = stock(input, prune::buyable(input, &prune::cooling_flags(input), policy));
    Queue::new(input, policy, &shelf).cheapest_ways()
}

/// What one job of each set of alternatives is expected to cost on new hosts for its like, the cheapest first; without end where
/// nothing can be bought. Millionths of a dollar.
pub(crate) fn costs_of_ways(
    input: &PlanInput,
    policy: &PlanPolicy,
) -> BTreeMap<ChoiceId, Vec<(DemandKey, f64)>> {
    let shelf = stock(input, prune::buyable(input, &prune::cooling_flags(input), policy));
    Queue::new(input, policy, &shelf).costs_of_ways(&shelf, &Left::of(&input.headroom))
}

/// The same for all that is asked for; `is_part` if there is more of it that waits.
fn plan_all(input: &PlanInput, policy: &PlanPolicy, memory: &mut Memory, is_part: bool) -> Planned {
    memory.promises.observe(input);
    let now = input.now.as_second();
    let is_cooling = prune::cooling_flags(input);
    let all = prune::buyable(input, &is_cooling, policy);
    let shelf = stock(input, all);
    let queue = Queue::new(input, policy, &shelf);
    let world = &queue.world;
    let mut backlog = world.backlog();
    let mut rooms = Rooms::new(input);
    let reservations = Reservations::of(input, &rooms);
    reservations.honour(&mut rooms, &queue, &mut backlog, true);
    let prices = buy::prices(&queue, &shelf, &mut memory.known);
    let style = STYLES[0];
    rooms.fill_what_is_paid(&queue, &prices, style, &mut backlog, true);
    reservations.honour(&mut rooms, &queue, &mut backlog, false);
    reserved::move_to_idle(&mut rooms, &queue);
    reservations.honour(&mut rooms, &queue, &mut backlog, false);
    rooms.fill_what_is_paid(&queue, &prices, style, &mut backlog, false);
    let held = hold(&queue, &memory.promises, now, &rooms, &mut backlog);
    let mut left = Left::of(&input.headroom);
    let age = if is_part { f64::INFINITY } else { memory.streams.age(now) };
    let hasty = Hasty::new(&queue, &prices.offers, memory.streams.expected(), age);
    let market = Market { queue: &queue, prices: &prices, shelf: &shelf, policy, hasty };
    let mut waiting = world.nothing_left();
    let mut later = held;
    for run in &later {
        waiting.give_back(run);
    }
    for round in 0..=ROUNDS_MAX {
        market.buy(&mut rooms, &mut backlog, &mut left);
        later.extend(rooms.take_later(world, &mut waiting));
        // What a limit leaves over does not wait beside room, whatever that was meant for.
        reservations.honour(&mut rooms, &queue, &mut backlog, false);
        rooms.fill_all(&queue, &prices, style, &mut backlog);
        if round == ROUNDS_MAX {
            break;
        }
        // Hosts are paid for longer now than they were at first: what need not wait for another starts there, and that
        // leaves its room to others.
        let booting = rooms.take_booting(&mut waiting);
        rooms.fill_what_is_paid(&queue, &prices, style, &mut waiting, true);
        reservations.honour(&mut rooms, &queue, &mut waiting, false);
        let is_moved = rooms.put_back(world, booting, &mut waiting, &mut backlog);
        let is_moved = reserved::move_to_idle(&mut rooms, &queue) || is_moved;
        let is_dropped = rooms.drop_unwanted(&mut left);
        rooms.fill_what_is_paid(&queue, &prices, style, &mut waiting, false);
        let is_moved =
            (is_dropped && bereave(&queue, &rooms, &mut waiting, &mut backlog)) || is_moved;
        if !is_moved {
            break;
        }
    }
    later.retain_mut(|run| {
        run.count = run.count.min(waiting.left(run.shape, run.rank));
        waiting.take(run.shape, run.rank, run.count);
        0 < run.count
    });
    let answer = Answer { input, policy, shelf: &shelf, queue: &queue, is_cooling: &is_cooling };
    let mut planned = answer.planned(&rooms, &later, &backlog, &left, &prices);
    memory.promises.keep(input, &queue, &later, &planned.plan);
    planned.plan.give_back = memory.idle.give_back(&rooms, now, policy.boot_secs);
    planned
}

/// What is bought from.
struct Market<'a> {
    queue: &'a Queue,
    prices: &'a Prices,
    shelf: &'a Shelf,
    policy: &'a PlanPolicy,
    hasty: Hasty<'a>,
}

impl Market<'_> {
    /// Buys until the backlog is empty or nothing more can be bought for it.
    fn buy(&self, rooms: &mut Rooms, backlog: &mut Backlog, left: &mut Left) {
        let Self { queue, prices, shelf, policy, hasty } = self;
        // Where nothing can be bought, as at a limit, nothing is weighed: what there is room for starts.
        let can_buy = shelf.all.iter().any(|offer| 0 < left.times(offer));
        if can_buy {
            hasty.place(rooms, backlog);
            hasty.buy(rooms, backlog, left);
        }
        // A host there is takes more work only once in a round.
        while can_buy && !backlog.is_empty() {
            let bought = buy::buy(queue, prices, rooms, backlog, shelf, left, policy);
            if bought.is_empty() {
                break;
            }
            for host in bought {
                match host.seat {
                    Some(at) => rooms.all[at].put(&queue.world, &host.runs),
                    None => rooms.buy(&queue.world, &host),
                }
            }
        }
    }
}

/// Sets aside what has been told to wait for room, as runs that start when it is to be there: nothing is bought for it.
/// Not so what no host there is could hold: one may have registered with less than was thought.
fn hold(
    queue: &Queue,
    promises: &Promises,
    now: i64,
    rooms: &Rooms,
    backlog: &mut Backlog,
) -> Vec<Run> {
    let world = &queue.world;
    let mut held = Vec::new();
    for (shape, of_shape) in world.shapes.iter().enumerate() {
        let awaited = promises.of(now, of_shape.classes, of_shape.need);
        if awaited.is_empty() || !rooms.could_hold(of_shape) {
            continue;
        }
        for (secs, mut n) in awaited {
            for rank in (0..world.groups[shape].len()).rev() {
                let group = &world.groups[shape][rank];
                let count = n.min(backlog.left(shape, rank));
                if count == 0 || group.latest < secs {
                    continue;
                }
                backlog.take(shape, rank, count);
                n -= count;
                let (start, end) = (secs, secs.saturating_add(group.secs));
                held.push(Run { start, end, shape, rank, count });
            }
        }
    }
    held
}

/// What was to wait for room on a host that is not bought after all waits for none where no other could hold it, whichever
/// way it is run: it needs a place again. Tells whether there is any.
fn bereave(queue: &Queue, rooms: &Rooms, waiting: &mut Backlog, backlog: &mut Backlog) -> bool {
    let world = &queue.world;
    let could_hold: Vec<bool> = world.shapes.iter().map(|shape| rooms.could_hold(shape)).collect();
    let mut is_any = false;
    let has_room = |place: Place| {
        let ways = world.ways.as_ref().and_then(|ways| ways.of_place(place));
        ways.map_or(could_hold[place.0], |ways| ways.iter().any(|way| could_hold[way.0]))
    };
    for (shape, of_shape) in world.groups.iter().enumerate() {
        for rank in 0..of_shape.len() {
            let count = waiting.left(shape, rank);
            if 0 < count && !has_room((shape, rank)) {
                waiting.take(shape, rank, count);
                backlog.give_back(&Run { start: 0, end: 0, shape, rank, count });
                is_any = true;
            }
        }
    }
    is_any
}
