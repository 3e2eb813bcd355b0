//! The score: the bill's parts sum to it, and each is what it says.

use spillway_core::cost::attempt_cost;
use spillway_core::job::{Attempt, FailureCategory};
use spillway_core::{AttemptOrd, HostId, InstanceId, Job, JobState, Market, MicroUsd};
use spillway_sim::scenario::random;
use spillway_sim::score::{Bill, Waits};
use spillway_sim::{Score, SimCloud, run};

use crate::fixture::{
    at, cloud, exact_world, job, launch_id, launch_request, needs, pool, registered_host, secs,
    spot,
};

/// An attempt on the instance from `placed` to `stopped`, running after 11 s.
fn attempt(
    cloud: &SimCloud,
    instance: &InstanceId,
    placed: i64,
    stopped: i64,
    failure: Option<FailureCategory>,
) -> Attempt {
    let sim = cloud.ec2().get(instance).unwrap();
    Attempt {
        ord: AttemptOrd::FIRST,
        host: HostId::derive(launch_id(0), 0),
        instance: instance.clone(),
        pool: sim.pool.clone(),
        task: None,
        placed_at: at(placed),
        started_at: Some(at(placed + 11)),
        stopped_at: at(stopped),
        exit_code: None,
        reason: String::new(),
        container_reason: None,
        containers: Box::default(),
        failure,
        cost: attempt_cost(sim.price, secs(stopped - placed), &needs(1, 1), &needs(2, 4)),
        expected: None,
        shared: None,
        variant: spillway_core::VariantOrd::BASE,
    }
}

fn succeeded(token: &str, attempts: Vec<Attempt>) -> Job {
    Job { attempts, ..job(token, JobState::Succeeded { at: at(400) }) }
}

#[test]
fn a_bill_is_boot_work_and_idle_to_the_micro_dollar() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let work = attempt(&cloud, &instance, 60, 360, None);
    let carried = work.cost;
    cloud.terminate(at(500), std::slice::from_ref(&instance)).unwrap();

    let Bill { total, work, idle, boot } =
        Score::of(&[succeeded("a", vec![work])], &cloud, at(900)).bill;

    let price = cloud.ec2().get(&instance).unwrap().price;
    assert_eq!(total, price.cost_of(secs(500)));
    assert_eq!(boot, price.cost_of(secs(60)));
    assert_eq!(work, carried);
    assert_eq!(boot + work + idle, total);
}

#[test]
fn a_host_that_never_registers_is_all_boot() {
    let mut cloud = cloud(exact_world());
    let answer = cloud.launch(at(0), &launch_request(0, &[spot()], 1)).unwrap();
    cloud.terminate(at(5), &[answer.instances[0].id.clone()]).unwrap();

    let bill = Score::of(&[], &cloud, at(900)).bill;

    assert_eq!(bill.total, answer_price(&cloud).cost_of(secs(60)));
    assert_eq!(bill, Bill { total: bill.total, boot: bill.total, ..Bill::default() });
}

fn answer_price(cloud: &SimCloud) -> spillway_core::MicroUsdPerHour {
    cloud.ec2().instances().next().unwrap().price
}

#[test]
fn an_attempt_that_is_given_up_after_its_host_has_ended_carries_no_more_than_there_is() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    cloud.terminate(at(100), std::slice::from_ref(&instance)).unwrap();
    let lost = attempt(&cloud, &instance, 60, 9_000, Some(FailureCategory::Host));

    let bill = Score::of(&[succeeded("a", vec![lost])], &cloud, at(9_000)).bill;

    assert_eq!(bill.idle, MicroUsd::ZERO);
    assert_eq!(bill.boot + bill.work, bill.total);
}

#[test]
fn the_parts_of_the_bill_and_of_the_fleet_sum_to_it_in_any_run() {
    for seed in 0..8 {
        let score = run::run(&random::random(seed), None).unwrap().score;

        let Bill { total, work, idle, boot } = score.bill;
        assert_eq!(work + idle + boot, total, "seed {seed}");
        assert_eq!(score.hosts.iter().map(|h| h.cost).sum::<MicroUsd>(), total, "seed {seed}");
        let jobs = score.jobs;
        assert_eq!(jobs.succeeded + jobs.failed + jobs.open, jobs.total, "seed {seed}");
    }
}

#[test]
fn one_vm_per_job_is_the_cheapest_on_demand_machine_from_launch_to_the_jobs_end() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    // Taken back after 100 s of running, then 250 s to the end: a machine of its own would have had only the latter.
    let reclaimed = attempt(&cloud, &instance, 60, 171, Some(FailureCategory::Spot));
    let done = attempt(&cloud, &instance, 200, 461, None);

    let score = Score::of(&[succeeded("a", vec![reclaimed, done])], &cloud, at(900));

    // c6a.large is the cheapest x86_64 type with 1 vCPU and 1 GiB.
    let prices = cloud.price_list(at(0));
    let price = prices.get(&pool("c6a.large", "us-east-1a", Market::OnDemand)).unwrap().price;
    assert_eq!(score.on_demand_one_vm_per_job, price.cost_of(secs(60 + 250)));
    assert_eq!((score.n_attempts, score.n_retries), (2, 1));
}

#[test]
fn waits_are_from_acceptance_to_the_first_start_by_nearest_rank() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let started_after = |token: i64| {
        let mut attempt = attempt(&cloud, &instance, 60, 900, None);
        attempt.started_at = Some(at(token));
        succeeded(&token.to_string(), vec![attempt])
    };
    let jobs: Vec<Job> = (1..=20).map(|n| started_after(n * 10)).collect();

    let wait = Score::of(&jobs, &cloud, at(900)).wait;

    let wanted = Waits { mean: secs(105), p50: secs(100), p95: secs(190), max: secs(200) };
    assert_eq!(wait, wanted);
}

#[test]
fn json_has_seconds_and_micro_dollars() {
    let mut cloud = cloud(exact_world());
    let instance = registered_host(&mut cloud, &spot());
    let job = succeeded("a", vec![attempt(&cloud, &instance, 60, 360, None)]);

    let json = serde_json::to_value(Score::of(&[job], &cloud, at(900))).unwrap();

    assert_eq!(json["makespan"], 400.0);
    assert_eq!(json["wait"]["p50"], 71.0);
    assert_eq!(json["bill"]["total"], answer_price(&cloud).cost_of(secs(900)).get());
    assert_eq!(json["hosts"][0]["market"], "spot");
}
