//! What the limits cost: the plan made again with one of them raised by a step, and without it.
//!
//! A dual price would hold for the smallest change only, and would know nothing of whole hosts. Planning again is exact,
//! and what is said can be checked by doing it.

use std::collections::BTreeSet;
use std::sync::Arc;

use spillway_core::catalog::InstanceType;
use spillway_core::plan::{FilterKind, Headroom, LimitKind};
use spillway_core::{
    Catalog, CpuUnits, Market, MicroUsdPerHour, MixRule, PlanInput, PlanPolicy, Planned, Quota,
};

use crate::explain::{Outcome, Question, answer};

/// Something of the user's that bounds what may be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// `limits.*`: how much may run at once.
    Sum(LimitKind),
    /// `plan.max-host-vcpus`.
    HostVcpus,
    /// `offerings.*`: what may be bought.
    Filter(FilterKind),
    /// Pools that are left alone after a lack of capacity.
    Cooling,
}

/// By how much a limit is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raise {
    /// So many hosts more.
    Hosts(u32),
    /// So much CPU more.
    Vcpus(CpuUnits),
    /// So many dollars per hour more.
    Price(MicroUsdPerHour),
    /// So much CPU more of one quota.
    Quota(Quota, CpuUnits),
}

/// What a limit costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitPrice {
    /// Which.
    pub limit: Limit,
    /// The smallest raise of those tried that makes a difference, and what comes of it.
    pub raised: Option<(Raise, Outcome)>,
    /// What comes of it without the limit. The same as the plan's where the limit costs nothing.
    pub lifted: Outcome,
    /// Types that would be bought without it and cannot be with it.
    pub wanted: Vec<InstanceType>,
}

impl LimitPrice {
    /// Whether the limit makes a difference.
    pub fn binds(&self, base: &Outcome) -> bool {
        self.lifted.is_better_than(base)
    }
}

/// What all limits cost that are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitPrices {
    /// The plan as it is.
    pub base: Outcome,
    /// Each limit for itself, the others as they are.
    pub limits: Vec<LimitPrice>,
    /// The plan without any limit on sums, where none of them binds alone and they do together.
    pub together: Option<Outcome>,
    /// The plan if there were On-Demand alone; none for a plan that buys no Spot.
    pub without_spot: Option<Outcome>,
}

/// The limits on sums that are set, each with the first step by which it is raised, which is doubled until it makes a
/// difference.
fn first_raises(headroom: &Headroom) -> Vec<(LimitKind, Raise)> {
    const STEP: CpuUnits = CpuUnits::from_vcpus(16);
    let hosts = headroom.hosts.map(|_| (LimitKind::Hosts, Raise::Hosts(1)));
    let cpu = headroom.cpu.map(|_| (LimitKind::Vcpus, Raise::Vcpus(STEP)));
    let dollar = MicroUsdPerHour::new(1_000_000);
    let price = headroom.price.map(|_| (headroom.price_limit(), Raise::Price(dollar)));
    let of_quota = |(quota, _)| (LimitKind::Quota(quota), Raise::Quota(quota, STEP));
    let quotas = headroom.quotas.iter().map(of_quota);
    [hosts, cpu, price].into_iter().flatten().chain(quotas).collect()
}

/// Doublings tried: 64 hosts, 1,024 vCPUs, $64 per hour.
const DOUBLINGS_MAX: u32 = 6;

/// Plans again with each limit that is set raised and lifted.
pub fn limits(question: &Question, planned: &Planned) -> LimitPrices {
    let asker = Asker { question, base: Outcome::of(&question.input, planned) };
    let (mut limits, without_sums) = asker.sums();
    let is_any_binding = limits.iter().any(|limit| limit.binds(&asker.base));
    let together = without_sums.filter(|_| !is_any_binding);
    limits.extend(asker.host_vcpus());
    limits.extend(MixRule::ALL.into_iter().filter_map(|rule| asker.mix(rule)));
    limits.extend(FilterKind::ALL.into_iter().filter_map(|kind| asker.filter(kind)));
    limits.extend(asker.cooling());
    let without_spot = asker.without_spot(planned);
    LimitPrices { base: asker.base, limits, together, without_spot }
}

