//! Places for jobs that nobody lets wait: on the host that costs least for it, else on a new one.
//!
//! A job on a host that is paid for anyway costs nothing. On one that has to be kept for it, it costs the price of the
//! time by which it outlasts the rest; less, if other work may be expected to share that time. What that comes to is held
//! against the price of a host of its own.
//!
//! A new host is chosen for the job, for what waits beside it, and for what may be expected to come: the one that is worth
//! most for its cost. The job counts as the mean of what a host of its own would cost and of what it costs among its like: as the
//! first alone a larger host would seldom be worth while, as the second too often. Hosts that are larger than all that waits could fill are left to what is bought next: where many
//! jobs come, several wait at once.

use crate::amount::{Amount, score_of, whole_of};
use crate::bill::host::Run;
use crate::bill::world::{Backlog, Place, World};
use crate::demand::ClassSet;
use crate::headroom::Left;
use crate::online::queue::Queue;
use crate::online::room::{Room, Rooms};
use crate::online::stream::Expected;
use crate::online::tail::{lost_to_tail, outlasting};
use crate::online::worth::{Worth, largest_part, sum_of_parts};
use crate::prune::Offer;

/// Of the time by which a job outlasts the rest of a host, other work is expected to share so much while jobs keep coming.
const SHARED_PART: f64 = 0.5;

/// Of a host's later life, what comes fills so much.
const FILLED_PART: f64 = 0.85;

/// How many times its boot a host of its own is taken to cost a job: it is paid for, and it is waited for.
const BOOT_COSTS: f64 = 2.0;

/// Costs that differ by less than this part of what a host of its own costs are the same: the better fit decides.
const SAME_COST: f64 = 0.02;

/// How much it counts against a host that it is paid for long beyond the job, beside room that stays free.
const SLACK_WEIGHT: f64 = 0.5;

/// How much it counts against a host that it has yet to boot.
const BOOT_WEIGHT: f64 = 0.3;

/// Shapes that are weighed for the rest of a new host.
const COMPANY_MAX: usize = 96;

/// Jobs of one group.
#[derive(Debug, Clone, Copy)]
struct Asked {
    shape: usize,
    rank: usize,
    worth: Worth,
    secs: f64,
    /// What a host of its own would cost for one, whichever way it is run.
    alone: f64,
    /// The part of a full host that one is, whichever way it is run.
    stake: f64,
    /// The first of the groups that are the same jobs, and which of them this is, the cheapest first.
    set: (Place, usize),
}

impl Asked {
    /// Whether both are the same jobs.
    fn is_same(&self, other: &Self) -> bool {
        self.set.0 == other.set.0
    }
}

/// Jobs that may be run in several ways are worth what they are the cheapest way.
fn even(world: &World, asked: &mut [Asked]) {
    for set in world.ways.iter().flat_map(|ways| ways.sets()) {
        let Some(first) = set.first() else { continue };
        let of_set = |a: &&Asked| set.contains(&(a.shape, a.rank));
        let (mut alone, mut stake) = (f64::INFINITY, f64::INFINITY);
        for way in asked.iter().filter(of_set) {
            (alone, stake) = (alone.min(way.alone), stake.min(way.stake));
        }
        for (ord, place) in set.iter().enumerate() {
            for way in asked.iter_mut().filter(|way| (way.shape, way.rank) == *place) {
                (way.alone, way.stake, way.set) = (alone, stake, (*first, ord));
            }
        }
    }
}

/// What may share a new host.
#[derive(Debug, Clone, Copy)]
struct Company {
    shape: Option<usize>,
    classes: ClassSet,
    need: Amount,
    /// What an hour of one is worth.
    worth: f64,
    count: f64,
    secs: f64,
}

/// Finds places for jobs without patience.
pub(crate) struct Hasty<'a> {
    queue: &'a Queue,
    offers: &'a [Offer],
    boot: f64,
    /// For how long jobs have been coming.
    age: f64,
    /// The groups, those with most at stake first.
    asked: Vec<Asked>,
    expected: Vec<Company>,
}

