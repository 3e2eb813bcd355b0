//! The planner's question, made of what the control loop holds, and the way back from its answer: which jobs a demand
//! stands for. Decides nothing.

mod busy;
mod ways;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use spillway_core::class::whole_secs;
use spillway_core::durations::{duration_bucket, duration_bucket_below};
use spillway_core::job::{Expectation, ExpectedFrom};
use spillway_core::plan::Headroom;
use spillway_core::{
    Catalog, Demand, DemandKey, Job, JobClass, JobId, JobSpec, KindId, MarketRule, PlanInput,
    PlanPolicy, VariantOrd, Way,
};

use crate::backfill::Hold;
use crate::dispatch::{Asked, Everyone, Selection};
use crate::engine::Engine;
use crate::fleet::Entry;
use crate::forecast::KindForecast;
use crate::lane::Lane;
use crate::limits;
use crate::memory::Memory;
use crate::waiting::{Group, GroupKey, Waiting};
use ways::Ways;

/// The jobs a demand stands for.
#[derive(Debug)]
enum Who {
    /// All of these groups as far as they are offered; each list is one line, the first goes first.
    Groups(Vec<Vec<GroupKey>>),
    /// These, the first first.
    Picks(VecDeque<(GroupKey, JobId)>),
}

/// A question, and which jobs each of its demands stands for.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) input: PlanInput,
    who: BTreeMap<DemandKey, Who>,
    /// How many of each group are offered and have no place yet.
    left: BTreeMap<GroupKey, u32>,
    /// Jobs that wait in line and are not offered.
    protected: BTreeSet<JobId>,
    ways: Ways,
    forecasts: Forecasts,
}

impl Question {
    /// The first `n` jobs that a demand stands for, in the order in which they go.
    pub(crate) fn jobs(
        &self,
        waiting: &Waiting,
        key: &DemandKey,
        n: u32,
    ) -> Vec<(GroupKey, JobId)> {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        match self.who.get(key) {
            Some(Who::Picks(picks)) => picks.iter().take(n).copied().collect(),
            Some(Who::Groups(lines)) => {
                let mut jobs = Vec::new();
                for line in lines {
                    let missing = n.saturating_sub(jobs.len());
                    let first = waiting.first(line, missing.saturating_add(self.protected.len()));
                    let offered = first.into_iter().filter(|(_, id)| !self.protected.contains(id));
                    jobs.extend(offered.take(missing));
                }
                jobs
            }
            None => Vec::new(),
        }
    }

    /// A job of a demand has got a place.
    pub(crate) fn placed(&mut self, key: &DemandKey, group: &GroupKey, id: JobId) {
        if let Some(left) = self.left.get_mut(group) {
            *left = left.saturating_sub(1);
        }
        for key in self.same_jobs(key) {
            if let Some(Who::Picks(picks)) = self.who.get_mut(&key)
                && let Some(at) = picks.iter().position(|(_, other)| *other == id)
            {
                picks.remove(at);
            }
        }
    }

    /// The demands that are the same jobs as one, that among them.
    fn same_jobs(&self, key: &DemandKey) -> Vec<DemandKey> {
        let Some(Way { of, .. }) = key.way else { return vec![*key] };
        let all = Way { of, ord: VariantOrd::BASE }..=Way { of, ord: VariantOrd::LAST };
        self.ways.range(all).map(|(_, (_, key))| *key).collect()
    }

    /// The class of a group's jobs as what a demand says of them: of one of their alternatives, if they have several.
    pub(crate) fn class_as(&self, key: &DemandKey, group: &GroupKey) -> JobClass {
        let way = key.way.and_then(|way| self.ways.get(&way));
        way.map_or(group.class, |(class, _)| *class)
    }

    /// What the planner is told of a class.
    pub(crate) fn key_of(
        &mut self,
        engine: &Engine,
        now: Timestamp,
        class: &JobClass,
    ) -> DemandKey {
        engine.demand_key(now, class, &mut self.forecasts)
    }

    /// What is expected of a job.
    pub(crate) fn expectation(
        &mut self,
        memory: &Memory,
        kind: KindId,
        (spec, variant): (&JobSpec, VariantOrd),
    ) -> Expectation {
        let told_secs = spec.expected_duration_of(variant).map(whole_secs);
        self.forecasts.expectation(memory, kind, told_secs)
    }

