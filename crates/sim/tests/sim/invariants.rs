//! Every invariant can fire: each test takes a step that breaks one and sees it named; its sound twin passes.

mod budgets;
mod gangs;
mod stage;
mod variants;

use std::sync::Arc;

use spillway_core::effect::DeadLetter;
use spillway_core::host::DrainCause;
use spillway_core::job::{Attempt, FailureCategory, LiveAttempt, Stop, StopCause};
use spillway_core::{ApprovedBurst, Burst, HeldBurst};
use spillway_core::{
    Arch, AttemptOrd, Change, Effect, Hazard, Host, HostId, HostState, Job, JobSpec, JobState,
    Launch, LaunchState, MarketRule, MicroUsd, MicroUsdPerHour,
};
use spillway_sim::invariants::PURPOSELESS_MAX;

use stage::{Stage, host_id, live};

use crate::fixture::{
    at, job, job_id, launch_id, launch_request, message, needs, spec, spec_running, spot, start,
    task_request,
};

fn starting(token: &str) -> Job {
    job(token, JobState::Starting { attempt: live(AttemptOrd::FIRST) })
}

fn with_spec(job: Job, change: impl FnOnce(&mut JobSpec)) -> Job {
    let mut spec = spec();
    change(&mut spec);
    Job { spec: Arc::new(spec), ..job }
}

fn ended(stage: &Stage, failure: Option<FailureCategory>, exit_code: Option<i32>) -> Attempt {
    Attempt {
        ord: AttemptOrd::FIRST,
        host: host_id(),
        instance: stage.instance.clone(),
        pool: spot(),
        task: None,
        placed_at: at(60),
        started_at: Some(at(71)),
        stopped_at: at(172),
        exit_code,
        reason: "it ended".into(),
        container_reason: None,
        containers: Box::default(),
        failure,
        cost: MicroUsd::ZERO,
        expected: None,
        shared: None,
        variant: spillway_core::VariantOrd::BASE,
    }
}

fn ends(state: JobState, attempt: Attempt) -> Change {
    Change::MoveJob { id: job_id("a"), state, ended: Some(Box::new(attempt)) }
}

fn failed() -> JobState {
    JobState::Failed { at: at(172), reason: "it ended".into() }
}

#[test]
fn i1_a_job_that_is_added_twice() {
    let mut stage = Stage::new();

    assert!(stage.place(starting("a")).is_empty());
    assert_eq!(stage.place(starting("a")), ["I1"]);
}

#[test]
fn i1_a_job_whose_end_is_written_twice() {
    let mut stage = Stage::new();
    stage.place(job("a", JobState::Runnable { since: at(0) }));
    let fail = || Change::MoveJob { id: job_id("a"), state: failed(), ended: None };

    assert!(stage.write([fail()]).is_empty());
    assert_eq!(stage.write([fail()]), ["I1"]);
}

#[test]
fn i2_a_second_task_while_the_first_is_alive_and_nobody_has_given_it_up() {
    let mut stage = Stage::new();
    start(&mut stage.cloud, at(60), "a", &stage.instance, spec());
    let second = AttemptOrd::FIRST.next();
    let run = Effect::RunTask(task_request("a", second, &stage.instance, spec()));
    stage.place(job("a", JobState::Starting { attempt: live(second) }));

    assert_eq!(stage.perform(run), ["I2"]);
}

#[test]
fn i2_is_kept_and_counted_where_the_first_was_given_up() {
    let mut stage = Stage::new();
    start(&mut stage.cloud, at(60), "a", &stage.instance, spec());
    let second = AttemptOrd::FIRST.next();
    let run = Effect::RunTask(task_request("a", second, &stage.instance, spec()));
    let mut job = job("a", JobState::Starting { attempt: live(second) });
    job.attempts.push(ended(&stage, Some(FailureCategory::Unknown), None));
    stage.place(job);

    assert!(stage.perform(run).is_empty());
    assert_eq!(stage.invariants.n_doubled_tasks(), 1);
}

