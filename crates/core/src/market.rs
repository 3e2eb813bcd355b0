//! How a machine is bought and what it runs on.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gpu::GpuKind;

/// A text that names none of the values of a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not one of {allowed}")]
pub struct UnknownName {
    /// What was given.
    pub text: String,
    /// What would have been understood.
    pub allowed: &'static str,
}

/// EC2's purchase option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Market {
    /// Never reclaimed.
    OnDemand,
    /// Cheaper; EC2 may reclaim it with two minutes' notice.
    Spot,
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
        })
    }
}

impl FromStr for Market {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "on-demand" => Ok(Self::OnDemand),
            "spot" => Ok(Self::Spot),
            _ => Err(UnknownName { text: text.to_owned(), allowed: "on-demand, spot" }),
        }
    }
}

/// The markets a job may run in.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum MarketRule {
    /// Whatever is cheapest.
    #[default]
    Any,
    /// Spot only.
    Spot,
    /// On-Demand only.
    OnDemand,
}

impl MarketRule {
    /// Whether a job with this rule may run on a host of `market`.
    pub const fn allows(self, market: Market) -> bool {
        match self {
            Self::Any => true,
            Self::Spot => matches!(market, Market::Spot),
            Self::OnDemand => matches!(market, Market::OnDemand),
        }
    }
}

impl fmt::Display for MarketRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Any => "any",
            Self::Spot => "spot",
            Self::OnDemand => "on-demand",
        })
    }
}

impl FromStr for MarketRule {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "any" => Ok(Self::Any),
            "spot" => Ok(Self::Spot),
            "on-demand" => Ok(Self::OnDemand),
            _ => Err(UnknownName { text: text.to_owned(), allowed: "any, spot, on-demand" }),
        }
    }
}

/// The architectures a job may run on.
///
/// Unsaid it is `x86_64`, the default of ECS's `runtimePlatform.cpuArchitecture`: many images are built for it alone, and
/// on another one such an image fails with `exec format error`.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ArchRule {
    /// Whichever is cheaper: the image is for both.
    Any,
    /// 64-bit x86 only.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm (Graviton) only.
    Arm64,
}

impl ArchRule {
    /// The one architecture that will do; none where either will.
    pub const fn only(self) -> Option<Arch> {
        match self {
            Self::Any => None,
            Self::X86_64 => Some(Arch::X86_64),
            Self::Arm64 => Some(Arch::Arm64),
        }
    }
}

impl fmt::Display for ArchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Any => "any",
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        })
    }
}

impl FromStr for ArchRule {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "any" => Ok(Self::Any),
            "x86_64" => Ok(Self::X86_64),
            "arm64" => Ok(Self::Arm64),
            _ => Err(UnknownName { text: text.to_owned(), allowed: "any, x86_64, arm64" }),
        }
    }
}

/// A CPU architecture, in EC2's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm (Graviton).
    Arm64,
}

impl Arch {
    /// Both architectures.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        })
    }
}

impl FromStr for Arch {
    type Err = UnknownName;

    /// EC2's spelling or ECS's `runtimePlatform.cpuArchitecture` (`X86_64`, `ARM64`).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "x86_64" | "amd64" => Ok(Self::X86_64),
            "arm64" | "aarch64" => Ok(Self::Arm64),
            _ => Err(UnknownName { text: text.to_owned(), allowed: "X86_64, ARM64" }),
        }
    }
}

/// What a host is, apart from how large: what a job may insist on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostTraits {
    /// Its architecture.
    pub arch: Arch,
    /// The market it is bought in.
    pub market: Market,
    /// The kind of its GPUs; none without any, or if it is not known.
    pub gpu: Option<GpuKind>,
}
