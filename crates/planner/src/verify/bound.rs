//! Re-derives the bound of a certificate, from the problem and the certificate alone.

use super::certificate::{CERTIFICATE_SCHEMA, Certificate, HostPrices, Proof, Witness, digest_of};
use super::error::CertificateError;
use super::exhaust::least;
use super::shapes::{Shapes, fits};
use super::terms::{Host, Jobs, Terms};
use super::walk::{Astray, FINE, cost, useful, walk};

/// What a certificate has been found to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven {
    /// No plan costs less: millionths of a dollar per hour; for a bill, times seconds.
    pub bound: u64,
    /// Offerings whose contents were looked at.
    pub hosts: usize,
    /// Branches that were followed for that.
    pub branches: u64,
}

/// Branches that a verifier follows at most, over all witnesses: some seconds.
pub const BRANCHES_MAX: u64 = 20_000_000;

/// Job prices are below this, so that no sum of products leaves 128 bits.
const JOB_PRICE_MAX: u64 = 1 << 53;

/// What the certificate proves, if it does.
///
/// # Errors
/// The first step that does not hold, or is not as the certificate says.
pub fn certificate(terms: &Terms, certificate: &Certificate) -> Result<Proven, CertificateError> {
    if certificate.schema != CERTIFICATE_SCHEMA {
        return Err(CertificateError::Schema { schema: certificate.schema });
    }
    let problem = digest_of(terms);
    if certificate.problem != problem {
        let said = certificate.problem.clone();
        return Err(CertificateError::OtherProblem { said, is: problem });
    }
    let proven = derived(terms, &certificate.proof)?;
    if certificate.bound != proven.bound {
        return Err(CertificateError::Bound { said: certificate.bound, is: proven.bound });
    }
    let seal = certificate.seal_of_content();
    if certificate.seal != seal {
        return Err(CertificateError::Altered { said: certificate.seal.clone(), is: seal });
    }
    Ok(proven)
}

/// What a proof proves.
fn derived(terms: &Terms, proof: &Proof) -> Result<Proven, CertificateError> {
    let (mut hosts, mut branches) = (0, 0);
    let said_worth = match proof {
        Proof::OneJob { job } => {
            let holds = |jobs: &Jobs| terms.hosts.iter().any(|host| holds(host, jobs));
            terms
                .jobs
                .get(*job)
                .filter(|jobs| holds(jobs))
                .ok_or(CertificateError::NoSuchJob { job: *job })?;
            None
        }
        Proof::Resource { hosts: priced, worth } => {
            check_unit_prices(terms, priced)?;
            hosts = priced.len();
            Some(worth)
        }
        Proof::Exhaustive { parts } => {
            let found = least(terms).ok_or(CertificateError::TooManyWays)?;
            if *parts != found.parts {
                return Err(CertificateError::Parts { said: *parts, is: found.parts });
            }
            None
        }
        Proof::Configuration { job_prices, hosts: witnesses, worth } => {
            branches = check_job_prices(terms, job_prices, witnesses)?;
            hosts = witnesses.len();
            Some(worth)
        }
    };
    let total = total(terms, proof);
    if let (Some(said), Total::Worth(worth)) = (said_worth, total) {
        let is = in_picos(worth);
        if *said != is {
            return Err(CertificateError::Worth { said: said.clone(), is });
        }
    }
    let bound = total.bound(terms);
    let bound = u64::try_from(bound).map_err(|_| CertificateError::TooLarge { is: bound })?;
    Ok(Proven { bound, hosts, branches })
}

/// What a bound follows from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Total {
    /// Hosts that any plan has to have cost so many millionths of a dollar; for a bill, times seconds.
    Hosts(u128),
    /// All jobs are worth this, in the fine unit of a walk; for a bill, times seconds.
    Worth(u128),
}

