//! Worlds at the edge of what the types hold: nothing panics, nothing wraps around, the judge agrees.

use spillway_core::plan::WaitReason;
use spillway_core::{Catalog, CpuUnits, MicroUsdPerHour, PlanInput};
use spillway_planner::check::check;
use spillway_planner::plan;

use crate::world::{job, offering, policy, question, resources};

fn sound(input: &PlanInput) -> spillway_core::Planned {
    let planned = plan(input, &policy());
    assert_eq!(check(input, &policy(), &planned), vec![]);
    planned
}

#[test]
fn four_billion_jobs_of_several_shapes_are_planned() {
    let jobs: Vec<_> = (1..6).map(|n| (job(100 * n, 300 * n), u32::MAX)).collect();
    let offerings =
        [offering("small", 4096, 8192, 50_000), offering("huge", 192 * 1024, 700_000, 3_000_000)];

    let planned = sound(&question(&jobs, &offerings));

    assert!(planned.report.waiting.is_empty());
    assert!(0 < planned.report.bound.get());
}

#[test]
fn more_hosts_than_can_be_counted_are_not_bought() {
    let jobs = [(job(1024, 1024), u32::MAX), (job(1023, 1024), u32::MAX)];

    let planned = sound(&question(&jobs, &[offering("one", 1024, 1024, 10_000)]));

    assert_eq!(planned.plan.n_hosts(), u32::MAX);
    assert_eq!(
        planned.report.waiting.iter().map(|line| u64::from(line.count)).sum::<u64>(),
        u64::from(u32::MAX)
    );
}

#[test]
fn free_offerings_are_taken_and_prove_that_nothing_need_be_paid() {
    let offerings = [offering("free", 2048, 4096, 0), offering("paid", 4096, 8192, 1)];

    let planned = sound(&question(&[(job(1024, 1024), 9)], &offerings));

    assert_eq!(planned.plan.price(), MicroUsdPerHour::ZERO);
    assert_eq!(planned.report.bound, MicroUsdPerHour::ZERO);
}

#[test]
fn a_price_beyond_all_reason_is_survived() {
    let offerings =
        [offering("gold", 2048, 4096, u64::MAX), offering("tin", 1024, 1024, u64::MAX / 2)];

    let planned = sound(&question(&[(job(1024, 1024), 3), (job(2000, 4000), 2)], &offerings));

    assert!(planned.report.waiting.is_empty());
}

#[test]
fn offerings_without_resources_hold_only_jobs_without_needs() {
    let offerings = [offering("void", 0, 0, 5), offering("real", 1024, 1024, 100)];

    let planned = sound(&question(&[(job(0, 0), 1000), (job(1024, 1024), 2)], &offerings));

    assert!(planned.report.waiting.is_empty());
    assert_eq!(planned.plan.n_hosts(), 2);
}

#[test]
fn jobs_that_need_all_there_is_to_count_do_not_wrap_around() {
    let mut giant = job(u32::MAX, u32::MAX);
    giant.need = resources(u32::MAX, u32::MAX, u32::MAX);
    let mut host = offering("giant", u32::MAX, u32::MAX, 7);
    host.capacity = giant.need;

    let planned = sound(&question(&[(giant, 3), (job(1, 1), u32::MAX)], &[host]));

    assert!(planned.report.waiting.is_empty());
    assert_eq!(planned.plan.n_hosts(), 4);
}

#[test]
fn without_a_catalog_everything_waits_for_prices() {
    let mut input = question(&[(job(1024, 1024), 2)], &[]);
    input.catalog = std::sync::Arc::new(Catalog::default());

    let planned = sound(&input);

    assert!(planned.plan.is_empty());
    assert_eq!(planned.report.waiting[0].reason, WaitReason::NoCatalog);
}

#[test]
fn without_headroom_nothing_is_bought_and_the_limit_is_named() {
    let mut input = question(&[(job(1024, 1024), 100_000)], &[offering("a", 4096, 8192, 10)]);
    input.headroom.cpu = Some(CpuUnits::new(4095));

    let planned = sound(&input);

    assert!(planned.plan.is_empty());
    assert_eq!(planned.report.waiting[0].count, 100_000);
    assert_eq!(
        planned.report.waiting[0].reason.to_string(),
        "the limit max-vcpus leaves no room for another host"
    );
}

#[test]
fn nothing_asked_is_nothing_planned() {
    let planned = sound(&question(&[], &[offering("a", 4096, 8192, 10)]));

    assert!(planned.plan.is_empty());
    assert!(planned.report.waiting.is_empty());
}

#[test]
fn hundreds_of_shapes_are_dealt_into_parts_and_all_held() {
    let jobs: Vec<_> =
        (0..400).map(|n| (job(100 + 13 * n, 200 + 37 * (n * 7 % 400)), 1 + n % 3)).collect();
    let offerings = [
        offering("a", 8192, 16_000, 100_000),
        offering("b", 16_384, 32_000, 190_000),
        offering("c", 16_384, 64_000, 250_000),
    ];

    let planned = sound(&question(&jobs, &offerings));

    assert!(planned.report.waiting.is_empty());
    let (price, bound) = (planned.plan.price().get(), planned.report.bound.get());
    assert!(price * 10 <= bound * 11, "{price} is more than a tenth above {bound}");
}