    /// Which of the jobs of a demand a host is to be kept for, of those that have no place yet.
    pub(crate) fn keep(&mut self, key: &DemandKey, n: u32) -> Vec<(GroupKey, u32)> {
        let mut kept: BTreeMap<GroupKey, u32> = BTreeMap::new();
        let mut picked: BTreeSet<JobId> = BTreeSet::new();
        match self.who.get_mut(key) {
            Some(Who::Picks(picks)) => {
                let n = usize::try_from(n).unwrap_or(usize::MAX).min(picks.len());
                for (group, id) in picks.drain(..n) {
                    *kept.entry(group).or_default() += 1;
                    picked.insert(id);
                }
            }
            Some(Who::Groups(lines)) => {
                let mut missing = n;
                for group in lines.iter().flatten() {
                    let count = self.left.get(group).copied().unwrap_or(0).min(missing);
                    if 0 < count {
                        missing -= count;
                        kept.insert(*group, count);
                    }
                }
            }
            None => {}
        }
        for (group, count) in &kept {
            if let Some(left) = self.left.get_mut(group) {
                *left = left.saturating_sub(*count);
            }
        }
        for other in self.same_jobs(key).into_iter().filter(|other| other != key) {
            if let Some(Who::Picks(picks)) = self.who.get_mut(&other) {
                picks.retain(|(_, id)| !picked.contains(id));
            }
        }
        kept.into_iter().collect()
    }
}

/// What a question is about.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    /// Who is offered.
    pub(crate) selection: &'a Selection,
    /// The multi-node jobs that are asked about, the first first.
    pub(crate) gangs: &'a [JobId],
    /// The pool that is asked about; none is everything there is.
    pub(crate) pool: Option<usize>,
    /// What may be bought.
    pub(crate) headroom: Headroom,
    /// Room that is being made for some, by pool.
    pub(crate) holds: &'a BTreeMap<usize, Hold>,
}

/// Where a job stands among those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The demand it is part of.
    pub key: DemandKey,
    /// How many jobs of that demand go before it.
    pub n_ahead: u32,
}

/// Forecasts that have been made at one moment, by kind.
#[derive(Debug)]
pub(crate) struct Forecasts {
    now: Timestamp,
    prior_secs: u32,
    /// How long hosts boot.
    boot_secs: u32,
    of_kind: BTreeMap<KindId, KindForecast>,
}

impl Forecasts {
    fn of(&mut self, memory: &Memory, kind: KindId) -> &KindForecast {
        self.of_kind.entry(kind).or_insert_with(|| memory.forecast(self.now, kind))
    }

    fn expectation(
        &mut self,
        memory: &Memory,
        kind: KindId,
        told_secs: Option<u32>,
    ) -> Expectation {
        let prior_secs = self.prior_secs;
        self.of(memory, kind).of(told_secs, prior_secs)
    }
}

impl Engine {
    /// The lane and class of a job; its lane gets a number if it has none.
    pub(crate) fn group_of(&mut self, job: &Job) -> GroupKey {
        GroupKey { lane: self.lanes.ord(Lane::in_line(&job.spec)), class: self.class_of(job) }
    }

    /// The same, of a job that is or was in line.
    pub(crate) fn known_group_of(&self, job: &Job) -> Option<GroupKey> {
        Some(GroupKey { lane: self.lanes.known(&job.spec)?, class: self.class_of(job) })
    }

    /// What is expected of a job, by what is known now.
    pub fn expectation(&self, now: Timestamp, spec: &JobSpec, variant: VariantOrd) -> Expectation {
        let told_secs = spec.expected_duration_of(variant).map(whole_secs);
        let kind = KindId::of_variant(spec, variant);
        self.forecasts(now).expectation(&self.memory, kind, told_secs)
    }

    pub(crate) fn forecasts(&self, now: Timestamp) -> Forecasts {
        let prior_secs = self.config.plan.prior_secs;
        let boot_secs = self.memory.boot_secs(self.config.plan.boot_secs);
        Forecasts { now, prior_secs, boot_secs, of_kind: BTreeMap::new() }
    }

    /// How to plan, with what was learnt of how long hosts boot.
    pub fn plan_policy(&self) -> PlanPolicy {
        let policy = &self.config.plan;
        let boot_secs = self.memory.boot_secs(policy.boot_secs);
        let task_starts_per_sec = NonZeroU32::new(limits::TASK_CALLS_PER_SEC);
        PlanPolicy { boot_secs, task_starts_per_sec, ..policy.clone() }
    }

    /// The same, with the rate at which tasks can be started now: others may use the account's too.
    pub(crate) fn plan_policy_at(&self, now: Timestamp) -> PlanPolicy {
        let task_starts_per_sec = NonZeroU32::new(self.calls.starts_per_sec(now));
        PlanPolicy { task_starts_per_sec, ..self.plan_policy() }
    }

    /// The same control loop with prices it has not asked for, to see what it would do.
    #[must_use]
    pub fn with_prices(mut self, prices: Catalog, now: Timestamp) -> Self {
        // Prices that were never read are not prices of nothing.
        if prices.as_of.is_some() {
            self.raw_catalog = Some(prices);
            self.rebuild_catalog(now);
        }
        self
    }

