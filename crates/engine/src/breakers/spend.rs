//! Money that is paid in vain: hosts that are bought, never bring an attempt to its end, and are gone within half an hour. Whatever the
//! cause is (Spot that is taken back as it comes, hosts that refuse every task, room that is bought for what cannot start), to buy on is
//! to pay for it again; one host now and then is enough to see when it is over.
//!
//! It opens when, of what was paid for all hosts within [`limits::SPEND_WINDOW`], at least [`limits::SPEND_SURGE_PERCENT`] percent and at
//! least the configured floor went to hosts that were launched and ended within that time, on which no attempt ended by itself or by
//! order. Not counted are those that were given back because nobody was left whom they could have served: that is whoever ended the
//! work's doing. Multi-node jobs get their hosts all the same: one host would be no probe of them, and the control loop has a back-off
//! of its own for what is bought for one in vain.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use spillway_core::{
    BreakerId, FailureCategory, HostId, LaunchId, MicroUsd, MicroUsdPerHour, cost,
};

use super::Rule;
use crate::engine::{Cx, Engine};
use crate::fleet::Purpose;
use crate::limits;

const RULE: Rule =
    Rule { n_failed_max: 1, first: limits::SPEND_PROBE, longest: limits::BREAKER_PROBE_MAX };

/// A host that is gone.
#[derive(Debug, Clone, Copy)]
struct Past {
    launched_at: Timestamp,
    ended_at: Timestamp,
    price: MicroUsdPerHour,
    /// Whether it was paid for in vain.
    in_vain: bool,
}

impl Past {
    /// What of its bill came up from then on.
    fn paid_since(&self, from: Timestamp) -> MicroUsd {
        let by = |at| cost::billed_by(self.price, self.launched_at, self.ended_at, at);
        by(Timestamp::MAX).saturating_sub(by(from))
    }
}

/// The hosts that have ended within the window, and the one that is a probe. Not written: a dispatcher that starts again counts anew.
#[derive(Debug, Default)]
pub(super) struct Surge {
    past: VecDeque<Past>,
    probe: Option<HostId>,
}

/// What was paid within the window, and how much of it in vain and for how many hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Paid {
    all: MicroUsd,
    in_vain: MicroUsd,
    n_in_vain: u32,
}

impl Paid {
    /// Whether it is a surge.
    fn is_surge(&self, floor: MicroUsd) -> bool {
        let (part, all) = (u128::from(self.in_vain.get()), u128::from(self.all.get()));
        floor <= self.in_vain && u128::from(limits::SPEND_SURGE_PERCENT) * all <= part * 100
    }
}

impl Surge {
    /// Nothing that was paid before counts any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn note(&mut self, now: Timestamp, past: Past) {
        self.past.retain(|past| now.duration_since(past.ended_at) < limits::SPEND_WINDOW);
        self.past.push_back(past);
    }

    fn paid(&self, from: Timestamp) -> Paid {
        let mut paid = Paid::default();
        for past in &self.past {
            let cost = past.paid_since(from);
            paid.all += cost;
            if past.in_vain {
                paid.in_vain += cost;
                paid.n_in_vain = paid.n_in_vain.saturating_add(1);
            }
        }
        paid
    }
}

impl Engine {
    /// A host is over. Called while its record is still open.
    pub(crate) fn note_host_over(&mut self, cx: &mut Cx, id: HostId, ended_at: Timestamp) {
        let Some(entry) = self.fleet.get(id) else { return };
        let Some(instance) = entry.host.instance() else { return };
        let (launched_at, price) = (instance.launched_at, entry.host.price);
        let lived = ended_at.duration_since(launched_at);
        let has_failed = entry.purpose == Purpose::None;
        let in_vain = has_failed && lived < limits::SPEND_WINDOW;
        self.breakers.surge.note(cx.now, Past { launched_at, ended_at, price, in_vain });
        if self.breakers.surge.probe == Some(id) {
            self.breakers.surge.probe = None;
            if in_vain {
                let reason = format!("the probe ran nothing to its end within {}", text(lived));
                self.note_failed(cx, &BreakerId::spend(), &reason, RULE, true);
            } else if has_failed {
                // It did not come and go: where jobs are longer than Spot hosts live, that is no surge.
                self.note_worked(cx, &BreakerId::spend());
            } else {
                self.probe_again_at(cx, &BreakerId::spend(), cx.now);
            }
        } else if in_vain {
            self.judge_spending(cx, id);
        }
    }

    /// Leaves buying alone if what was paid of late was paid in vain.
    fn judge_spending(&mut self, cx: &mut Cx, last: HostId) {
        let is_open = self.breakers.get(&BreakerId::spend()).is_some();
        let Some(floor) = self.config.surge_floor.filter(|_| !is_open) else { return };
        let from = cx.now - limits::SPEND_WINDOW;
        let mut paid = self.breakers.surge.paid(from);
        for entry in self.fleet.iter().filter(|entry| entry.host.id != last) {
            let Some(instance) = entry.host.instance() else { continue };
            let until = entry.ended_at.unwrap_or(Timestamp::MAX);
            let by = |at| cost::billed_by(entry.host.price, instance.launched_at, until, at);
            paid.all += by(cx.now).saturating_sub(by(from));
        }
        if paid.is_surge(floor) {
            let reason = format!(
                "{} of {} within {} went to {} hosts that ran nothing to its end",
                paid.in_vain,
                paid.all,
                text(limits::SPEND_WINDOW),
                paid.n_in_vain,
            );
            self.note_failed(cx, &BreakerId::spend(), &reason, RULE, false);
        }
    }

