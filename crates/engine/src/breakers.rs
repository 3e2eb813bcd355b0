//! What has failed again and again is left alone, tried by a single probe now and then, and used again once that succeeds. Here:
//! what is open, how it opens, is probed and closes. What counts as a failure of what is said by `images`, `calls`, `hosts`, `quotas` and `spend`;
//! `listing` says who waits for which.

mod calls;
mod hosts;
mod images;
mod listing;
mod quotas;
mod spend;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use spillway_core::input::Delivery;
use spillway_core::{
    Breaker, BreakerId, BreakerKind, BreakerState, Change, JobId, LaunchId, Quota,
};

use crate::engine::{Cx, Engine};
use crate::intake::Fate;
use crate::limits;

pub(crate) use calls::{CREATE_FLEET, Gate, READ_REPORT, STOP_TASK, TERMINATE};
pub(crate) use listing::rests_on;

/// All breakers that are not closed, and what may open others.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    open: BTreeMap<BreakerId, Breaker>,
    /// Failures in a row of what is not left alone yet. Not written: a dispatcher that starts again counts anew.
    failing: BTreeMap<BreakerId, u32>,
    /// The jobs whose live attempt is a probe, and of what.
    probes: BTreeMap<JobId, Vec<BreakerId>>,
    /// The launches that are probes of quotas.
    beyond: BTreeMap<Quota, LaunchId>,
    /// What was paid for hosts of late.
    surge: spend::Surge,
}

/// When something is left alone, and for how long.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// After so many failures in a row.
    n_failed_max: u32,
    /// For so long at first; it doubles with each probe that fails,
    first: SignedDuration,
    /// up to this.
    longest: SignedDuration,
}

impl Rule {
    fn pause(self, n_probes: u32) -> SignedDuration {
        self.first.saturating_mul(1 << n_probes.min(16)).min(self.longest)
    }
}

impl Breakers {
    pub(crate) fn new(open: BTreeMap<BreakerId, Breaker>) -> Self {
        Self { open, ..Self::default() }
    }

    /// Takes up what was under way; returns when probes may go.
    pub(crate) fn resume(
        &mut self,
        now: Timestamp,
        starting: Vec<(JobId, Box<[BreakerId]>)>,
    ) -> Vec<Timestamp> {
        for (job, ids) in starting {
            let half_open =
                |id: &&BreakerId| self.open.get(*id).is_some_and(|b| b.probe_at().is_none());
            let is_untaken =
                |id: &&BreakerId| !self.probes.values().flatten().any(|other| other == *id);
            let probed: Vec<BreakerId> =
                self.of(&ids).filter(half_open).filter(is_untaken).cloned().collect();
            if !probed.is_empty() {
                self.probes.insert(Self::prober(job), probed);
            }
        }
        let probed: Vec<&BreakerId> = self.probes.values().flatten().collect();
        let mut due = Vec::new();
        for (id, breaker) in &mut self.open {
            if breaker.probe_at().is_none() && !probed.contains(&id) {
                breaker.state = BreakerState::Open { probe_at: now };
            }
            due.extend(breaker.probe_at().map(|at| at.max(now)));
        }
        due
    }

    /// Whether none is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn get(&self, id: &BreakerId) -> Option<&Breaker> {
        self.open.get(id)
    }

    /// Whether the live attempt of a job is a probe of this.
    fn is_probe(&self, job: JobId, id: &BreakerId) -> bool {
        self.probes.get(&job).is_some_and(|ids| ids.contains(id))
    }

    /// It has failed. Whether that, or the failure of a probe, has it left alone from now on; what is left alone already may fail
    /// on, for what had begun before, and is left alone no longer for it.
    fn failed(
        &mut self,
        now: Timestamp,
        id: &BreakerId,
        reason: &str,
        rule: Rule,
        by_probe: bool,
    ) -> bool {
        let Some(breaker) = self.open.get_mut(id) else {
            let n_failed = self.failing.entry(id.clone()).or_default();
            *n_failed = n_failed.saturating_add(1);
            if *n_failed < rule.n_failed_max {
                if limits::FAILING_MAX < self.failing.len() {
                    self.failing.pop_first();
                }
                return false;
            }
            let n_failed = self.failing.remove(id).unwrap_or(rule.n_failed_max);
            let state = BreakerState::Open { probe_at: now + rule.pause(0) };
            let reason = shortened(reason);
            let (since, ceiling) = (now, None);
            let breaker = Breaker { reason, since, n_failed, n_probes: 0, ceiling, state };
            self.open.insert(id.clone(), breaker);
            return true;
        };
        breaker.n_failed = breaker.n_failed.saturating_add(1);
        breaker.reason = shortened(reason);
        if by_probe {
            breaker.n_probes = breaker.n_probes.saturating_add(1);
            breaker.state = BreakerState::Open { probe_at: now + rule.pause(breaker.n_probes) };
        }
        by_probe
    }
}

