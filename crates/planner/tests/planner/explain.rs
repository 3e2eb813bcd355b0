//! Explanations agree with the plan they explain, and what they promise comes true when it is done.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;
use spillway_core::plan::{
    Busy, Demand, DemandKey, FilterKind, FilterSet, Headroom, HostView, LimitKind, WaitReason,
};
use spillway_core::{
    Arch, Catalog, CpuUnits, Market, MarketRule, MiB, MicroUsdPerHour, Offering, PlanInput,
    PlanPolicy,
};
use spillway_planner::explain::frontier::{Work, by_deadline, frontier};
use spillway_planner::explain::groups::{Group, groups};
use spillway_planner::explain::job::{Change, Obstacle, Onto, Start, Way, counts, start, ways};
use spillway_planner::explain::limits::{Limit, Raise, limits};
use spillway_planner::explain::offerings::{Verdict, offerings};
use spillway_planner::explain::{Explanation, Outcome, Question};

use crate::world::{NOW, host_id, job, offering, policies, policy, question, questions, resources};

/// Leaves out whatever its name says.
fn left_out_by(offering: &Offering) -> FilterSet {
    let name = offering.pool.instance_type.as_str();
    let set = FilterSet::EMPTY;
    let set = if name.starts_with("t1") { set.with(FilterKind::InstanceTypes) } else { set };
    if offering.pool.zone.as_str() == "us-east-1b" && name.starts_with("t2") {
        set.with(FilterKind::Zones)
    } else {
        set
    }
}

/// The question with a catalog from which some offerings are left out.
fn asked(input: PlanInput, policy: PlanPolicy) -> Question {
    let all = (*input.catalog).clone();
    let allowed = all.offerings().iter().filter(|o| left_out_by(o).is_empty()).cloned().collect();
    let input = PlanInput { catalog: Catalog::new(NOW, allowed).into(), ..input };
    Question::new(input, policy, &all, left_out_by)
}

/// A question of which nothing is left out.
fn open(input: PlanInput) -> Question {
    let all = (*input.catalog).clone();
    Question::new(input, policy(), &all, |_| FilterSet::EMPTY)
}

fn any_question() -> impl Strategy<Value = Question> {
    (questions(), policies()).prop_map(|(input, policy)| asked(input, policy))
}

