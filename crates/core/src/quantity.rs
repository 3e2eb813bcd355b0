//! Amounts of compute, as integers with their unit in the type.
//!
//! Nothing here holds a float: resources are compared and summed exactly, because a host that is over by
//! one unit refuses the task.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// ECS CPU units in one vCPU.
///
/// Source: Amazon ECS task definition parameters, `cpu`: "the number of CPU units ... 1 vCPU is 1024 CPU units".
pub const CPU_UNITS_PER_VCPU: u32 = 1024;

/// CPU in ECS CPU units, 1/1024 of a vCPU.
///
/// The grid ECS itself accounts in, so a sum that fits here fits on the host.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct CpuUnits(u32);

impl CpuUnits {
    /// No CPU at all.
    pub const ZERO: Self = Self(0);

    /// `units` of 1/1024 vCPU.
    pub const fn new(units: u32) -> Self {
        Self(units)
    }

    /// Whole vCPUs; saturates above 4,194,303 vCPUs.
    pub const fn from_vcpus(vcpus: u32) -> Self {
        Self(vcpus.saturating_mul(CPU_UNITS_PER_VCPU))
    }

    /// Thousandths of a vCPU, rounded up: what a job asks for is never rounded away.
    pub const fn from_milli_ceil(milli: u32) -> Self {
        Self(milli.saturating_mul(128).div_ceil(125))
    }

    /// Thousandths of a vCPU, rounded down: what a host offers is never rounded up.
    pub const fn from_milli_floor(milli: u32) -> Self {
        Self(milli.saturating_mul(128) / 125)
    }

    /// The number of 1/1024 vCPUs.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// For people and scores only; never compared or summed.
    pub fn as_vcpus_f64(self) -> f64 {
        f64::from(self.0) / f64::from(CPU_UNITS_PER_VCPU)
    }
}

impl fmt::Display for CpuUnits {
    /// vCPUs without needless zeros: `2`, `0.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_thousandths(f, u64::from(self.0) * 1000 / u64::from(CPU_UNITS_PER_VCPU))
    }
}

fn write_thousandths(f: &mut fmt::Formatter<'_>, milli: u64) -> fmt::Result {
    let whole = milli / 1000;
    let rest = format!("{:03}", milli % 1000);
    match rest.trim_end_matches('0') {
        "" => f.pad(&whole.to_string()),
        digits => f.pad(&format!("{whole}.{digits}")),
    }
}

/// Why a text is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not digits with at most one point.
    #[error("{0:?} is not a number")]
    NotANumber(String),
    /// Too large for the type, or finer than the unit.
    #[error("{0:?} is out of range")]
    OutOfRange(String),
    /// The unit behind the number is not known.
    #[error("{0:?} has an unknown unit")]
    UnknownUnit(String),
}

/// Reads `12`, `0.25` or `1.0` as thousandths, exactly.
fn parse_milli(text: &str) -> Result<u64, QuantityError> {
    let not_a_number = || QuantityError::NotANumber(text.to_owned());
    let out_of_range = || QuantityError::OutOfRange(text.to_owned());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(not_a_number());
    }
    let fraction = fraction.trim_end_matches('0');
    if 3 < fraction.len() {
        return Err(out_of_range());
    }
    let whole: u64 =
        if whole.is_empty() { 0 } else { whole.parse().map_err(|_| out_of_range())? };
    let fraction: u64 =
        if fraction.is_empty() { 0 } else { format!("{fraction:0<3}").parse().unwrap_or(0) };
    whole.checked_mul(1000).and_then(|w| w.checked_add(fraction)).ok_or_else(out_of_range)
}

impl FromStr for CpuUnits {
    type Err = QuantityError;

    /// vCPUs with up to three decimals: `"2"`, `"0.25"`, `"1.0"`; rounded up to the next 1/1024.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let out_of_range = || QuantityError::OutOfRange(text.to_owned());
        let milli = parse_milli(text)?;
        let units = milli.checked_mul(128).ok_or_else(out_of_range)?.div_ceil(125);
        u32::try_from(units).map(Self).map_err(|_| out_of_range())
    }
}

/// Memory in MiB, as ECS registers and reserves it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MiB(u32);

impl MiB {
    /// No memory at all.
    pub const ZERO: Self = Self(0);