/// What a proof says, if it holds.
pub(crate) fn total(terms: &Terms, proof: &Proof) -> Total {
    match proof {
        Proof::OneJob { job } => Total::Hosts(one_host(terms, *job)),
        Proof::Exhaustive { .. } => Total::Hosts(least(terms).map_or(0, |found| found.cost)),
        Proof::Resource { hosts, worth: _ } => Total::Worth(of_needs(terms, hosts)),
        Proof::Configuration { job_prices, .. } => {
            let mut worth: u128 = 0;
            for (jobs, price) in terms.jobs.iter().zip(job_prices) {
                let of_line = u128::from(*price).saturating_mul(amount(terms, jobs));
                worth = worth.saturating_add(of_line.saturating_mul(FINE));
            }
            Total::Worth(worth)
        }
    }
}

impl Total {
    /// The bound: millionths of a dollar per hour; for a bill, times seconds.
    ///
    /// What hosts cost is whole millionths of a dollar, so a part of one counts as one. A host is billed from its
    /// launch but works only once it is up: of its life of `L` seconds at most `L - boot`, and `L` is at most the
    /// deadline `D`. At every moment it does work that is worth no more than it costs, so the bill is at least
    /// `D / (D - boot)` times what all work is worth.
    pub(crate) fn bound(self, terms: &Terms) -> u128 {
        match (self, &terms.times) {
            (Self::Hosts(cost), _) => cost,
            (Self::Worth(worth), None) => micros(worth),
            (Self::Worth(worth), Some(times)) => {
                let useful = u128::from(times.deadline.saturating_sub(times.boot));
                let stretched = micros(worth).saturating_mul(times.deadline.into());
                stretched
                    .checked_add(useful.saturating_sub(1))
                    .map_or(0, |sum| sum.checked_div(useful).unwrap_or(0))
            }
        }
    }
}

/// From the fine unit to millionths of a dollar, rounded up.
const fn micros(worth: u128) -> u128 {
    worth.div_ceil(FINE * 1_000_000)
}

/// From the fine unit to picodollars, rounded down.
pub(crate) fn in_picos(worth: u128) -> String {
    (worth / FINE).to_string()
}

/// Some host holds a job of the line; the cheapest that can costs this.
fn one_host(terms: &Terms, job: usize) -> u128 {
    let Some(jobs) = terms.jobs.get(job) else { return 0 };
    let prices = terms.hosts.iter().filter(|host| holds(host, jobs)).map(|host| host.price);
    let cheapest = u128::from(prices.min().unwrap_or(0));
    let secs = terms.times.map_or(1, |times| (times.boot + jobs.secs).max(times.billed_min));
    cheapest.saturating_mul(secs.into())
}

/// Whether no host is cheaper than its own capacity, as far as these jobs can use it.
fn check_unit_prices(terms: &Terms, priced: &[HostPrices]) -> Result<(), CertificateError> {
    let shapes = Shapes::of(terms, &vec![0; terms.jobs.len()]);
    let mut named = Named::new(terms);
    for (at, HostPrices { offer, unit_prices }) in priced.iter().enumerate() {
        let host = named.next(at, *offer)?;
        let room = useful(&host.room, &shapes.items(host));
        if price(host).saturating_mul(FINE) < cost(unit_prices, &room) {
            return Err(CertificateError::CheaperThanCapacity { offer: *offer });
        }
    }
    named.check_others(&shapes)
}

/// What all jobs need costs at least, each on the host among these where it costs least.
fn of_needs(terms: &Terms, priced: &[HostPrices]) -> u128 {
    let host = |priced: &HostPrices| Some((terms.hosts.get(priced.offer)?, priced.unit_prices));
    let hosts: Vec<(&Host, [u64; 3])> = priced.iter().filter_map(host).collect();
    let mut worth: u128 = 0;
    for jobs in &terms.jobs {
        let holding = hosts.iter().filter(|(host, _)| holds(host, jobs));
        let least = holding.map(|(_, unit_prices)| cost(unit_prices, &jobs.need)).min();
        worth = worth.saturating_add(least.unwrap_or(0).saturating_mul(amount(terms, jobs)));
    }
    worth
}

