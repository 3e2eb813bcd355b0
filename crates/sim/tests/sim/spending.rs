//! Whole runs in which money is at its end, or is paid in vain: what is bought, and when it goes on.

#![expect(clippy::wildcard_enum_match_arm, reason = "of all changes few are of interest here")]

use std::io;
use std::path::Path;

use jiff::Timestamp;
use spillway_core::job::JobState;
use spillway_core::spending::midnight;
use spillway_core::{BreakerId, Change, MicroUsd, Payer};
use spillway_planner::Spillway;
use spillway_sim::Scenario;
use spillway_sim::run::listeners::{Commits, Listeners};
use spillway_sim::run::{self, Outcome};

/// Every change, with its time.
#[derive(Default)]
struct Written(Vec<(Timestamp, Change)>);

impl Commits for Written {
    fn commit(&mut self, now: Timestamp, changes: &[Change]) -> io::Result<()> {
        self.0.extend(changes.iter().map(|change| (now, change.clone())));
        Ok(())
    }
}

fn scenario(name: &str) -> Scenario {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    Scenario::load(&folder.join(name)).unwrap()
}

fn run(scenario: &Scenario) -> (Outcome, Vec<(Timestamp, Change)>) {
    let mut written = Written::default();
    let listeners = Listeners { trace: None, ledger: Some(&mut written) };
    let outcome = run::run_with(scenario, &|| Box::new(Spillway::default()), listeners).unwrap();
    assert_eq!(outcome.violations, []);
    assert_eq!(outcome.score.jobs.open, 0);
    (outcome, written.0)
}

/// When attempts were given to hosts, in order.
fn starts(written: &[(Timestamp, Change)]) -> Vec<Timestamp> {
    let placed = written.iter().filter_map(|(_, change)| match change.of_job()?.1 {
        JobState::Starting { attempt } if attempt.task.is_none() => Some(attempt.placed_at),
        _ => None,
    });
    placed.collect()
}

#[test]
fn a_days_budget_that_is_spent_in_the_evening_starts_nothing_before_midnight() {
    let scenario = scenario("budget.toml");
    let amount = scenario.engine.budgets[0].amount;
    let days = ["2026-01-05", "2026-01-06"].map(|day| day.parse().unwrap());
    let turn = midnight(days[1]);

    let (_, written) = run(&scenario);

    let starts = starts(&written);
    let last_before = *starts.iter().filter(|at| **at < turn).max().unwrap();
    let first_after = *starts.iter().filter(|at| turn <= **at).min().unwrap();
    assert!(
        jiff::SignedDuration::from_mins(20) < turn.duration_since(last_before),
        "{last_before}"
    );
    assert!(first_after.duration_since(turn) < jiff::SignedDuration::from_mins(3), "{first_after}");
    let of_day = |day| {
        let spent = written.iter().rev().find_map(|(_, change)| match change {
            Change::PutSpending { day: of, payer: Payer::All, spent } if *of == day => *spent,
            _ => None,
        });
        spent.unwrap()
    };
    // What ran when it was reached, and the idle time after.
    let spent = of_day(days[0]);
    assert!(amount <= spent && spent.get() < 2 * amount.get(), "{spent} of {amount}");
    assert_ne!(of_day(days[1]), MicroUsd::ZERO);
}

#[test]
fn a_surge_is_cut_short_and_buying_goes_on_when_it_is_over() {
    let with = scenario("surge.toml");
    let mut without = with.clone();
    without.engine.surge_floor = None;

    let (outcome, written) = run(&with);
    let (unchecked, of_unchecked) = run(&without);

    let of_breaker = |written: &[(Timestamp, Change)]| -> Vec<bool> {
        let states = written.iter().filter_map(|(_, change)| match change {
            Change::PutBreaker { target, breaker } if *target == BreakerId::spend() => {
                Some(breaker.is_some())
            }
            _ => None,
        });
        states.collect()
    };
    let states = of_breaker(&written);
    assert_eq!((states.first(), states.last()), (Some(&true), Some(&false)));
    assert!(of_breaker(&of_unchecked).is_empty());
    let (lost, lost_unchecked) = (outcome.score.n_retries, unchecked.score.n_retries);
    assert!(2 * lost < lost_unchecked, "{lost} attempts lost, {lost_unchecked} without it");
    assert!(outcome.score.bill.total < unchecked.score.bill.total);
}