    /// An attempt has ended on a host. What ended by itself or by order was worth its money.
    pub(crate) fn note_worked_on(
        &mut self,
        cx: &mut Cx,
        host: HostId,
        failure: Option<FailureCategory>,
    ) {
        if failure.is_some_and(FailureCategory::is_infrastructure) {
            return;
        }
        if let Some(entry) = self.fleet.get_mut(host) {
            entry.purpose = Purpose::Worked;
        }
        if self.breakers.surge.probe == Some(host) {
            self.note_worked(cx, &BreakerId::spend());
        }
    }

    /// How many of `n` hosts may be bought now: one at a time while it is not known whether they would be bought in vain.
    /// One host shows nothing of a multi-node job, and what is bought for one in vain is bought less and less often by itself.
    pub(crate) fn let_spend(&self, now: Timestamp, n: u32, for_gang: bool) -> u32 {
        if self.breakers.is_empty() || for_gang {
            return n;
        }
        match self.breakers.get(&BreakerId::spend()) {
            None => n,
            Some(breaker) if breaker.is_due(now) => n.min(1),
            Some(_) => 0,
        }
    }

    /// Whether a launch that was decided before is not to be sent, since money is paid in vain; a probe is.
    pub(crate) fn is_held_by_surge(&self, launch: LaunchId) -> bool {
        if self.breakers.is_empty() || self.breakers.get(&BreakerId::spend()).is_none() {
            return false;
        }
        let open = self.launches.get(&launch);
        let is_let = |host: &HostId| {
            let for_gang = self.fleet.get(*host).is_some_and(|entry| entry.held_for.is_some());
            for_gang || self.breakers.surge.probe == Some(*host)
        };
        open.is_some_and(|open| !open.launch.hosts.iter().any(is_let))
    }

    /// A host is bought: where a probe may go, it is that.
    pub(crate) fn buy_as_probe(&mut self, cx: &mut Cx, host: HostId) {
        let is_due = |breaker: &spillway_core::Breaker| breaker.is_due(cx.now);
        if !self.breakers.is_empty() && self.breakers.get(&BreakerId::spend()).is_some_and(is_due) {
            self.begin_probe(cx, &BreakerId::spend());
            self.breakers.surge.probe = Some(host);
        }
    }

    /// A host was not to be had: it shows nothing.
    pub(crate) fn note_not_bought(&mut self, cx: &mut Cx, host: HostId) {
        if self.breakers.surge.probe == Some(host) {
            self.breakers.surge.probe = None;
            self.probe_again_at(cx, &BreakerId::spend(), cx.now);
        }
    }

    /// Whether somebody waits who could start if there were room.
    pub(crate) fn could_anybody_start(&self, now: Timestamp) -> bool {
        let dispatch = self.dispatch(now);
        let of_lines = self.waiting.by_lane().map(|(lane, _)| lane);
        let mut lanes = of_lines.filter_map(|lane| self.lanes.get(lane));
        let is_open = |lane: &crate::lane::Lane| dispatch.shut(lane).is_none();
        lanes.any(is_open) || self.gangs.iter().any(|(_, _, lane)| is_open(lane))
    }
}

fn text(span: SignedDuration) -> String {
    format!("{} min", span.as_mins())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(min: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + min * 60).unwrap()
    }

    /// A dollar a minute.
    const PRICE: MicroUsdPerHour = MicroUsdPerHour::new(60_000_000);

    fn host(from: i64, until: i64, in_vain: bool) -> Past {
        Past { launched_at: at(from), ended_at: at(until), price: PRICE, in_vain }
    }

    fn dollars(n: u64) -> MicroUsd {
        MicroUsd::new(n * 1_000_000)
    }

    #[test]
    fn what_was_paid_before_the_window_does_not_count() {
        let mut surge = Surge::default();
        surge.note(at(50), host(40, 50, true));
        surge.note(at(100), host(60, 100, false));
        surge.note(at(100), host(90, 95, true));

        let paid = surge.paid(at(70));

        assert_eq!(paid, Paid { all: dollars(35), in_vain: dollars(5), n_in_vain: 1 });
    }

    #[test]
    fn a_surge_is_both_much_money_and_most_of_it() {
        let paid =
            |all, in_vain| Paid { all: dollars(all), in_vain: dollars(in_vain), n_in_vain: 1 };

        assert!(paid(20, 10).is_surge(dollars(10)));
        assert!(!paid(21, 10).is_surge(dollars(10)), "most of the fleet works");
        assert!(!paid(9, 9).is_surge(dollars(10)), "it is little");
    }
}
