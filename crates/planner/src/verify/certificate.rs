//! The form of a certificate: what a lower bound rests on, written down so that it can be followed step by step.
//!
//! All numbers are integers below 2^53, so that any JSON tool keeps them; sums that may be larger are decimal texts.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::terms::Terms;

/// The version of the form. Raised when a field goes away or changes its meaning.
pub const CERTIFICATE_SCHEMA: u32 = 1;

/// A proof that no plan for a problem costs less than `bound`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// [`CERTIFICATE_SCHEMA`].
    pub schema: u32,
    /// Which problem it is for: a digest of everything in the problem that counts.
    pub problem: String,
    /// The bound: millionths of a dollar per hour; for a bill, times seconds.
    pub bound: u64,
    /// Why that is so.
    pub proof: Proof,
    /// A digest of all of the above. What is proven does not rest on it; it shows what has been altered since.
    pub seal: String,
}

/// The kinds of proof, the plainest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Proof {
    /// Whatever is bought, one host of it holds this job.
    OneJob {
        /// The index of a job line. The bound is what the cheapest host that holds one of its jobs costs.
        job: usize,
    },
    /// Unit prices at which no host is cheaper than its own capacity. A job is worth what it needs costs at least, over
    /// the hosts that hold it.
    Resource {
        /// For every offering that no other of these stands in for.
        hosts: Vec<HostPrices>,
        /// What all jobs are worth, in picodollars per hour; for a bill, times seconds. Rounded down.
        worth: String,
    },
    /// There are so few jobs that the verifier tries every way to part them. The bound is what the cheapest costs.
    Exhaustive {
        /// How many parts of the demand there are: so many jobs of each shape.
        parts: u64,
    },
    /// Prices of jobs at which nothing that fits on a host is worth more than the host costs.
    Configuration {
        /// What a job of each line is worth, in picodollars per hour.
        job_prices: Vec<u64>,
        /// Why nothing on a host is worth more than it costs, for every offering that no other of these stands in for.
        hosts: Vec<Witness>,
        /// As above.
        worth: String,
    },
}

impl Proof {
    /// Its name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OneJob { .. } => "one-job",
            Self::Resource { .. } => "resource",
            Self::Exhaustive { .. } => "exhaustive",
            Self::Configuration { .. } => "configuration",
        }
    }

    /// Where it says what all jobs are worth.
    pub(crate) const fn worth_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::OneJob { .. } | Self::Exhaustive { .. } => None,
            Self::Resource { worth, .. } | Self::Configuration { worth, .. } => Some(worth),
        }
    }
}

/// What the capacity of one host is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPrices {
    /// The index of the offering.
    pub offer: usize,
    /// Picodollars per hour for a vCPU, a GiB and a GPU.
    pub unit_prices: [u64; 3],
}

/// Why nothing that fits on one host is worth more than it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// The index of the offering.
    pub offer: usize,
    /// Unit prices that close branches: picodollars per hour for a vCPU, a GiB and a GPU. The first also order the
    /// jobs.
    pub unit_prices: Vec<[u64; 3]>,
    /// How many branches have to be looked at; none if the unit prices say it all.
    pub branches: u64,
    /// Nothing is worth more than so many picodollars per hour.
    pub most: u64,
}

impl Certificate {
    /// A certificate of this proof, sealed.
    pub(crate) fn new(terms: &Terms, bound: u64, proof: Proof) -> Self {
        let problem = digest_of(terms);
        let mut certificate =
            Self { schema: CERTIFICATE_SCHEMA, problem, bound, proof, seal: String::new() };
        certificate.seal = certificate.seal_of_content();
        certificate
    }

    /// What the seal should be.
    pub fn seal_of_content(&self) -> String {
        let mut words = Words::new("spillway certificate");
        words.number(u64::from(self.schema));
        words.text(&self.problem);
        words.number(self.bound);
        words.text(self.proof.kind());
        match &self.proof {
            Proof::OneJob { job } => words.index(*job),
            Proof::Exhaustive { parts } => words.number(*parts),
            Proof::Resource { hosts, worth } => {
                words.index(hosts.len());
                for HostPrices { offer, unit_prices } in hosts {
                    words.index(*offer);
                    words.numbers(unit_prices);
                }
                words.text(worth);
            }
            Proof::Configuration { job_prices, hosts, worth } => {
                words.index(job_prices.len());
                words.numbers(job_prices);
                words.index(hosts.len());
                for Witness { offer, unit_prices, branches, most } in hosts {
                    words.index(*offer);
                    words.index(unit_prices.len());
                    words.numbers(unit_prices.as_flattened());
                    words.numbers(&[*branches, *most]);
                }
                words.text(worth);
            }
        }
        words.digest()
    }
}

/// The digest of a problem: of all that counts in it, and in the order in which plans and certificates refer to it.
pub fn digest_of(terms: &Terms) -> String {
    let mut words = Words::new("spillway problem");
    words.index(terms.hosts.len());
    for (host, names) in terms.hosts.iter().zip(&terms.names) {
        for name in names {
            words.text(name);
        }
        words.numbers(&host.room);
        words.numbers(&[host.price, host.is_arm.into(), host.is_spot.into()]);
    }
    words.index(terms.jobs.len());
    for jobs in &terms.jobs {
        words.numbers(&jobs.need);
        let [on_x86, on_arm] = jobs.on_arch.map(u64::from);
        words.numbers(&[jobs.count, on_x86, on_arm, jobs.spot_ok.into(), jobs.secs]);
    }
    if let Some(times) = &terms.times {
        words.numbers(&[times.boot, times.billed_min, times.deadline]);
    }
    words.digest()
}

/// Numbers and texts, each with its end marked, into one digest.
struct Words(Sha256);

impl Words {
    fn new(what: &str) -> Self {
        let mut words = Self(Sha256::new());
        words.text(what);
        words
    }

    fn text(&mut self, text: &str) {
        self.index(text.len());
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn numbers(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.number(*number);
        }
    }

    fn index(&mut self, index: usize) {
        self.number(u64::try_from(index).unwrap_or(u64::MAX));
    }

    fn digest(self) -> String {
        let mut text = String::from("sha256:");
        for byte in self.0.finalize() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        text
    }
}
