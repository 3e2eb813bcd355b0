//! Bursts: what the fleet would cost per hour beyond what may be spent without being asked (`limits.approve-over`). Only what is
//! remembered; what is held, and when an approval is over, is decided by the control loop.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::MicroUsdPerHour;

/// What is held, and what is approved. Each grows out of the other: what is wanted beyond an approval is held again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Burst {
    /// What is not bought before somebody approves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldBurst>,
    /// What may be bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<ApprovedBurst>,
}

impl Burst {
    /// Whether nothing is held and nothing approved.
    pub const fn is_none(&self) -> bool {
        self.held.is_none() && self.approved.is_none()
    }
}

/// A fleet that is not bought before somebody approves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeldBurst {
    /// What the whole fleet would cost per hour at most, what runs already included: an approval is for so much and no more.
    pub price: MicroUsdPerHour,
    /// Since when it is held.
    pub since: Timestamp,
}

impl HeldBurst {
    /// What names it. Another price, or the same price at another time, has another one.
    pub fn hash(&self) -> BurstHash {
        let Self { price, since } = self;
        let text = format!("burst\n{}\n{}", price.get(), since.as_nanosecond());
        let whole = Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes());
        let [a, b, c, d, ..] = whole.into_bytes();
        BurstHash(u32::from_be_bytes([a, b, c, d]))
    }
}

/// A fleet that somebody has approved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ApprovedBurst {
    /// What was held.
    pub held: HeldBurst,
    /// When it was approved.
    pub at: Timestamp,
    /// SQS's `SenderId` of whoever approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

/// What names a burst: eight hexadecimal digits. It is not a secret; who may approve is decided by the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BurstHash(u32);

impl fmt::Display for BurstHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:08x}", self.0))
    }
}

/// A text that names no burst.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{said:?} names no burst: it has eight hexadecimal digits, such as 5f3a09c1")]
pub struct InvalidBurstHash {
    /// What was said.
    pub said: String,
}

impl FromStr for BurstHash {
    type Err = InvalidBurstHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parsed = if is_hex { u32::from_str_radix(text, 16).ok() } else { None };
        parsed.map(Self).ok_or_else(|| InvalidBurstHash { said: text.to_owned() })
    }
}

impl Serialize for BurstHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BurstHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(price: u64, since: &str) -> HeldBurst {
        HeldBurst { price: MicroUsdPerHour::new(price), since: since.parse().unwrap() }
    }

    #[test]
    fn another_price_and_another_time_have_another_name() {
        let one = held(50_000_000, "2026-01-05T20:00:00Z");

        assert_eq!(one.hash(), one.clone().hash());
        assert_ne!(one.hash(), held(51_000_000, "2026-01-05T20:00:00Z").hash());
        assert_ne!(one.hash(), held(50_000_000, "2026-01-05T20:00:01Z").hash());
    }

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let hash = held(1, "2026-01-05T20:00:00Z").hash();

        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_string().to_uppercase().parse(), Ok(hash));
        for wrong in ["", "12345", "+1234567", "123456789", "1234567g"] {
            assert!(wrong.parse::<BurstHash>().is_err(), "{wrong}");
        }
    }
}
