//! Budgets: who has spent what may be spent starts nothing and buys nothing, what runs goes on, and the next period begins anew.

use jiff::{SignedDuration, Timestamp};
use spillway_core::spending::BudgetPeriod;
use spillway_core::{JobId, MicroUsd, QueueName};
use spillway_engine::{
    BudgetRules, BudgetScope, BudgetStanding, BudgetState, EngineConfig, limits,
};

use crate::rig::{Rig, job_id, message, secs};

fn queue() -> QueueName {
    "default".parse().unwrap()
}

fn of_queue() -> BudgetScope {
    BudgetScope::Queue { queue: queue() }
}

fn of_share(share: &str) -> BudgetScope {
    BudgetScope::Share { queue: queue(), share: share.parse().unwrap() }
}

fn budget(scope: BudgetScope, micro: u64) -> BudgetRules {
    BudgetRules {
        name: "b".parse().unwrap(),
        amount: MicroUsd::new(micro),
        period: BudgetPeriod::Day,
        scope,
        warn_percent: 80,
    }
}

fn rig(budgets: Vec<BudgetRules>) -> Rig {
    Rig::with(EngineConfig { queues: vec![queue()], budgets, ..EngineConfig::default() })
}

fn in_share(token: &str, share: &str) -> String {
    message(token, "", &format!(r#","shareIdentifier":"{share}""#))
}

/// One job that fills a host of two vCPUs.
fn whole_host(token: &str) -> String {
    let two = r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#;
    message(token, "", two)
}

fn standing(rig: &Rig) -> BudgetStanding {
    rig.engine.budget_standings(rig.now).remove(0)
}

fn spent(rig: &Rig) -> u64 {
    standing(rig).spent.get()
}

fn why(rig: &Rig, job: JobId) -> Option<String> {
    let all = rig.engine.held_back(rig.now);
    rig.engine.why_held_back(&all, &rig.jobs[&job]).map(ToString::to_string)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn mins(n: i64) -> SignedDuration {
    SignedDuration::from_mins(n)
}

/// The cheapest host costs three cents an hour: 500 micro-dollars a minute.
const SPOT_MINUTE: u64 = 500;

#[test]
fn what_everything_costs_is_counted_from_the_launch_on_and_includes_boot_and_idle_time() {
    let mut rig = rig(vec![budget(BudgetScope::Everything, 1_000_000)]);
    let job = rig.run_job("a", "", "", 1);
    rig.wait(mins(10));
    rig.exits(job, 0);

    rig.wait(secs(30));

    let host = rig.hosts.values().next().unwrap();
    assert_eq!(spent(&rig), host.bill(rig.now).get());
    assert!(10 * SPOT_MINUTE < spent(&rig));
    assert_eq!(standing(&rig).state(), BudgetState::Ok);
}

#[test]
fn what_a_queue_spends_is_what_its_attempts_carry_running_ones_included() {
    let mut rig = rig(vec![budget(of_queue(), 1_000_000)]);
    let first = rig.run_job("a", "", "", 1);
    rig.wait(mins(10));
    let running = spent(&rig);
    rig.exits(first, 0);

    let carried = rig.jobs[&first].attempts[0].cost.get();

    assert_eq!(spent(&rig), carried);
    assert!(running <= carried && carried - running <= 3, "{running} of {carried}");
}

#[test]
fn a_budget_that_is_spent_while_nothing_happens_is_noticed_within_a_minute_and_starts_nothing() {
    let mut rig = rig(vec![budget(of_queue(), 10 * SPOT_MINUTE)]);
    let first = rig.run_job("a", "", "", 1);
    rig.wait(mins(45));
    rig.take_effects();
    rig.send(message("b", "", ""));

    rig.wait(mins(5));

    assert!(rig.take_launches().is_empty() && rig.take_starts().is_empty());
    assert_eq!(rig.status(first), "RUNNING", "what runs goes on");
    assert_eq!(rig.status(job_id("b")), "RUNNABLE");
    let why = why(&rig, job_id("b")).unwrap();
    assert!(why.starts_with("budget b (queue default) is spent: $0."), "{why}");
    assert!(
        why.ends_with("of $0.0050 this day; nothing of it starts before 2026-01-02T00:00:00Z"),
        "{why}"
    );
}

#[test]
fn the_next_period_begins_anew_by_itself() {
    let mut rig = rig(vec![budget(of_queue(), 10 * SPOT_MINUTE)]);
    let first = rig.run_job("a", "", "", 1);
    rig.wait(mins(45));
    rig.exits(first, 0);
    rig.send(message("b", "", ""));
    rig.wait(mins(5));
    rig.take_effects();

    rig.wait(at("2026-01-02T00:00:00Z").duration_since(rig.now) - secs(1));
    assert!(rig.take_launches().is_empty());
    rig.wait(secs(3));

    assert_eq!(rig.take_launches().len(), 1);
    assert_eq!((spent(&rig), why(&rig, job_id("b"))), (0, None));
}

#[test]
fn what_runs_over_midnight_is_of_both_days() {
    let mut rig = rig(vec![budget(of_queue(), 1_000_000)]);
    let job = rig.run_job("a", "", "", 1);
    let minute = spent_in(&mut rig, mins(1));
    rig.wait(at("2026-01-02T00:10:00Z").duration_since(rig.now));

    let of_today = spent(&rig);
    rig.exits(job, 0);

    assert!(of_today.abs_diff(10 * minute) <= 20, "{of_today} in ten minutes of {minute}");
    assert!(spent(&rig).abs_diff(of_today) <= 3, "the rest was yesterday's");
}

fn spent_in(rig: &mut Rig, time: SignedDuration) -> u64 {
    let before = spent(rig);
    rig.wait(time);
    spent(rig) - before
}

#[test]
fn everybodys_budget_buys_nothing_and_gives_idle_hosts_back() {
    let mut rig = rig(vec![budget(BudgetScope::Everything, 12 * SPOT_MINUTE)]);
    let first = rig.run_job("a", "", "", 1);
    rig.wait(mins(20));
    rig.send(message("b", "", ""));
    rig.send(whole_host("c"));
    rig.wait(mins(1));
    assert!(rig.take_launches().is_empty());

    rig.exits(first, 0);
    rig.wait(mins(3));

    assert!(rig.take_starts().is_empty(), "though there is room");
    assert_eq!(rig.host_statuses(), ["draining"]);
    assert_eq!(rig.status(job_id("c")), "RUNNABLE");
}

#[test]
fn a_share_that_has_spent_its_budget_does_not_stop_another() {
    let mut rig = rig(vec![budget(of_share("teamA"), 5 * SPOT_MINUTE)]);
    rig.run_job("a", "", r#","shareIdentifier":"teamA""#, 1);
    rig.wait(mins(30));
    rig.send(in_share("more", "teamA"));
    rig.send(in_share("other", "teamB"));

    rig.wait(secs(5));

    let started: Vec<JobId> = rig.take_starts().iter().map(|start| start.job).collect();
    assert_eq!(started, [job_id("other")]);
    assert_eq!(rig.status(job_id("more")), "RUNNABLE");
}

#[test]
fn a_restart_keeps_what_is_spent() {
    let mut rig = rig(vec![budget(of_queue(), 1_000_000)]);
    let first = rig.run_job("a", "", "", 1);
    rig.wait(mins(10));
    rig.exits(first, 0);
    rig.send(message("b", "", ""));
    rig.wait(secs(1));
    let start = rig.take_starts().pop().unwrap();
    rig.accept(&start);
    rig.runs(start.job);
    rig.wait(mins(7));
    let before = spent(&rig);

    rig.restart();

    assert_eq!(spent(&rig), before);
    assert_ne!(before, 0);
}

#[test]
fn a_budget_that_is_set_in_the_middle_of_a_period_knows_what_was_spent_before() {
    let mut rig = rig(Vec::new());
    let first = rig.run_job("a", "", "", 1);
    rig.wait(mins(10));
    rig.exits(first, 0);
    let carried = rig.jobs[&first].attempts[0].cost.get();

    rig.config.budgets = vec![budget(of_queue(), 1_000_000)];
    rig.restart();

    assert_eq!(spent(&rig), carried);
}

#[test]
fn a_budget_that_is_raised_lets_jobs_start_at_once() {
    let mut rig = rig(vec![budget(of_queue(), 5 * SPOT_MINUTE)]);
    rig.run_job("a", "", "", 1);
    rig.wait(mins(30));
    rig.send(message("b", "", ""));
    rig.wait(mins(2));
    assert!(rig.take_starts().is_empty());

    rig.config.budgets = vec![budget(of_queue(), 1_000_000)];
    rig.restart_after(secs(1));
    rig.wait(secs(5));

    let started: Vec<JobId> = rig.take_starts().iter().map(|start| start.job).collect();
    assert_eq!(started, [job_id("b")]);
}

#[test]
fn a_launch_that_was_decided_before_and_not_sent_is_called_off() {
    let mut rig = rig(vec![budget(BudgetScope::Everything, 3 * SPOT_MINUTE)]);
    rig.run_job("a", "", "", 1);
    rig.wait(mins(1));
    rig.send(whole_host("b"));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    let throttled = spillway_core::CloudError::Throttled {
        action: "ec2:CreateFleet".to_owned(),
        detail: "RequestLimitExceeded".to_owned(),
    };
    // It answers when all is spent.
    rig.now += mins(10);
    let result = Err(throttled);
    rig.answer(spillway_core::Answer::Launch { launch: launch.launch, result });

    rig.wait(mins(5));

    assert!(rig.take_launches().is_empty());
    assert_eq!(rig.hosts.values().filter(|host| host.instance().is_none()).count(), 1);
    assert!(rig.host_statuses().contains(&"gone".to_owned()));
}

#[test]
fn a_warning_is_due_before_the_stop() {
    let mut rig = rig(vec![budget(of_queue(), 10_000)]);
    let mut states = Vec::new();
    rig.run_job("a", "", "", 1);
    for _ in 0..60 {
        rig.wait(mins(1));
        states.push(standing(&rig).state());
    }

    states.dedup();

    assert_eq!(states, [BudgetState::Ok, BudgetState::Warning, BudgetState::Stopped]);
    assert_eq!(standing(&rig).left(), MicroUsd::ZERO);
}

#[test]
fn what_has_been_spent_never_falls_within_a_period() {
    let scopes = [BudgetScope::Everything, of_queue(), of_share("teamA")];
    let budgets = scopes.map(|scope| budget(scope, 1_000_000)).to_vec();
    let mut rig = rig(budgets);
    let mut before = [MicroUsd::ZERO; 3];
    let mut n_given = 1;
    for round in 0..40 {
        let share = ["teamA", "teamB"][round % 2];
        rig.send(in_share(&format!("job-{round}"), share));
        let starts = rig.provide(&mut n_given);
        for start in &starts {
            rig.accept(start);
            rig.runs(start.job);
        }
        rig.wait(secs(17 * i64::try_from(round).unwrap()));
        for start in &starts {
            rig.exits(start.job, i32::from(round % 3 == 0));
        }
        for n in 1..n_given {
            if round % 5 == 4 {
                rig.terminated(n);
            }
        }
        rig.wait(limits::LAST_WORDS);

        let now: Vec<MicroUsd> =
            rig.engine.budget_standings(rig.now).iter().map(|standing| standing.spent).collect();
        assert!(before.iter().zip(&now).all(|(before, now)| before <= now), "{before:?} {now:?}");
        before.copy_from_slice(&now);
    }
    assert!(before.iter().all(|spent| *spent != MicroUsd::ZERO), "{before:?}");
}
