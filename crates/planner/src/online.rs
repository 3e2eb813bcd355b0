//! The dispatcher's plan: jobs come one after another and have durations, hosts are paid from launch to termination.
//!
//! Pure as the rest of the planner: no clock, no chance, no hash order. It decides; it never places more than is asked
//! for nor more than a host has free. `README.md`, "The dispatcher's plan", states the method.

mod answer;
mod buy;
mod queue;
mod room;

use spillway_core::{PlanInput, PlanPolicy, Planned};

use crate::bill::search::STYLES;
use crate::online::answer::Answer;
use crate::online::buy::Bought;
use crate::online::queue::Queue;
use crate::online::room::Rooms;
use crate::{prune, stock};

/// Decides what starts where now, what waits for which room, and what is bought.
pub(crate) fn plan(input: &PlanInput, policy: &PlanPolicy) -> Planned {
    let is_cooling = prune::cooling_flags(input);
    let all = prune::buyable(&input.catalog, &is_cooling, policy);
    let shelf = stock(input, all);
    let queue = Queue::new(input, policy, &shelf);
    let mut backlog = queue.world.backlog();
    let mut rooms = Rooms::new(input);
    rooms.honour_reservations(input, &queue, &mut backlog);
    let prices = buy::prices(&queue, &shelf);
    rooms.fill_what_is_paid(&queue, &prices, STYLES[0], &mut backlog);
    rooms.expect(&queue, &mut backlog);
    let Bought { hosts, left } =
        buy::buy(&queue, &prices, &rooms, &mut backlog, &shelf, input, policy);
    let answer = Answer { input, policy, shelf: &shelf, queue: &queue, is_cooling: &is_cooling };
    for host in hosts.iter().filter_map(|h| Some((h.seat?, h))) {
        rooms.rooms[host.0].put(&queue.world, &host.1.runs);
    }
    answer.planned(&rooms, &hosts, &backlog, &left, &prices)
}