#[test]
fn i3_a_message_that_is_deleted_before_its_job_is_durable() {
    let mut stage = Stage::new();
    let receipts = vec![stage.receive(&message("a"))];
    let delete = Effect::DeleteMessages { receipts };

    assert_eq!(stage.perform(delete.clone()), ["I3"]);
    stage.place(starting("a"));
    assert!(stage.perform(delete).is_empty());
}

#[test]
fn i3_a_message_that_is_deleted_and_was_never_a_job() {
    let mut stage = Stage::new();
    let receipts = vec![stage.receive("not json")];

    assert_eq!(stage.perform(Effect::DeleteMessages { receipts }), ["I3"]);
}

#[test]
fn i3_an_order_that_is_deleted_and_not_carried_out() {
    let mut stage = Stage::new();
    let order = |action: &str| {
        let job = job_id("a");
        format!(r#"{{"jobId":"{job}","reason":"enough","spillway":{{"action":"{action}"}}}}"#)
    };
    stage.place(starting("a"));
    let cancel = vec![stage.receive(&order("CancelJob"))];
    let terminate = vec![stage.receive(&order("TerminateJob"))];

    assert!(stage.perform(Effect::DeleteMessages { receipts: cancel }).is_empty());
    assert_eq!(stage.perform(Effect::DeleteMessages { receipts: terminate.clone() }), ["I3"]);
    let cause = StopCause::Terminated { reason: "enough".into() };
    let stop = Some(Stop { since: at(60), cause });
    let attempt = LiveAttempt { stop, ..live(AttemptOrd::FIRST) };
    let told = JobState::Starting { attempt };
    stage.write([Change::MoveJob { id: job_id("a"), state: told, ended: None }]);
    assert!(stage.perform(Effect::DeleteMessages { receipts: terminate }).is_empty());
}

#[test]
fn i3_a_good_message_that_becomes_a_dead_letter() {
    let mut stage = Stage::new();
    let letter = |receipt, body: &str| DeadLetter {
        receipt,
        message_id: "m".into(),
        body: body.to_owned(),
        code: "INVALID_FIELD".into(),
        reason: "it is not".into(),
    };
    let good = stage.receive(&message("a"));
    let bad = stage.receive("not json");

    assert_eq!(stage.perform(Effect::DeadLetter(letter(good, &message("a")))), ["I3"]);
    assert_eq!(stage.perform(Effect::DeadLetter(letter(bad.clone(), "changed"))), ["I3"]);
    assert!(stage.perform(Effect::DeadLetter(letter(bad, "not json"))).is_empty());
}

#[test]
fn i4_an_instance_that_is_paid_and_in_no_ledger() {
    let mut stage = Stage::new();
    let look = || Effect::Observe { tasks: Vec::new() };
    stage.cloud.launch(at(60), &launch_request(1, &[spot()], 1)).unwrap();

    assert!(stage.perform(look()).is_empty(), "it may still be found");
    stage.now += 3600;
    assert_eq!(stage.perform(look()), ["I4"]);
}

#[test]
fn i4_is_kept_while_the_launch_is_open() {
    let mut stage = Stage::new();
    let request = launch_request(1, &[spot()], 1);
    stage.cloud.launch(at(60), &request).unwrap();
    let open = Launch {
        id: request.launch,
        decided_at: at(60),
        market: request.market,
        choices: request.choices,
        hosts: vec![HostId::derive(request.launch, 0)],
        state: LaunchState::Open { retry_at: at(60), n_failed: 0 },
    };
    stage.write([Change::PutLaunch(Box::new(open))]);

    stage.now += 3600;

    assert!(stage.perform(Effect::Observe { tasks: Vec::new() }).is_empty());
}

#[test]
fn i5_more_on_a_host_than_it_registered() {
    let mut stage = Stage::new();
    let fat = |token| with_spec(starting(token), |spec| spec.resources = needs(1, 2));

    assert!(stage.place(fat("a")).is_empty());
    assert_eq!(stage.place(fat("b")), ["I5"], "two times 2 GiB are more than 3892 MiB");
}

#[test]
fn i6_a_job_on_a_host_it_does_not_allow() {
    let place = |change: fn(&mut JobSpec)| Stage::new().place(with_spec(starting("a"), change));

    assert_eq!(place(|spec| spec.arch = Some(Arch::Arm64)), ["I6"]);
    assert_eq!(place(|spec| spec.market = MarketRule::OnDemand), ["I6"]);
    assert!(place(|spec| spec.arch = None).is_empty());
    assert!(place(|spec| spec.market = MarketRule::Spot).is_empty());
}

fn requested(n: u32) -> Host {
    Host {
        id: HostId::derive(launch_id(1), n),
        launch: Some(launch_id(1)),
        pool: spot(),
        arch: Arch::X86_64,
        gpu: None,
        price: MicroUsdPerHour::new(25_000),
        extras: MicroUsdPerHour::ZERO,
        capacity: needs(2, 4),
        hazard: Hazard::NEVER,
        reserved: Vec::new(),
        on_demand_price: None,
        registered_at: None,
        drained_at: None,
        state: HostState::Requested,
    }
}

#[test]
fn i7_a_launch_beyond_a_limit() {
    let buy = |n| Change::PutHost(Box::new(requested(n)));
    let mut hosts = Stage::with(|config| config.limits.hosts_max = Some(2));
    let mut cpu = Stage::with(|config| config.limits.cpu_max = Some(needs(4, 0).cpu));
    let price_max = Some(MicroUsdPerHour::new(50_000));
    let mut price = Stage::with(|config| config.limits.price_max = price_max);

    for stage in [&mut hosts, &mut cpu, &mut price] {
        assert!(stage.write([buy(0)]).is_empty());
        assert_eq!(stage.write([buy(1)]), ["I7"]);
    }
}

#[test]
fn i7_a_launch_beyond_what_was_approved() {
    let buy = |n| Change::PutHost(Box::new(requested(n)));
    let price = MicroUsdPerHour::new;
    let over = Some(price(50_000));
    let mut stage = Stage::with(|config| config.limits.approve_over = over);
    let each = requested(0).price;
    assert_eq!(stage.write([buy(0), buy(1)]), ["I7"]);

    let mut stage = Stage::with(|config| config.limits.approve_over = over);
    // One is there already.
    let held = HeldBurst { price: price(3 * each.get()), since: at(0) };
    let approved = Some(ApprovedBurst { held, at: at(1), sender: None });
    let approve = Change::PutBurst(Box::new(Burst { held: None, approved }));

    assert!(stage.write([approve, buy(0), buy(1)]).is_empty());
    assert_eq!(stage.write([buy(2)]), ["I7"]);
}

#[test]
fn i8_a_task_for_a_host_that_drains() {
    let mut stage = Stage::new();
    let draining = HostState::Draining {
        instance: stage.host.instance().unwrap().clone(),
        container_instance: stage.host.container_instance().cloned(),
        since: at(60),
        cause: DrainCause::Idle,
    };
    stage.move_host(draining);

    assert_eq!(stage.place(starting("a")), ["I8"]);
}

#[test]
fn i8_a_host_that_is_ended_as_idle_with_a_job_on_it() {
    let mut stage = Stage::new();
    stage.place(starting("a"));

    stage.move_host(stage.terminating(DrainCause::Idle));
    assert_eq!(stage.perform(stage.terminate()), ["I8"]);
    stage.move_host(stage.terminating(DrainCause::SpotInterruption));
    assert!(stage.perform(stage.terminate()).is_empty());
}

#[test]
fn i10_a_job_that_fails_with_attempts_left() {
    let mut stage = Stage::new();
    stage.place(starting("a"));
    let task =
        start(&mut stage.cloud, at(60), "a", &stage.instance, spec_running("sleep 100; exit 3"));
    stage.now = 200;
    let exit = Attempt { task: Some(task), ..ended(&stage, Some(FailureCategory::Exit), Some(3)) };

    assert_eq!(stage.write([ends(failed(), exit)]), ["I10"], "it had one of two attempts");
}

#[test]
fn i10_a_job_that_fails_by_a_lost_host() {
    let mut stage = Stage::new();
    stage.place(starting("a"));
    let lost = ended(&stage, Some(FailureCategory::Spot), None);

    assert_eq!(stage.write([ends(failed(), lost)]), ["I10"]);
}

#[test]
fn m1_a_bill_that_leaves_something_out() {
    let closed_at = |bill: MicroUsd| {
        let mut stage = Stage::new();
        stage.cloud.terminate(at(60), std::slice::from_ref(&stage.instance)).unwrap();
        let instance = stage.host.instance().cloned();
        stage.move_host(HostState::Gone { instance, at: at(60), cause: DrainCause::Idle, bill })
    };
    let billed = Stage::new().cloud.ec2().instances().next().unwrap().bill(at(60));

    assert!(closed_at(billed).is_empty());
    assert_eq!(closed_at(billed.saturating_sub(MicroUsd::new(1))), ["M1"]);
}

#[test]
fn m1_attempts_that_carry_more_than_their_host_costs() {
    let mut stage = Stage::new();
    stage.place(starting("a"));
    let mut attempt = ended(&stage, Some(FailureCategory::Unknown), None);
    attempt.cost = MicroUsd::new(1_000_000);
    let retry = JobState::Runnable { since: at(60) };
    stage.write([ends(retry, attempt)]);
    stage.cloud.terminate(at(60), std::slice::from_ref(&stage.instance)).unwrap();
    let (instance, bill) = (stage.host.instance().cloned(), MicroUsd::new(999_999));

    let broken =
        stage.move_host(HostState::Gone { instance, at: at(60), cause: DrainCause::Idle, bill });

    assert_eq!(broken, ["M1"]);
}

#[test]
fn t1_a_success_that_never_was() {
    let mut stage = Stage::new();
    stage.place(starting("a"));
    let task =
        start(&mut stage.cloud, at(60), "a", &stage.instance, spec_running("sleep 100; exit 3"));
    stage.now = 200;
    let success = Attempt { task: Some(task), ..ended(&stage, None, Some(0)) };

    assert_eq!(stage.write([ends(JobState::Succeeded { at: at(172) }, success)]), ["T1"]);
}

#[test]
fn t1_an_exit_code_that_is_not_the_containers() {
    let recorded_as = |code| {
        let mut stage = Stage::new();
        stage.place(with_spec(starting("a"), |spec| spec.attempts = 1));
        let spec = spec_running("sleep 100; exit 3");
        let task = Some(start(&mut stage.cloud, at(60), "a", &stage.instance, spec));
        stage.now = 200;
        let exit = ended(&stage, Some(FailureCategory::Exit), Some(code));
        stage.write([ends(failed(), Attempt { task, ..exit })])
    };

    assert_eq!(recorded_as(4), ["T1"]);
    assert!(recorded_as(3).is_empty());
}

#[test]
fn w1_a_launch_that_is_not_written_down() {
    let mut stage = Stage::new();
    let request = launch_request(7, &[spot()], 1);
    let intent = Launch {
        id: request.launch,
        decided_at: at(60),
        market: request.market,
        choices: request.choices.clone(),
        hosts: vec![HostId::derive(request.launch, 0)],
        state: LaunchState::Open { retry_at: at(60), n_failed: 0 },
    };

    assert_eq!(stage.perform(Effect::Launch(request.clone())), ["W1"]);
    let step = stage.step(vec![Change::PutLaunch(Box::new(intent))], vec![Effect::Launch(request)]);
    assert!(step.is_empty());
}

#[test]
fn w1_a_task_that_is_not_written_down() {
    let mut stage = Stage::new();
    let request = task_request("a", AttemptOrd::FIRST, &stage.instance, spec());

    assert_eq!(stage.perform(Effect::RunTask(request)), ["W1"]);
}

#[test]
fn w1_a_host_that_is_ended_and_not_written_down_to_be() {
    let mut stage = Stage::new();

    assert_eq!(stage.perform(stage.terminate()), ["W1"]);
}

#[test]
fn s2_what_is_left_in_the_end() {
    let mut stage = Stage::new();
    stage.place(starting("a"));
    start(&mut stage.cloud, at(60), "a", &stage.instance, spec());
    stage.cloud.send_message(at(60), message("b"));
    let open = Launch {
        id: launch_id(9),
        decided_at: at(60),
        market: spot().market,
        choices: Vec::new(),
        hosts: Vec::new(),
        state: LaunchState::Open { retry_at: at(60), n_failed: 0 },
    };
    stage.write([Change::PutLaunch(Box::new(open))]);

    stage.invariants.check_end(9, at(60), &stage.cloud);

    let texts: Vec<&str> = stage.invariants.violations().iter().map(|v| v.text.as_str()).collect();
    let wanted = ["jobs", "hosts", "launches", "instances", "tasks", "messages"];
    assert_eq!(texts.len(), wanted.len(), "{texts:#?}");
    for (text, what) in texts.iter().zip(wanted) {
        assert!(text.starts_with(&format!("1 {what} ")), "{text}");
    }
    assert!(stage.invariants.violations().iter().all(|v| v.invariant == "S2"));
}

#[test]
fn nothing_is_left_of_a_clean_end() {
    let mut stage = Stage::new();
    stage.cloud.terminate(at(60), std::slice::from_ref(&stage.instance)).unwrap();
    let instance = stage.host.instance().cloned();
    let (cause, bill) = (DrainCause::Idle, MicroUsd::new(1_000_000));
    stage.move_host(HostState::Gone { instance, at: at(60), cause, bill });

    stage.invariants.check_end(9, at(60), &stage.cloud);

    assert_eq!(stage.invariants.violations(), []);
    assert!(stage.invariants.ledger_is_at_rest());
}

#[test]
fn a_violation_names_its_event_and_time() {
    let mut stage = Stage::new();
    stage.perform(Effect::RunTask(task_request("a", AttemptOrd::FIRST, &stage.instance, spec())));

    let text = stage.invariants.violations()[0].to_string();

    assert!(text.starts_with("W1 at event 1 (1970-01-01T00:01:00Z): attempt 1 of job "), "{text}");
}

#[test]
fn an_instance_that_is_paid_without_a_task_is_seen() {
    let mut world = Stage::new();

    world.now += PURPOSELESS_MAX.as_secs();
    assert_eq!(world.perform(Effect::Observe { tasks: Vec::new() }), [""; 0]);
    world.now += 600;

    assert_eq!(world.perform(Effect::Observe { tasks: Vec::new() }), ["B1"]);
}

#[test]
fn an_instance_is_not_held_against_a_dispatcher_that_is_away() {
    let mut world = Stage::new();
    world.invariants.blind(at(world.now), at(world.now + 7_200));

    world.now += 7_200;

    assert_eq!(world.perform(Effect::Observe { tasks: Vec::new() }), [""; 0]);
}

#[test]
fn a_host_that_is_gone_in_the_ledger_and_paid_is_seen() {
    let mut world = Stage::new();
    let instance = world.host.instance().cloned();
    let bill = MicroUsd::new(1_000_000);

    let gone = HostState::Gone { instance, at: at(60), cause: DrainCause::External, bill };

    assert_eq!(world.move_host(gone), ["G1"]);
}
