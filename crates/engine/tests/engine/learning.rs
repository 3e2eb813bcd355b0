//! What the loop learns: how long kinds of jobs take, how long hosts boot, how often Spot is taken back.

use spillway_core::job::ExpectedFrom;
use spillway_core::message;
use spillway_core::task::{CloudEvent, TaskStatus};
use spillway_core::{Demand, JobId, JobSpec, Market, MarketRule, VariantOrd};
use spillway_engine::Engine;
use spillway_engine::calibration::{Calibration, Source, SpotClass};

use crate::rig::{Rig, catalog, message as body, pool, secs};

/// A job's spec, as a message with these additions says it.
fn spec(token: &str, spillway: &str) -> JobSpec {
    submitted(&body(token, spillway, ""))
}

fn submitted(body: &str) -> JobSpec {
    match message::parse(body).unwrap().request {
        message::Request::Submit { spec, .. } => Some(*spec),
        message::Request::Cancel { .. }
        | message::Request::Terminate { .. }
        | message::Request::Register { .. }
        | message::Request::Deregister { .. }
        | message::Request::Schedule(_)
        | message::Request::Pause { .. }
        | message::Request::ResetBreaker { .. }
        | message::Request::ApproveBurst { .. } => None,
    }
    .expect("it is a job")
}

/// Runs a job to its end on a host of its own, which is given back.
fn run(rig: &mut Rig, token: &str, spillway: &str, n: u32, ran: i64, code: i32) -> JobId {
    let job = rig.run_job(token, spillway, "", n);
    rig.wait(secs(ran));
    rig.exits(job, code);
    end_hosts(rig, n);
    job
}

/// Lets the host be idle, and shows it terminated.
fn end_hosts(rig: &mut Rig, n: u32) {
    rig.wait(rig.config.idle_timeout + secs(1));
    let idle = rig.hosts.values().filter(|h| h.status().to_string() == "draining");
    let idle: Vec<_> = idle.map(|host| host.id).collect();
    for host in idle {
        rig.answer(spillway_core::Answer::Drain { host, result: Ok(()) });
    }
    rig.terminated(n);
    rig.take_effects();
}

fn demand(rig: &Rig) -> Demand {
    let input = rig.engine.plan_input(rig.now);
    assert_eq!(input.demands.len(), 1, "{:?}", input.demands);
    input.demands[0]
}

#[test]
fn a_job_is_expected_to_take_as_long_as_its_kind_took() {
    let mut rig = Rig::new();
    let unknown = rig.engine.expectation(rig.now, &spec("align-9", ""), VariantOrd::BASE);
    assert_eq!((unknown.secs, unknown.from), (600, ExpectedFrom::Prior));

    run(&mut rig, "align-1", "", 1, 100, 0);
    run(&mut rig, "align-2", "", 2, 140, 0);

    let known = rig.engine.expectation(rig.now, &spec("align-9", ""), VariantOrd::BASE);
    assert_eq!((known.secs, known.from), (120, ExpectedFrom::History { n: 2 }));
    assert!(140 <= known.high_secs, "{known:?}");
    let other = rig.engine.expectation(rig.now, &spec("call", ""), VariantOrd::BASE);
    assert_eq!(other.from, ExpectedFrom::Prior);
}

#[test]
fn what_was_cut_short_counts_as_at_least_so_long() {
    let mut rig = Rig::new();
    run(&mut rig, "align-1", "", 1, 100, 0);
    let before = rig.engine.expectation(rig.now, &spec("align-9", ""), VariantOrd::BASE);

    let job = rig.run_job("align-2", r#","market":"spot""#, "", 2);
    rig.wait(secs(1_000));
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.stop_code = Some("SpotInterruption".into());
    });

    let after = rig.engine.expectation(rig.now, &spec("align-9", ""), VariantOrd::BASE);
    assert_eq!(before.secs, 100);
    // One in two took 100 s; the other more than 1,000.
    assert!(600 < after.secs, "{after:?}");
}

/// The first plan of a job and the estimate for one that runs are the same knowledge.
#[test]
fn one_that_runs_is_evidence_while_it_runs() {
    let mut rig = Rig::new();
    rig.run_job("align-1", "", "", 1);

    rig.wait(secs(3_000));

    let expected = rig.engine.expectation(rig.now, &spec("align-9", ""), VariantOrd::BASE);
    assert_eq!((expected.secs, expected.from), (4_500, ExpectedFrom::History { n: 0 }));
    let hosts = rig.engine.plan_input(rig.now).hosts;
    assert_eq!(hosts[0].busy[0].ends_in_secs, 1_500);
}