impl<'a> Hasty<'a> {
    /// `offers` are those worth a look, cheapest first; `streams` what may be expected to come, and jobs are expected to come
    /// for `age` seconds more.
    pub(crate) fn new(
        queue: &'a Queue,
        offers: &'a [Offer],
        streams: Vec<Expected>,
        age: f64,
    ) -> Self {
        let world = &queue.world;
        let boot = f64::from(world.clock.boot);
        let mut asked: Vec<Asked> = Vec::new();
        for (shape, of_shape) in world.shapes.iter().enumerate() {
            let Some(worth) = Worth::of(&of_shape.need, of_shape.classes, offers) else { continue };
            for (rank, group) in world.groups[shape].iter().enumerate() {
                if 0.0 < group.haste {
                    let secs = f64::from(group.secs);
                    let alone = worth.alone * (secs + BOOT_COSTS * boot);
                    let stake = worth.among_many * secs;
                    let set = ((shape, rank), 0);
                    asked.push(Asked { shape, rank, worth, secs, alone, stake, set });
                }
            }
        }
        even(world, &mut asked);
        asked.sort_by(|a, b| b.stake.total_cmp(&a.stake).then_with(|| a.set.cmp(&b.set)));
        let company = |e: Expected| {
            let worth = Worth::of(&e.need, e.classes, offers)?.among_many;
            let (classes, need, count) = (e.classes, e.need, e.count);
            Some(Company { shape: None, classes, need, worth, count, secs: e.secs.into() })
        };
        let expected = streams.into_iter().filter_map(company).collect();
        Self { queue, offers, boot, age, asked, expected }
    }

    /// Starts what may be started on the hosts there are for less than a host of its own would cost.
    pub(crate) fn place(&self, rooms: &mut Rooms, backlog: &mut Backlog) {
        let least = self.queue.least();
        let is_open = |at: &usize| least.fits(&rooms.all[*at].seat.free);
        let open: Vec<usize> = (0..rooms.all.len()).filter(is_open).collect();
        for ways in self.asked.chunk_by(Asked::is_same) {
            self.place_group(ways, &mut rooms.all, &open, backlog);
        }
    }

    /// `ways` are those of the same jobs.
    fn place_group(
        &self,
        ways: &[Asked],
        rooms: &mut [Room],
        open: &[usize],
        backlog: &mut Backlog,
    ) {
        let world = &self.queue.world;
        let mut left = ways.first().map_or(0, |asked| backlog.left(asked.shape, asked.rank));
        if left == 0 {
            return;
        }
        let mut ranked: Vec<((f64, f64, u32), usize, &Asked)> = Vec::new();
        for asked in ways {
            let rank = |at: &usize| Some((self.cost_on(asked, &rooms[*at], left)?, *at, asked));
            ranked.extend(open.iter().filter_map(rank));
        }
        ranked.sort_by(|((cost, fit, start), at, asked), (other, other_at, other_asked)| {
            let by_cost = cost.total_cmp(&other.0).then(fit.total_cmp(&other.1));
            by_cost.then((start, at, asked.set).cmp(&(&other.2, other_at, other_asked.set)))
        });
        for (_, at, asked) in ranked {
            let need = world.shapes[asked.shape].need;
            let count = need.times_in(&rooms[at].seat.free).min(left);
            if count == 0 {
                continue;
            }
            left -= count;
            backlog.take(asked.shape, asked.rank, count);
            put(&mut rooms[at], self.queue, asked, count);
            if left == 0 {
                break;
            }
        }
    }

