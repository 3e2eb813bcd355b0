//! EC2's vCPU quotas: each counts the instances of a group of families in one market.
//!
//! Source: Service Quotas, Amazon EC2, "Running On-Demand ... instances" and "All ... Spot Instance Requests". A quota
//! counts all instances of the account in a region, those of others too.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::catalog::PoolId;
use crate::market::{Market, UnknownName};
use crate::quantity::CpuUnits;

/// A group of instance families that one quota counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaGroup {
    /// A, C, D, H, I, M, R, T and Z.
    Standard,
    /// G and VT.
    G,
    /// P. On Spot EC2 counts P5 and later by themselves; here they are one.
    P,
    /// F.
    F,
    /// X.
    X,
    /// Inf.
    Inf,
    /// Trn.
    Trn,
    /// DL.
    Dl,
    /// HPC.
    Hpc,
    /// High memory: U.
    U,
}

impl QuotaGroup {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Standard,
        Self::G,
        Self::P,
        Self::F,
        Self::X,
        Self::Inf,
        Self::Trn,
        Self::Dl,
        Self::Hpc,
        Self::U,
    ];

    /// The group of an instance type, by the letters before the first digit; none for a series that is not known.
    pub fn of(instance_type: &str) -> Option<Self> {
        let end = instance_type.find(|c: char| !c.is_ascii_lowercase());
        let series = end.map_or(instance_type, |end| &instance_type[..end]);
        Some(match series {
            "a" | "c" | "d" | "h" | "i" | "im" | "is" | "m" | "r" | "t" | "z" => Self::Standard,
            "g" | "gr" | "vt" => Self::G,
            "p" => Self::P,
            "f" => Self::F,
            "x" => Self::X,
            "inf" => Self::Inf,
            "trn" => Self::Trn,
            "dl" => Self::Dl,
            "hpc" => Self::Hpc,
            "u" => Self::U,
            _ => return None,
        })
    }

    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::G => "g",
            Self::P => "p",
            Self::F => "f",
            Self::X => "x",
            Self::Inf => "inf",
            Self::Trn => "trn",
            Self::Dl => "dl",
            Self::Hpc => "hpc",
            Self::U => "u",
        }
    }
}

/// One quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quota {
    /// The market.
    pub market: Market,
    /// The families.
    pub group: QuotaGroup,
}

/// How many quotas there are.
pub const N_QUOTAS: usize = 2 * QuotaGroup::ALL.len();

impl Quota {
    /// The quota that counts instances of a pool.
    pub fn of(pool: &PoolId) -> Option<Self> {
        QuotaGroup::of(&pool.instance_type).map(|group| Self { market: pool.market, group })
    }

    /// All of them, in the order of [`Self::index`].
    pub fn all() -> impl Iterator<Item = Self> {
        [Market::OnDemand, Market::Spot]
            .into_iter()
            .flat_map(|market| QuotaGroup::ALL.into_iter().map(move |group| Self { market, group }))
    }

    /// Its place among all, below [`N_QUOTAS`].
    pub fn index(self) -> usize {
        let group = QuotaGroup::ALL.iter().position(|group| *group == self.group).unwrap_or(0);
        match self.market {
            Market::OnDemand => group,
            Market::Spot => group + QuotaGroup::ALL.len(),
        }
    }
}

impl fmt::Display for Quota {
    /// As the configuration has it: `on-demand/standard`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.market, self.group.as_str()))
    }
}

impl FromStr for Quota {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::all().find(|quota| quota.to_string() == text);
        found.ok_or_else(|| UnknownName {
            text: text.to_owned(),
            allowed: "on-demand/GROUP, spot/GROUP with GROUP of standard, g, p, f, x, inf, trn, dl, hpc, u",
        })
    }
}

impl TryFrom<String> for Quota {
    type Error = UnknownName;
    fn try_from(text: String) -> Result<Self, UnknownName> {
        text.parse()
    }
}

