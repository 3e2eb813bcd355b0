//! The bound that knows all jobs: exact where that can be seen by hand, and below every bill of every policy.

use spillway_core::MicroUsd;
use spillway_sim::run::listeners::Listeners;
use spillway_sim::{Policy, Scenario, clairvoyant};

fn scenario(text: &str) -> Scenario {
    Scenario::parse(text, None).unwrap()
}

const ONE_TYPE: &str = r#"
    [world]
    instance_types = ["c6g.large"]
    overhead_permille = [0, 0]
    [engine]
    markets = ["on-demand"]
"#;

#[test]
fn jobs_that_fill_hosts_cost_their_share_of_them() {
    let jobs = r#"
        [[workload.jobs]]
        name = "half"
        count = 10
        vcpus = 1
        memory = "2GiB"
        architecture = "arm64"
        duration = "6m"
    "#;

    let bound = clairvoyant::bound(&scenario(&format!("{ONE_TYPE}{jobs}")));

    // Ten times a tenth of an hour, on half of a host of 6.8 cents an hour.
    assert_eq!(bound, MicroUsd::new(34_000));
}

#[test]
fn jobs_that_are_ended_never_run_or_are_sent_twice_count_for_nothing_more() {
    let jobs = r#"
        [[workload.jobs]]
        name = "half"
        count = 10
        vcpus = 1
        memory = "2GiB"
        architecture = "arm64"
        duration = "6m"
        resend = "100%"
        [[workload.jobs]]
        name = "cancelled"
        count = 5
        vcpus = 1
        memory = "2GiB"
        architecture = "arm64"
        cancel = "100%"
        [[workload.jobs]]
        name = "no-image"
        image = "missing/x"
        vcpus = 1
        memory = "2GiB"
        architecture = "arm64"
    "#;

    let bound = clairvoyant::bound(&scenario(&format!("{ONE_TYPE}{jobs}")));

    assert_eq!(bound, MicroUsd::new(34_000));
}

#[test]
fn a_time_out_ends_the_work_that_counts() {
    let jobs = r#"
        [[workload.jobs]]
        name = "endless"
        command = ["sleep", "infinity"]
        vcpus = 2
        memory = "3GiB"
        architecture = "arm64"
        timeout = "30m"
    "#;

    let bound = clairvoyant::bound(&scenario(&format!("{ONE_TYPE}{jobs}")));

    assert_eq!(bound, MicroUsd::new(34_000));
}

/// Few jobs of few kinds in a small world, each seed another: what a policy might do by luck.
fn small(seed: u64) -> Scenario {
    let text = r#"
        [world]
        instance_types = ["c6a.*", "m6g.*", "r6a.large"]
        boot = ["20s", "40s"]
        interruptions = "30%"
        [[workload.jobs]]
        name = "a"
        count = 12
        sizes = [
            { vcpus = 0.5, memory = "700MiB" },
            { vcpus = 2, memory = "3GiB", weight = 2 },
            { vcpus = 3, memory = "13GiB", stretch = "150%" },
        ]
        architecture = "any"
        duration = { median = "5m", p95 = "30m", max = "1h" }
        estimate = { bias = "130%", p95 = "300%" }
        over = "20m"
        [[workload.jobs]]
        name = "b"
        count = 4
        vcpus = 1
        memory = "7GiB"
        market = "on-demand"
        duration = ["10s", "20m"]
        tell_duration = false
        every = "2m"
    "#;
    scenario(text).with_seed(seed)
}

#[test]
fn no_policy_is_ever_billed_less() {
    for seed in 0..20 {
        let scenario = small(seed);
        let bound = clairvoyant::bound(&scenario);
        assert!(MicroUsd::ZERO < bound);
        for policy in Policy::all() {
            let outcome = policy.run(&scenario, Listeners::default()).unwrap();

            let name = policy.name();
            assert_eq!(outcome.n_violations, 0, "{name} seed {seed}: {:?}", outcome.violations);
            assert!(outcome.converged, "{name} seed {seed}");
            assert_eq!(outcome.score.jobs.succeeded, 16, "{name} seed {seed}");
            let bill = outcome.score.bill.total;
            assert!(bound <= bill, "{name} seed {seed}: {bill} is less than {bound}");
        }
    }
}