    /// `mib` mebibytes.
    pub const fn new(mib: u32) -> Self {
        Self(mib)
    }

    /// `gib` gibibytes; saturates above 4 PiB.
    pub const fn from_gib(gib: u32) -> Self {
        Self(gib.saturating_mul(1024))
    }

    /// The number of mebibytes.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for MiB {
    /// `512 MiB`, `2 GiB`, `7.5 GiB`: GiB where at most three decimals say it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandths_of_gib = u64::from(self.0) * 1000;
        if self.0 < 1024 || thousandths_of_gib % 1024 != 0 {
            return f.pad(&format!("{} MiB", self.0));
        }
        let milli = thousandths_of_gib / 1024;
        let text = format!("{}.{:03}", milli / 1000, milli % 1000);
        f.pad(&format!("{} GiB", text.trim_end_matches('0').trim_end_matches('.')))
    }
}

impl FromStr for MiB {
    type Err = QuantityError;

    /// `"512MiB"`, `"2GiB"`, `"1.5 GiB"`, `"1TiB"`, also the short `Mi`, `Gi`, `M`, `G`; a bare number is
    /// MiB, as in AWS Batch. Rounded up to the next MiB.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let split =
            trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "mib" | "mi" | "m" | "mb" => 1,
            "gib" | "gi" | "g" | "gb" => 1024,
            "tib" | "ti" | "t" | "tb" => 1024 * 1024,
            _ => return Err(QuantityError::UnknownUnit(text.to_owned())),
        };
        let out_of_range = || QuantityError::OutOfRange(text.to_owned());
        let milli = parse_milli(number)?.checked_mul(factor).ok_or_else(out_of_range)?;
        u32::try_from(milli.div_ceil(1000)).map(Self).map_err(|_| out_of_range())
    }
}

/// One dimension of [`Resources`], named as ECS names it in `failures[].reason` (`RESOURCE:CPU`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dimension {
    /// CPU units.
    Cpu,
    /// Memory.
    Memory,
    /// Physical GPUs.
    Gpu,
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cpu => "vCPU",
            Self::Memory => "memory",
            Self::Gpu => "GPU",
        })
    }
}

