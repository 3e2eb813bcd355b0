//! Whole runs: the same seed is the same run, whatever happens all comes to rest, and luck changes no outcome.

use spillway_sim::run::{self, Outcome};
use spillway_sim::scenario::random;
use spillway_sim::setting::{Chance, Span};
use spillway_sim::{Scenario, Score};

/// How many random scenarios are tried every day; the hunt for more is `cargo run --release --example run -- random`.
const RANDOM_SEEDS: u64 = 16;

/// Seeds that once broke something, each with what it was.
const SEEDS_THAT_BROKE: [u64; 4] = [
    // A clock ahead of EC2's made new hosts look old, and those not listed yet gone.
    15, // A container that ended on no signal kept its job and its host for ever.
    38, // An instance without a record was stopped, and kept its disk for ever.
    180,
    // A clock that was set back for long made an instance without a record look too young to be taken in.
    181,
];

fn traced(scenario: &Scenario) -> (Outcome, Vec<u8>) {
    let mut trace = Vec::new();
    let outcome = run::run(scenario, Some(&mut trace)).unwrap();
    (outcome, trace)
}

fn run(scenario: &Scenario) -> Outcome {
    run::run(scenario, None).unwrap()
}

fn assert_good(outcome: &Outcome, seed: u64) {
    assert_eq!(outcome.violations, [], "seed {seed}");
    assert!(outcome.converged, "seed {seed}");
    assert_eq!(outcome.score.jobs.open, 0, "seed {seed}");
}

#[test]
fn the_same_seed_is_the_same_trace_byte_for_byte() {
    for seed in [1, 7, 23] {
        let scenario = random::random(seed);

        let (first, first_trace) = traced(&scenario);
        let (second, second_trace) = traced(&scenario);

        assert_eq!(first.trace_hash, second.trace_hash);
        assert_eq!(first.score, second.score);
        assert!(first_trace == second_trace, "seed {seed}");
        assert!(!first_trace.is_empty());
    }
}

#[test]
fn writing_the_trace_down_changes_nothing() {
    let scenario = random::random(5);

    assert_eq!(traced(&scenario).0.trace_hash, run(&scenario).trace_hash);
}

#[test]
fn another_seed_is_another_run() {
    let scenario = random::random(5);

    assert_ne!(run(&scenario).trace_hash, run(&scenario.clone().with_seed(6)).trace_hash);
}

#[test]
fn every_line_of_a_trace_is_json_with_its_number_and_time() {
    let (outcome, trace) = traced(&random::random(3));

    let mut last = 0;
    for line in trace.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        let n = line["n"].as_u64().unwrap();
        assert!(last <= n && line["at"].is_string(), "{line}");
        last = n;
    }
    assert_eq!(last, outcome.n_events);
}

#[test]
fn random_worlds_come_to_rest_with_every_invariant_kept() {
    for seed in (0..RANDOM_SEEDS).chain(SEEDS_THAT_BROKE) {
        let outcome = run(&random::random(seed));

        assert_good(&outcome, seed);
    }
}

const CALM: &str = r#"
    seed = 9
    limit = "6h"
    [[workload.jobs]]
    name = "calm"
    count = 40
    vcpus = 1
    memory = "1GiB"
    duration = ["5s", "3m"]
    exits = { 0 = 7, 1 = 3 }
    attempts = 2
    over = "20m"
"#;

/// What S3 says no repetition may change.
fn outcomes(score: &Score) -> (u64, u64, u64) {
    (score.jobs.succeeded, score.jobs.failed, score.n_attempts)
}

#[test]
fn duplicated_and_late_messages_and_events_change_no_jobs_outcome() {
    let calm = Scenario::parse(CALM, None).unwrap();
    let mut noisy = calm.clone();
    let half = Chance::percent(50);
    noisy.world.faults.message_duplicates = half;
    noisy.world.faults.event_duplicates = half;
    noisy.world.event_latency = spillway_sim::setting::Spread::of_secs(0, 60);
    noisy.workload.groups[0].resend = half;

    let (calm, noisy) = (run(&calm), run(&noisy));

    assert_good(&noisy, 9);
    assert_eq!(outcomes(&calm.score), outcomes(&noisy.score));
    assert_eq!(calm.score.jobs.total, 40);
    assert!(0 < calm.score.jobs.failed, "the workload fails here and there");
}

#[test]
fn a_dispatcher_that_dies_all_the_time_still_finishes() {
    let mut scenario = Scenario::parse(CALM, None).unwrap();
    scenario.world.faults.crashes = Chance::percent(10);
    scenario.world.faults.until = Some(Span(jiff::SignedDuration::from_hours(2)));

    let outcome = run(&scenario);

    assert_good(&outcome, 9);
    assert!(20 < outcome.score.n_crashes, "{}", outcome.score.n_crashes);
    assert_eq!(outcome.score.jobs.total, 40);
}

#[test]
fn a_world_without_capacity_does_not_converge_and_says_who_waits() {
    let mut scenario = Scenario::parse(CALM, None).unwrap();
    scenario.limit = jiff::SignedDuration::from_hours(1);
    scenario.world.on_demand_vcpus_max = Some(0);
    scenario.world.spot_vcpus_max = Some(0);

    let outcome = run(&scenario);

    assert!(!outcome.converged);
    assert!(outcome.violations.iter().all(|v| v.invariant == "S2"), "{:?}", outcome.violations);
    assert!(outcome.violations.iter().any(|v| v.text.starts_with("40 jobs have not ended")));
    assert_eq!(outcome.score.bill.total.get(), 0);
}

#[test]
fn a_trace_that_cannot_be_written_ends_the_run() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no space left"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let result = run::run(&random::random(1), Some(&mut Full));

    assert!(matches!(result, Err(run::RunError::Trace { .. })));
}
