//! What can be wrong with a certificate, each as the sentence that says so.

use super::certificate::CERTIFICATE_SCHEMA;

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Of another version.
    #[error("the certificate has schema {schema}, this Spillway reads {CERTIFICATE_SCHEMA}")]
    Schema {
        /// In the certificate.
        schema: u32,
    },
    /// For another problem.
    #[error("the certificate is for another problem: {said}, this one is {is}")]
    OtherProblem {
        /// In the certificate.
        said: String,
        /// The digest of the problem at hand.
        is: String,
    },
    /// Altered since it was made.
    #[error("the certificate has been altered: its seal is {said}, its content gives {is}")]
    Altered {
        /// In the certificate.
        said: String,
        /// Of its content.
        is: String,
    },
    /// A job line that is not there, or that nothing on offer holds.
    #[error("proof.job: no offering holds jobs[{job}]")]
    NoSuchJob {
        /// The index given.
        job: usize,
    },
    /// Too many jobs to try every way, or jobs with durations.
    #[error("there are too many ways to part the jobs to try them all")]
    TooManyWays,
    /// Another number of parts.
    #[error("the certificate says the demand has {said} parts, it has {is}")]
    Parts {
        /// In the certificate.
        said: u64,
        /// Counted.
        is: u64,
    },
    /// An offering that is cheaper than its own capacity.
    #[error("offers[{offer}] costs less than its capacity at its unit prices")]
    CheaperThanCapacity {
        /// The offering.
        offer: usize,
    },
    /// Not a price for each job line.
    #[error("proof.job_prices has {given} prices for {lines} job lines")]
    PriceCount {
        /// How many there are.
        given: usize,
        /// How many there should be.
        lines: usize,
    },
    /// A price beyond 2^53.
    #[error("proof.job_prices[{job}] is out of range")]
    PriceRange {
        /// Which.
        job: usize,
    },
    /// An offering that is not there, or named twice.
    #[error("proof.hosts[{at}] is of offers[{offer}], which is not there or was named before")]
    BadOffer {
        /// Which witness.
        at: usize,
        /// The index it gives.
        offer: usize,
    },
    /// More branches than a verifier is willing to follow.
    #[error("the witnesses ask for {asked} branches, more than {max}")]
    TooMuchWork {
        /// All together.
        asked: u64,
        /// The limit.
        max: u64,
    },
    /// A content that is worth more than its host costs.
    #[error(
        "offers[{offer}]: jobs that fit on it are worth {worth} picodollars per hour, it costs {price}"
    )]
    WorthMore {
        /// The offering.
        offer: usize,
        /// What some content is worth.
        worth: u128,
        /// What the host costs.
        price: u128,
    },
    /// The witness closes later than it says, or never.
    #[error("offers[{offer}]: its witness is not closed after {branches} branches")]
    NotClosed {
        /// The offering.
        offer: usize,
        /// What the witness says.
        branches: u64,
    },
    /// No unit prices, or such that cannot be counted with.
    #[error("offers[{offer}]: its witness has no unit prices that can be used")]
    NoUnitPrices {
        /// The offering.
        offer: usize,
    },
    /// The witness says something else than comes out.
    #[error(
        "offers[{offer}]: its witness says {} branches and contents worth at most {}, it is {} and {}",
        said.0, said.1, is.0, is.1
    )]
    OtherwiseThanSaid {
        /// The offering.
        offer: usize,
        /// Branches, and picodollars per hour, in the certificate.
        said: (u64, u64),
        /// The same as they come out.
        is: (u64, u128),
    },
    /// An offering without a witness that no other stands in for.
    #[error("offers[{offer}] has no witness, and none of the others stands in for it")]
    NoWitness {
        /// The offering.
        offer: usize,
    },
    /// Another sum.
    #[error("the certificate says all jobs are worth {said}, they are worth {is}")]
    Worth {
        /// In the certificate.
        said: String,
        /// Added up.
        is: String,
    },
    /// Another bound.
    #[error("the certificate says the bound is {said}, it is {is}")]
    Bound {
        /// In the certificate.
        said: u64,
        /// Derived.
        is: u64,
    },
    /// A bound beyond 2^64.
    #[error("the bound would be {is}, more than can be counted")]
    TooLarge {
        /// Derived.
        is: u128,
    },
}
