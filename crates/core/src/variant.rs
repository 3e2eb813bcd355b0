//! Alternatives of a job: other ways to do the same work, such as another architecture's image, or a CPU in place of a GPU. The
//! planner takes the cheapest at the time; each attempt may run another one. Says what they are, decides nothing.

use std::borrow::Cow;
use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::container::ContainerSpec;
use crate::gpu::GpuKinds;
use crate::job::JobSpec;
use crate::market::{Arch, HostTraits};
use crate::quantity::Resources;

/// The most alternatives beside the job as it is written.
pub const VARIANTS_MAX: usize = 8;

/// Which of a job's alternatives: 0 is the job as it is written, `n` the `n`-th that it lists.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct VariantOrd(u8);

impl VariantOrd {
    /// The job as it is written. Of a job without alternatives there is no other.
    pub const BASE: Self = Self(0);

    /// None is later.
    pub const LAST: Self = Self(u8::MAX);

    /// The `n`-th.
    pub const fn new(n: u8) -> Self {
        Self(n)
    }

    /// Its number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether it is the job as it is written.
    pub const fn is_base(&self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for VariantOrd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One alternative, complete: what a message leaves out is the job's own. All else, such as mounts and roles, is the same for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Variant {
    /// The image reference, at most 255 characters.
    pub image: String,
    /// The command; empty means the image's own.
    pub command: Vec<String>,
    /// Environment variables, the job's own among them; names are unique.
    pub environment: Vec<(String, String)>,
    /// What it needs.
    pub resources: Resources,
    /// The architecture its image is for; `None` runs on either.
    pub arch: Option<Arch>,
    /// The kinds of GPU it accepts.
    #[serde(default, skip_serializing_if = "GpuKinds::is_any")]
    pub gpu_kinds: GpuKinds,
    /// How long the sender thinks it will run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_duration: Option<SignedDuration>,
}

/// What a job lists beside itself, 1 to [`VARIANTS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Variants(Vec<Variant>);

impl Variants {
    /// In the order in which they are listed; none if the list is empty.
    pub fn of(listed: Vec<Variant>) -> Option<Box<Self>> {
        (!listed.is_empty()).then(|| Box::new(Self(listed)))
    }

    /// As they are listed.
    pub fn listed(&self) -> &[Variant] {
        &self.0
    }
}

impl JobSpec {
    /// The numbers of all its alternatives, itself first.
    pub fn variant_ords(&self) -> impl Iterator<Item = VariantOrd> + use<> {
        let n = self.variants.as_ref().map_or(0, |variants| variants.0.len());
        (0..=u8::try_from(n).unwrap_or(u8::MAX)).map(VariantOrd)
    }

    /// One that it lists; none for the job as it is written.
    pub fn variant(&self, ord: VariantOrd) -> Option<&Variant> {
        let at = usize::from(ord.0).checked_sub(1)?;
        self.variants.as_ref()?.0.get(at)
    }

    /// What one of its alternatives needs at first.
    pub fn resources_of(&self, ord: VariantOrd) -> Resources {
        self.variant(ord).map_or(self.resources, |variant| variant.resources)
    }

    /// How long its sender thinks that one of its alternatives will run.
    pub fn expected_duration_of(&self, ord: VariantOrd) -> Option<SignedDuration> {
        self.variant(ord).map_or(self.expected_duration, |variant| variant.expected_duration)
    }

    /// The job without alternatives that is like one of its.
    pub fn as_variant(&self, ord: VariantOrd) -> Cow<'_, Self> {
        if self.variants.is_none() {
            return Cow::Borrowed(self);
        }
        let mut spec = Self { variants: None, ..self.clone() };
        if let Some(own) = self.variant(ord).cloned() {
            let Variant { image, command, environment, .. } = own;
            spec.container = ContainerSpec { image, command, environment, ..spec.container };
            let Variant { resources, arch, gpu_kinds, expected_duration, .. } = own;
            spec = Self { resources, arch, gpu_kinds, expected_duration, ..spec };
        }
        Cow::Owned(spec)
    }

    /// Whether one of its alternatives may run on such a host.
    pub fn allows_variant(&self, ord: VariantOrd, host: HostTraits) -> bool {
        let (arch, gpu_kinds) = self
            .variant(ord)
            .map_or((self.arch, self.gpu_kinds), |variant| (variant.arch, variant.gpu_kinds));
        arch.is_none_or(|wanted| wanted == host.arch)
            && self.market.allows(host.market)
            && gpu_kinds.allows(host.gpu)
    }
}

/// The alternatives of a group of equal jobs: the first eight bytes of a SHA-256 over all that the control loop knows of them.
/// Two that collided would be planned as one, and each job started as one of its own all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChoiceId(u64);

impl ChoiceId {
    /// That of what these bytes say.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        Self(digest.iter().take(8).fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte)))
    }

    /// For tests and benches: that of a number.
    pub const fn from_number(n: u64) -> Self {
        Self(n)
    }
}

/// One of the alternatives of a group of equal jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Way {
    /// Whose: whatever has the same is an alternative of the same jobs.
    pub of: ChoiceId,
    /// Which.
    pub ord: VariantOrd,
}
