//! Budgets with hard stops: what has been spent in each period, and who may start nothing until the next begins. What runs goes on to its
//! end: its money is spent, and to end it would be to pay for it again. Here: what is counted, when it is looked at, and who is stopped.
//!
//! Spending is what hosts that are gone and attempts that have ended have cost ([`DayBooks`], in the ledger), and what the others have
//! cost so far ([`Meter`], found again after a restart). A look at it costs as much as there are hosts.

mod books;
mod meter;
mod standing;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use spillway_core::spending::{day_of, midnight};
use spillway_core::{
    AttemptOrd, BudgetName, FailureCategory, HostId, JobId, LaunchId, MicroUsd, MicroUsdPerHour,
    Payer, QueueName, ShareId, cost,
};

pub(crate) use books::{Course, DayBooks};
pub(crate) use meter::Meter;
pub use standing::{BudgetStanding, BudgetState, SpentBudget};

use crate::config::{BudgetRules, BudgetScope};
use crate::dispatch::HeldBack;
use crate::engine::{Cx, Engine};
use crate::fleet::Fleet;
use crate::lane::Lane;
use crate::limits;
use crate::timer::Timer;

/// A live attempt, as far as it costs something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) queue: QueueName,
    pub(crate) share: ShareId,
    pub(crate) price: MicroUsdPerHour,
    pub(crate) since: Timestamp,
}

/// One budget in its current period.
#[derive(Debug)]
struct Budget {
    rules: BudgetRules,
    /// The first day of the period, and the first of the next.
    days: (Date, Date),
    from: Timestamp,
    until: Timestamp,
    /// What is closed of the period.
    closed: MicroUsd,
    /// What runs, each from its beginning or the period's.
    running: Meter,
    /// As of the last look.
    spent: MicroUsd,
}

impl Budget {
    /// One whose period is over: the first look begins another.
    const fn new(rules: BudgetRules) -> Self {
        Self {
            rules,
            days: (Date::MIN, Date::MIN),
            from: Timestamp::MIN,
            until: Timestamp::MIN,
            closed: MicroUsd::ZERO,
            running: Meter::NONE,
            spent: MicroUsd::ZERO,
        }
    }

    fn is_spent(&self) -> bool {
        self.rules.amount <= self.spent
    }

    fn is_now(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }

    fn counts(&self, running: &Running) -> bool {
        self.rules.scope != BudgetScope::Everything
            && self.rules.scope.stops(&running.queue, &running.share)
    }

    /// Begins the period that this time is in.
    fn begin(&mut self, now: Timestamp, books: &DayBooks, live: &BTreeMap<JobId, Running>) {
        self.days = self.rules.period.around(day_of(now));
        (self.from, self.until) = (midnight(self.days.0), midnight(self.days.1));
        let scope = &self.rules.scope;
        self.closed = books.sum(self.days.0, self.days.1, |payer| scope.counts(payer));
        let mut meter = Meter::NONE;
        for running in live.values().filter(|running| self.counts(running)) {
            meter.add(running.price, running.since.max(self.from));
        }
        self.running = meter;
    }

    /// What has been spent by now, and what an hour costs.
    fn look(&self, now: Timestamp, fleet: &Fleet) -> (MicroUsd, MicroUsdPerHour) {
        let (so_far, rate) = if self.rules.scope == BudgetScope::Everything {
            fleet_since(fleet, self.from, now)
        } else {
            (self.running.by(now), self.running.rate())
        };
        (self.closed + so_far, rate)
    }

    /// When to look again: when the period ends, or when all of it may be spent.
    fn next_look(&self, now: Timestamp, rate: MicroUsdPerHour) -> Timestamp {
        if self.is_spent() || rate == MicroUsdPerHour::ZERO {
            return self.until;
        }
        let left = u128::from(self.rules.amount.saturating_sub(self.spent).get());
        let secs = (left * 3_600).div_ceil(u128::from(rate.get()));
        let secs = SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX));
        let soon = secs.clamp(limits::BUDGET_RECHECK_MIN, limits::BUDGET_RECHECK_MAX);
        self.until.min(now + soon)
    }
}