/// The world in which a change has been made, with one such job and no other.
fn changed(question: &Question, key: &DemandKey, way: &Way) -> PlanInput {
    let mut key = *key;
    let mut input = question.input.clone();
    match way.change {
        Change::LessMemory(by) => key.need.memory = MiB::new(key.need.memory.get() - by.get()),
        Change::LessCpu(by) => key.need.cpu = CpuUnits::new(key.need.cpu.get() - by.get()),
        Change::Market(_) => key.market = MarketRule::Any,
        Change::Arch(_) => key.arch = None,
        Change::GpuKind(kind) => key.gpu_kinds = key.gpu_kinds.with(kind),
        Change::Raise { hosts, cpu, price, price_limit: _, quota } => {
            let headroom = &mut input.headroom;
            headroom.hosts = headroom.hosts.map(|left| left + hosts);
            headroom.cpu = headroom.cpu.map(|left| CpuUnits::new(left.get() + cpu.get()));
            headroom.price = headroom.price.map(|left| left.saturating_add(price));
            if let Some((quota, more)) = quota {
                let left = headroom.quotas.get(quota).unwrap();
                headroom.quotas.set(quota, Some(CpuUnits::new(left.get() + more.get())));
            }
        }
        Change::HostVcpus(_) => {}
        Change::Allow(kind) => input.catalog = question.offered.allowed_without(kind).into(),
    }
    input.demands = vec![Demand::new(key, 1)];
    for host in &mut input.hosts {
        host.reserved.clear();
    }
    if let Onto::Pool(pool) = &way.onto {
        let catalog = &input.catalog;
        let only = catalog.get(pool).into_iter().cloned().collect();
        input.catalog = Catalog::new(NOW, only).into();
        input.hosts.clear();
    } else {
        input.catalog = Catalog::new(NOW, Vec::new()).into();
    }
    input
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_job_went_somewhere(question in any_question()) {
        let planned = question.plan();

        let groups = groups(&question, &planned);

        let outcome = Outcome::of(&question.input, &planned);
        let is_left = |group: &&Group| !matches!(group.reason, Some(WaitReason::RoomExpected { .. }));
        let left = groups.iter().filter(is_left);
        let n_waiting: u64 = left.map(|group| u64::from(group.n_waiting)).sum();
        prop_assert_eq!(n_waiting, outcome.n_waiting);
        for group in &groups {
            let n_placed: u32 = group.placed.iter().map(|placed| placed.count).sum();
            let n_bought: u32 = group.bought.iter().map(|b| b.n_hosts * b.n_each).sum();
            prop_assert_eq!(n_placed + n_bought + group.n_waiting, group.count);
            prop_assert_eq!(group.worth.is_some(), group.cheapest.is_some());
        }
    }

    #[test]
    fn every_offering_has_the_verdict_that_it_deserves(question in any_question()) {
        let planned = question.plan();

        let reports = offerings(&question, &planned);

        let both = Explanation::of(&question, &planned);
        prop_assert_eq!((&both.groups, &both.offerings), (&groups(&question, &planned), &reports));
        let mut n_taken = 0;
        for (report, (offering, left_out)) in reports.iter().zip(question.offered.iter()) {
            prop_assert_eq!(&report.pool, &offering.pool);
            let runs = |demand: &&Demand| demand.key.allows(offering.traits());
            let fits = |demand: &Demand| demand.key.need.fits(&offering.capacity);
            match &report.verdict {
                Verdict::Taken { n_hosts } => n_taken += n_hosts,
                Verdict::LeftOut(kind) => prop_assert_eq!(left_out.first(), Some(*kind)),
                Verdict::NotAllowed | Verdict::TooSmall(_) => {
                    let placed = |demand: &&Demand| planned.plan.placements.iter().any(|p| p.key == demand.key);
                    let waits = question.input.demands.iter().filter(|d| !placed(d));
                    prop_assert!(!waits.filter(runs).any(fits));
                }
                Verdict::Dominated { by } => {
                    prop_assert!(question.input.catalog.get(by).unwrap().price <= report.price);
                }
                Verdict::TooDear { worth } => prop_assert!(worth < &report.price),
                Verdict::Alternative
                | Verdict::OverHostSize
                | Verdict::Cooling { .. }
                | Verdict::OverLimit(_)
                | Verdict::AsGood => {}
            }
        }
        prop_assert_eq!(n_taken, planned.plan.n_hosts());
    }

    #[test]
    fn less_to_keep_to_is_never_worse(question in any_question()) {
        let planned = question.plan();

        let prices = limits(&question, &planned);

        for limit in &prices.limits {
            prop_assert!(!prices.base.is_better_than(&limit.lifted));
            if let Some((_, raised)) = &limit.raised {
                prop_assert!(raised.is_better_than(&prices.base));
            }
            if !limit.binds(&prices.base) {
                prop_assert_eq!(limit.lifted, prices.base);
                prop_assert!(limit.wanted.is_empty());
            }
        }
    }

    #[test]
    fn a_change_that_is_proposed_does_what_it_says(question in any_question()) {
        for demand in &question.input.demands {
            for way in ways(&question, &demand.key) {
                let input = changed(&question, &demand.key, &way);
                let policy = match way.change {
                    Change::HostVcpus(cpu) => PlanPolicy { host_cpu_max: Some(cpu), ..question.policy.clone() },
                    Change::LessMemory(_)
                    | Change::LessCpu(_)
                    | Change::Market(_)
                    | Change::Arch(_)
                    | Change::GpuKind(_)
                    | Change::Raise { .. }
                    | Change::Allow(_) => question.policy.clone(),
                };

                let planned = spillway_planner::plan(&input, &policy);

                let outcome = Outcome::of(&input, &planned);
                prop_assert_eq!((outcome.n_held, outcome.price), (1, way.price), "{:?}", way);
            }
        }
    }

    #[test]
    fn counts_sum_to_everything_on_offer(question in any_question()) {
        for demand in &question.input.demands {
            let counts = counts(&question, &demand.key);

            let n_obstacles: u32 = counts.obstacles.values().sum();
            prop_assert_eq!(counts.n_would_do + n_obstacles, counts.n_offerings);
        }
    }

}

