//! The benchmark's file format: a problem as a question to the planner, and a plan as an answer its judge reads.
//!
//! Plans on such a problem start from nothing: no hosts, no limits. Keys of the file that say nothing about what must
//! be held at once (names, durations, deadlines) are ignored; [`crate::bill`] reads those.
//!
//! Files count CPU in thousandths of a vCPU, ECS in 1024ths. Where these are not the same a plan for a file is made in the
//! file's own unit ([`Problem::to_exact_input`]): rounded to the other, jobs that fill a host to the thousandth would not
//! fit.

mod launched;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use spillway_core::id::IdError;
use spillway_core::market::UnknownName;
use spillway_core::plan::{Demand, DemandKey, Gangs, Headroom, NoFit, WaitReason, Waiting};
use spillway_core::{
    Arch, Catalog, CpuUnits, GpuKinds, Hazard, MarketRule, MiB, MicroUsdPerHour, Offering,
    PlanInput, Planned, PoolId, Resources,
};

use crate::amount::whole_of;
use crate::deal::{Pile, deal};

/// A problem file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What can be bought, any number of each.
    pub offers: Vec<Offer>,
    /// What must be held.
    pub jobs: Vec<JobLine>,
}

/// One offering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The instance type.
    #[serde(rename = "type")]
    pub instance_type: String,
    /// `on-demand` or `spot`.
    pub market: String,
    /// The availability zone.
    pub az: String,
    /// vCPUs; thousandths count.
    pub vcpus: f64,
    /// Memory that tasks can use.
    pub memory_mib: u32,
    /// Whole GPUs.
    #[serde(default)]
    pub gpus: u32,
    /// `x86_64` or `arm64`.
    pub arch: String,
    /// Dollars per hour.
    pub usd_per_hour: f64,
}

/// So many equal jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobLine {
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
}

/// What is wrong with a problem: which line of which list, which field.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProblemError {
    /// A number that is negative, not finite or too large.
    #[error("{list}[{index}].{field}: {value} is out of range")]
    OutOfRange {
        /// `offers` or `jobs`.
        list: &'static str,
        /// From 0.
        index: usize,
        /// The field.
        field: &'static str,
        /// What was given.
        value: f64,
    },
    /// A name that is not known.
    #[error("{list}[{index}].{field}: {source}")]
    UnknownName {
        /// `offers` or `jobs`.
        list: &'static str,
        /// From 0.
        index: usize,
        /// The field.
        field: &'static str,
        /// What was given, and what would have been understood.
        source: UnknownName,
    },
    /// A text that is not a zone.
    #[error("offers[{index}].az: {source}")]
    BadZone {
        /// From 0.
        index: usize,
        /// What was given.
        source: IdError,
    },
    /// The same type, market and zone twice: nobody could tell which one a plan means.
    #[error("offers[{index}] offers {pool} a second time")]
    RepeatedOffer {
        /// From 0.
        index: usize,
        /// The pool.
        pool: PoolId,
    },
}

/// A number times `scale`, rounded to the nearest whole.
fn scaled(value: f64, scale: f64, max: u64) -> Option<u64> {
    let is_sensible = value.is_finite() && 0.0 <= value;
    let whole = u64::try_from(whole_of((value * scale).round())).ok()?;
    (is_sensible && whole <= max).then_some(whole)
}

/// An eighth of a vCPU: 125 thousandths, 128 CPU units.
const MILLI_IN_128_UNITS: u32 = 125;

/// vCPUs as thousandths, in the range in which [`CpuUnits`] can hold them.
fn milli(vcpus: f64) -> Option<u32> {
    const MILLI_MAX: u32 = u32::MAX / 128;
    u32::try_from(scaled(vcpus, 1000.0, MILLI_MAX.into())?).ok()
}

/// What CPU is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// What ECS counts; offerings are rounded down and jobs up.
    CpuUnits,
    /// What the file counts.
    Thousandths,
}

impl Unit {
    const fn of_offer(self, milli: u32) -> CpuUnits {
        match self {
            Self::CpuUnits => CpuUnits::from_milli_floor(milli),
            Self::Thousandths => CpuUnits::new(milli),
        }
    }

    const fn of_job(self, milli: u32) -> CpuUnits {
        match self {
            Self::CpuUnits => CpuUnits::from_milli_ceil(milli),
            Self::Thousandths => CpuUnits::new(milli),
        }
    }
}

impl Offer {
    /// The offering, with its CPU in thousandths.
    pub(crate) fn to_exact_offering(&self, index: usize) -> Result<Offering, ProblemError> {
        self.to_offering(index, Unit::Thousandths)
    }