/// As much of what AWS says as a person reads: an encoded authorisation message has kilobytes.
fn shortened(reason: &str) -> String {
    let end = reason.char_indices().nth(limits::BREAKER_REASON_MAX).map(|(at, _)| at);
    end.and_then(|end| reason.get(..end))
        .map_or_else(|| reason.to_owned(), |cut| format!("{cut}..."))
}

impl Engine {
    /// What is left alone, or is being probed.
    pub const fn breakers(&self) -> &BTreeMap<BreakerId, Breaker> {
        &self.breakers.open
    }

    /// Writes how a breaker stands now.
    fn write_breaker(&self, cx: &mut Cx, id: &BreakerId) {
        let breaker = self.breakers.open.get(id).cloned().map(Box::new);
        cx.changes.push(Change::PutBreaker { target: id.clone(), breaker });
    }

    /// Something has failed. Whoever waits for it is planned anew when it is left alone, and when the next probe may go.
    fn note_failed(
        &mut self,
        cx: &mut Cx,
        id: &BreakerId,
        reason: &str,
        rule: Rule,
        by_probe: bool,
    ) {
        let has_opened = self.breakers.failed(cx.now, id, reason, rule, by_probe);
        let Some(breaker) = self.breakers.open.get(id) else { return };
        let probe_at = breaker.probe_at();
        if has_opened {
            self.replan_by(cx.now);
            if let Some(at) = probe_at {
                self.replan_later(at);
            }
        }
        self.write_breaker(cx, id);
    }

    /// Something has worked. Whether it was left alone until now.
    fn note_worked(&mut self, cx: &mut Cx, id: &BreakerId) -> bool {
        self.breakers.failing.remove(id);
        if self.breakers.open.remove(id).is_none() {
            return false;
        }
        if id.kind == BreakerKind::Spend {
            self.breakers.surge.forget();
        }
        for probed in self.breakers.probes.values_mut() {
            probed.retain(|other| other != id);
        }
        self.breakers.probes.retain(|_, probed| !probed.is_empty());
        self.write_breaker(cx, id);
        self.replan_by(cx.now);
        true
    }

    /// A probe goes.
    fn begin_probe(&mut self, cx: &mut Cx, id: &BreakerId) {
        if let Some(breaker) = self.breakers.open.get_mut(id) {
            breaker.state = BreakerState::HalfOpen { since: cx.now };
            self.write_breaker(cx, id);
        }
    }

    /// A probe has shown nothing: another may go at `at`.
    fn probe_again_at(&mut self, cx: &mut Cx, id: &BreakerId, at: Timestamp) {
        let Some(breaker) = self.breakers.open.get_mut(id) else { return };
        if matches!(breaker.state, BreakerState::HalfOpen { .. }) {
            breaker.state = BreakerState::Open { probe_at: at };
            self.write_breaker(cx, id);
            self.replan_later(at);
        }
    }

    /// Closes a breaker because somebody says so. An order that was sent before it opened means an earlier one.
    pub(crate) fn reset_breaker(&mut self, cx: &mut Cx, sent: &Delivery, id: &BreakerId) -> Fate {
        let ordered_at = sent.sent_at.unwrap_or(cx.now);
        if self.breakers.get(id).is_some_and(|breaker| breaker.since <= ordered_at) {
            match id.kind {
                BreakerKind::Image
                | BreakerKind::Call
                | BreakerKind::Quota
                | BreakerKind::Spend => {
                    self.note_worked(cx, id);
                }
                BreakerKind::Host => self.reset_hosts(cx, id),
            }
        }
        Fate::Delete
    }

    /// Forgets what nobody has asked for in a long time, so that one bad tag is not shown for ever.
    pub(crate) fn forget_breakers(&mut self, cx: &mut Cx) {
        let is_over = |breaker: &Breaker| {
            breaker.probe_at().is_some_and(|at| limits::BREAKER_KEPT <= cx.now.duration_since(at))
        };
        let over = self.breakers.open.iter().filter(|(id, breaker)| match id.kind {
            BreakerKind::Image | BreakerKind::Call | BreakerKind::Quota | BreakerKind::Spend => {
                is_over(breaker)
            }
            BreakerKind::Host => false,
        });
        for id in over.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.note_worked(cx, &id);
        }
    }
}