proptest! {
    // Each case is eight schedules.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn patience_never_costs_more_and_no_job_waits_longer_than_it_may(question in any_question()) {
        let work = Work::of(&question, &question.plan());

        let points = frontier(&question, &work);

        for pair in points.windows(2) {
            prop_assert!(pair[0].schedule.last_start_secs < pair[1].schedule.last_start_secs);
            prop_assert!(pair[1].schedule.bill < pair[0].schedule.bill);
        }
        for point in &points {
            let latest = question.policy.boot_secs + point.wait_secs.unwrap();
            prop_assert!(point.schedule.last_start_secs <= latest);
            prop_assert!(point.schedule.bound <= point.schedule.bill);
        }
    }
}

/// Machines of 2, 4 and 8 vCPUs, the larger a little cheaper for their size, and a dearer kind of each with more memory.
fn shop() -> Vec<Offering> {
    let mut all = Vec::new();
    for (name, cpu, price) in [("c.large", 2, 41), ("c.xlarge", 4, 81), ("c.2xlarge", 8, 160)] {
        all.push(offering(name, cpu * 1024, cpu * 1900, price * 1000));
        let dear = name.replace('c', "m");
        all.push(offering(&dear, cpu * 1024, cpu * 3800, price * 1500));
    }
    all
}

/// A limit on vCPUs alone.
fn at_most(vcpus: u32) -> Headroom {
    Headroom { cpu: Some(CpuUnits::from_vcpus(vcpus)), ..Headroom::default() }
}

#[test]
fn a_limit_that_keeps_jobs_waiting_is_priced_by_what_more_of_it_buys() {
    let mut input = question(&[(job(1024, 1024), 40)], &shop());
    input.headroom = at_most(8);
    let question = open(input);

    let prices = limits(&question, &question.plan());

    assert_eq!((prices.base.n_held, prices.base.price.get()), (8, 160_000));
    let [limit] = prices.limits.as_slice() else { panic!("{prices:?}") };
    assert_eq!(limit.limit, Limit::Sum(LimitKind::Vcpus));
    let (raise, raised) = limit.raised.unwrap();
    assert_eq!(raise, Raise::Vcpus(CpuUnits::from_vcpus(16)));
    assert_eq!((raised.n_held, raised.price.get()), (24, 480_000));
    assert_eq!((limit.lifted.n_held, limit.lifted.price.get()), (40, 800_000));
}

#[test]
fn limits_that_bind_only_together_say_so() {
    let mut input = question(&[(job(1024, 1024), 40)], &shop());
    input.headroom = Headroom { hosts: Some(0), ..at_most(0) };
    let question = open(input);

    let prices = limits(&question, &question.plan());

    assert!(prices.limits.iter().all(|limit| !limit.binds(&prices.base)), "{prices:?}");
    assert_eq!(prices.together.map(|outcome| outcome.n_held), Some(40));
}

#[test]
fn a_limit_that_is_not_reached_costs_nothing() {
    let mut input = question(&[(job(1024, 1024), 4)], &shop());
    input.headroom = Headroom { hosts: Some(10), ..at_most(100) };
    let question = open(input);

    let prices = limits(&question, &question.plan());

    assert!(prices.limits.iter().all(|limit| !limit.binds(&prices.base)), "{prices:?}");
}