    /// What the planner would be asked now.
    pub fn plan_input(&self, now: Timestamp) -> PlanInput {
        self.whole_question(now, None).input
    }

    /// The same, and where one job stands in that question; nowhere if it does not wait for a place. Of pools it is the job's
    /// first that is asked about; for a multi-node job, the one that has all its nodes.
    pub fn plan_input_for(&self, now: Timestamp, job: JobId) -> (PlanInput, Option<Standing>) {
        let record = self.jobs.get(&job).or_else(|| self.jobs.get(&job.whole()));
        let pool = record.filter(|_| !self.config.pools.is_empty());
        let pool = pool.and_then(|job| match job.spec.gang {
            Some(_) => self.pool_of_gang(job),
            None => self.config.pools_of(&job.spec.queue).first().copied(),
        });
        let question = self.whole_question(now, pool);
        let standing = self.standing(&question, job);
        (question.input, standing)
    }

    fn whole_question(&self, now: Timestamp, pool: Option<usize>) -> Question {
        let (kept, protected) = (BTreeMap::new(), BTreeSet::new());
        let room = self.room(now, pool, &self.holds);
        let asked = Asked {
            room,
            is_meant: &Everyone,
            kept: &kept,
            protected: &protected,
            tells_why: false,
        };
        let selection = self.dispatch(now).select(&asked);
        let gangs = self.gang_selection(now, pool, &Everyone, &BTreeSet::new()).asked;
        let (headroom, holds) = (self.headroom(now, pool), BTreeMap::new());
        let scope = Scope { selection: &selection, gangs: &gangs, pool, headroom, holds: &holds };
        self.question(now, &scope)
    }

    fn standing(&self, question: &Question, id: JobId) -> Option<Standing> {
        let group = match self.jobs.get(&id) {
            Some(job) => self.known_group_of(job)?,
            None => self.known_group_of(&self.child(id)?)?,
        };
        let first = self.waiting.task_of(&group, id)?;
        let has_group = |who: &Who| match who {
            Who::Groups(lines) => lines.iter().any(|line| line.contains(&group)),
            Who::Picks(picks) => picks.iter().any(|(_, other)| *other == first),
        };
        let (key, _) = question.who.iter().find(|(_, who)| has_group(who))?;
        let in_line = question.jobs(&self.waiting, key, u32::MAX);
        let n_ahead = in_line.iter().position(|(_, other)| *other == first)?;
        Some(Standing { key: *key, n_ahead: u32::try_from(n_ahead).unwrap_or(u32::MAX) })
    }

    /// The planner's question about who may be offered.
    pub(crate) fn question(&self, now: Timestamp, scope: &Scope<'_>) -> Question {
        let mut forecasts = self.forecasts(now);
        let selection = scope.selection;
        let mut groups: BTreeMap<DemandKey, Vec<GroupKey>> = BTreeMap::new();
        let mut key_of: BTreeMap<GroupKey, Vec<DemandKey>> = BTreeMap::new();
        let mut ways = Ways::new();
        let mut demands: BTreeMap<DemandKey, Demand> = BTreeMap::new();
        for (group, count) in &selection.counts {
            let class = &group.class;
            let in_line = self.waiting.get(group);
            let first = in_line.and_then(Group::head);
            let first = first.and_then(|(_, first)| self.jobs.get(&first));
            let n_again = in_line.map_or(0, Group::n_again).min(*count);
            let mut offer = |key: DemandKey| {
                groups.entry(key).or_default().push(*group);
                if selection.picks.is_some() {
                    key_of.entry(*group).or_default().push(key);
                }
                let waited_secs = match first {
                    Some(job) if key.patience_secs == 0 => overdue_secs(now, class, job),
                    Some(_) | None => 0,
                };
                let demand = demands.entry(key).or_insert(Demand::new(key, 0));
                demand.count = demand.count.saturating_add(*count);
                demand.waited_secs = demand.waited_secs.max(waited_secs);
                demand.n_again = demand.n_again.saturating_add(n_again);
            };
            match (class.choice, first) {
                (Some(_), Some(job)) => {
                    for (way, class, key) in self.keys_of_ways(now, job, &mut forecasts) {
                        ways.insert(way, (class, key));
                        offer(key);
                    }
                }
                (None, _) | (Some(_), None) => offer(self.demand_key(now, class, &mut forecasts)),
            }
        }
        let who = match &selection.picks {
            None => {
                let dispatch = self.dispatch(now);
                let of = |(key, groups): (DemandKey, Vec<GroupKey>)| {
                    (key, Who::Groups(dispatch.by_rank(&groups)))
                };
                groups.into_iter().map(of).collect()
            }
            Some(picks) => {
                let mut who: BTreeMap<DemandKey, VecDeque<(GroupKey, JobId)>> = BTreeMap::new();
                for (group, id) in picks {
                    for key in key_of.get(group).into_iter().flatten() {
                        who.entry(*key).or_default().push_back((*group, *id));
                    }
                }
                who.into_iter().map(|(key, picks)| (key, Who::Picks(picks))).collect()
            }
        };
        let is_of_other = |gang: JobId| !scope.gangs.contains(&gang) && self.gangs.waits(gang);
        let is_asked = |entry: &Entry| {
            // What is kept for a multi-node job is there for nobody who is asked about without it.
            entry.is_of(scope.pool) && !entry.held_for.is_some_and(is_of_other)
        };
        let mut hosts = self.fleet.views(now, forecasts.boot_secs, is_asked, |entry| {
            let busy = self.busy(now, entry, &mut forecasts);
            (busy, self.reserved(now, entry, &ways, &mut forecasts))
        });
        let gangs = self
            .gang_demands(now, scope.gangs, |class| self.demand_key(now, class, &mut forecasts));
        for hold in scope.holds.values() {
            hold.spare(&mut hosts);
        }
        let cooling = self.cooling.iter().filter(|(_, cooldown)| now < cooldown.until);
        let input = PlanInput {
            now,
            demands: demands.into_values().collect(),
            hosts,
            catalog: Arc::clone(self.catalog_of(scope.pool)),
            cooling: cooling.map(|(pool, cooldown)| (pool.clone(), cooldown.until)).collect(),
            headroom: scope.headroom,
            fleet: if self.config.plan.mix.is_none() {
                BTreeMap::new()
            } else {
                self.fleet.cpu_by_pool()
            },
            gangs,
        };
        let protected = scope.holds.values().map(|hold| hold.job).collect();
        Question { input, who, left: selection.counts.clone(), protected, ways, forecasts }
    }