    fn to_offering(&self, index: usize, unit: Unit) -> Result<Offering, ProblemError> {
        let out_of_range =
            |field, value| ProblemError::OutOfRange { list: "offers", index, field, value };
        let unknown = |field| {
            move |source| ProblemError::UnknownName { list: "offers", index, field, source }
        };
        let cpu = milli(self.vcpus).ok_or_else(|| out_of_range("vcpus", self.vcpus))?;
        let micro = scaled(self.usd_per_hour, 1e6, u64::MAX >> 1)
            .ok_or_else(|| out_of_range("usd_per_hour", self.usd_per_hour))?;
        let memory = MiB::new(self.memory_mib);
        Ok(Offering {
            pool: PoolId {
                instance_type: self.instance_type.clone(),
                zone: self.az.parse().map_err(|source| ProblemError::BadZone { index, source })?,
                market: self.market.parse().map_err(unknown("market"))?,
            },
            arch: self.arch.parse().map_err(unknown("arch"))?,
            gpu: None,
            capacity: Resources::new(unit.of_offer(cpu), memory, self.gpus),
            price: MicroUsdPerHour::new(micro),
            hazard: Hazard::NEVER,
        })
    }
}

impl JobLine {
    /// The group, with its CPU in thousandths.
    pub(crate) fn to_exact_key(&self, index: usize) -> Result<DemandKey, ProblemError> {
        self.to_key(index, Unit::Thousandths)
    }

    pub(crate) fn to_key(&self, index: usize, unit: Unit) -> Result<DemandKey, ProblemError> {
        let cpu = milli(self.vcpus).ok_or(ProblemError::OutOfRange {
            list: "jobs",
            index,
            field: "vcpus",
            value: self.vcpus,
        })?;
        let arch: Option<Arch> = match self.arch.as_str() {
            "any" => None,
            name => Some(name.parse().map_err(|source| ProblemError::UnknownName {
                list: "jobs",
                index,
                field: "arch",
                source,
            })?),
        };
        let memory = MiB::new(self.memory_mib);
        Ok(DemandKey {
            need: Resources::new(unit.of_job(cpu), memory, self.gpus),
            arch,
            gpu_kinds: GpuKinds::ANY,
            market: if self.spot_ok { MarketRule::Any } else { MarketRule::OnDemand },
            expected_secs: None,
            patience_secs: 0,
            way: None,
        })
    }
}

impl Problem {
    /// The question to the planner, as if ECS counted. Job lines that are the same to it are counted together.
    ///
    /// # Errors
    /// The line and field that cannot be understood.
    pub fn to_input(&self) -> Result<PlanInput, ProblemError> {
        self.to_input_in(Unit::CpuUnits)
    }

    /// The same without anything rounded: all CPU is counted in thousandths of a vCPU where CPU units would not do.
    /// [`certify`](crate::certificate::certify) and [`solution`] understand plans for this. To the planner it makes no
    /// difference what is counted; what it says of a job to people has to go through [`Problem::in_cpu_units`].
    ///
    /// # Errors
    /// As [`Problem::to_input`].
    pub fn to_exact_input(&self) -> Result<PlanInput, ProblemError> {
        self.to_input_in(self.exact_unit())
    }

    /// The coarsest unit in which nothing is rounded.
    pub(crate) fn exact_unit(&self) -> Unit {
        let of_offers = self.offers.iter().map(|offer| offer.vcpus);
        let of_jobs = self.jobs.iter().map(|job| job.vcpus);
        let is_whole =
            |vcpus: f64| milli(vcpus).is_none_or(|milli| milli.is_multiple_of(MILLI_IN_128_UNITS));
        if of_offers.chain(of_jobs).all(is_whole) { Unit::CpuUnits } else { Unit::Thousandths }
    }

    /// What is said of jobs in a plan for the exact input, in CPU units.
    #[must_use]
    pub fn in_cpu_units(&self, waiting: &Waiting) -> Waiting {
        match self.exact_unit() {
            Unit::CpuUnits => waiting.clone(),
            Unit::Thousandths => in_cpu_units(waiting),
        }
    }