#[test]
fn a_list_that_leaves_the_cheap_types_out_is_priced_with_their_names() {
    let input = question(&[(job(1024, 1024), 8)], &shop());
    let dear: Vec<Offering> =
        shop().into_iter().filter(|o| o.pool.instance_type.starts_with('m')).collect();
    let all = Catalog::new(NOW, shop());
    let input = PlanInput { catalog: Catalog::new(NOW, dear).into(), ..input };
    let question = Question::new(input, policy(), &all, |offering| {
        if offering.pool.instance_type.starts_with('c') {
            FilterSet::EMPTY.with(FilterKind::InstanceTypes)
        } else {
            FilterSet::EMPTY
        }
    });

    let prices = limits(&question, &question.plan());

    let [limit] = prices.limits.as_slice() else { panic!("{prices:?}") };
    assert_eq!(limit.limit, Limit::Filter(FilterKind::InstanceTypes));
    assert_eq!(prices.base.price.get() - limit.lifted.price.get(), 80_000);
    assert_eq!(limit.wanted, ["c.2xlarge"]);
}

#[test]
fn what_spot_saves_is_told() {
    let on_demand = |mut offering: Offering| {
        offering.pool.market = Market::OnDemand;
        offering.price = MicroUsdPerHour::new(offering.price.get() * 3);
        offering
    };
    let mut all = shop();
    all.extend(shop().into_iter().map(on_demand));
    let question = open(question(&[(job(1024, 1024), 8)], &all));

    let prices = limits(&question, &question.plan());

    let without = prices.without_spot.unwrap();
    assert_eq!(without.price.get(), 3 * prices.base.price.get());
}

#[test]
fn offerings_are_dominated_too_small_or_too_dear_each_with_its_number() {
    let mut all = shop();
    all.push(offering("x.small", 512, 8000, 10));
    all.push(offering("y.large", 2048, 3800, 50_000));
    let question = open(question(&[(job(1024, 1024), 8)], &all));

    let reports = offerings(&question, &question.plan());

    let of = |name: &str| {
        reports.iter().find(|report| report.pool.instance_type == name).unwrap().verdict.clone()
    };
    assert_eq!(of("c.2xlarge"), Verdict::Taken { n_hosts: 1 });
    assert_eq!(of("x.small"), Verdict::TooSmall(spillway_core::quantity::Dimension::Cpu));
    assert!(matches!(of("y.large"), Verdict::Dominated { by } if by.instance_type == "c.large"));
    // Two jobs of eight that a host for $0.16 holds.
    assert_eq!(of("m.large"), Verdict::TooDear { worth: MicroUsdPerHour::new(40_000) });
}

#[test]
fn more_patience_needs_fewer_hosts_and_pays_for_fewer_boots() {
    let work = DemandKey { expected_secs: Some(600), ..job(1024, 1024) };
    let question = open(question(&[(work, 64)], &shop()));

    let points = frontier(&question, &Work::of(&question, &question.plan()));

    let first = points.first().unwrap();
    let last = points.last().unwrap();
    assert_eq!(first.schedule.last_start_secs, question.policy.boot_secs);
    // 64 vCPUs at $0.02 for 690 s, against two hosts or fewer that are booted once.
    assert_eq!(first.schedule.bill.get(), 245_334);
    assert!(last.schedule.n_hosts < first.schedule.n_hosts, "{points:?}");
    assert!(last.schedule.bill.get() < 220_000, "{points:?}");
}

#[test]
fn a_schedule_over_a_limit_says_so() {
    let work = DemandKey { expected_secs: Some(600), ..job(1024, 1024) };
    let mut input = question(&[(work, 64)], &shop());
    input.headroom = at_most(16);
    let question = open(input);

    let points = frontier(&question, &Work::of(&question, &question.plan()));

    assert_eq!(points.first().unwrap().over, [LimitKind::Vcpus]);
    assert_eq!(points.last().unwrap().over, []);
}

