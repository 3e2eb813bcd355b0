//! Makes the certificate of a bound: what it rests on, in a form that [`crate::verify`] re-derives with code that shares
//! nothing with the solver.
//!
//! The solver's prices are a claim. Here they are scaled, in exact integers and in the units of the problem file, to what
//! can be proven, and the strongest of the kinds of proof is taken. A bound that has a certificate is the
//! certificate's own.

mod configuration;
mod resource;
mod tune;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use spillway_core::plan::DemandKey;

use crate::amount::{score_of, whole_of};
use crate::bill::{Bill, TimedProblem};
use crate::certificate::configuration::Configuration;
use crate::demand::Shape;
use crate::problem::{Problem, ProblemError};
use crate::verify::{
    self, BadTerm, Certificate, Host, Shapes, Terms, Total, holds, in_picos, least, total,
};

/// Prices of jobs that the solver takes its bound from, in millionths of a millionth of a dollar per hour.
///
/// A claim, no proof: that no content of any offering is worth more than the offering costs has yet to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    /// What one job of each shape is worth; empty where the bound rests on resource prices or on one job.
    pub(crate) prices: Vec<u64>,
}

/// Prices are counted in millionths of the planner's unit of money.
const PICOS_PER_MICRO: f64 = 1e6;

impl Proof {
    /// The prices `worth`, in millionths of a dollar per hour, scaled so that all jobs together are worth `bound`.
    pub(crate) fn scaled(worth: &[f64], counts: &[u64], bound: u64) -> Self {
        let of_shape = |(worth, count): (&f64, &u64)| worth * score_of(*count);
        let all: f64 = worth.iter().zip(counts).map(of_shape).sum();
        let is_sensible = all.is_finite() && 0.0 < all;
        if !is_sensible {
            return Self::default();
        }
        let scale = score_of(bound) / all * PICOS_PER_MICRO;
        let of_shape = |worth: &f64| u64::try_from(whole_of(worth * scale)).unwrap_or(u64::MAX);
        Self { prices: worth.iter().map(of_shape).collect() }
    }
}

/// The same for those who ask: what one job of each group is worth, in millionths of a millionth of a dollar per hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobPrices(pub(crate) BTreeMap<DemandKey, u64>);

impl JobPrices {
    pub(crate) fn of(shapes: &[Shape], proof: &Proof) -> Self {
        let mut prices = BTreeMap::new();
        for (shape, price) in shapes.iter().zip(&proof.prices) {
            prices.extend(shape.groups.iter().map(|group| (group.key, *price)));
        }
        Self(prices)
    }

