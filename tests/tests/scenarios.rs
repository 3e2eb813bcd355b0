//! Every scenario in `scenarios/`: no invariant breaks under any seed, everything comes to rest, and the score under the scenario's
//! own seed is the one in `snapshots/`. Those in `scenarios/faults/` show one fault of the catalogue each: it must have
//! happened under one of the seeds. A score that moves is a decision, not an accident: `cargo insta review`.

use std::path::Path;

use serde_json::{Value, json};
use spillway_sim::run::{Outcome, run};
use spillway_sim::{Fault, Scenario, Score};

/// Seeds besides the scenario's own. Thousands more are for `spillway simulate --runs`.
const SEEDS_MORE: u64 = 4;

/// With this many jobs one run is enough for every day: it takes half a minute unoptimized.
const JOBS_MANY: usize = 2_000;

fn holds(path: &Path) -> datatest_stable::Result<()> {
    let scenario = Scenario::load(path)?;

    let outcome = run_clean(&scenario)?;
    let mut runs = vec![outcome.coverage.clone()];
    if scenario.messages().len() < JOBS_MANY {
        let again = run_clean(&scenario)?;
        assert_eq!(outcome.trace_hash, again.trace_hash, "one seed, two runs");
        for seed in 1..=SEEDS_MORE {
            runs.push(run_clean(&scenario.clone().with_seed(scenario.seed + seed))?.coverage);
        }
    }

    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_in = |folder: &str| path.components().any(|part| part.as_os_str() == folder);
    // Of a regression only that it stays mended is of interest, of a fault that it happens and harms nothing.
    if is_in("faults") {
        let number: u8 = name.get(..2).unwrap_or_default().parse()?;
        let fault = Fault::ALL.into_iter().find(|fault| fault.number() == number);
        let fault = fault.ok_or("the name begins with the number of a fault")?;
        let n_times: u64 = runs.iter().map(|coverage| coverage.get(fault)).sum();
        assert_ne!(n_times, 0, "this never happened: {fault}");
        return Ok(());
    }
    if is_in("regressions") {
        return Ok(());
    }
    insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_json_snapshot!(name, summary(&outcome.score));
    });
    Ok(())
}

fn run_clean(scenario: &Scenario) -> datatest_stable::Result<Outcome> {
    let outcome = run(scenario, None)?;
    let replay =
        format!("spillway simulate --scenario {}.toml --seed {}", scenario.name, scenario.seed);
    assert_eq!(outcome.n_violations, 0, "{replay}\n{:#?}", outcome.violations);
    assert!(outcome.converged, "not at rest within {:#}: {replay}", scenario.limit);
    assert_eq!(outcome.score.jobs.open, 0, "jobs that never ended: {replay}");
    Ok(outcome)
}

/// What a reader compares: small, in whole units.
fn summary(score: &Score) -> Value {
    let hosts: Vec<String> = score
        .hosts
        .iter()
        .map(|host| format!("{} x {} {}", host.n, host.instance_type, host.market))
        .collect();
    json!({
        "jobs": format!("{} succeeded, {} failed", score.jobs.succeeded, score.jobs.failed),
        "makespan": format!("{:#}", score.makespan),
        "wait p95": format!("{:#}", score.wait.p95),
        "bill": format!("{} (work {}, idle {}, boot {})", score.bill.total, score.bill.work, score.bill.idle, score.bill.boot),
        "on-demand, one machine per job": score.on_demand_one_vm_per_job.to_string(),
        "hosts": hosts,
        "attempts": score.n_attempts,
        "retries": score.n_retries,
        "interruptions": score.n_interruptions,
    })
}

datatest_stable::harness! {
    // The traces are measured, not snapshotted: see tests/traces.rs.
    { test = holds, root = "scenarios", pattern = r"^(?!traces/).*\.toml$" },
}
