//! The line, walked job by job: for when there is not enough for all.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;

use spillway_core::job::LinePlace;
use spillway_core::{JobId, QueueName, ShareId};

use super::remaining::Remaining;
use super::{Asked, Dispatch, HeldBack, Selection};
use crate::lane::Lane;
use crate::limits;
use crate::waiting::{GroupKey, Line};

/// Who goes before whom: the queue's priority, then when a job came.
type Rank = (Reverse<u32>, LinePlace);

/// A queue's number, its share, and the group of it that is next.
type Next = (usize, Option<ShareId>, Place);

/// A group, and who is next in it.
struct Front<'a> {
    key: GroupKey,
    lane: &'a Lane,
    line: Peekable<std::iter::Take<std::iter::Skip<Line<'a>>>>,
}

/// Where a group's first job stands in its share: whoever is tried again, then by priority, then by number.
type Place = (bool, Reverse<u16>, LinePlace, JobId, usize);

/// The groups of a share, by who is next.
#[derive(Default)]
struct ShareLine {
    fronts: BTreeSet<Place>,
    used: u64,
    held: u64,
}

/// The shares of a queue. One that does not let them take turns has one line.
struct QueueLine<'a> {
    name: &'a QueueName,
    priority: u32,
    is_fair: bool,
    shares: BTreeMap<Option<ShareId>, ShareLine>,
    /// Shares with somebody in line, by their score.
    turns: BTreeSet<(u128, Option<ShareId>)>,
}

pub(super) struct Walk<'a> {
    of: &'a Dispatch<'a>,
    protected: &'a BTreeSet<(GroupKey, JobId)>,
    fronts: Vec<Front<'a>>,
    queues: Vec<QueueLine<'a>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        of: &'a Dispatch<'a>,
        asked: &Asked<'a>,
        groups: &[(GroupKey, u32, &'a Lane)],
    ) -> Self {
        let mut walk =
            Self { of, protected: asked.protected, fronts: Vec::new(), queues: Vec::new() };
        for (key, n, lane) in groups {
            let Some(group) = of.waiting.get(key) else { continue };
            // Who is kept a place is first in the group.
            let n_kept = group.len().saturating_sub(*n);
            let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
            let line = group.line().skip(count(n_kept)).take(count(*n)).peekable();
            walk.fronts.push(Front { key: *key, lane, line });
            walk.line_up(walk.fronts.len() - 1);
        }
        for queue in &mut walk.queues {
            let shares: Vec<Option<ShareId>> = queue.shares.keys().cloned().collect();
            for share in shares {
                queue.take_turn(of, &share);
            }
        }
        walk
    }

    /// Puts a group where its next job stands.
    fn line_up(&mut self, at: usize) {
        let Some(front) = self.fronts.get_mut(at) else { return };
        let Some((stands_at, id)) = front.line.peek().copied() else { return };
        let lane = front.lane;
        let rules = self.of.config.queue(&lane.queue);
        let is_fair = rules.fair_share.is_some();
        let position = self.queues.iter().position(|queue| *queue.name == lane.queue);
        let position = position.unwrap_or_else(|| {
            self.queues.push(QueueLine {
                name: &lane.queue,
                priority: rules.priority,
                is_fair,
                shares: BTreeMap::new(),
                turns: BTreeSet::new(),
            });
            self.queues.len() - 1
        });
        let Some(queue) = self.queues.get_mut(position) else { return };
        let share = is_fair.then(|| lane.share());
        let share = queue.shares.entry(share.clone()).or_insert_with(|| match &share {
            Some(share) => ShareLine {
                fronts: BTreeSet::new(),
                used: self.of.in_use.used(self.of.config, self.of.now, &lane.queue, share),
                held: self.of.in_use.share(&lane.queue, share).cpu,
            },
            None => ShareLine::default(),
        });
        share.fronts.insert((stands_at.is_fresh, Reverse(lane.priority), stands_at, id, at));
    }

    /// The queue and share whose turn it is: the highest priority, then whoever came first.
    fn next(&self) -> Option<Next> {
        let mut best: Option<(Rank, Next)> = None;
        for (ord, queue) in self.queues.iter().enumerate() {
            let Some((_, share)) = queue.turns.first() else { continue };
            let Some(place) = queue.shares.get(share).and_then(|share| share.fronts.first()) else {
                continue;
            };
            let rank = (Reverse(queue.priority), place.2);
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, (ord, share.clone(), *place)));
            }
        }
        best.map(|(_, next)| next)
    }

    /// Walks until everybody has a place or knows why not.
    pub(super) fn run(mut self, remaining: &mut Remaining, selection: &mut Selection) {
        let mut picks: Vec<(GroupKey, JobId)> = Vec::new();
        while let Some((ord, share, place)) = self.next() {
            let (.., id, at) = place;
            let Some(front) = self.fronts.get_mut(at) else { break };
            let (key, lane, need) = (front.key, front.lane, front.key.class.need);
            if limits::PICKS_MAX <= picks.len() {
                selection.is_cut = true;
                break;
            }
            let is_protected = self.protected.contains(&(key, id));
            let why = if is_protected {
                Some(HeldBack::MakingRoom)
            } else if remaining.room.fits(&need) {
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
            if let Some(why) = &why {
                selection.held.insert(key, why.clone());
            } else {
                remaining.charge(lane, &need, 1);
                picks.push((key, id));
                *selection.counts.entry(key).or_default() += 1;
            }
            front.line.next();
            if let Some(queue) = self.queues.get_mut(ord) {
                queue.step_out(self.of, &share, &place);
                if is_picked {
                    queue.charge(&share, need.cpu.get());
                }
            }
            if is_picked || is_protected {
                // Who stands behind one that finds no room in its group needs the same.
                self.line_up(at);
            }
            if let Some(queue) = self.queues.get_mut(ord) {
                queue.take_turn(self.of, &share);
            }
        }
        selection.picks = Some(picks);
    }
}

#[expect(clippy::ref_option, reason = "shares are found by what their map has them under")]
impl QueueLine<'_> {
    fn score(&self, of: &Dispatch<'_>, share: &Option<ShareId>) -> u128 {
        let (Some(id), Some(line), true) = (share, self.shares.get(share), self.is_fair) else {
            return 0;
        };
        of.score_of(self.name, id, line.used, line.held)
    }

    /// Takes a group out of its share's line, and the share out of the queue's.
    fn step_out(&mut self, of: &Dispatch<'_>, share: &Option<ShareId>, place: &Place) {
        let score = self.score(of, share);
        self.turns.remove(&(score, share.clone()));
        if let Some(line) = self.shares.get_mut(share) {
            line.fronts.remove(place);
        }
    }

    fn charge(&mut self, share: &Option<ShareId>, cpu: u32) {
        if let Some(line) = self.shares.get_mut(share) {
            line.held = line.held.saturating_add(cpu.into());
        }
    }

    /// Puts a share where its score says, if somebody of it is in line.
    fn take_turn(&mut self, of: &Dispatch<'_>, share: &Option<ShareId>) {
        let score = self.score(of, share);
        if self.shares.get(share).is_some_and(|line| !line.fronts.is_empty()) {
            self.turns.insert((score, share.clone()));
        }
    }
}
