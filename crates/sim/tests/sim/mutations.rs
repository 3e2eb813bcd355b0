//! Whether the simulator would find what it is there to find: deliberately broken dispatchers, each found within 200 seeds.
//!
//! The engine has no switch to break it. What is broken is what passes between it, its ledger and the world
//! ([`spillway_sim::run::tamper`]): an intent that is not written, a token that is drawn anew, news that is misread, a ledger that is read
//! without its half. Each is what a wrong line of code would do, and `forgeries.rs` says which.

mod forgeries;

use std::panic::{AssertUnwindSafe, catch_unwind};

use spillway_sim::run::tamper::Tamper;
use spillway_sim::run::{self, Outcome};
use spillway_sim::scenario::random;

/// Within so many seeds each must be found.
const SEEDS: u64 = 200;

/// What a broken dispatcher does to a seed: a violation in words, or its own assertion.
fn what_breaks(seed: u64, tamper: &mut dyn Tamper) -> Option<String> {
    let scenario = random::random(seed);
    let run = || run::run_tampered(&scenario, tamper, None).unwrap();
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Outcome { violations, .. }) => violations.first().map(ToString::to_string),
        Err(_) => Some("an assertion of its own".to_owned()),
    }
}

/// What breaks budgets needs some. They take months of virtual time, so whatever else is broken is looked for without first.
const OF_BUDGETS: [&str; 3] =
    ["spending_is_forgotten_in_a_crash", "spending_is_not_written_down", "a_bill_is_left_out"];

fn assert_found(name: &str, forge: fn() -> Box<dyn Tamper>) {
    let mut seeds: Vec<u64> = (0..SEEDS).collect();
    let has_budgets = |seed: &u64| !random::random(*seed).engine.budgets.is_empty();
    seeds.sort_by_key(|seed| has_budgets(seed) != OF_BUDGETS.contains(&name));
    let mut seeds = seeds.into_iter();
    let found = seeds.find_map(|seed| Some((seed, what_breaks(seed, forge().as_mut())?)));

    let Some((seed, _)) = found else { panic!("not found within {SEEDS} seeds") };
    let honest = run::run(&random::random(seed), None).unwrap();
    assert_eq!(honest.violations, [], "seed {seed} breaks by itself");
}

macro_rules! found_within_200_seeds {
    ($($forgery:ident,)*) => {
        $(
            #[test]
            fn $forgery() {
                assert_found(stringify!($forgery), forgeries::$forgery);
            }
        )*

        #[test]
        fn there_are_at_least_twenty_broken_dispatchers() {
            let forgeries = [$(stringify!($forgery),)*];

            assert!(20 <= forgeries.len(), "{}", forgeries.len());
        }
    };
}

found_within_200_seeds! {
    a_message_is_deleted_before_its_job_is_durable,
    an_event_is_acknowledged_before_it_is_written_down,
    a_launch_is_sent_without_its_intent,
    a_start_is_sent_without_its_intent,
    a_termination_is_sent_without_its_intent,
    the_token_of_a_start_is_drawn_anew_after_a_crash,
    the_token_of_a_launch_is_drawn_anew_after_a_crash,
    a_place_is_freed_when_its_task_is_stopping,
    an_end_is_overwritten,
    a_job_is_started_twice,
    the_lease_is_ignored,
    a_failure_of_the_infrastructure_is_charged_to_the_job,
    a_job_is_not_tried_as_often_as_it_may,
    a_busy_host_is_ended_as_idle,
    a_host_that_is_found_is_not_written_down,
    no_host_is_ever_ended,
    a_job_is_not_written_down,
    a_launch_asks_for_twice_as_many,
    a_job_is_given_to_a_host_that_drains,
    all_jobs_are_given_to_one_host,
    every_exit_is_a_success,
    a_list_that_could_not_be_read_is_empty,
    an_agent_that_is_away_is_a_host_that_is_gone,
    the_number_of_launches_is_forgotten_in_a_crash,
    open_launches_are_forgotten_in_a_crash,
    live_attempts_are_forgotten_in_a_crash,
    ended_attempts_are_forgotten_in_a_crash,
    ended_jobs_are_forgotten_in_a_crash,
    hosts_are_forgotten_in_a_crash,
    dependencies_are_forgotten_in_a_crash,
    spending_is_forgotten_in_a_crash,
    spending_is_not_written_down,
    a_bill_is_left_out,
    messages_are_never_deleted,
    an_order_is_deleted_unread,
    a_node_is_not_written_down,
    nodes_are_forgotten_in_a_crash,
    a_node_is_started_before_its_main_one_runs,
}