/// What the hosts that are not gone have cost since then, and what they cost an hour.
fn fleet_since(fleet: &Fleet, from: Timestamp, now: Timestamp) -> (MicroUsd, MicroUsdPerHour) {
    let mut sum = (MicroUsd::ZERO, MicroUsdPerHour::ZERO);
    for entry in fleet.iter() {
        let Some(instance) = entry.host.instance() else { continue };
        let ended_at = entry.ended_at.unwrap_or(Timestamp::MAX);
        let by = |at| cost::billed_by(entry.host.price, instance.launched_at, ended_at, at);
        sum.0 += by(now).saturating_sub(by(from));
        if entry.ended_at.is_none() {
            sum.1 = sum.1.saturating_add(entry.host.price);
        }
    }
    sum
}

/// All budgets, and what they count.
#[derive(Debug, Default)]
pub(crate) struct Budgets {
    all: Vec<Budget>,
    books: DayBooks,
    /// What costs something now; kept only where a budget counts it.
    live: BTreeMap<JobId, Running>,
    /// When the next look is due; a timer for an earlier plan of it is out of date.
    look_at: Option<Timestamp>,
}

impl Budgets {
    pub(crate) fn new(rules: &[BudgetRules], books: BTreeMap<(Date, Payer), MicroUsd>) -> Self {
        let all = rules.iter().cloned().map(Budget::new).collect();
        Self { all, books: DayBooks::new(books), live: BTreeMap::new(), look_at: None }
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A job's live attempt costs this from now on, or it has none.
    pub(crate) fn hold(&mut self, id: JobId, running: Option<Running>) {
        if self.live.get(&id) == running.as_ref() {
            return;
        }
        if let Some(before) = self.live.remove(&id) {
            for budget in self.all.iter_mut().filter(|budget| budget.counts(&before)) {
                budget.running.take(before.price, before.since.max(budget.from));
            }
        }
        if let Some(running) = running {
            for budget in self.all.iter_mut().filter(|budget| budget.counts(&running)) {
                budget.running.add(running.price, running.since.max(budget.from));
            }
            self.live.insert(id, running);
        }
    }

    /// Books what is closed.
    pub(crate) fn book(
        &mut self,
        now: Timestamp,
        payer: &Payer,
        course: &Course<impl Fn(Timestamp) -> MicroUsd>,
    ) {
        for (day, part) in self.books.book(now, payer, course) {
            for budget in &mut self.all {
                let is_of = budget.days.0 <= day && day < budget.days.1;
                if is_of && budget.rules.scope.counts(payer) {
                    budget.closed += part;
                }
            }
        }
    }

    pub(crate) fn take_changes(&mut self, changes: &mut Vec<spillway_core::Change>) {
        self.books.take_changes(changes);
    }

    /// Looks at all of them. Whether somebody is stopped now that was not, or the other way round; and when to look again.
    fn look(&mut self, now: Timestamp, fleet: &Fleet) -> (bool, Option<Timestamp>) {
        let (mut has_changed, mut next) = (false, None);
        for budget in &mut self.all {
            let was_spent = budget.is_spent();
            if !budget.is_now(now) {
                budget.begin(now, &self.books, &self.live);
            }
            let (spent, rate) = budget.look(now, fleet);
            budget.spent = spent;
            has_changed |= was_spent != budget.is_spent();
            let at = budget.next_look(now, rate);
            next = Some(next.map_or(at, |soonest: Timestamp| soonest.min(at)));
        }
        (has_changed, next)
    }

    /// The budget that stops a share, of several the one that begins anew last.
    fn stopping(&self, queue: &QueueName, share: &ShareId) -> Option<&Budget> {
        let stopping = self
            .all
            .iter()
            .filter(|budget| budget.is_spent() && budget.rules.scope.stops(queue, share));
        stopping.max_by_key(|budget| budget.until)
    }

    /// Whether nothing may be bought for anybody.
    fn stopping_all(&self) -> Option<&Budget> {
        let is_of_all = |budget: &&Budget| budget.rules.scope == BudgetScope::Everything;
        self.all.iter().filter(|budget| budget.is_spent()).find(is_of_all)
    }

    /// Why nothing of a lane starts, if a budget is in its way.
    pub(crate) fn shut(&self, lane: &Lane) -> Option<HeldBack> {
        if self.is_empty() {
            return None;
        }
        self.stopping(&lane.queue, &lane.share()).map(Budget::held_back)
    }

    /// Whether jobs of a share may start.
    pub(crate) fn let_start(&self, queue: &QueueName, share: impl FnOnce() -> ShareId) -> bool {
        self.is_empty() || self.stopping(queue, &share()).is_none()
    }
}

impl Budget {
    fn held_back(&self) -> HeldBack {
        HeldBack::Budget(Box::new(SpentBudget {
            name: self.rules.name.clone(),
            scope: self.rules.scope.clone(),
            period: self.rules.period,
            amount: self.rules.amount,
            spent: self.spent,
            resets_at: self.until,
        }))
    }