    /// What the planner is told of a class: what its jobs need, and what is expected of them by now.
    fn demand_key(&self, now: Timestamp, class: &JobClass, forecasts: &mut Forecasts) -> DemandKey {
        let mut expected = forecasts.expectation(&self.memory, class.kind, class.told_secs);
        if let Some(shared) = &class.shared {
            let waves = shared.waves.get();
            expected.secs = expected.secs.saturating_mul(waves);
            expected.high_secs = expected.high_secs.saturating_mul(waves);
        }
        let is_known = expected.from != ExpectedFrom::Prior;
        let until = |at: Timestamp| at.duration_since(now);
        let boot = SignedDuration::from_secs(forecasts.boot_secs.into());
        let run = SignedDuration::from_secs(expected.high_secs.into());
        let left_to_start = class.start_by.map(until);
        let left_to_end = class.end_by.map(|at| until(at) - run - boot);
        let left = [left_to_start, left_to_end].into_iter().flatten().min();
        let left = left.filter(|left| SignedDuration::ZERO < *left);
        DemandKey {
            need: class.need,
            arch: class.arch,
            gpu_kinds: class.gpu_kinds,
            market: if class.shuns_spot && self.sells_on_demand(class) {
                MarketRule::OnDemand
            } else {
                class.market
            },
            expected_secs: is_known.then(|| duration_bucket(expected.secs)),
            patience_secs: left.map_or(0, |left| duration_bucket_below(whole_secs(left))),
            way: class.way(),
        }
    }

    /// Whether jobs of this class could run On-Demand at all.
    fn sells_on_demand(&self, class: &JobClass) -> bool {
        let key = DemandKey {
            need: class.need,
            arch: class.arch,
            gpu_kinds: class.gpu_kinds,
            market: MarketRule::OnDemand,
            expected_secs: None,
            patience_secs: 0,
            way: None,
        };
        spillway_planner::admit(&key, &self.catalog, &self.config.plan).is_ok()
    }

    /// The work a host was bought for, as the planner's question has it now.
    fn reserved(
        &self,
        now: Timestamp,
        entry: &Entry,
        ways: &Ways,
        forecasts: &mut Forecasts,
    ) -> Vec<(DemandKey, u32)> {
        let mut reserved: BTreeMap<DemandKey, u32> = BTreeMap::new();
        for (class, count) in &entry.host.reserved {
            let offered = class.way().and_then(|way| ways.get(&way));
            let key = match offered {
                Some((_, key)) => *key,
                None => self.demand_key(now, class, forecasts),
            };
            let of_key = reserved.entry(key).or_default();
            *of_key = of_key.saturating_add(*count);
        }
        reserved.into_iter().collect()
    }
}

/// How long a job whose patience has ended has waited since, in seconds.
fn overdue_secs(now: Timestamp, class: &JobClass, job: &Job) -> u32 {
    let due = class.start_by.unwrap_or(job.created_at).min(class.end_by.unwrap_or(Timestamp::MAX));
    u32::try_from(now.duration_since(due.max(job.created_at)).as_secs()).unwrap_or(0)
}