fn ask(input: &PlanInput, policy: &PlanPolicy) -> (Outcome, Planned) {
    let planned = answer(input, policy);
    (Outcome::of(input, &planned), planned)
}

struct Asker<'a> {
    question: &'a Question,
    base: Outcome,
}

impl Asker<'_> {
    /// What comes of a question with less to keep to. The plan as it is would do for it too, so it is never worse.
    fn relaxed(&self, input: &PlanInput, policy: &PlanPolicy) -> (Outcome, Option<Planned>) {
        let (outcome, planned) = ask(input, policy);
        if outcome.is_better_than(&self.base) {
            (outcome, Some(planned))
        } else {
            (self.base, None)
        }
    }

    fn with_headroom(&self, headroom: Headroom) -> Outcome {
        let input = PlanInput { headroom, ..self.question.input.clone() };
        self.relaxed(&input, &self.question.policy).0
    }

    /// Each limit on a sum, and the plan without any of them if it is better.
    fn sums(&self) -> (Vec<LimitPrice>, Option<Outcome>) {
        let headroom = self.question.input.headroom;
        let set = first_raises(&headroom);
        if set.is_empty() {
            return (Vec::new(), None);
        }
        // One plan tells of all whether any of them binds.
        let without = self.with_headroom(Headroom::default());
        let is_any_binding = without.is_better_than(&self.base);
        let price = |(kind, first): (LimitKind, Raise)| {
            let lifted =
                if is_any_binding { self.with_headroom(lift(headroom, kind)) } else { self.base };
            let binds = lifted.is_better_than(&self.base);
            LimitPrice {
                limit: Limit::Sum(kind),
                raised: if binds { self.raised(first) } else { None },
                lifted,
                wanted: Vec::new(),
            }
        };
        (set.into_iter().map(price).collect(), is_any_binding.then_some(without))
    }

    fn raised(&self, first: Raise) -> Option<(Raise, Outcome)> {
        let mut raise = first;
        for _ in 0..=DOUBLINGS_MAX {
            let outcome = self.with_headroom(raise.on(self.question.input.headroom));
            if outcome.is_better_than(&self.base) {
                return Some((raise, outcome));
            }
            raise = raise.doubled();
        }
        None
    }

    fn host_vcpus(&self) -> Option<LimitPrice> {
        let max = self.question.policy.host_cpu_max?;
        let policy = PlanPolicy { host_cpu_max: None, ..self.question.policy.clone() };
        let (lifted, planned) = self.relaxed(&self.question.input, &policy);
        let is_new = |catalog: &Catalog, pool: &spillway_core::PoolId| {
            catalog.get(pool).is_some_and(|offering| max < offering.capacity.cpu)
        };
        let wanted = wanted(planned.as_ref(), &self.question.input.catalog, is_new);
        Some(LimitPrice { limit: Limit::HostVcpus, raised: None, lifted, wanted })
    }

    fn mix(&self, rule: MixRule) -> Option<LimitPrice> {
        let policy = &self.question.policy;
        if !policy.mix.is_set(rule) {
            return None;
        }
        let policy = PlanPolicy { mix: policy.mix.without(rule), ..policy.clone() };
        let (lifted, _) = self.relaxed(&self.question.input, &policy);
        let limit = Limit::Sum(LimitKind::Mix(rule));
        Some(LimitPrice { limit, raised: None, lifted, wanted: Vec::new() })
    }

    fn filter(&self, kind: FilterKind) -> Option<LimitPrice> {
        let allowed = &self.question.input.catalog;
        let catalog = Arc::new(self.question.offered.allowed_without(kind));
        if catalog.offerings().len() == allowed.offerings().len() {
            return None;
        }
        let input = PlanInput { catalog: Arc::clone(&catalog), ..self.question.input.clone() };
        let (lifted, planned) = self.relaxed(&input, &self.question.policy);
        let wanted = wanted(planned.as_ref(), &catalog, |_, pool| allowed.get(pool).is_none());
        Some(LimitPrice { limit: Limit::Filter(kind), raised: None, lifted, wanted })
    }

    fn cooling(&self) -> Option<LimitPrice> {
        let input = &self.question.input;
        let is_any = input.cooling.values().any(|until| input.now < *until);
        if !is_any {
            return None;
        }
        let warm = PlanInput { cooling: std::collections::BTreeMap::new(), ..input.clone() };
        let (lifted, planned) = self.relaxed(&warm, &self.question.policy);
        let is_new = |_: &Catalog, pool: &spillway_core::PoolId| {
            crate::explain::groups::is_cooling(input, pool)
        };
        let wanted = wanted(planned.as_ref(), &input.catalog, is_new);
        Some(LimitPrice { limit: Limit::Cooling, raised: None, lifted, wanted })
    }

    fn without_spot(&self, planned: &Planned) -> Option<Outcome> {
        let buys_spot = planned.plan.launches.iter().any(|l| l.market() == Some(Market::Spot));
        if !buys_spot {
            return None;
        }
        // Whoever allows Spot alone would have to allow On-Demand then.
        let catalog = self.question.offered.allowed_without(FilterKind::Markets);
        let mut rest = catalog.offerings().to_vec();
        rest.retain(|offering| offering.pool.market == Market::OnDemand);
        let catalog = Arc::new(Catalog::new(catalog.as_of?, rest));
        let input = PlanInput { catalog, ..self.question.input.clone() };
        Some(ask(&input, &self.question.policy).0)
    }
}