/// The hosts that a proof names, and that it names all it has to.
struct Named<'a> {
    terms: &'a Terms,
    flags: Vec<bool>,
    hosts: Vec<&'a Host>,
}

impl<'a> Named<'a> {
    fn new(terms: &'a Terms) -> Self {
        Self { terms, flags: vec![false; terms.hosts.len()], hosts: Vec::new() }
    }

    fn next(&mut self, at: usize, offer: usize) -> Result<&'a Host, CertificateError> {
        let bad = CertificateError::BadOffer { at, offer };
        let (Some(host), Some(is_named)) = (self.terms.hosts.get(offer), self.flags.get_mut(offer))
        else {
            return Err(bad);
        };
        if std::mem::replace(is_named, true) {
            return Err(bad);
        }
        self.hosts.push(host);
        Ok(host)
    }

    /// Whether for every other host one of these, no dearer, stands in.
    fn check_others(&self, shapes: &Shapes) -> Result<(), CertificateError> {
        for (offer, (host, is_named)) in self.terms.hosts.iter().zip(&self.flags).enumerate() {
            let stands_in =
                |other: &&Host| other.price <= host.price && shapes.stands_in(other, host);
            let is_covered =
                *is_named || self.hosts.iter().any(stands_in) || shapes.is_useless(host);
            if !is_covered {
                return Err(CertificateError::NoWitness { offer });
            }
        }
        Ok(())
    }
}

/// Whether nothing that fits on a host is worth more than the host costs; gives the branches followed for it.
fn check_job_prices(
    terms: &Terms,
    job_prices: &[u64],
    witnesses: &[Witness],
) -> Result<u64, CertificateError> {
    let lines = terms.jobs.len();
    if job_prices.len() != lines {
        return Err(CertificateError::PriceCount { given: job_prices.len(), lines });
    }
    if let Some(job) = job_prices.iter().position(|price| JOB_PRICE_MAX < *price) {
        return Err(CertificateError::PriceRange { job });
    }
    let asked = witnesses.iter().fold(0_u64, |sum, w| sum.saturating_add(w.branches));
    if BRANCHES_MAX < asked {
        return Err(CertificateError::TooMuchWork { asked, max: BRANCHES_MAX });
    }
    let shapes = Shapes::of(terms, job_prices);
    let mut named = Named::new(terms);
    for (at, witness) in witnesses.iter().enumerate() {
        follow(&shapes, named.next(at, witness.offer)?, witness)?;
    }
    named.check_others(&shapes)?;
    Ok(asked)
}

fn follow(shapes: &Shapes, host: &Host, witness: &Witness) -> Result<(), CertificateError> {
    let offer = witness.offer;
    let limit = price(host);
    let items = shapes.items(host);
    let walked = walk(&host.room, items, &witness.unit_prices, limit, witness.branches);
    let walked = walked.map_err(|astray| match astray {
        Astray::TooGood(worth) => CertificateError::WorthMore { offer, worth, price: limit },
        Astray::TooLong => CertificateError::NotClosed { offer, branches: witness.branches },
        Astray::BadPrices => CertificateError::NoUnitPrices { offer },
    })?;
    if walked.branches != witness.branches || walked.most != u128::from(witness.most) {
        return Err(CertificateError::OtherwiseThanSaid {
            offer,
            said: (witness.branches, witness.most),
            is: (walked.branches, walked.most),
        });
    }
    Ok(())
}

/// Jobs; for a bill, seconds of work.
fn amount(terms: &Terms, jobs: &Jobs) -> u128 {
    let each = if terms.times.is_some() { jobs.secs } else { 1 };
    u128::from(jobs.count) * u128::from(each)
}

/// A host's price in picodollars per hour.
pub(crate) fn price(host: &Host) -> u128 {
    u128::from(host.price) * 1_000_000
}

pub(crate) fn holds(host: &Host, jobs: &Jobs) -> bool {
    0 < jobs.count && jobs.may_run(host.is_arm, host.is_spot) && fits(&jobs.need, &host.room)
}