    /// The same, line by line of a problem file.
    fn of_lines(&self, problem: &Problem) -> Result<Vec<u64>, ProblemError> {
        let mut prices = Vec::with_capacity(problem.jobs.len());
        let unit = problem.exact_unit();
        for (index, line) in problem.jobs.iter().enumerate() {
            let key = line.to_key(index, unit)?;
            prices.push(self.0.get(&key).copied().unwrap_or(0));
        }
        Ok(prices)
    }
}

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CertifyError {
    /// The problem is not understood.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// The verifier does not understand the problem.
    #[error(transparent)]
    Term(#[from] BadTerm),
    /// A bound beyond 2^64 millionths of a dollar.
    #[error("the bound is too large to be certified")]
    OutOfRange,
}

/// The certificate of a problem whose jobs are all held at once, from the prices that the bound of the plan for
/// [its exact input](Problem::to_exact_input) rests on.
///
/// # Errors
/// What in the problem cannot be understood.
pub fn certify(problem: &Problem, prices: &JobPrices) -> Result<Certificate, CertifyError> {
    strongest(&Terms::of(problem)?, &prices.of_lines(problem)?)
}

/// A certificate of each kind that can be made, the plainest first: for those who want to compare.
///
/// # Errors
/// As [`certify`].
pub fn certify_each(
    problem: &Problem,
    prices: &JobPrices,
) -> Result<Vec<Certificate>, CertifyError> {
    let terms = Terms::of(problem)?;
    let claimed = prices.of_lines(problem)?;
    let mut certificates = Vec::new();
    for kind in KINDS {
        if let Some(proof) = kind.make(&terms, &claimed) {
            certificates.push(certified(&terms, proof)?);
        }
    }
    Ok(certificates)
}

/// The certificate of a problem whose jobs have durations, from the plan for it.
///
/// # Errors
/// What in the problem cannot be understood.
pub fn certify_bill(problem: &TimedProblem, bill: &Bill) -> Result<Certificate, CertifyError> {
    strongest(&Terms::of_timed(problem)?, &bill.job_prices)
}

/// The kinds of proof.
#[derive(Debug, Clone, Copy)]
enum Kind {
    OneJob,
    Resource,
    Exhaustive,
    Configuration,
}

/// The plainest first.
const KINDS: [Kind; 4] = [Kind::OneJob, Kind::Resource, Kind::Exhaustive, Kind::Configuration];

impl Kind {
    /// The proof, without its sums; none where that is not possible.
    fn make(self, terms: &Terms, claimed: &[u64]) -> Option<verify::Proof> {
        let worth = String::new();
        match self {
            Self::OneJob => most_demanding_job(terms).map(|job| verify::Proof::OneJob { job }),
            Self::Resource => {
                let hosts = resource::unit_prices(terms)?;
                Some(verify::Proof::Resource { hosts, worth })
            }
            Self::Exhaustive => {
                least(terms).map(|found| verify::Proof::Exhaustive { parts: found.parts })
            }
            Self::Configuration => {
                let found = configuration::configuration(terms, claimed)?;
                let Configuration { job_prices, hosts } = found;
                Some(verify::Proof::Configuration { job_prices, hosts, worth })
            }
        }
    }
}

/// The strongest certificate; of equal ones the plainest.
fn strongest(terms: &Terms, claimed: &[u64]) -> Result<Certificate, CertifyError> {
    let mut best: Option<Certificate> = None;
    for kind in KINDS {
        let is_settled = best.as_ref().is_some_and(|best| is_settled(terms, claimed, kind, best));
        if is_settled {
            continue;
        }
        let Some(proof) = kind.make(terms, claimed) else { continue };
        let certificate = certified(terms, proof)?;
        if best.as_ref().is_none_or(|best| best.bound < certificate.bound) {
            best = Some(certificate);
        }
    }
    best.ok_or(CertifyError::OutOfRange)
}

/// Whether this kind of proof cannot be stronger than the best so far, as far as one can tell without making it.
fn is_settled(terms: &Terms, claimed: &[u64], kind: Kind, best: &Certificate) -> bool {
    let is_optimum = matches!(best.proof, verify::Proof::Exhaustive { .. });
    match kind {
        Kind::OneJob | Kind::Resource | Kind::Exhaustive => is_optimum,
        Kind::Configuration => {
            let claim = claim(terms, claimed);
            let least = u128::from(best.bound);
            is_optimum || claim <= least + least / CLAIM_PARTS
        }
    }
}

/// A claim that is higher than a bound by less than one of so many parts is not worth a proof.
const CLAIM_PARTS: u128 = 1_000_000;

/// The bound that prices of jobs would prove if they could be proven as they are.
fn claim(terms: &Terms, job_prices: &[u64]) -> u128 {
    let (job_prices, hosts) = (job_prices.to_vec(), Vec::new());
    let proof = verify::Proof::Configuration { job_prices, hosts, worth: String::new() };
    total(terms, &proof).bound(terms)
}

/// The proof with its sums.
fn certified(terms: &Terms, mut proof: verify::Proof) -> Result<Certificate, CertifyError> {
    let total = total(terms, &proof);
    let bound = u64::try_from(total.bound(terms)).map_err(|_| CertifyError::OutOfRange)?;
    if let (Some(text), Total::Worth(worth)) = (proof.worth_mut(), total) {
        *text = in_picos(worth);
    }
    Ok(Certificate::new(terms, bound, proof))
}

/// Every host that no other, no dearer one stands in for; with its index among the offerings.
fn hosts_to_prove<'a>(terms: &'a Terms, shapes: &Shapes) -> Vec<(usize, &'a Host)> {
    let mut order: Vec<(usize, &Host)> = terms.hosts.iter().enumerate().collect();
    order.sort_by_key(|(offer, host)| (host.price, Reverse(host.room), *offer));
    let mut kept: Vec<(usize, &Host)> = Vec::new();
    for (offer, host) in order {
        let is_covered = kept.iter().any(|(_, other)| shapes.stands_in(other, host));
        if !is_covered && !shapes.is_useless(host) {
            kept.push((offer, host));
        }
    }
    kept
}

/// The job line of which a single job needs the dearest host; for a bill, the dearest time of one.
fn most_demanding_job(terms: &Terms) -> Option<usize> {
    let mut hosts: Vec<&Host> = terms.hosts.iter().collect();
    hosts.sort_by_key(|host| host.price);
    let mut most: Option<(u128, usize)> = None;
    for (at, jobs) in terms.jobs.iter().enumerate() {
        let Some(host) = hosts.iter().find(|host| holds(host, jobs)) else { continue };
        let secs = terms.times.map_or(1, |times| (times.boot + jobs.secs).max(times.billed_min));
        let cost = u128::from(host.price) * u128::from(secs);
        if most.is_none_or(|(highest, _)| highest < cost) {
            most = Some((cost, at));
        }
    }
    most.map(|(_, at)| at)
}
