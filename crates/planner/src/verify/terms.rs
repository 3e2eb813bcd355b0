//! A problem file as the verifier reads it: whole thousandths of a vCPU, MiB, GPUs, seconds, millionths of a dollar.
//!
//! Read here a second time, from the meaning of the file alone, and never through the planner's own reading of it.

use crate::bill::TimedProblem;
use crate::problem::{JobLine, Offer, Problem};

/// Thousandths of a vCPU, MiB, GPUs.
pub(crate) const DIMS: usize = 3;

pub(crate) type Amounts = [u64; DIMS];

/// What can be bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) room: Amounts,
    /// Millionths of a dollar per hour.
    pub(crate) price: u64,
    pub(crate) is_arm: bool,
    pub(crate) is_spot: bool,
}

/// So many equal jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jobs {
    pub(crate) count: u64,
    pub(crate) need: Amounts,
    /// Whether they run on x86-64 and on Arm hosts.
    pub(crate) on_arch: [bool; 2],
    pub(crate) spot_ok: bool,
    /// How long each runs; 0 where durations do not count.
    pub(crate) secs: u64,
}

impl Jobs {
    /// Whether they may run on Arm hosts or others, Spot hosts or others, were there room.
    pub(crate) fn may_run(&self, is_arm: bool, is_spot: bool) -> bool {
        self.on_arch[usize::from(is_arm)] && (self.spot_ok || !is_spot)
    }
}

/// The rules of time, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) boot: u64,
    pub(crate) billed_min: u64,
    pub(crate) deadline: u64,
}

/// A problem: what can be bought, what must be held or done, and the rules of time if durations count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub(crate) hosts: Vec<Host>,
    /// Type, market and zone of each of the hosts.
    pub(crate) names: Vec<[String; 3]>,
    pub(crate) jobs: Vec<Jobs>,
    pub(crate) times: Option<Times>,
}

/// A value of the file that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {value} is not {expected}")]
pub struct BadTerm {
    /// Where it stands, as `jobs[3].vcpus`.
    pub place: String,
    /// What is there.
    pub value: String,
    /// What would be understood.
    pub expected: &'static str,
}

impl Terms {
    /// Of jobs that are all held at once.
    ///
    /// # Errors
    /// The first value that is not understood.
    pub fn of(problem: &Problem) -> Result<Self, BadTerm> {
        let mut terms = Self::offered(&problem.offers)?;
        for (at, line) in problem.jobs.iter().enumerate() {
            terms.jobs.push(jobs(line, at, 0)?);
        }
        Ok(terms)
    }

    /// Of jobs with durations.
    ///
    /// # Errors
    /// The first value that is not understood.
    pub fn of_timed(problem: &TimedProblem) -> Result<Self, BadTerm> {
        let mut terms = Self::offered(&problem.offers)?;
        for (at, line) in problem.jobs.iter().enumerate() {
            let secs = seconds(line.duration_s, || format!("jobs[{at}].duration_s"))?;
            terms.jobs.push(jobs(&line.to_line(), at, secs)?);
        }
        terms.times = Some(Times {
            boot: seconds(problem.time.boot_s, || "time.boot_s".to_owned())?,
            billed_min: seconds(problem.time.min_billed_s, || "time.min_billed_s".to_owned())?,
            deadline: seconds(problem.time.deadline_s, || "time.deadline_s".to_owned())?,
        });
        Ok(terms)
    }

    /// Whether durations count, so that a plan has a bill.
    pub const fn is_timed(&self) -> bool {
        self.times.is_some()
    }

    fn offered(offers: &[Offer]) -> Result<Self, BadTerm> {
        let mut terms =
            Self { hosts: Vec::new(), names: Vec::new(), jobs: Vec::new(), times: None };
        for (at, offer) in offers.iter().enumerate() {
            let place = |field: &str| format!("offers[{at}].{field}");
            let is_arm =
                word(&offer.arch, ["x86_64", "arm64"], "x86_64 or arm64", || place("arch"))?;
            let is_spot = word(&offer.market, ["on-demand", "spot"], "on-demand or spot", || {
                place("market")
            })?;
            let cpu = scaled(offer.vcpus, 1e3, || place("vcpus"))?;
            terms.hosts.push(Host {
                room: [cpu, offer.memory_mib.into(), offer.gpus.into()],
                price: scaled(offer.usd_per_hour, 1e6, || place("usd_per_hour"))?,
                is_arm: is_arm == 1,
                is_spot: is_spot == 1,
            });
            terms.names.push([offer.instance_type.clone(), offer.market.clone(), offer.az.clone()]);
        }
        Ok(terms)
    }
}

fn jobs(line: &JobLine, at: usize, secs: u64) -> Result<Jobs, BadTerm> {
    let place = |field: &str| format!("jobs[{at}].{field}");
    let names = ["x86_64", "arm64", "any"];
    let arch = word(&line.arch, names, "any, x86_64 or arm64", || place("arch"))?;
    let cpu = scaled(line.vcpus, 1e3, || place("vcpus"))?;
    Ok(Jobs {
        count: line.count.into(),
        need: [cpu, line.memory_mib.into(), line.gpus.into()],
        on_arch: [arch != 1, arch != 0],
        spot_ok: line.spot_ok,
        secs,
    })
}

/// Which of the words it is.
fn word<const N: usize>(
    value: &str,
    words: [&str; N],
    expected: &'static str,
    place: impl Fn() -> String,
) -> Result<usize, BadTerm> {
    let bad = || BadTerm { place: place(), value: format!("{value:?}"), expected };
    words.iter().position(|word| *word == value).ok_or_else(bad)
}

/// Amounts and prices up to 2^45: large enough for anything, small enough that no sum of products leaves 128 bits.
const SCALED_MAX: f64 = 35_184_372_088_832.0;

/// A number times `scale`, rounded to the nearest whole.
fn scaled(value: f64, scale: f64, place: impl Fn() -> String) -> Result<u64, BadTerm> {
    let scaled = (value * scale).round();
    if (0.0..=SCALED_MAX).contains(&scaled) {
        return Ok(whole(scaled));
    }
    let expected = "a number that is sensible here";
    Err(BadTerm { place: place(), value: value.to_string(), expected })
}

fn seconds(value: f64, place: impl Fn() -> String) -> Result<u64, BadTerm> {
    const SECONDS_MAX: f64 = 2_147_483_648.0;
    let is_whole = value.fract().abs() < f64::EPSILON;
    if is_whole && (0.0..=SECONDS_MAX).contains(&value) {
        return Ok(whole(value));
    }
    let expected = "a whole number of seconds from 0 to 2147483648";
    Err(BadTerm { place: place(), value: value.to_string(), expected })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "whoever asks has seen that it is neither negative nor large"
)]
const fn whole(x: f64) -> u64 {
    x as u64
}
