//! Jobs that may be run in several ways, over the simulated cloud: which of them is run, and what if that cannot be had.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use spillway_core::{Change, JobId, Planner, VariantOrd};
use spillway_planner::Spillway;
use spillway_sim::Scenario;
use spillway_sim::run;
use spillway_sim::run::listeners::{Commits, Listeners};

/// How many attempts were run as which alternative, by the jobs' name.
#[derive(Default)]
struct Chosen {
    names: BTreeMap<JobId, String>,
    of_name: BTreeMap<String, BTreeMap<VariantOrd, u32>>,
}

impl Commits for Chosen {
    fn commit(&mut self, _now: Timestamp, changes: &[Change]) -> io::Result<()> {
        for change in changes {
            if let Change::AddJob(job) = change {
                self.names.insert(job.id, job.spec.name.to_string());
            }
            if let Change::MoveJob { id, ended: Some(attempt), .. } = change
                && attempt.failure.is_none()
            {
                let name = self.names.get(id).cloned().unwrap_or_default();
                let of_name = self.of_name.entry(name).or_default();
                *of_name.entry(attempt.variant).or_default() += 1;
            }
        }
        Ok(())
    }
}

#[test]
fn jobs_are_run_as_what_costs_least_and_otherwise_where_that_is_dry() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let scenario = Scenario::load(&folder.join("variants.toml")).unwrap();
    let mut chosen = Chosen::default();

    let listeners = Listeners { ledger: Some(&mut chosen), ..Listeners::default() };
    let planner = || -> Box<dyn Planner> { Box::new(Spillway::default()) };
    let outcome = run::run_with(&scenario, &planner, listeners).unwrap();

    assert_eq!(outcome.violations, []);
    let all = |ord: u8, n: u32| BTreeMap::from([(VariantOrd::new(ord), n)]);
    let expected = [
        ("arm-cannot-be-had", all(0, 40)),
        ("arm-costs-less", all(1, 40)),
        ("cpu-costs-less", all(1, 8)),
        ("gpu-cannot-be-had", all(1, 8)),
        ("gpu-costs-less", all(0, 8)),
    ];
    let expected = expected.map(|(name, of_name)| (name.to_owned(), of_name));
    assert_eq!(chosen.of_name, BTreeMap::from(expected));
}
