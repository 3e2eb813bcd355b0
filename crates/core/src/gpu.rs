//! GPUs by kind, in EC2's names.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::market::UnknownName;

/// A kind of GPU that EC2 sells, as `DescribeInstanceTypes` names it (`GpuInfo.Gpus[].Name`).
///
/// The list is closed, so that a misspelt name is refused and not waited for. A GPU that is not in it can be bought, but
/// only for jobs that take any kind.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum GpuKind {
    /// NVIDIA Tesla K80 (p2).
    K80,
    /// NVIDIA Tesla M60 (g3).
    M60,
    /// NVIDIA V100 (p3).
    V100,
    /// NVIDIA T4 (g4dn).
    T4,
    /// NVIDIA T4G (g5g).
    #[serde(rename = "T4g")]
    T4g,
    /// NVIDIA A10G (g5).
    A10G,
    /// NVIDIA A100 (p4d with 40 GB, p4de with 80 GB each).
    A100,
    /// NVIDIA L4 (g6, gr6).
    L4,
    /// NVIDIA L40S (g6e).
    L40S,
    /// NVIDIA H100 (p5).
    H100,
    /// NVIDIA H200 (p5e, p5en).
    H200,
    /// NVIDIA B200 (p6-b200).
    B200,
    /// NVIDIA B300 (p6-b300).
    B300,
    /// NVIDIA RTX PRO 4500 (g7).
    #[serde(rename = "RTX PRO 4500")]
    RtxPro4500,
    /// NVIDIA RTX PRO 6000, server edition (g7e).
    #[serde(rename = "RTX PRO Server 6000")]
    RtxProServer6000,
}

impl GpuKind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::K80,
        Self::M60,
        Self::V100,
        Self::T4,
        Self::T4g,
        Self::A10G,
        Self::A100,
        Self::L4,
        Self::L40S,
        Self::H100,
        Self::H200,
        Self::B200,
        Self::B300,
        Self::RtxPro4500,
        Self::RtxProServer6000,
    ];

    /// EC2's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::K80 => "K80",
            Self::M60 => "M60",
            Self::V100 => "V100",
            Self::T4 => "T4",
            Self::T4g => "T4g",
            Self::A10G => "A10G",
            Self::A100 => "A100",
            Self::L4 => "L4",
            Self::L40S => "L40S",
            Self::H100 => "H100",
            Self::H200 => "H200",
            Self::B200 => "B200",
            Self::B300 => "B300",
            Self::RtxPro4500 => "RTX PRO 4500",
            Self::RtxProServer6000 => "RTX PRO Server 6000",
        }
    }

    /// Its place in [`Self::ALL`], from 1; 0 stands for no GPU and for one that is not known.
    pub fn code_of(kind: Option<Self>) -> usize {
        let place = |kind| Self::ALL.iter().position(|other| *other == kind);
        kind.and_then(place).map_or(0, |place| place + 1)
    }
}

impl fmt::Display for GpuKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for GpuKind {
    type Err = UnknownName;

    /// EC2's name in any case, with or without spaces and the maker: `a10g`, `NVIDIA A10G`, `rtx-pro-4500`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |text: &str| {
            let letters = text.chars().filter(char::is_ascii_alphanumeric);
            letters.map(|c| c.to_ascii_lowercase()).collect::<String>()
        };
        let wanted = plain(text);
        let wanted = wanted.strip_prefix("nvidia").unwrap_or(&wanted);
        let found = Self::ALL.into_iter().find(|kind| plain(kind.as_str()) == wanted);
        found.ok_or_else(|| UnknownName {
            text: text.to_owned(),
            allowed: "K80, M60, V100, T4, T4g, A10G, A100, L4, L40S, H100, H200, B200, B300, RTX PRO 4500, RTX PRO Server 6000",
        })
    }
}

/// The kinds of GPU a job accepts: any, or some. Serialized as a list; an empty one is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<GpuKind>", into = "Vec<GpuKind>")]
pub struct GpuKinds(u32);

/// The bit for hosts without GPUs and with GPUs of a kind that is not known.
const OTHER: u32 = 1;

impl GpuKinds {
    /// Whichever there is.
    pub const ANY: Self = Self(u32::MAX);

    fn bit(kind: Option<GpuKind>) -> u32 {
        OTHER << GpuKind::code_of(kind)
    }

    /// Whether any kind will do, and none too where no GPU is needed.
    pub const fn is_any(&self) -> bool {
        self.0 == u32::MAX
    }

    /// Whether a host with this kind of GPU will do.
    pub fn allows(self, kind: Option<GpuKind>) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    /// The same for a kind by its [code](GpuKind::code_of).
    pub const fn has_code(self, code: usize) -> bool {
        self.0 >> code & 1 == 1
    }

    /// The kinds that both accept.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// With one more.
    #[must_use]
    pub fn with(self, kind: GpuKind) -> Self {
        Self(self.0 | Self::bit(Some(kind)))
    }

    /// The kinds that are named; none if any will do.
    pub fn named(self) -> Vec<GpuKind> {
        let is_named = |kind: &GpuKind| !self.is_any() && self.allows(Some(*kind));
        GpuKind::ALL.into_iter().filter(is_named).collect()
    }
}

impl Default for GpuKinds {
    fn default() -> Self {
        Self::ANY
    }
}

impl From<Vec<GpuKind>> for GpuKinds {
    /// These kinds; any if there are none.
    fn from(kinds: Vec<GpuKind>) -> Self {
        if kinds.is_empty() {
            return Self::ANY;
        }
        Self(kinds.into_iter().fold(0, |bits, kind| bits | Self::bit(Some(kind))))
    }
}

impl From<GpuKinds> for Vec<GpuKind> {
    fn from(kinds: GpuKinds) -> Self {
        kinds.named()
    }
}

impl fmt::Display for GpuKinds {
    /// `any`, `T4`, `T4 or A10G`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            return f.pad("any");
        }
        let names: Vec<&str> = self.named().into_iter().map(GpuKind::as_str).collect();
        f.pad(&names.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_people_and_ec2_write_them() {
        assert_eq!("A10G".parse(), Ok(GpuKind::A10G));
        assert_eq!("nvidia t4g".parse(), Ok(GpuKind::T4g));
        assert_eq!("rtx-pro-server-6000".parse(), Ok(GpuKind::RtxProServer6000));
        assert!("A10".parse::<GpuKind>().is_err());
        for kind in GpuKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn every_kind_has_a_bit_of_its_own() {
        for kind in GpuKind::ALL {
            let only = GpuKinds::from(vec![kind]);
            let all = GpuKind::ALL.into_iter().map(Some).chain([None]);
            let allowed: Vec<_> = all.filter(|other| only.allows(*other)).collect();
            assert_eq!(allowed, [Some(kind)]);
            assert!(GpuKinds::ANY.allows(Some(kind)) && GpuKinds::ANY.allows(None));
        }
    }

    #[test]
    fn a_list_of_kinds_is_written_and_read_and_an_empty_one_is_any() {
        let two = GpuKinds::from(vec![GpuKind::A10G, GpuKind::T4]);

        assert_eq!(serde_json::to_string(&two).unwrap(), r#"["T4","A10G"]"#);
        assert_eq!(serde_json::from_str::<GpuKinds>(r#"["A10G","T4"]"#).unwrap(), two);
        assert_eq!(serde_json::from_str::<GpuKinds>("[]").unwrap(), GpuKinds::ANY);
        assert_eq!(two.to_string(), "T4 or A10G");
        assert_eq!(two.and(GpuKinds::ANY), two);
    }
}