/// What a job needs or a host has.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Resources {
    /// CPU.
    pub cpu: CpuUnits,
    /// Memory.
    pub memory: MiB,
    /// Whole physical GPUs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpus: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it by reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Resources {
    /// Nothing.
    pub const ZERO: Self = Self { cpu: CpuUnits::ZERO, memory: MiB::ZERO, gpus: 0 };

    /// All three dimensions at once.
    pub const fn new(cpu: CpuUnits, memory: MiB, gpus: u32) -> Self {
        Self { cpu, memory, gpus }
    }

    /// The first dimension in which `self` does not fit into `room`.
    pub fn exceeds(&self, room: &Self) -> Option<Dimension> {
        if room.cpu < self.cpu {
            Some(Dimension::Cpu)
        } else if room.memory < self.memory {
            Some(Dimension::Memory)
        } else if room.gpus < self.gpus {
            Some(Dimension::Gpu)
        } else {
            None
        }
    }

    /// Whether `self` fits into `room` in every dimension.
    pub fn fits(&self, room: &Self) -> bool {
        self.exceeds(room).is_none()
    }

    /// The sum, or `None` where it leaves the range of the type.
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        Some(Self {
            cpu: CpuUnits(self.cpu.0.checked_add(other.cpu.0)?),
            memory: MiB(self.memory.0.checked_add(other.memory.0)?),
            gpus: self.gpus.checked_add(other.gpus)?,
        })
    }

    /// The difference, or `None` where `other` does not fit.
    pub fn checked_sub(&self, other: &Self) -> Option<Self> {
        Some(Self {
            cpu: CpuUnits(self.cpu.0.checked_sub(other.cpu.0)?),
            memory: MiB(self.memory.0.checked_sub(other.memory.0)?),
            gpus: self.gpus.checked_sub(other.gpus)?,
        })
    }

    /// The difference, with zero where `other` is larger.
    #[must_use]
    pub fn saturating_sub(&self, other: &Self) -> Self {
        Self {
            cpu: CpuUnits(self.cpu.0.saturating_sub(other.cpu.0)),
            memory: MiB(self.memory.0.saturating_sub(other.memory.0)),
            gpus: self.gpus.saturating_sub(other.gpus),
        }
    }

    /// The lesser in each dimension.
    #[must_use]
    pub fn each_min(&self, other: &Self) -> Self {
        Self {
            cpu: self.cpu.min(other.cpu),
            memory: self.memory.min(other.memory),
            gpus: self.gpus.min(other.gpus),
        }
    }

    /// The greater in each dimension.
    #[must_use]
    pub fn each_max(&self, other: &Self) -> Self {
        Self {
            cpu: self.cpu.max(other.cpu),
            memory: self.memory.max(other.memory),
            gpus: self.gpus.max(other.gpus),
        }
    }

    /// `n` times as much, or `None` where it leaves the range of the type.
    pub fn checked_mul(&self, n: u32) -> Option<Self> {
        Some(Self {
            cpu: CpuUnits(self.cpu.0.checked_mul(n)?),
            memory: MiB(self.memory.0.checked_mul(n)?),
            gpus: self.gpus.checked_mul(n)?,
        })
    }

    /// How many of `self` fit into `room` at once; `u32::MAX` for a job that needs nothing.
    pub fn times_in(&self, room: &Self) -> u32 {
        let times = |room: u32, need: u32| room.checked_div(need).unwrap_or(u32::MAX);
        times(room.cpu.0, self.cpu.0)
            .min(times(room.memory.0, self.memory.0))
            .min(times(room.gpus, self.gpus))
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} vCPU, {}", self.cpu, self.memory)?;
        match self.gpus {
            0 => Ok(()),
            1 => f.write_str(", 1 GPU"),
            n => write!(f, ", {n} GPUs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vcpus_are_read_exactly_and_rounded_up_to_the_ecs_grid() {
        assert_eq!("0.25".parse(), Ok(CpuUnits::new(256)));
        assert_eq!("1.0".parse(), Ok(CpuUnits::new(1024)));
        assert_eq!("0.1".parse(), Ok(CpuUnits::new(103)));
        assert_eq!("".parse::<CpuUnits>(), Err(QuantityError::NotANumber(String::new())));
        assert!("1.0001".parse::<CpuUnits>().is_err());
        assert!("-1".parse::<CpuUnits>().is_err());
        assert!("99999999999999999999".parse::<CpuUnits>().is_err());
    }

    #[test]
    fn memory_is_read_with_its_unit() {
        assert_eq!("512MiB".parse(), Ok(MiB::new(512)));
        assert_eq!("1.5 GiB".parse(), Ok(MiB::new(1536)));
        assert_eq!("10TiB".parse(), Ok(MiB::new(10 * 1024 * 1024)));
        assert_eq!("2048".parse(), Ok(MiB::new(2048)));
        assert_eq!("2XB".parse::<MiB>(), Err(QuantityError::UnknownUnit("2XB".into())));
    }

    #[test]
    fn quantities_read_well() {
        assert_eq!(CpuUnits::new(256).to_string(), "0.25");
        assert_eq!(CpuUnits::from_vcpus(16).to_string(), "16");
        assert_eq!(MiB::new(512).to_string(), "512 MiB");
        assert_eq!(MiB::new(7680).to_string(), "7.5 GiB");
        assert_eq!(MiB::new(7984).to_string(), "7984 MiB");
    }

    #[test]
    fn the_binding_dimension_is_named() {
        let room = Resources::new(CpuUnits::from_vcpus(4), MiB::from_gib(8), 0);
        let need = Resources::new(CpuUnits::from_vcpus(4), MiB::from_gib(9), 0);

        assert_eq!(need.exceeds(&room), Some(Dimension::Memory));
        assert!(room.fits(&room));
        assert_eq!(Resources::new(CpuUnits::from_vcpus(1), MiB::from_gib(3), 0).times_in(&room), 2);
    }

    #[test]
    fn thousandths_never_lose_a_unit_either_way() {
        for milli in 0..5000 {
            let asked = CpuUnits::from_milli_ceil(milli).get();
            let offered = CpuUnits::from_milli_floor(milli).get();
            assert!(milli * 1024 <= asked * 1000 && offered * 1000 <= milli * 1024);
        }
    }
}
