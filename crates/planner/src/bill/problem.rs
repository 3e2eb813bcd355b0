//! The format of a problem with durations, and of the answer its judge reads.

use serde::{Deserialize, Serialize};

use crate::problem::{JobLine, Offer, ProblemError};

/// A problem file with durations: what can be bought, what must be done, and by when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedProblem {
    /// What can be bought, any number of each.
    pub offers: Vec<Offer>,
    /// What must be done. All jobs are known from the beginning.
    pub jobs: Vec<TimedJobLine>,
    /// The rules of time.
    pub time: TimeRules,
}

/// So many equal jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedJobLine {
    /// How many.
    pub count: u32,
    /// vCPUs; thousandths count.
    pub vcpus: f64,
    /// Memory.
    pub memory_mib: u32,
    /// Whole GPUs.
    #[serde(default)]
    pub gpus: u32,
    /// `any`, `x86_64` or `arm64`.
    pub arch: String,
    /// Whether it may run on Spot hosts as well as on On-Demand ones.
    pub spot_ok: bool,
    /// How long it runs: whole seconds.
    pub duration_s: f64,
}

impl TimedJobLine {
    /// The same without its duration.
    pub(crate) fn to_line(&self) -> JobLine {
        JobLine {
            count: self.count,
            vcpus: self.vcpus,
            memory_mib: self.memory_mib,
            gpus: self.gpus,
            arch: self.arch.clone(),
            spot_ok: self.spot_ok,
        }
    }
}

/// The rules of time, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimeRules {
    /// From the launch of a host to its first job. It is paid for.
    pub boot_s: f64,
    /// What a host is paid for at least.
    pub min_billed_s: f64,
    /// By when, counted from its launch, a host must have ended its last job.
    pub deadline_s: f64,
}

/// Why a problem has no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BillError {
    /// What can be bought or what must be held is not understood.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// A time that is not a whole number of seconds from 0 to 2^31.
    #[error("{field}: {value} is not a whole number of seconds from 0 to 2147483648")]
    NotSeconds {
        /// Where it stands, as `time.boot_s` or `jobs[3].duration_s`.
        field: String,
        /// What was given.
        value: f64,
    },
    /// A job that nothing on offer holds.
    #[error("jobs[{index}] fits nothing on offer")]
    FitsNothing {
        /// From 0.
        index: usize,
    },
    /// A job that cannot end by the deadline even if it starts as soon as its host is up.
    #[error(
        "jobs[{index}] ends at {end_s} s at the earliest, after the deadline of {deadline_s} s"
    )]
    TooLong {
        /// From 0.
        index: usize,
        /// Boot and duration.
        end_s: u64,
        /// The deadline.
        deadline_s: u32,
    },
}

impl BillError {
    /// Whether the problem is understood and has no solution.
    pub const fn is_infeasible(&self) -> bool {
        match self {
            Self::FitsNothing { .. } | Self::TooLong { .. } => true,
            Self::Problem(_) | Self::NotSeconds { .. } => false,
        }
    }
}

/// A plan in the form the benchmark's judge reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BillSolution {
    /// Groups of equal hosts.
    pub instances: Vec<TimedInstances>,
    /// The bill.
    pub cost_usd: f64,
    /// What any plan is billed at least.
    pub lower_bound_usd: f64,
    /// How much dearer than the bound the plan is, as a part of the bound; none without a bound.
    pub gap: Option<f64>,
}

/// The index of a job line, how many of it, and the second after the launch they start at.
pub type TimedRun = (usize, u32, u32);

/// So many equal hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedInstances {
    /// The instance type.
    #[serde(rename = "type")]
    pub instance_type: String,
    /// `on-demand` or `spot`.
    pub market: String,
    /// The availability zone.
    pub az: String,
    /// How many.
    pub count: u32,
    /// What runs on each.
    pub runs: Vec<TimedRun>,
}