    const fn name(&self) -> &BudgetName {
        &self.rules.name
    }
}

impl Engine {
    /// Looks at what has been spent. Decisions rest on the last look; each plan begins with one.
    pub(crate) fn look_at_budgets(&mut self, now: Timestamp) {
        if self.budgets.is_empty() {
            return;
        }
        let (has_changed, next) = self.budgets.look(now, &self.fleet);
        if has_changed {
            // Whoever is stopped gives its hosts back, and whoever is not any more wants some.
            self.replan_by(now);
        }
        if let Some(at) = next
            && self.budgets.look_at.is_none_or(|planned| at < planned || planned <= now)
        {
            self.budgets.look_at = Some(at);
            self.timers.set(at, Timer::Budget);
        }
    }

    /// What a job's live attempt costs, if a budget could count it. A node that awaits its main one costs nobody anything yet: it counts
    /// from its release.
    pub(crate) fn note_running(&mut self, id: JobId, price: Option<MicroUsdPerHour>) {
        if self.budgets.is_empty() {
            return;
        }
        let running = self.jobs.get(&id).and_then(|job| {
            let attempt = job.state.live_attempt().filter(|attempt| !attempt.awaits_main)?;
            let price = price.filter(|price| *price != MicroUsdPerHour::ZERO)?;
            let (queue, share) = (job.spec.queue.clone(), job.spec.share());
            Some(Running { queue, share, price, since: attempt.placed_at })
        });
        self.budgets.hold(id, running);
    }

    /// An attempt is over: books what it carries. Called while its job still has it.
    pub(crate) fn book_attempt(
        &mut self,
        now: Timestamp,
        id: JobId,
        stopped_at: Timestamp,
        place_in_task: u32,
    ) {
        let Some(job) = self.jobs.get(&id) else { return };
        let Some(live) = job.state.live_attempt() else { return };
        let Some(entry) = self.fleet.get(live.host) else { return };
        let (from, price, capacity) = (live.placed_at, entry.host.price, entry.host.capacity);
        let by = |at: Timestamp| {
            let held = at.min(stopped_at).duration_since(from);
            job.cost_of(price, held, &capacity, place_in_task)
        };
        let course = Course { from, until: stopped_at, total: by(stopped_at), by };
        let payer = Payer::Share { queue: job.spec.queue.clone(), share: job.spec.share() };
        self.budgets.book(now, &payer, &course);
    }

    /// A host is over: books its bill. Called while its record is still open.
    pub(crate) fn book_host(&mut self, now: Timestamp, id: HostId, ended_at: Timestamp) {
        let Some(entry) = self.fleet.get(id) else { return };
        let Some(instance) = entry.host.instance() else { return };
        let (price, from) = (entry.host.price, instance.launched_at);
        let by = |at: Timestamp| cost::billed_by(price, from, ended_at, at);
        let course = Course { from, until: ended_at, total: entry.host.bill(ended_at), by };
        self.budgets.book(now, &Payer::All, &course);
    }

    /// Calls an attempt off that was decided and surely never sent, if its budget has been spent since: its job waits in line. Whether
    /// it was. A node goes with its main one.
    pub(crate) fn call_off_if_spent(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) -> bool {
        if self.budgets.is_empty() || id.node_index().is_some() {
            return false;
        }
        let Some(job) = self.jobs.get(&id) else { return false };
        let is_unsent = self.unsent.contains(&(id, ord)) && !self.starting.contains(&(id, ord));
        let Some(budget) = self.budgets.stopping(&job.spec.queue, &job.spec.share()) else {
            return false;
        };
        if is_unsent {
            let reason = format!("Not started: {}", budget.held_back());
            self.end_attempt_unstarted(cx, id, ord, reason, FailureCategory::Held);
        }
        is_unsent
    }

    /// Gives a launch up whose call is due, if nothing is to be bought for anybody. What earlier calls of it may have bought is found by
    /// its tag. Whether it was.
    pub(crate) fn drop_launch_if_spent(&mut self, cx: &mut Cx, id: LaunchId) -> bool {
        let Some(budget) = self.budgets.stopping_all() else { return false };
        let reason = format!("not bought: budget {} is spent", budget.name());
        self.drop_launch(cx, id, reason);
        true
    }
}
