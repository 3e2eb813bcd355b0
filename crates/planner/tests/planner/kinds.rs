//! GPUs by kind: jobs run only on kinds they accept, and the rest of the plan is as if kinds did not exist.

use spillway_core::plan::{NoFit, WaitReason};
use spillway_core::{DemandKey, GpuKind, GpuKinds, Offering};
use spillway_planner::{admit, plan};

use crate::world::{job, offering, policy, question, resources};

fn gpu_job(kinds: &[GpuKind]) -> DemandKey {
    DemandKey {
        need: resources(1024, 2048, 1),
        gpu_kinds: kinds.to_vec().into(),
        ..job(1024, 2048)
    }
}

/// A host with one GPU.
fn gpu_host(name: &str, kind: Option<GpuKind>, price: u64) -> Offering {
    Offering { capacity: resources(4096, 15_000, 1), gpu: kind, ..offering(name, 0, 0, price) }
}

fn shop() -> Vec<Offering> {
    vec![
        gpu_host("g4dn.xlarge", Some(GpuKind::T4), 200_000),
        gpu_host("g6.xlarge", Some(GpuKind::L4), 300_000),
        gpu_host("g5.xlarge", Some(GpuKind::A10G), 400_000),
        gpu_host("g9.xlarge", None, 100_000),
    ]
}

/// The type of every host that is bought, one for each host.
fn bought(jobs: &[(DemandKey, u32)]) -> Vec<String> {
    let planned = plan(&question(jobs, &shop()), &policy());
    let launches = planned.plan.launches.iter();
    let name = |l: &spillway_core::plan::PlannedLaunch| l.choices[0].pool.instance_type.clone();
    launches.flat_map(|l| vec![name(l); l.count.try_into().unwrap()]).collect()
}

#[test]
fn a_job_gets_the_cheapest_kind_that_it_accepts() {
    assert_eq!(bought(&[(gpu_job(&[GpuKind::A10G]), 1)]), ["g5.xlarge"]);
    assert_eq!(bought(&[(gpu_job(&[GpuKind::A10G, GpuKind::L4]), 1)]), ["g6.xlarge"]);
}

#[test]
fn a_kind_that_nobody_knows_is_for_jobs_that_take_any() {
    assert_eq!(bought(&[(gpu_job(&[]), 2)]), ["g9.xlarge", "g9.xlarge"]);
}

#[test]
fn alternatives_of_a_launch_are_of_accepted_kinds_and_otherwise_of_any() {
    let near = vec![
        gpu_host("g4dn.xlarge", Some(GpuKind::T4), 200_000),
        gpu_host("g6.xlarge", Some(GpuKind::L4), 205_000),
        gpu_host("g5.xlarge", Some(GpuKind::A10G), 210_000),
    ];
    let choices = |kinds: &[GpuKind]| {
        let planned = plan(&question(&[(gpu_job(kinds), 1)], &near), &policy());
        let names = planned.plan.launches[0].choices.iter();
        names.map(|choice| choice.pool.instance_type.clone()).collect::<Vec<_>>()
    };

    assert_eq!(choices(&[]), ["g4dn.xlarge", "g6.xlarge", "g5.xlarge"]);
    assert_eq!(choices(&[GpuKind::T4, GpuKind::A10G]), ["g4dn.xlarge", "g5.xlarge"]);
}

#[test]
fn a_kind_that_is_not_sold_is_named() {
    let key = gpu_job(&[GpuKind::H100]);
    let input = question(&[(key, 1)], &shop());

    let refused = admit(&key, &input.catalog, &policy()).unwrap_err();

    let NoFit::NoOffering { gpu_kinds, .. } = refused else { panic!("{refused}") };
    assert_eq!(gpu_kinds, GpuKinds::from(vec![GpuKind::H100]));
    assert!(refused.to_string().ends_with("with GPU H100"), "{refused}");
    let planned = plan(&input, &policy());
    assert_eq!(planned.report.waiting[0].reason, WaitReason::TooLarge(refused));
}
