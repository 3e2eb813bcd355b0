//! However a certificate is made, what it proves is so: forged ones are mended until the verifier finds nothing wrong
//! with them, and must then still be below the optimum that a brute force finds.

use proptest::prelude::*;
use spillway_planner::problem::{JobLine, Offer, Problem};
use spillway_planner::verify::{Certificate, CertificateError, Proof, Terms, certificate};

use crate::world::{certificates, problems};

/// Jobs one by one; a brute force takes no more than this.
const JOBS_MAX: usize = 7;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "a small whole number"
)]
fn whole(x: f64) -> u64 {
    x.round() as u64
}

fn thousandths(vcpus: f64) -> u64 {
    whole(vcpus * 1e3)
}

fn may_run(job: &JobLine, offer: &Offer) -> bool {
    (job.arch == "any" || job.arch == offer.arch) && (job.spot_ok || offer.market == "on-demand")
}

/// The least that hosts cost which hold all jobs, by trying every way to part them.
fn optimum(problem: &Problem) -> u64 {
    let mut jobs: Vec<&JobLine> = Vec::new();
    for line in &problem.jobs {
        jobs.extend((0..line.count).map(|_| line));
    }
    let n_sets = 1_usize << jobs.len();
    let cheapest = |set: usize| {
        let members: Vec<&&JobLine> =
            jobs.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, j)| j).collect();
        let cpu: u64 = members.iter().map(|j| thousandths(j.vcpus)).sum();
        let memory: u64 = members.iter().map(|j| u64::from(j.memory_mib)).sum();
        let gpus: u64 = members.iter().map(|j| u64::from(j.gpus)).sum();
        let holds = |o: &&Offer| {
            cpu <= thousandths(o.vcpus)
                && memory <= u64::from(o.memory_mib)
                && gpus <= u64::from(o.gpus)
                && members.iter().all(|job| may_run(job, o))
        };
        problem.offers.iter().filter(holds).map(|o| whole(o.usd_per_hour * 1e6)).min()
    };
    let alone: Vec<Option<u64>> = (0..n_sets).map(cheapest).collect();
    let mut best: Vec<Option<u64>> = vec![None; n_sets];
    best[0] = Some(0);
    for set in 1..n_sets {
        let first = set & set.wrapping_neg();
        let mut part = set;
        while 0 < part {
            if part & first != 0
                && let (Some(host), Some(rest)) = (alone[part], best[set & !part])
            {
                best[set] = Some(best[set].map_or(host + rest, |least| least.min(host + rest)));
            }
            part = (part - 1) & set;
        }
    }
    best[n_sets - 1].unwrap()
}

fn tiny() -> impl Strategy<Value = Problem> {
    problems(5, 5, 3).prop_map(|mut problem| {
        let n_jobs = |p: &Problem| p.jobs.iter().map(|job| job.count).sum::<u32>();
        while JOBS_MAX < usize::try_from(n_jobs(&problem)).unwrap() {
            problem.jobs.pop();
        }
        problem
    })
}

/// Gives the verifier what it says it wants to see, as long as it says so.
fn mended(terms: &Terms, mut forged: Certificate) -> Option<u64> {
    for _ in 0..200 {
        forged.seal = forged.seal_of_content();
        match certificate(terms, &forged) {
            Ok(proven) => return Some(proven.bound),
            Err(CertificateError::Bound { is, .. }) => forged.bound = is,
            Err(CertificateError::Worth { is, .. }) => match &mut forged.proof {
                Proof::Resource { worth, .. } | Proof::Configuration { worth, .. } => *worth = is,
                Proof::OneJob { .. } | Proof::Exhaustive { .. } => return None,
            },
            Err(CertificateError::OtherwiseThanSaid { offer, is, .. }) => {
                let Proof::Configuration { hosts, .. } = &mut forged.proof else { return None };
                let witness = hosts.iter_mut().find(|w| w.offer == offer).unwrap();
                (witness.branches, witness.most) = (is.0, u64::try_from(is.1).unwrap());
            }
            Err(CertificateError::NotClosed { offer, .. }) => {
                let Proof::Configuration { hosts, .. } = &mut forged.proof else { return None };
                hosts.iter_mut().find(|w| w.offer == offer).unwrap().branches += 1000;
            }
            Err(_) => return None,
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_kind_of_certificate_proves_more_than_the_optimum(problem in tiny()) {
        let terms = Terms::of(&problem).unwrap();
        let optimum = optimum(&problem);

        for made in certificates(&problem) {
            let proven = certificate(&terms, &made).unwrap();

            let kind = made.proof.kind();
            prop_assert!(proven.bound <= optimum, "{kind}: {} is above {optimum}", proven.bound);
            prop_assert!(kind != "exhaustive" || proven.bound == optimum);
        }
    }

    #[test]
    fn no_forged_certificate_proves_more_than_the_optimum(
        problem in tiny(),
        factors in prop::collection::vec(50_u64..400, 1..12),
    ) {
        let terms = Terms::of(&problem).unwrap();
        let optimum = optimum(&problem);
        let mut factors = factors.iter().cycle();
        let mut alter = |n: &mut u64| *n = *n / 100 * factors.next().unwrap() + 1;

        for mut forged in certificates(&problem) {
            match &mut forged.proof {
                Proof::Exhaustive { parts } => *parts += 1,
                Proof::OneJob { job } => *job = (*job + 1) % problem.jobs.len(),
                Proof::Resource { hosts, .. } => {
                    hosts.iter_mut().flat_map(|host| &mut host.unit_prices).for_each(&mut alter);
                }
                Proof::Configuration { job_prices, hosts, .. } => {
                    job_prices.iter_mut().for_each(&mut alter);
                    let units = hosts.iter_mut().flat_map(|host| &mut host.unit_prices);
                    units.flatten().for_each(&mut alter);
                }
            }

            if let Some(proven) = mended(&terms, forged) {
                prop_assert!(proven <= optimum, "{proven} is above {optimum}");
            }
        }
    }
}
