//! The lists of the configuration that leave offerings out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A list of the configuration that says what may be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterKind {
    /// `offerings.instance-types`.
    InstanceTypes,
    /// `offerings.zones`.
    Zones,
    /// `offerings.markets`.
    Markets,
    /// `offerings.architectures`.
    Architectures,
}

impl FilterKind {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::InstanceTypes, Self::Zones, Self::Markets, Self::Architectures];

    const fn bit(self) -> u8 {
        match self {
            Self::InstanceTypes => 1,
            Self::Zones => 2,
            Self::Markets => 4,
            Self::Architectures => 8,
        }
    }
}

impl fmt::Display for FilterKind {
    /// The key of the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InstanceTypes => "offerings.instance-types",
            Self::Zones => "offerings.zones",
            Self::Markets => "offerings.markets",
            Self::Architectures => "offerings.architectures",
        })
    }
}

/// The lists that leave an offering out, each for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterSet(u8);

impl FilterSet {
    /// None: it may be bought.
    pub const EMPTY: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, kind: FilterKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Without one.
    #[must_use]
    pub const fn without(self, kind: FilterKind) -> Self {
        Self(self.0 & !kind.bit())
    }

    /// Whether none leaves it out.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The first in the order of [`FilterKind::ALL`].
    pub fn first(self) -> Option<FilterKind> {
        FilterKind::ALL.into_iter().find(|kind| self.0 & kind.bit() != 0)
    }
}