#[test]
fn a_deadline_is_kept_at_the_least_bill_or_refused() {
    let work = DemandKey { expected_secs: Some(600), ..job(1024, 1024) };
    let question = open(question(&[(work, 16)], &shop()));
    let planned = question.plan();

    let kept = by_deadline(&question, &Work::of(&question, &planned), 1290).unwrap();
    let refused = by_deadline(&question, &Work::of(&question, &planned), 689);

    assert_eq!(kept.schedule.last_end_secs, 1290);
    // Twice 8 jobs in a row on 8 vCPUs.
    assert_eq!(kept.schedule.bill.get(), 160_000 * 1290 / 3600 + 1);
    assert!(refused.is_err());
}

/// A host with two vCPUs free of four.
fn host(ord: u32, busy: Vec<Busy>) -> HostView {
    HostView {
        id: host_id(ord),
        arch: Arch::X86_64,
        gpu: None,
        market: Market::Spot,
        price: MicroUsdPerHour::new(80_000),
        free: resources(2048, 3000, 0),
        busy,
        reserved: Vec::new(),
        ready: true,
        ready_in_secs: 0,
    }
}

#[test]
fn a_job_behind_a_running_one_starts_when_that_ends() {
    let busy = vec![Busy { ends_in_secs: 700, need: resources(2048, 3000, 0), count: 1 }];
    let mut input = question(&[(job(4096, 3000), 1)], &shop());
    input.hosts = vec![host(1, busy)];
    input.headroom = Headroom { hosts: Some(0), ..Headroom::default() };
    let question = open(input);

    let start = start(&question, &question.plan(), &job(4096, 3000), 0);

    let Start::Waits { reason, room, .. } = start else { panic!("{start:?}") };
    assert_eq!(reason, Some(WaitReason::LimitReached { limit: LimitKind::Hosts }));
    assert_eq!(room, Some((host_id(1), 700)));
}

#[test]
fn a_job_behind_others_is_told_the_limit_that_is_left_after_them() {
    let mut input = question(&[(job(1024, 1024), 10)], &shop());
    input.headroom = at_most(8);
    let question = open(input);
    let planned = question.plan();

    let after = question.after(&planned);

    let counts = counts(&after, &job(1024, 1024));
    assert_eq!(counts.obstacles, BTreeMap::from([(Obstacle::OverLimit(LimitKind::Vcpus), 6)]));
    let ways = ways(&after, &job(1024, 1024));
    assert_eq!(ways.len(), 1);
    assert_eq!(ways[0].price.get(), 41_000);
}

#[test]
fn the_cheapest_change_is_named_first_with_the_least_amount() {
    let mut input = question(&[(job(2048, 3900), 1)], &shop());
    input.hosts = vec![host(1, Vec::new())];
    input.headroom = Headroom { hosts: Some(0), ..at_most(1) };
    let question = open(input);

    let ways = ways(&question, &job(2048, 3900));

    let raise = Change::Raise {
        hosts: 1,
        cpu: CpuUnits::from_vcpus(1),
        price: MicroUsdPerHour::ZERO,
        price_limit: LimitKind::Price,
        quota: None,
    };
    assert_eq!(ways[0].change, Change::LessMemory(MiB::new(900)));
    assert_eq!(ways[0].onto, Onto::Host(host_id(1)));
    assert_eq!((&ways[1].change, ways[1].price.get()), (&raise, 61_500));
}

#[test]
fn dry_pools_are_counted_with_the_time_of_the_next_try() {
    let mut input = question(&[(job(1024, 1024), 1)], &shop());
    let until = |minutes| NOW + SignedDuration::from_mins(minutes);
    let pools = shop().into_iter().zip(3..).map(|(offering, n)| (offering.pool, until(n)));
    input.cooling = pools.collect();
    let question = open(input);

    let counts = counts(&question, &job(1024, 1024));

    assert_eq!(counts.obstacles, BTreeMap::from([(Obstacle::Cooling, 6)]));
    assert_eq!(counts.first_retry, Some(until(3)));
}
