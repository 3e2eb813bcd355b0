//! Budgets in the eyes of the checker: each test starts or buys something beside a budget, and sees it named if that is spent.

use spillway_core::spending::BudgetPeriod;
use spillway_core::{
    AttemptOrd, Change, FailureCategory, Job, JobState, Launch, LaunchState, Market, MicroUsd,
};
use spillway_engine::{BudgetRules, BudgetScope};

use super::ended;
use super::stage::{Stage, live};
use crate::fixture::{at, job, launch_id, launch_request, queue, spot};

/// A stage with a budget of the day for everything or for its one queue, in micro-dollars.
fn stage(scope: BudgetScope, micro: u64) -> Stage {
    Stage::with(|config| {
        config.budgets = vec![BudgetRules {
            name: "b".parse().unwrap(),
            amount: MicroUsd::new(micro),
            period: BudgetPeriod::Day,
            scope,
            warn_percent: 80,
        }];
    })
}

fn of_queue() -> BudgetScope {
    BudgetScope::Queue { queue: queue() }
}

/// A job whose first attempt has cost a tenth of a cent on the day, and that is given to the host again so many seconds after.
fn again(stage: &Stage, secs: i64) -> Job {
    let mut first = ended(stage, Some(FailureCategory::Exit), Some(1));
    first.cost = MicroUsd::new(1_000);
    let mut attempt = live(AttemptOrd::FIRST.next());
    attempt.placed_at = at(172 + secs);
    let mut job = job("a", JobState::Starting { attempt });
    job.attempts.push(first);
    job
}

#[test]
fn u1_an_attempt_that_starts_when_its_queues_budget_is_spent() {
    let mut spent = stage(of_queue(), 900);
    let mut enough = stage(of_queue(), 1_100);

    let again_today = again(&spent, 10);
    assert_eq!(spent.place(again_today), ["U1"]);
    let again_today = again(&enough, 10);
    assert!(enough.place(again_today).is_empty());
}

#[test]
fn u1_is_kept_when_the_next_day_has_begun() {
    let mut stage = stage(of_queue(), 900);

    let tomorrow = again(&stage, 86_400);

    assert!(stage.place(tomorrow).is_empty());
}

/// At 25,000 micro-dollars an hour the stage's one host has cost 1,667 after four minutes.
#[test]
fn u1_a_launch_that_is_decided_when_everybodys_budget_is_spent() {
    let buy = |secs: i64| {
        let choices = launch_request(1, &[spot()], 1).choices;
        let state = LaunchState::Open { retry_at: at(secs), n_failed: 0 };
        let (id, market, hosts) = (launch_id(1), Market::Spot, Vec::new());
        let launch = Launch { id, decided_at: at(secs), market, choices, hosts, state };
        Change::PutLaunch(Box::new(launch))
    };
    let mut early = stage(BudgetScope::Everything, 1_600);
    let mut late = stage(BudgetScope::Everything, 1_600);
    let mut of_queue = stage(of_queue(), 0);

    assert!(early.write([buy(180)]).is_empty());
    assert_eq!(late.write([buy(240)]), ["U1"]);
    assert!(of_queue.write([buy(240)]).is_empty(), "it may be for another");
}
