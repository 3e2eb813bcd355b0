//! Bursts: what would have the fleet cost more per hour than may be spent without being asked (`limits.approve-over`) is held until
//! somebody approves it. Here: what would be reached, what is held, how it is approved, and when an approval is over. Up to what may
//! be spent hosts are bought as ever, and none is given back for it.

use jiff::Timestamp;
use spillway_core::input::Delivery;
use spillway_core::plan::{GangVerdict, Plan, PlannedLaunch};
use spillway_core::{ApprovedBurst, Burst, BurstHash, Change, HeldBurst, MicroUsdPerHour};

use crate::engine::{Cx, Engine};
use crate::intake::Fate;
use crate::limits;
use crate::placement::Kept;
use crate::policy::matches;

/// What is held and approved, and when it was looked at last.
#[derive(Debug, Default)]
pub(crate) struct Bursts {
    burst: Burst,
    /// When it was last worked out what would be bought without asking.
    looked_at: Option<Timestamp>,
    /// While that is worked out: as if all had been approved.
    as_if_approved: bool,
}

impl Bursts {
    pub(crate) fn new(burst: Burst) -> Self {
        Self { burst, ..Self::default() }
    }

    /// What the fleet may cost per hour, if more has to be approved.
    fn ceiling(&self, over: Option<MicroUsdPerHour>) -> Option<MicroUsdPerHour> {
        let over = over.filter(|_| !self.as_if_approved)?;
        let approved = self.burst.approved.as_ref().map(|approved| approved.held.price);
        Some(approved.map_or(over, |approved| approved.max(over)))
    }
}

/// What is asked for is round, so that a price that moves a little asks for no other approval: up, to two significant digits, and to
/// no less than a cent.
fn rounded_up(price: MicroUsdPerHour) -> MicroUsdPerHour {
    const CENT: u64 = 10_000;
    let mut step = 1_u64;
    while step.saturating_mul(100) < price.get() {
        step = step.saturating_mul(10);
    }
    let step = step.max(CENT);
    MicroUsdPerHour::new(price.get().div_ceil(step).saturating_mul(step))
}

/// What the launches of a plan cost per hour if EC2 gives the dearest of each one's choices.
fn price_at_most(plan: &Plan) -> MicroUsdPerHour {
    let dearest = |launch: &PlannedLaunch| {
        let each = launch.choices.iter().map(|choice| choice.price).max();
        each.unwrap_or(MicroUsdPerHour::ZERO).checked_mul(launch.count)
    };
    let most = MicroUsdPerHour::new(u64::MAX);
    let all = plan.all_launches().map(|launch| dearest(launch).unwrap_or(most));
    all.fold(MicroUsdPerHour::ZERO, MicroUsdPerHour::saturating_add)
}

impl Engine {
    /// What is held until somebody approves it, and what is approved.
    pub const fn burst(&self) -> &Burst {
        &self.bursts.burst
    }

    /// What all hosts may cost per hour, and whether more would be bought if somebody approved it.
    pub(crate) fn price_max(&self) -> (Option<MicroUsdPerHour>, bool) {
        let hard = self.config.limits.price_max;
        match self.bursts.ceiling(self.config.limits.approve_over) {
            Some(ceiling) if hard.is_none_or(|hard| ceiling < hard) => (Some(ceiling), true),
            Some(_) | None => (hard, false),
        }
    }

    /// Whether it is worked out what would be bought if nothing had to be approved.
    pub(crate) const fn is_as_if_approved(&self) -> bool {
        self.bursts.as_if_approved
    }

    fn set_burst(&mut self, cx: &mut Cx, burst: Burst) {
        if self.bursts.burst != burst {
            self.bursts.burst = burst.clone();
            cx.changes.push(Change::PutBurst(Box::new(burst)));
        }
    }

    /// After a plan: works out, not too often, what would be bought if all were approved, and holds or lets go of what is dearer.
    pub(crate) fn look_at_burst(&mut self, cx: &mut Cx) {
        if self.config.limits.approve_over.is_none() {
            self.set_burst(cx, Burst::default());
            return;
        }
        if self.nobody_waits() {
            self.bursts.looked_at = None;
            let approved = self.bursts.burst.approved.clone();
            self.set_burst(cx, Burst { held: None, approved });
            return;
        }
        let next = self.bursts.looked_at.map(|at| at + limits::BURST_LOOK_EVERY);
        if let Some(next) = next.filter(|next| cx.now < *next) {
            self.replan_later(next);
            return;
        }
        self.bursts.looked_at = Some(cx.now);
        self.replan_later(cx.now + limits::BURST_LOOK_EVERY);
        let held = self.wanted_burst(cx.now);
        let before = self.bursts.burst.held;
        // A name that somebody has in hand stays good while it is of about the right size.
        let is_kept = |before: &HeldBurst, now: &HeldBurst| {
            now.price <= before.price && before.price.get() / 2 <= now.price.get()
        };
        let held = held.map(|now| before.filter(|before| is_kept(before, &now)).unwrap_or(now));
        let approved = self.bursts.burst.approved.clone();
        self.set_burst(cx, Burst { held, approved });
    }

