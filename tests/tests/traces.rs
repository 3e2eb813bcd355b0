//! The traces in `scenarios/traces/`, each with one job in forty: under every policy nothing breaks and all comes to rest, and nobody is
//! billed less than the clairvoyant bound. In full they are measured: `spillway simulate scenarios/traces/*.toml --compare`.

use std::path::Path;

use spillway_sim::run::listeners::Listeners;
use spillway_sim::{Policy, Scenario, clairvoyant};

/// A trace in full takes an unoptimized build minutes.
const ONE_IN: u32 = 40;

fn holds(path: &Path) -> datatest_stable::Result<()> {
    let mut scenario = Scenario::load(path)?;
    let n_jobs: u32 = scenario.workload.groups.iter().map(|group| group.count).sum();
    assert!((1_000..=20_000).contains(&n_jobs), "{n_jobs} jobs are too few to tell, or too many");
    for group in &mut scenario.workload.groups {
        group.count = group.count.div_ceil(ONE_IN);
    }
    let bound = clairvoyant::bound(&scenario);

    for policy in Policy::all() {
        let outcome = policy.run(&scenario, Listeners::default())?;

        let name = policy.name();
        assert_eq!(outcome.n_violations, 0, "{name}: {:#?}", outcome.violations);
        assert!(outcome.converged, "{name}: not at rest within {:#}", scenario.limit);
        assert_eq!(outcome.score.jobs.succeeded, outcome.score.jobs.total, "{name}");
        let bill = outcome.score.bill.total;
        assert!(
            bound <= bill,
            "{name}: {bill} is less than {bound}, which nobody can be billed less than"
        );
    }
    Ok(())
}

datatest_stable::harness! {
    { test = holds, root = "scenarios/traces", pattern = r"\.toml$" },
}