#[test]
fn what_a_job_says_is_corrected_once_enough_of_its_kind_took_otherwise() {
    let mut rig = Rig::new();
    let told = r#","expectedDurationSeconds":100"#;
    for n in 1..8 {
        run(&mut rig, &format!("align-{n}"), told, n, 300, 0);
    }
    let believed = rig.engine.expectation(rig.now, &spec("align-99", told), VariantOrd::BASE);
    assert_eq!((believed.secs, believed.from), (100, ExpectedFrom::Told));

    run(&mut rig, "align-8", told, 8, 300, 0);

    let corrected = rig.engine.expectation(rig.now, &spec("align-99", told), VariantOrd::BASE);
    assert_eq!((corrected.secs, corrected.from), (300, ExpectedFrom::ToldCorrected { n: 8 }));
    // In proportion: one that says twice as long takes twice as long.
    let longer = r#","expectedDurationSeconds":200"#;
    assert_eq!(
        rig.engine.expectation(rig.now, &spec("align-99", longer), VariantOrd::BASE).secs,
        600
    );
}

#[test]
fn jobs_of_one_definition_are_one_kind_whatever_they_are_called() {
    let named = |name: &str, definition: &str| {
        let key = format!(r#""jobDefinition":{{"jobDefinitionName":"{definition}","#);
        let text = body(name, "", "").replace(r#""jobDefinition":{"#, &key);
        spillway_core::KindId::of(&submitted(&text))
    };

    assert_eq!(named("a", "align"), named("b", "align"));
    assert_ne!(named("a", "align"), named("a", "call"));
}

#[test]
fn what_was_learnt_survives_a_restart_and_the_same_is_planned() {
    let mut rig = Rig::new();
    for n in 1..=3 {
        run(&mut rig, &format!("align-{n}"), r#","market":"spot""#, n, 100 + i64::from(n), 0);
    }
    rig.run_job("align-4", r#","market":"spot""#, "", 4);
    rig.wait(secs(20));
    rig.send(body("align-5", r#","patienceSeconds":1000"#, ""));
    let before = (rig.engine.plan_input(rig.now), rig.engine.plan_policy());

    rig.restart();
    let engine = std::mem::replace(
        &mut rig.engine,
        Engine::new(rig.config.clone(), spillway_core::LedgerState::new(ledger()), rig.now),
    );
    let engine = engine.with_prices(catalog(), rig.now);

    let after = (engine.plan_input(rig.now), engine.plan_policy());
    assert_eq!(before, after);
    assert_eq!(before.0.demands[0].key.expected_secs, Some(121), "102 s, rounded up");
}

fn ledger() -> spillway_core::id::LedgerId {
    spillway_core::id::LedgerId::from_uuid(uuid::Uuid::from_u128(8))
}

#[test]
fn the_boot_time_that_is_planned_with_is_the_one_that_was_seen() {
    let mut rig = Rig::new();
    assert_eq!(rig.engine.plan_policy().boot_secs, 90);

    // The rig's hosts register 30 s after their launch.
    for n in 1..=3 {
        run(&mut rig, &format!("align-{n}"), "", n, 10, 0);
    }

    assert_eq!(rig.engine.plan_policy().boot_secs, 30);
}

#[test]
fn a_pool_that_takes_hosts_back_is_planned_as_dangerous() {
    let mut rig = Rig::new();
    let spot = pool("c5.large", "us-east-1a", Market::Spot);
    let hazard = |rig: &Rig| rig.engine.catalog().get(&spot).unwrap().hazard.get();
    assert_eq!(hazard(&rig), 0, "nothing was heard of it");
    let job = rig.run_job("align-1", r#","market":"spot""#, "", 1);
    rig.wait(secs(3_600));

    rig.event(CloudEvent::SpotInterruption { id: Rig::instance(1) });
    rig.wait(secs(100));
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.stop_code = Some("SpotInterruption".into());
    });
    rig.terminated(1);

    // One in 731 hours: 1,368 in a million, rounded up by a quarter at most.
    let seen = hazard(&rig);
    assert!((1_368..=1_710).contains(&seen), "{seen}");
    let other = pool("c5.large", "us-east-1b", Market::Spot);
    assert_eq!(rig.engine.catalog().get(&other).unwrap().hazard.get(), 0);
}

#[test]
fn a_job_that_lost_its_work_to_spot_three_times_is_planned_on_demand() {
    let mut rig = Rig::new();
    let mut job = None;
    for n in 1..=3 {
        let id = match job {
            None => rig.run_job("align", "", "", n),
            Some(id) => {
                rig.wait(secs(1));
                let launch = rig.take_launch();
                rig.give(&launch, n);
                rig.take_effects();
                rig.register(n);
                let start = rig.take_starts().pop().expect("the job is started");
                rig.accept(&start);
                rig.runs(id);
                id
            }
        };
        job = Some(id);
        rig.wait(secs(1_000));
        rig.event(CloudEvent::SpotInterruption { id: Rig::instance(n) });
        rig.take_effects();
        rig.tell(id, |task| {
            task.status = TaskStatus::Stopped;
            task.stop_code = Some("SpotInterruption".into());
        });
        rig.terminated(n);
        if n < 3 {
            assert_eq!(demand(&rig).key.market, MarketRule::Any);
        }
    }

    assert_eq!(demand(&rig).key.market, MarketRule::OnDemand);
    rig.wait(secs(1));
    assert_eq!(rig.take_launch().market, Market::OnDemand);
}

#[test]
fn patience_is_what_is_left_of_it_and_ends() {
    let mut rig = Rig::new();
    rig.send(body("a", r#","patienceSeconds":1000"#, ""));
    let left = demand(&rig).key.patience_secs;
    // Rounded down by a sixteenth and a quarter at most.
    assert!((700..=1_000).contains(&left), "{left}");

    rig.now += secs(600);
    let later = demand(&rig).key.patience_secs;
    assert!((200..=400).contains(&later), "{later}");
    rig.now += secs(900);

    let over = demand(&rig);
    assert_eq!(over.key.patience_secs, 0);
    assert!((500..=600).contains(&over.waited_secs), "{over:?}");
}

#[test]
fn a_deadline_leaves_patience_until_the_job_must_start() {
    let mut rig = Rig::new();
    // Two hours from the rig's noon; the job takes half an hour, a half more with its reserve, and a boot.
    let deadline = r#","expectedDurationSeconds":1800,"deadline":"2026-01-01T14:00:00Z""#;
    rig.send(body("a", deadline, ""));

    let left = demand(&rig).key.patience_secs;

    let at_most = 7_200 - 2_700 - 90;
    assert!((at_most * 5 / 8..=at_most).contains(&left), "{left}");
    rig.now += secs(3_600);
    assert!(demand(&rig).key.patience_secs <= 900);
    rig.now += secs(3_600);
    assert_eq!(demand(&rig).key.patience_secs, 0);
}

#[test]
fn a_queue_has_patience_for_the_jobs_that_say_nothing() {
    let mut config = Rig::new().config;
    config.patience.of_queue.insert("default".parse().unwrap(), secs(1_000));
    let mut rig = Rig::with(config);
    rig.send(body("a", "", ""));
    assert_ne!(demand(&rig).key.patience_secs, 0);

    rig.send(body("b", r#","patienceSeconds":0"#, ""));

    let mut patience = rig.engine.plan_input(rig.now).demands;
    patience.sort_by_key(|demand| demand.key.patience_secs);
    assert_eq!(patience[0].key.patience_secs, 0);
    assert_eq!(patience.len(), 2);
}

#[test]
fn predictions_are_held_against_what_came() {
    let mut rig = Rig::new();
    run(&mut rig, "align-1", "", 1, 300, 0);
    run(&mut rig, "align-2", "", 2, 330, 0);
    run(&mut rig, "align-3", "", 3, 10, 3);

    let calibration = Calibration::of(rig.jobs.values(), rig.hosts.values(), rig.now);

    let lines: Vec<_> = calibration
        .durations
        .iter()
        .map(|l| (l.source, l.n, l.predicted_secs, l.realised_secs, l.n_within_high))
        .collect();
    assert_eq!(lines, [(Source::History, 1, 300, 330, 1), (Source::Prior, 1, 600, 300, 1)]);
    let spot = calibration.spot[0];
    assert_eq!((spot.class, spot.n_hosts, spot.realised), (SpotClass::Under5, 3, 0));
}