impl From<Quota> for String {
    fn from(quota: Quota) -> Self {
        quota.to_string()
    }
}

/// So many vCPUs of each quota: what may run, or what is left of that. A quota that is not named is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Quota, CpuUnits)>", into = "Vec<(Quota, CpuUnits)>")]
pub struct Quotas([Option<CpuUnits>; N_QUOTAS]);

impl Quotas {
    /// No limit.
    pub const NONE: Self = Self([None; N_QUOTAS]);

    /// Whether there is no limit.
    pub fn is_none(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// What there is of one.
    pub fn get(&self, quota: Quota) -> Option<CpuUnits> {
        self.0[quota.index()]
    }

    /// Says what there is of one.
    pub fn set(&mut self, quota: Quota, cpu: Option<CpuUnits>) {
        self.0[quota.index()] = cpu;
    }

    /// Those that are limits.
    pub fn iter(&self) -> impl Iterator<Item = (Quota, CpuUnits)> {
        Quota::all().zip(self.0).filter_map(|(quota, cpu)| Some((quota, cpu?)))
    }

    /// Takes off what hosts of a pool use; nothing is left where that is more than there is.
    pub fn take(&mut self, pool: &PoolId, cpu: CpuUnits) {
        if let Some(left) = Quota::of(pool).and_then(|quota| self.0[quota.index()].as_mut()) {
            *left = CpuUnits::new(left.get().saturating_sub(cpu.get()));
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self::NONE
    }
}

impl From<Vec<(Quota, CpuUnits)>> for Quotas {
    /// Of a quota that is named twice the smaller amount counts.
    fn from(list: Vec<(Quota, CpuUnits)>) -> Self {
        let mut quotas = Self::NONE;
        for (quota, cpu) in list {
            let least = quotas.get(quota).map_or(cpu, |before| before.min(cpu));
            quotas.set(quota, Some(least));
        }
        quotas
    }
}

impl From<Quotas> for Vec<(Quota, CpuUnits)> {
    fn from(quotas: Quotas) -> Self {
        quotas.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_share_the_quota_that_ec2_counts_them_in() {
        for (name, group) in [
            ("c7g.large", QuotaGroup::Standard),
            ("is4gen.large", QuotaGroup::Standard),
            ("t2.micro", QuotaGroup::Standard),
            ("gr6.4xlarge", QuotaGroup::G),
            ("vt1.3xlarge", QuotaGroup::G),
            ("p6-b200.48xlarge", QuotaGroup::P),
            ("trn1n.32xlarge", QuotaGroup::Trn),
            ("u7i-12tb.224xlarge", QuotaGroup::U),
            ("u-6tb1.112xlarge", QuotaGroup::U),
            ("x2idn.16xlarge", QuotaGroup::X),
            ("hpc7g.4xlarge", QuotaGroup::Hpc),
        ] {
            assert_eq!(QuotaGroup::of(name), Some(group), "{name}");
        }
        assert_eq!(QuotaGroup::of("mac2.metal"), None);
    }

    #[test]
    fn every_quota_has_a_place_and_a_name_of_its_own() {
        for (place, quota) in Quota::all().enumerate() {
            assert_eq!((quota.index(), quota.to_string().parse()), (place, Ok(quota)));
        }
        assert_eq!(Quota::all().count(), N_QUOTAS);
        assert!("spot/q".parse::<Quota>().is_err());
    }

    #[test]
    fn quotas_are_written_and_read_and_the_smaller_of_two_counts() {
        let spot: Quota = "spot/standard".parse().unwrap();
        let cpu = CpuUnits::from_vcpus;
        let quotas = Quotas::from(vec![(spot, cpu(8)), (spot, cpu(4))]);

        let text = serde_json::to_string(&quotas).unwrap();

        assert_eq!(text, r#"[["spot/standard",4096]]"#);
        assert_eq!(serde_json::from_str::<Quotas>(&text).unwrap(), quotas);
        assert!(Quotas::default().is_none() && !quotas.is_none());
    }
}
