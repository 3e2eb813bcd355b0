//! The line, walked job by job: for when there is not enough for all.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::iter::Peekable;

use spillway_core::job::LinePlace;
use spillway_core::{JobId, QueueName, ShareId};

use super::remaining::Remaining;
use super::{Asked, Dispatch, HeldBack, Scale, Selection};
use crate::lane::{Lane, LaneOrd};
use crate::limits;
use crate::waiting::{GroupKey, Line};

/// Who goes before whom: the queue's priority, then when a job came.
type Rank = (Reverse<u32>, LinePlace);

/// A queue's number, the number of its share, and the group of it that is next.
type Next = (usize, usize, Place);

/// A group, and who is next in it.
struct Front<'a> {
    key: GroupKey,
    lane: &'a Lane,
    /// The numbers of its queue and share.
    seat: (usize, usize),
    /// How many of it have been picked.
    n_picked: u32,
    line: Peekable<std::iter::Take<std::iter::Skip<Line<'a>>>>,
}

/// Where a group's first job stands in its share: whoever is tried again, then by priority, then by number.
type Place = (bool, Reverse<u16>, LinePlace, JobId, usize);

/// The groups of a share, by who is next.
#[derive(Default)]
struct ShareLine {
    fronts: BinaryHeap<Reverse<Place>>,
    scale: Scale,
    used: u64,
    held: u64,
}

impl ShareLine {
    /// Nobody has had anything where shares do not take turns: their weight is 0.
    fn score(&self) -> u128 {
        self.scale.score(self.used, self.held)
    }
}

/// The shares of a queue, in the order of their names. One that does not let them take turns has one line.
struct QueueLine {
    priority: u32,
    shares: Vec<ShareLine>,
    /// Shares with somebody in line, by their score.
    turns: BTreeSet<(u128, usize)>,
}

pub(super) struct Walk<'a> {
    protected: &'a BTreeSet<(GroupKey, JobId)>,
    tells_why: bool,
    fronts: Vec<Front<'a>>,
    queues: Vec<QueueLine>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        of: &'a Dispatch<'a>,
        asked: &Asked<'a>,
        groups: &[(GroupKey, u32, &'a Lane)],
    ) -> Self {
        let (protected, tells_why) = (asked.protected, asked.tells_why);
        let (queues, seats) = seats(of, groups);
        let mut walk = Self { protected, tells_why, fronts: Vec::new(), queues };
        for (key, n, lane) in groups {
            let Some(group) = of.waiting.get(key) else { continue };
            let Some(seat) = seats.get(&key.lane).copied() else { continue };
            // Who is kept a place is first in the group.
            let n_kept = group.len().saturating_sub(*n);
            let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
            let n_picked = 0;
            let line = group.line().skip(count(n_kept)).take(count(*n)).peekable();
            walk.fronts.push(Front { key: *key, lane, seat, n_picked, line });
            walk.line_up(walk.fronts.len() - 1);
        }
        for queue in &mut walk.queues {
            for share in 0..queue.shares.len() {
                queue.take_turn(share);
            }
        }
        walk
    }

    /// Puts a group where its next job stands.
    fn line_up(&mut self, at: usize) {
        let Some(front) = self.fronts.get_mut(at) else { return };
        let Some((stands_at, id)) = front.line.peek().copied() else { return };
        let place = (stands_at.is_fresh, Reverse(front.lane.priority), stands_at, id, at);
        let (queue, share) = front.seat;
        let queue = self.queues.get_mut(queue);
        if let Some(share) = queue.and_then(|queue| queue.shares.get_mut(share)) {
            share.fronts.push(Reverse(place));
        }
    }

    /// The queue and share whose turn it is: the highest priority, then whoever came first.
    fn next(&self) -> Option<Next> {
        let mut best: Option<(Rank, Next)> = None;
        for (ord, queue) in self.queues.iter().enumerate() {
            let Some((_, share)) = queue.turns.first() else { continue };
            let first = queue.shares.get(*share).and_then(|share| share.fronts.peek());
            let Some(Reverse(place)) = first else { continue };
            let rank = (Reverse(queue.priority), place.2);
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, (ord, *share, *place)));
            }
        }
        best.map(|(_, next)| next)
    }

    /// Walks until everybody has a place or knows why not; where nobody asks why, until there is nothing left to hand out.
    pub(super) fn run(mut self, remaining: &mut Remaining, selection: &mut Selection) {
        let mut picks: Vec<(GroupKey, JobId)> = Vec::new();
        while let Some((ord, share, place)) = self.next() {
            let (.., id, at) = place;
            let Some(front) = self.fronts.get_mut(at) else { break };
            // Room may do for one of its alternatives; caps are to hold whichever it will be.
            let (key, lane) = (front.key, front.lane);
            let need = key.class.need;
            if limits::PICKS_MAX <= picks.len() {
                selection.is_cut = true;
                break;
            }
            let is_head_known = selection.head.is_some() || !self.protected.is_empty();
            let is_full = selection.least.is_some_and(|least| !remaining.room.fits_any(&least));
            if !self.tells_why && is_head_known && is_full {
                break;
            }
            let is_protected = self.protected.contains(&(key, id));
            let why = if is_protected {
                Some(HeldBack::MakingRoom)
            } else if remaining.room.has(&key.class) {
                remaining.refusal(lane, &need)
            } else {
                // It is the first without room only if nothing else keeps it back.
                let refusal = remaining.refusal(lane, &need);
                if refusal.is_none() && selection.head.is_none() && self.protected.is_empty() {
                    selection.head = Some((key, id));
                }
                Some(refusal.unwrap_or(HeldBack::NoRoom))
            };
            let is_picked = why.is_none();
            if let Some(why) = why {
                selection.held.insert(key, why);
            } else {
                remaining.charge(lane, &need, 1);
                remaining.room.take(&key.class);
                picks.push((key, id));
                front.n_picked += 1;
            }
            front.line.next();
            if let Some(queue) = self.queues.get_mut(ord) {
                queue.step_out(share);
                if is_picked {
                    queue.charge(share, need.cpu.get());
                }
            }
            if is_picked || is_protected {
                // Who stands behind one that finds no room in its group needs the same.
                self.line_up(at);
            }
            if let Some(queue) = self.queues.get_mut(ord) {
                queue.take_turn(share);
            }
        }
        let picked = self.fronts.iter().filter(|front| 0 < front.n_picked);
        selection.counts.extend(picked.map(|front| (front.key, front.n_picked)));
        selection.picks = Some(picks);
    }
}