    /// What would be held now: what the fleet would come to cost, if that is more than may be spent.
    pub fn wanted_burst(&mut self, now: Timestamp) -> Option<HeldBurst> {
        let (Some(max), true) = self.price_max() else { return None };
        let price = rounded_up(self.price_if_approved(now));
        let hard = self.config.limits.price_max;
        let price = hard.map_or(price, |hard| price.min(hard));
        (max < price).then_some(HeldBurst { price, since: now })
    }

    /// What the fleet would cost per hour if nothing had to be approved: what there is, and what a plan would buy. Where there are more
    /// groups of jobs than one plan takes, that of the first of them.
    fn price_if_approved(&mut self, now: Timestamp) -> MicroUsdPerHour {
        self.bursts.as_if_approved = true;
        let mut price = MicroUsdPerHour::new(self.totals_of(None).price);
        let mut kept = Kept::default();
        for stage in &self.stages() {
            let selection = self.selection(now, stage, &kept.groups, false);
            let gangs = self.gang_selection(now, stage.pool, stage, &kept.gangs);
            let mut gangs = gangs.asked;
            for (scope, selection) in self.bands(selection) {
                let gangs = std::mem::take(&mut gangs);
                let asked = self.ask(now, stage.pool, scope.as_ref(), &selection, &gangs);
                let (mut question, planned) = asked;
                price = price.saturating_add(price_at_most(&planned.plan));
                for gang in &planned.plan.gangs {
                    if matches!(gang.verdict, GangVerdict::Start | GangVerdict::Hold { .. }) {
                        kept.gangs.insert(gang.job);
                    }
                }
                // Who has a place here is not asked about in the next pool.
                let placed = planned.plan.placements.iter().map(|p| (p.key, p.count));
                let on_new = planned.plan.launches.iter().flat_map(|launch| {
                    let all = |(key, n): &(_, u32)| (*key, n.saturating_mul(launch.count));
                    launch.contents.iter().map(all)
                });
                for (key, count) in placed.chain(on_new) {
                    for (group, count) in question.keep(&key, count) {
                        *kept.groups.entry(group).or_default() += count;
                    }
                }
            }
        }
        self.bursts.as_if_approved = false;
        price
    }

    /// An approval is for a burst, and that is over once the fleet costs no more than may be spent anyway and nobody waits; or after
    /// so long that nobody remembers it.
    pub(crate) fn end_approval(&mut self, cx: &mut Cx) {
        let Some(approved) = &self.bursts.burst.approved else { return };
        let is_old = limits::APPROVAL_KEPT <= cx.now.duration_since(approved.at);
        let over = self.config.limits.approve_over.map_or(u64::MAX, MicroUsdPerHour::get);
        let is_over = || self.nobody_waits() && self.totals_of(None).price <= over;
        if is_old || is_over() {
            let held = self.bursts.burst.held;
            self.set_burst(cx, Burst { held, approved: None });
        }
    }

    /// Buys what is held because somebody says so who may.
    pub(crate) fn approve_burst(&mut self, cx: &mut Cx, sent: &Delivery, hash: BurstHash) -> Fate {
        let approvers = &self.config.limits.approvers;
        let sender = sent.sender.as_deref();
        let is_one = |sender: &str| approvers.iter().any(|pattern| matches(pattern, sender));
        if !approvers.is_empty() && !sender.is_some_and(is_one) {
            let reason = format!(
                "spillway.action: {} may not approve a burst (hint: limits.approvers says who may)",
                sender.unwrap_or("an unknown sender")
            );
            return Fate::Reject { code: "NOT_ALLOWED", reason };
        }
        let Burst { held, approved } = &self.bursts.burst;
        if let Some(held) = held.filter(|held| held.hash() == hash) {
            let approved = ApprovedBurst { held, at: cx.now, sender: sent.sender.clone() };
            self.set_burst(cx, Burst { held: None, approved: Some(approved) });
            self.bursts.looked_at = None;
            self.replan_by(cx.now);
            return Fate::Delete;
        }
        if approved.as_ref().is_some_and(|approved| approved.held.hash() == hash) {
            return Fate::Delete;
        }
        let hint = match held {
            Some(held) => format!("{} an hour is held as {}", held.price, held.hash()),
            None => "nothing is held now".to_owned(),
        };
        let reason = format!("spillway.hash: no burst {hash} is held (hint: {hint})");
        Fate::Reject { code: "UNKNOWN_BURST", reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_has_two_digits_and_is_never_less() {
        let rounded = |micro| rounded_up(MicroUsdPerHour::new(micro)).get();

        assert_eq!(rounded(212_400_000), 220_000_000);
        assert_eq!(rounded(57_300_000), 58_000_000);
        assert_eq!(rounded(58_000_000), 58_000_000);
        assert_eq!(rounded(1_234_567), 1_300_000);
        assert_eq!(rounded(12_345), 20_000);
        assert_eq!(rounded(0), 0);
    }
}