    /// What it costs to run one of `n` equal jobs there, in steps of what makes a difference; how badly it fits; and when it
    /// starts. None if it does not fit or costs as much as a host of its own.
    fn cost_on(&self, asked: &Asked, room: &Room, n: u32) -> Option<(f64, f64, u32)> {
        let (shape, seat) = (&self.queue.world.shapes[asked.shape], &room.seat);
        if !shape.classes.has(seat.offer.class) || !shape.need.fits(&seat.free) {
            return None;
        }
        let end = f64::from(seat.start) + asked.secs;
        let part = largest_part(&shape.need, &seat.offer.capacity).min(1.0);
        let together = f64::from(shape.need.times_in(&seat.free).min(n));
        let cost = if self.age.is_finite() {
            self.cost_of_keeping(asked, room, f64::from(seat.start), together)
        } else {
            // More waits than can be started: no host goes back that has work, whenever that ends. What counts is what its room
            // costs; of equal ones the fullest are filled first, so that those that are too many fall idle.
            score_of(seat.offer.price) * asked.secs * part
        };
        if asked.alone < cost {
            return None;
        }
        let step = (cost / (asked.alone * SAME_COST).max(1e-9)).round();
        let free = sum_of_parts(&seat.free.less(&shape.need, 1), &seat.offer.capacity);
        let paid = f64::from(seat.paid_until);
        let slack = SLACK_WEIGHT * (paid - end).max(0.0) / (paid + 1.0);
        let boots = if room.is_ready { 0.0 } else { BOOT_WEIGHT };
        Some((step, free + slack + boots, seat.start))
    }

    /// What a host costs for a job that starts there at `start` beside `together - 1` equal ones: its price for as long as
    /// they are expected to outlast the rest, less what others are expected to share of that.
    fn cost_of_keeping(&self, asked: &Asked, room: &Room, start: f64, together: f64) -> f64 {
        let (shape, offer) = (&self.queue.world.shapes[asked.shape], &room.seat.offer);
        let part = largest_part(&shape.need, &offer.capacity).min(1.0);
        let is_shared = SHARED_PART * (-(start + asked.secs) / (self.age + 1.0)).exp();
        let part_alone = (1.0 / together.max(1.0)).max(part);
        let parts = is_shared * part + (1.0 - is_shared) * part_alone;
        score_of(offer.price) * outlasting(asked.secs, room.last_end - start) * parts
    }

    /// Buys hosts for what is left, as far as the limits go.
    pub(crate) fn buy(&self, rooms: &mut Rooms, backlog: &mut Backlog, left: &mut Left) {
        let world = &self.queue.world;
        for ord in 0..self.asked.len() {
            let asked = self.asked[ord];
            while 0 < backlog.left(asked.shape, asked.rank) {
                let Some(offer) = self.choose(&asked, backlog, left) else { break };
                let start = world.clock.boot;
                let mut room = Room::bought(*offer, start);
                backlog.take(asked.shape, asked.rank, 1);
                put(&mut room, self.queue, &asked, 1);
                let mut only = [room];
                for ways in self.asked[ord..].chunk_by(Asked::is_same) {
                    self.place_group(ways, &mut only, &[0], backlog);
                }
                let [room] = only;
                let n_equal = backlog.times(&room.first).saturating_add(1);
                let (offer, times) = self.together(offer, &room, n_equal, left);
                let room = self.filled(offer, &room.first, times);
                let count = (n_equal / times).min(left.times(offer));
                left.take(offer, count);
                for run in &room.first {
                    // What one of the first host has is off already.
                    let taken = run.count.saturating_mul(count) - run.count / times;
                    backlog.take(run.shape, run.rank, taken);
                }
                for _ in 0..count {
                    rooms.all.push(room.clone());
                }
            }
        }
    }