fn wanted(
    planned: Option<&Planned>,
    catalog: &Catalog,
    is_new: impl Fn(&Catalog, &spillway_core::PoolId) -> bool,
) -> Vec<InstanceType> {
    let mut types = BTreeSet::new();
    for launch in planned.into_iter().flat_map(|planned| &planned.plan.launches) {
        if let Some(first) = launch.choices.first()
            && is_new(catalog, &first.pool)
        {
            types.insert(first.pool.instance_type.clone());
        }
    }
    types.into_iter().collect()
}

fn lift(headroom: Headroom, kind: LimitKind) -> Headroom {
    match kind {
        LimitKind::Hosts => Headroom { hosts: None, ..headroom },
        LimitKind::Vcpus => Headroom { cpu: None, ..headroom },
        LimitKind::Price | LimitKind::Approval => Headroom { price: None, ..headroom },
        LimitKind::Quota(quota) => with_quota(headroom, quota, None),
        // A rule is lifted in the policy.
        LimitKind::Mix(_) => headroom,
    }
}

fn with_quota(mut headroom: Headroom, quota: Quota, left: Option<CpuUnits>) -> Headroom {
    headroom.quotas.set(quota, left);
    headroom
}

impl Raise {
    fn doubled(self) -> Self {
        match self {
            Self::Hosts(n) => Self::Hosts(n.saturating_mul(2)),
            Self::Vcpus(cpu) => Self::Vcpus(CpuUnits::new(cpu.get().saturating_mul(2))),
            Self::Price(price) => Self::Price(price.saturating_add(price)),
            Self::Quota(quota, cpu) => {
                Self::Quota(quota, CpuUnits::new(cpu.get().saturating_mul(2)))
            }
        }
    }

    fn on(self, headroom: Headroom) -> Headroom {
        let cpu = |more: CpuUnits| {
            move |left: CpuUnits| CpuUnits::new(left.get().saturating_add(more.get()))
        };
        match self {
            Self::Hosts(more) => {
                Headroom { hosts: headroom.hosts.map(|n| n.saturating_add(more)), ..headroom }
            }
            Self::Vcpus(more) => Headroom { cpu: headroom.cpu.map(cpu(more)), ..headroom },
            Self::Price(more) => {
                Headroom { price: headroom.price.map(|left| left.saturating_add(more)), ..headroom }
            }
            Self::Quota(quota, more) => {
                with_quota(headroom, quota, headroom.quotas.get(quota).map(cpu(more)))
            }
        }
    }
}