    fn to_input_in(&self, unit: Unit) -> Result<PlanInput, ProblemError> {
        let mut offerings: BTreeMap<PoolId, Offering> = BTreeMap::new();
        for (index, offer) in self.offers.iter().enumerate() {
            let offering = offer.to_offering(index, unit)?;
            let pool = offering.pool.clone();
            if offerings.insert(pool.clone(), offering).is_some() {
                return Err(ProblemError::RepeatedOffer { index, pool });
            }
        }
        let mut counts: BTreeMap<DemandKey, u32> = BTreeMap::new();
        for (index, job) in self.jobs.iter().enumerate() {
            let count = counts.entry(job.to_key(index, unit)?).or_insert(0);
            *count = count.checked_add(job.count).ok_or(ProblemError::OutOfRange {
                list: "jobs",
                index,
                field: "count",
                value: f64::from(job.count),
            })?;
        }
        let demands = counts.into_iter().map(|(key, count)| Demand::new(key, count));
        Ok(PlanInput {
            now: Timestamp::UNIX_EPOCH,
            demands: demands.filter(|d| 0 < d.count).collect(),
            hosts: Vec::new(),
            catalog: Arc::new(Catalog::new(
                Timestamp::UNIX_EPOCH,
                offerings.into_values().collect(),
            )),
            cooling: BTreeMap::new(),
            headroom: Headroom::default(),
            fleet: BTreeMap::new(),
            gangs: Gangs::default(),
        })
    }
}

/// A plan in the form the benchmark's judge reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Solution {
    /// Groups of equal hosts.
    pub instances: Vec<Instances>,
    /// What they cost together.
    pub cost_usd_per_hour: f64,
    /// What any hosts that hold all jobs cost at least.
    pub lower_bound_usd_per_hour: f64,
    /// How much dearer than the bound the plan is, as a part of the bound; none without a bound.
    pub gap: Option<f64>,
}

/// So many equal hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    /// The instance type.
    #[serde(rename = "type")]
    pub instance_type: String,
    /// `on-demand` or `spot`.
    pub market: String,
    /// The availability zone.
    pub az: String,
    /// How many.
    pub count: u32,
    /// What is on each: indices of job lines and how many of each.
    pub jobs_per_instance: Vec<(usize, u32)>,
}

/// What is said of jobs in thousandths of a vCPU, in CPU units.
fn in_cpu_units(waiting: &Waiting) -> Waiting {
    let with_cpu = |resources: &Resources, cpu| Resources { cpu, ..*resources };
    let of_job = |need: &Resources| with_cpu(need, CpuUnits::from_milli_ceil(need.cpu.get()));
    let reason = match &waiting.reason {
        WaitReason::TooLarge(NoFit::Exceeds { dimension, need, nearest, nearest_has }) => {
            let has = CpuUnits::from_milli_floor(nearest_has.cpu.get());
            WaitReason::TooLarge(NoFit::Exceeds {
                dimension: *dimension,
                need: of_job(need),
                nearest: nearest.clone(),
                nearest_has: with_cpu(nearest_has, has),
            })
        }
        WaitReason::TooLarge(NoFit::NoOffering { .. })
        | WaitReason::CoolingDown { .. }
        | WaitReason::LimitReached { .. }
        | WaitReason::NoCatalog
        | WaitReason::RoomExpected { .. }
        | WaitReason::StartRate { .. } => waiting.reason.clone(),
    };
    let key = DemandKey { need: of_job(&waiting.key.need), ..waiting.key };
    Waiting { key, count: waiting.count, reason }
}

/// The answer to a problem, from the plan for [its exact input](Problem::to_exact_input). Jobs are handed back to the lines
/// they came from, in order.
///
/// # Errors
/// As [`Problem::to_input`].
pub fn solution(problem: &Problem, planned: &Planned) -> Result<Solution, ProblemError> {
    let unit = problem.exact_unit();
    let mut lines: BTreeMap<DemandKey, Vec<(usize, u64)>> = BTreeMap::new();
    for (index, job) in problem.jobs.iter().enumerate() {
        lines.entry(job.to_key(index, unit)?).or_default().push((index, u64::from(job.count)));
    }
    let (keys, lines): (Vec<DemandKey>, Vec<_>) = lines.into_iter().unzip();
    let mut piles: Vec<Pile<usize>> = lines.into_iter().map(Pile::new).collect();
    let mut instances = Vec::new();
    for launch in &planned.plan.launches {
        let Some(choice) = launch.choices.first() else { continue };
        let mut contents = Vec::new();
        for (key, n) in &launch.contents {
            if let Ok(pile) = keys.binary_search(key) {
                contents.push((pile, *n));
            }
        }
        for dealt in deal(&mut piles, &contents, launch.count) {
            let mut jobs_per_instance = dealt.contents;
            jobs_per_instance.sort_unstable();
            instances.push(Instances {
                instance_type: choice.pool.instance_type.clone(),
                market: choice.pool.market.to_string(),
                az: choice.pool.zone.to_string(),
                count: dealt.count,
                jobs_per_instance,
            });
        }
    }
    let cost = planned.plan.price().as_usd_f64();
    let bound = planned.report.bound.as_usd_f64();
    let gap = (0.0 < bound).then(|| cost / bound - 1.0);
    Ok(Solution { instances, cost_usd_per_hour: cost, lower_bound_usd_per_hour: bound, gap })
}