    /// The host that takes what several equal ones would at the least price for each, and how many of them it stands for.
    fn together<'b>(
        &self,
        offer: &'b Offer,
        room: &Room,
        n_equal: u32,
        left: &Left,
    ) -> (&'b Offer, u32)
    where
        'a: 'b,
    {
        let shapes = &self.queue.world.shapes;
        let mut load = Amount::default();
        for run in &room.first {
            load = load.plus(&shapes[run.shape].need, run.count);
        }
        let (mut best, mut best_times) = (offer, 1);
        for other in self.offers {
            let is_allowed =
                room.first.iter().all(|run| shapes[run.shape].classes.has(other.class));
            let times = load.times_in(&other.capacity).min(n_equal);
            // One that only holds the same once has no room for what comes.
            if !is_allowed || times < 2 || left.times(other) == 0 {
                continue;
            }
            let price = u128::from(other.price) * u128::from(best_times);
            if price < u128::from(best.price) * u128::from(times) {
                (best, best_times) = (other, times);
            }
        }
        (best, best_times)
    }

    /// A new host with so many times the contents.
    fn filled(&self, offer: &Offer, first: &[Run], times: u32) -> Room {
        let mut room = Room::bought(*offer, self.queue.world.clock.boot);
        let more = |run: &Run| Run { count: run.count.saturating_mul(times), ..*run };
        let runs: Vec<Run> = first.iter().map(more).collect();
        room.put(&self.queue.world, &runs);
        room
    }

    /// The host that is worth most for its cost.
    fn choose(&self, asked: &Asked, backlog: &Backlog, left: &Left) -> Option<&'a Offer> {
        let world = &self.queue.world;
        let shape = &world.shapes[asked.shape];
        let company = self.company(asked, backlog);
        let life = asked.secs + self.boot;
        let mut best: Option<(f64, &Offer)> = None;
        for offer in self.offers {
            let holds = shape.classes.has(offer.class) && shape.need.fits(&offer.capacity);
            if !holds || left.times(offer) == 0 {
                continue;
            }
            let mut free = offer.capacity.less(&shape.need, 1);
            let (mut worth, mut n_jobs) = (asked.worth.of_first() * life, 1.0);
            let is_allowed = |c: &&Company| c.classes.has(offer.class) && c.need.fits(&free);
            let density = |c: &Company| c.worth / sum_of_parts(&c.need, &offer.capacity).max(1e-9);
            let mut by_density: Vec<(f64, &Company)> =
                company.iter().filter(is_allowed).map(|c| (density(c), c)).collect();
            by_density.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            for (_, other) in by_density {
                let most = u32::try_from(whole_of(other.count.ceil())).unwrap_or(u32::MAX);
                let count = other.need.times_in(&free).min(most);
                free = free.less(&other.need, count);
                let later = self.age.min(asked.secs) * FILLED_PART;
                let secs = if other.shape.is_some() {
                    // It waits for a host too.
                    asked.secs.min(other.secs) + self.boot
                } else {
                    asked.secs.min(other.secs.max(later))
                };
                let count = f64::from(count).min(other.count);
                n_jobs += count;
                worth += count * other.worth * secs;
            }
            let paid = life + lost_to_tail(n_jobs) * asked.secs;
            let lost = 1.0 + world.loss(offer, self.queue.world.secs(asked.shape, asked.rank));
            let score = worth / (score_of(offer.price).max(1.0) * paid * lost);
            if best.is_none_or(|(most, _)| most + 1e-12 < score) {
                best = Some((score, offer));
            }
        }
        best.map(|(_, offer)| offer)
    }

    /// What waits besides a job, by shape, and what may be expected; what most is at stake for, if it is much.
    fn company(&self, asked: &Asked, backlog: &Backlog) -> Vec<Company> {
        let world = &self.queue.world;
        let mut company: Vec<Company> = Vec::new();
        for other in &self.asked {
            if !world.is_first_way((other.shape, other.rank)) {
                continue;
            }
            let is_same = other.is_same(asked);
            let count = backlog.left(other.shape, other.rank) - u32::from(is_same);
            if count == 0 {
                continue;
            }
            let (of_shape, count) = (&world.shapes[other.shape], f64::from(count));
            let known = company.iter_mut().find(|c| c.shape == Some(other.shape));
            if let Some(known) = known {
                let sum = known.count + count;
                known.secs = (known.secs * known.count + other.secs * count) / sum;
                known.count = sum;
            } else if company.len() < COMPANY_MAX {
                company.push(Company {
                    shape: Some(other.shape),
                    classes: of_shape.classes,
                    need: of_shape.need,
                    worth: other.worth.among_many,
                    count,
                    secs: other.secs,
                });
            }
        }
        company.extend(self.expected.iter().take(COMPANY_MAX).copied());
        company
    }
}

fn put(room: &mut Room, queue: &Queue, asked: &Asked, count: u32) {
    let (shape, rank) = (asked.shape, asked.rank);
    let start = room.seat.start;
    let end = start.saturating_add(queue.world.secs(shape, rank));
    room.put(&queue.world, &[Run { start, end, shape, rank, count }]);
}