/// The lines of the queues and shares that these groups are of, and the numbers of queue and share of each lane.
fn seats(
    of: &Dispatch<'_>,
    groups: &[(GroupKey, u32, &Lane)],
) -> (Vec<QueueLine>, BTreeMap<LaneOrd, (usize, usize)>) {
    let mut queues: BTreeMap<&QueueName, BTreeMap<Option<ShareId>, Vec<LaneOrd>>> = BTreeMap::new();
    let mut last = None;
    for (key, _, lane) in groups {
        if last.replace(key.lane) == Some(key.lane) {
            continue;
        }
        let is_fair = of.config.queue(&lane.queue).fair_share.is_some();
        let shares = queues.entry(&lane.queue).or_default();
        shares.entry(is_fair.then(|| lane.share())).or_default().push(key.lane);
    }
    let mut lines = Vec::new();
    let mut seats = BTreeMap::new();
    for (name, shares) in queues {
        let mut line = QueueLine {
            priority: of.config.queue(name).priority,
            shares: Vec::new(),
            turns: BTreeSet::new(),
        };
        for (share, lanes) in shares {
            let of_lane = |lane| (lane, (lines.len(), line.shares.len()));
            seats.extend(lanes.into_iter().map(of_lane));
            line.shares.push(match &share {
                Some(share) => ShareLine {
                    fronts: BinaryHeap::new(),
                    scale: of.scale(name, share),
                    used: of.in_use.used(of.config, of.now, name, share),
                    held: of.in_use.share(name, share).cpu,
                },
                None => ShareLine::default(),
            });
        }
        lines.push(line);
    }
    (lines, seats)
}

impl QueueLine {
    /// Takes the first group out of its share's line, and the share out of the queue's.
    fn step_out(&mut self, share: usize) {
        if let Some(line) = self.shares.get_mut(share) {
            self.turns.remove(&(line.score(), share));
            line.fronts.pop();
        }
    }

    fn charge(&mut self, share: usize, cpu: u32) {
        if let Some(line) = self.shares.get_mut(share) {
            line.held = line.held.saturating_add(cpu.into());
        }
    }

    /// Puts a share where its score says, if somebody of it is in line.
    fn take_turn(&mut self, share: usize) {
        if let Some(line) = self.shares.get(share)
            && !line.fronts.is_empty()
        {
            self.turns.insert((line.score(), share));
        }
    }
}
