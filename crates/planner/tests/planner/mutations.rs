//! The judge of plans, judged: each way in which a plan can be wrong is done to a sound one, and must be noticed.

use jiff::SignedDuration;
use spillway_core::launch::PoolChoice;
use spillway_core::plan::{DemandKey, LimitKind, NoFit, Placement, WaitReason, Waiting};
use spillway_core::{
    Arch, Catalog, CpuUnits, GpuKinds, Market, MarketRule, MicroUsdPerHour, Offering, PlanInput,
    PlanPolicy, Planned,
};
use spillway_planner::check::{Violation, check};
use spillway_planner::plan;

use crate::world::{NOW, host_id, job, offering, policy, question, resources};

/// A question whose plan has everything: placements, a reservation, launches with alternatives, and jobs that wait.
struct Sound {
    input: PlanInput,
    policy: PlanPolicy,
    planned: Planned,
}

/// Runs on x86 only.
fn x86_job() -> DemandKey {
    DemandKey { arch: Some(Arch::X86_64), ..job(1024, 2048) }
}

fn giant() -> DemandKey {
    job(1024, 900_000)
}

fn zone_b(mut offering: Offering) -> Offering {
    offering.pool.zone = "us-east-1b".parse().unwrap();
    offering
}

fn arm(name: &str) -> Offering {
    Offering { arch: Arch::Arm64, ..offering(name, 4096, 8192, 50_000) }
}

fn on_demand(mut offering: Offering) -> Offering {
    offering.pool.market = Market::OnDemand;
    offering
}

fn sound() -> Sound {
    let offerings = [
        offering("a.xlarge", 4096, 8192, 40_000),
        zone_b(offering("a.xlarge", 4096, 8192, 41_000)),
        zone_b(offering("b.xlarge", 8192, 8192, 42_000)),
        offering("c.large", 1024, 2048, 39_000),
        arm("arm.xlarge"),
        on_demand(offering("a.xlarge", 4096, 8192, 41_000)),
        offering("dear.xlarge", 4096, 8192, 400_000),
    ];
    let mut input = question(&[(x86_job(), 11), (giant(), 2)], &offerings);
    for (ord, arch) in [(0, Arch::X86_64), (1, Arch::Arm64), (2, Arch::X86_64)] {
        input.hosts.push(spillway_core::plan::HostView {
            id: host_id(ord),
            arch,
            gpu: None,
            market: Market::Spot,
            price: MicroUsdPerHour::new(40_000),
            free: resources(1024, 2048, 0),
            busy: Vec::new(),
            reserved: if ord == 2 { vec![(x86_job(), 1)] } else { Vec::new() },
            ready: true,
            ready_in_secs: 0,
        });
    }
    let policy = policy();
    let planned = plan(&input, &policy);
    assert_eq!(check(&input, &policy, &planned), vec![]);
    assert_eq!(planned.plan.placements.len(), 2, "{planned:?}");
    assert!(planned.plan.launches.iter().any(|launch| 2 <= launch.choices.len()), "{planned:?}");
    assert_eq!(planned.report.waiting.len(), 1, "{planned:?}");
    Sound { input, policy, planned }
}

/// What the judge says once `change` has been done to a sound plan.
fn judged(change: impl FnOnce(&mut Sound)) -> Vec<Violation> {
    let mut sound = sound();
    change(&mut sound);
    check(&sound.input, &sound.policy, &sound.planned)
}

fn offer_as_choice(offering: &Offering) -> PoolChoice {
    PoolChoice { pool: offering.pool.clone(), price: offering.price }
}

fn with_catalog(input: &mut PlanInput, change: impl FnOnce(&mut Vec<Offering>)) {
    let mut offerings = input.catalog.offerings().to_vec();
    change(&mut offerings);
    input.catalog = std::sync::Arc::new(Catalog::new(NOW, offerings));
}

macro_rules! noticed {
    ($name:ident, $violation:pat, $change:expr) => {
        #[test]
        fn $name() {
            let violations = judged($change);

            assert!(violations.iter().any(|v| matches!(v, $violation)), "{violations:?}");
        }
    };
}

