//! How long an attempt is expected to run. A record; who expects what is decided elsewhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How long an attempt is expected to run, and where that comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Expectation {
    /// The mean, in seconds.
    pub secs: u32,
    /// Nine in ten take at most so long, in seconds; where there is no history, the mean and a reserve.
    pub high_secs: u32,
    /// Where it comes from.
    pub from: ExpectedFrom,
}

/// Where an expected duration comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ExpectedFrom {
    /// The job says it.
    Told,
    /// The job says it, and earlier jobs of its kind took so much more or less than they said.
    ToldCorrected {
        /// How many of them ended.
        n: u32,
    },
    /// Earlier jobs of its kind.
    History {
        /// How many of them ended.
        n: u32,
    },
    /// Nobody knows: the configured guess.
    Prior,
}

impl fmt::Display for ExpectedFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told => f.write_str("as the job says"),
            Self::ToldCorrected { n } => {
                write!(f, "as the job says, corrected by {n} earlier jobs of its kind")
            }
            Self::History { n: 0 } => {
                f.write_str("jobs of its kind have run so long without ending")
            }
            Self::History { n } => write!(f, "from {n} earlier jobs of its kind"),
            Self::Prior => f.write_str("a guess: nothing is known of its kind"),
        }
    }
}
