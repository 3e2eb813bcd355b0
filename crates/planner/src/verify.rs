//! An independent verifier of plans for problem files, and of the certificates of their bounds.
//!
//! Written from the meaning of the files alone. It shares no code with the solver and must never do so: it is what one
//! trusts instead of the solver. It never searches: it adds up, compares, and follows what a certificate says.

mod bound;
mod certificate;
mod claims;
mod error;
mod exhaust;
mod feasible;
mod given;
mod shapes;
mod terms;
pub(crate) mod walk;

pub use bound::{BRANCHES_MAX, Proven, certificate};
pub(crate) use bound::{Total, holds, in_picos, price, total};
pub use certificate::{CERTIFICATE_SCHEMA, Certificate, HostPrices, Proof, Witness, digest_of};
pub use claims::{Claim, WrongClaim, claimed_bound, claimed_cost, claimed_gap};
pub use error::CertificateError;
pub(crate) use exhaust::least;
pub use feasible::{Fault, Feasible, Over, Violation, feasible};
pub use given::{GivenHosts, GivenPlan};
pub(crate) use shapes::Shapes;
pub(crate) use terms::{Amounts, Host, Jobs};
pub use terms::{BadTerm, Terms};