noticed!(a_job_more_in_a_launch_is_a_job_too_many, Violation::NotConserved { .. }, |s| {
    s.planned.plan.launches[0].contents[0].1 += 1;
});
noticed!(a_host_less_is_a_job_lost, Violation::NotConserved { .. }, |s| {
    s.planned.plan.launches.pop();
});
noticed!(a_launch_may_not_hold_more_than_its_host_has, Violation::LaunchOverfull { .. }, |s| {
    s.planned.plan.launches[0].contents[0].1 += 4;
});
noticed!(a_group_waits_on_one_line, Violation::WaitsTwice { .. }, |s| {
    let line = s.planned.report.waiting[0].clone();
    s.planned.report.waiting.push(line);
});
noticed!(a_line_speaks_of_some_job, Violation::NobodyWaits { .. }, |s| {
    s.planned.report.waiting[0].count = 0;
});
noticed!(a_limit_that_is_not_set_is_no_reason, Violation::WrongReason { .. }, |s| {
    s.planned.report.waiting[0].reason = WaitReason::LimitReached { limit: LimitKind::Hosts };
});
noticed!(prices_that_are_known_are_no_reason, Violation::WrongReason { .. }, |s| {
    s.planned.report.waiting[0].reason = WaitReason::NoCatalog;
});
noticed!(a_pool_that_is_not_dry_is_no_reason, Violation::WrongReason { .. }, |s| {
    s.planned.report.waiting[0].reason = WaitReason::CoolingDown { n_pools: 1, until: NOW };
});
noticed!(an_architecture_that_is_on_offer_is_no_reason, Violation::WrongReason { .. }, |s| {
    let no_fit =
        NoFit::NoOffering { arch: None, market: MarketRule::Any, gpu_kinds: GpuKinds::ANY };
    s.planned.report.waiting[0].reason = WaitReason::TooLarge(no_fit);
});
noticed!(a_job_that_could_be_bought_for_may_not_wait, Violation::WrongReason { .. }, |s| {
    let launch = s.planned.plan.launches.pop().unwrap();
    let (key, count) = launch.contents[0];
    s.input.headroom.hosts = Some(1000);
    let reason = WaitReason::LimitReached { limit: LimitKind::Hosts };
    s.planned.report.waiting.push(Waiting { key, count: count * launch.count, reason });
});
noticed!(work_goes_only_to_hosts_there_are, Violation::UnknownHost { .. }, |s| {
    s.planned.plan.placements[0].host = host_id(99);
});
noticed!(a_placement_of_nothing_is_refused, Violation::BadPlacement { .. }, |s| {
    s.planned.plan.placements[0].count = 0;
});
noticed!(a_placement_given_twice_is_refused, Violation::BadPlacement { .. }, |s| {
    let again = s.planned.plan.placements[0].clone();
    s.planned.plan.placements.push(again);
});
noticed!(work_for_x86_goes_on_no_arm_host, Violation::HostNotAllowed { .. }, |s| {
    s.planned.plan.placements[0].host = host_id(1);
});
noticed!(a_host_gets_no_more_than_it_has_free, Violation::HostOverfull { .. }, |s| {
    s.planned.plan.placements[0].count += 1;
});
noticed!(one_unit_too_few_free_is_too_few, Violation::HostOverfull { .. }, |s| {
    s.input.hosts[0].free = resources(1023, 2048, 0);
});
noticed!(what_a_host_was_bought_for_goes_there, Violation::ReservationIgnored { .. }, |s| {
    s.planned.plan.placements.retain(|placement| placement.host != host_id(2));
});
noticed!(a_launch_has_hosts, Violation::EmptyLaunch { .. }, |s| {
    s.planned.plan.launches[0].count = 0;
});
noticed!(a_launch_has_contents, Violation::EmptyLaunch { .. }, |s| {
    s.planned.plan.launches[0].contents.clear();
});
noticed!(a_launch_has_a_pool, Violation::EmptyLaunch { .. }, |s| {
    s.planned.plan.launches[0].choices.clear();
});
noticed!(a_launch_names_no_pool_twice, Violation::BadChoices { .. }, |s| {
    let choices = &mut s.planned.plan.launches[0].choices;
    choices.push(choices[0].clone());
});
noticed!(a_launch_names_no_more_pools_than_allowed, Violation::BadChoices { .. }, |s| {
    s.policy.choices_max = 1;
});
noticed!(a_launch_keeps_to_one_architecture, Violation::MixedChoices { .. }, |s| {
    s.planned.plan.launches[0].choices.push(offer_as_choice(&arm("arm.xlarge")));
});
noticed!(a_launch_keeps_to_one_market, Violation::MixedChoices { .. }, |s| {
    let other = on_demand(offering("a.xlarge", 4096, 8192, 41_000));
    s.planned.plan.launches[0].choices.push(offer_as_choice(&other));
});
noticed!(a_pool_that_nobody_offers_is_refused, Violation::UnknownPool { .. }, |s| {
    s.planned.plan.launches[0].choices[0].pool.instance_type = "z9.huge".to_owned();
});
noticed!(a_pool_that_cools_down_is_left_alone, Violation::CoolingPool { .. }, |s| {
    let pool = s.planned.plan.launches[0].choices[0].pool.clone();
    s.input.cooling.insert(pool, NOW + SignedDuration::from_secs(1));
});
noticed!(a_price_is_the_catalogs, Violation::WrongPrice { .. }, |s| {
    s.planned.plan.launches[0].choices[0].price = MicroUsdPerHour::new(39_999);
});
noticed!(an_alternative_stays_within_the_premium, Violation::TooDear { .. }, |s| {
    let dear = offering("dear.xlarge", 4096, 8192, 400_000);
    s.planned.plan.launches[0].choices.push(offer_as_choice(&dear));
});
noticed!(alternatives_come_cheapest_first, Violation::ChoicesUnsorted { .. }, |s| {
    let launches = &mut s.planned.plan.launches;
    launches.iter_mut().find(|launch| 3 <= launch.choices.len()).unwrap().choices[1..].reverse();
});
noticed!(a_host_is_no_larger_than_the_policy_allows, Violation::TooLargeHost { .. }, |s| {
    s.policy.host_cpu_max = Some(CpuUnits::new(1023));
});
noticed!(work_for_x86_is_in_no_launch_for_arm, Violation::LaunchNotAllowed { .. }, |s| {
    s.planned.plan.launches[0].arch = Arch::Arm64;
});
noticed!(a_launch_names_no_group_with_no_job, Violation::BadContents { .. }, |s| {
    s.planned.plan.launches[0].contents.push((job(1, 1), 0));
});
noticed!(a_launch_says_what_its_hosts_have, Violation::WrongCapacity { .. }, |s| {
    s.planned.plan.launches[0].capacity = resources(4097, 8192, 0);
});
noticed!(
    no_more_hosts_than_the_limit,
    Violation::LimitExceeded { limit: LimitKind::Hosts, .. },
    |s| {
        s.input.headroom.hosts = Some(s.planned.plan.n_hosts() - 1);
    }
);
noticed!(
    no_more_cpu_than_the_limit,
    Violation::LimitExceeded { limit: LimitKind::Vcpus, .. },
    |s| {
        s.input.headroom.cpu = Some(CpuUnits::new(4096));
    }
);
noticed!(
    no_more_money_than_the_limit,
    Violation::LimitExceeded { limit: LimitKind::Price, .. },
    |s| {
        s.input.headroom.price = Some(MicroUsdPerHour::new(s.planned.plan.price().get() - 1));
    }
);
noticed!(a_bound_is_no_more_than_the_price, Violation::BoundAbovePrice { .. }, |s| {
    s.planned.report.bound = MicroUsdPerHour::new(s.planned.plan.price().get() + 1);
});
noticed!(
    a_pool_that_grew_smaller_no_longer_holds_the_work,
    Violation::LaunchOverfull { .. },
    |s| {
        with_catalog(&mut s.input, |offerings| {
            for offering in offerings {
                offering.capacity = resources(1023, 2047, 0);
            }
        });
    }
);

#[test]
fn a_second_placement_on_a_full_host_is_noticed() {
    let violations = judged(|s| {
        let host = s.planned.plan.placements[0].host;
        s.planned.plan.placements.push(Placement { host, key: job(1, 1), count: 1 });
    });

    assert!(violations.iter().any(|v| matches!(v, Violation::HostOverfull { .. })));
    assert!(violations.iter().any(|v| matches!(v, Violation::NotConserved { .. })));
}
