//! Durations that are told wrong: what that does to the bill and to waits, through the whole system.
//!
//! The model of error is the scenario's `estimate`: what a job tells is its true duration times a bias, times a log-normal
//! factor drawn for each job. Beside exact knowledge are: a sigma of 0.7 and of 1.5 (one in twenty tells more than 3.2 and
//! 11.8 times the truth, one in twenty less than a third and a twelfth), all told ten times too short, all ten times too long,
//! and nothing told at all. What a kind of job took corrects what it tells only after some have ended, and never sees which
//! of them is wrong.

use std::fmt::Write as _;

use jiff::SignedDuration;
use spillway_core::MicroUsd;
use spillway_sim::Scenario;
use spillway_sim::run::run;

/// Four kinds of jobs, an hour of arrivals, durations over three orders of magnitude.
const WORLD: &str = r#"
    limit = "24h"

    [engine]
    hosts_max = 200

    [world]
    boot = ["60s", "100s"]
    interruptions = "1%"
"#;

/// Kinds of jobs: count, sizes, market, durations.
const KINDS: [(&str, u32, &str, &str); 4] = [
    (
        "step",
        160,
        r#"{ vcpus = 1, memory = "2GiB", weight = 3 }, { vcpus = 2, memory = "6GiB" }"#,
        r#"["10s", "40s", "2m", "6m", "20m"]"#,
    ),
    ("sort", 50, r#"{ vcpus = 2, memory = "14GiB" }"#, r#"["2m", "8m", "15m", "40m"]"#),
    ("align", 36, r#"{ vcpus = 8, memory = "24GiB" }"#, r#"["5m", "20m", "30m", "70m"]"#),
    ("report", 24, r#"{ vcpus = 4, memory = "8GiB" }"#, r#"["1m", "3m", "5m", "2h"]"#),
];

/// What luck may do is spread over so many seeds.
const SEEDS: u64 = 2;

/// What a model of error comes to, over all seeds.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    bill: MicroUsd,
    mean_wait: SignedDuration,
}

/// A model of error.
struct Model {
    told: &'static str,
    /// So many jobs of a kind, then come others that nothing is known of; none comes again and again.
    of_a_kind: Option<u32>,
}

const fn learnt(told: &'static str) -> Model {
    Model { told, of_a_kind: None }
}

/// Fewer of a kind than correct what the next one tells.
const fn new(told: &'static str) -> Model {
    Model { told, of_a_kind: Some(8) }
}

impl Model {
    fn scenario(&self, seed: u64) -> Scenario {
        let mut text = WORLD.to_owned();
        for (name, count, sizes, quantiles) in KINDS {
            let of_a_kind = self.of_a_kind.unwrap_or(count);
            for (nth, letter) in (0..count.div_ceil(of_a_kind)).zip('a'..) {
                let count = of_a_kind.min(count - nth * of_a_kind);
                // Numbers in names do not make kinds; letters do.
                let told = self.told;
                writeln!(
                    text,
                    "[[workload.jobs]]\nname = \"{name}-{letter}\"\ncount = {count}\nsizes = [{sizes}]\n\
                     duration = {{ quantiles = {quantiles} }}\nover = \"1h\"\n{told}"
                )
                .unwrap();
            }
        }
        Scenario::parse(&text, None).unwrap().with_seed(seed)
    }

    /// Runs the jobs with what they tell of their durations.
    fn outcome(&self) -> Outcome {
        let (mut bill, mut waits) = (0, SignedDuration::ZERO);
        for seed in 1..=SEEDS {
            let outcome = run(&self.scenario(seed), None).unwrap();
            let told = self.told;
            assert_eq!(outcome.n_violations, 0, "{told} seed {seed}: {:?}", outcome.violations);
            assert!(outcome.converged, "{told} seed {seed}");
            assert_eq!(outcome.score.jobs.succeeded, 270, "{told} seed {seed}");
            bill += outcome.score.bill.total.get();
            waits += outcome.score.wait.mean;
        }
        let n = i32::try_from(SEEDS).unwrap();
        Outcome { bill: MicroUsd::new(bill), mean_wait: waits / n }
    }
}

/// What may be told of durations, beside the truth.
const ERRORS: [&str; 5] = [
    r#"estimate = { p95 = "316%" }"#,
    r#"estimate = { p95 = "1179%" }"#,
    r#"estimate = { bias = "10%" }"#,
    r#"estimate = { bias = "1000%" }"#,
    "tell_duration = false",
];

/// Each error costs at most so much more than exact knowledge, and makes jobs wait at most so much longer, in percent.
fn costs_little(model: impl Fn(&'static str) -> Model, dearer_max: u64, longer_max: i32) {
    let exact = model("").outcome();
    let bill_max = exact.bill.get() * (100 + dearer_max) / 100;
    let wait_max = exact.mean_wait * (100 + longer_max) / 100;
    for told in ERRORS {
        let Outcome { bill, mean_wait } = model(told).outcome();

        assert!(bill.get() <= bill_max, "{told}: {bill}, with exact knowledge {}", exact.bill);
        assert!(mean_wait <= wait_max, "{told}: {mean_wait:#}, exactly {:#}", exact.mean_wait);
    }
}

#[test]
fn wrong_durations_of_jobs_like_earlier_ones_cost_little() {
    costs_little(learnt, 6, 25);
}

#[test]
fn wrong_durations_of_jobs_like_none_before_cost_little() {
    costs_little(new, 8, 35);
}
