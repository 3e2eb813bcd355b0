//! Money in millionths of a US dollar. Never a float: the parts of a bill must sum to the bill.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::quantity::QuantityError;

const MILLIS_PER_HOUR: u128 = 3_600_000;

/// An amount of money, in millionths of a US dollar.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroUsd(u64);

impl MicroUsd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// `micro` millionths of a dollar.
    pub const fn new(micro: u64) -> Self {
        Self(micro)
    }

    /// The number of millionths of a dollar.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What is left after taking `other` away; zero where `other` is more.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// For people and scores only.
    pub fn as_usd_f64(self) -> f64 {
        micro_as_f64(self.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "only shown, never summed or compared")]
fn micro_as_f64(micro: u64) -> f64 {
    micro as f64 / 1e6
}

impl Add for MicroUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for MicroUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

fn write_usd(f: &mut fmt::Formatter<'_>, micro: u64) -> fmt::Result {
    let cents_needed = !micro.is_multiple_of(10_000) && micro < 100_000_000;
    let text = if cents_needed {
        format!("${}.{:04}", micro / 1_000_000, micro % 1_000_000 / 100)
    } else {
        format!("${}.{:02}", micro / 1_000_000, micro % 1_000_000 / 10_000)
    };
    f.pad(&text)
}

impl fmt::Display for MicroUsd {
    /// `$12.50`; four decimals where cents would hide something and the amount is under $100.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_usd(f, self.0)
    }
}

/// A price: millionths of a US dollar for one hour.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroUsdPerHour(u64);

impl MicroUsdPerHour {
    /// Free.
    pub const ZERO: Self = Self(0);

    /// `micro` millionths of a dollar per hour.
    pub const fn new(micro: u64) -> Self {
        Self(micro)
    }

    /// The number of millionths of a dollar per hour.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether it is free.
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// The difference; nothing where `other` is more.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The price of `n` of these, or `None` on overflow.
    pub fn checked_mul(self, n: u32) -> Option<Self> {
        self.0.checked_mul(u64::from(n)).map(Self)
    }

    /// The sum; saturates.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What `time` at this price costs, rounded up to the next millionth; nothing for negative time.
    pub fn cost_of(self, time: SignedDuration) -> MicroUsd {
        let millis = u128::try_from(time.as_millis()).unwrap_or(0);
        let micro = (u128::from(self.0) * millis).div_ceil(MILLIS_PER_HOUR);
        MicroUsd(u64::try_from(micro).unwrap_or(u64::MAX))
    }

    /// For people and scores only.
    pub fn as_usd_f64(self) -> f64 {
        micro_as_f64(self.0)
    }
}

impl Sum for MicroUsdPerHour {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Self::saturating_add)
    }
}

impl fmt::Display for MicroUsdPerHour {
    /// `$0.096/h`-like, with the decimals of [`MicroUsd`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_usd(f, self.0)?;
        f.write_str("/h")
    }
}

/// Reads dollars with up to six decimals (more are cut off), an optional `$` in front.
fn parse_micro(text: &str) -> Result<u64, QuantityError> {
    let digits_only = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let number = text.trim().strip_prefix('$').unwrap_or(text.trim());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.is_empty() || !digits_only(whole) || !digits_only(fraction) || number == "." {
        return Err(QuantityError::NotANumber(text.to_owned()));
    }
    let out_of_range = |_| QuantityError::OutOfRange(text.to_owned());
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(out_of_range)? };
    let padded = format!("{fraction:0<6}");
    let micro: u64 = padded.get(..6).unwrap_or("0").parse().map_err(out_of_range)?;
    whole
        .checked_mul(1_000_000)
        .and_then(|w| w.checked_add(micro))
        .ok_or_else(|| QuantityError::OutOfRange(text.to_owned()))
}

impl FromStr for MicroUsd {
    type Err = QuantityError;

    /// `"12.50"` or `"$12.50"`, the form of AWS's price strings.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_micro(text).map(Self)
    }
}

impl FromStr for MicroUsdPerHour {
    type Err = QuantityError;

    /// `"0.096"`, `"$0.096"`, `"$0.096/h"`: the form of AWS's price strings.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        parse_micro(text.strip_suffix("/h").unwrap_or(text)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_as_aws_writes_them() {
        assert_eq!("0.0960000000".parse(), Ok(MicroUsdPerHour::new(96_000)));
        assert_eq!("$12.50/h".parse(), Ok(MicroUsdPerHour::new(12_500_000)));
        assert!("".parse::<MicroUsd>().is_err());
        assert!("1e3".parse::<MicroUsd>().is_err());
    }

    #[test]
    fn an_hour_costs_the_price_and_a_part_is_rounded_up() {
        let price = MicroUsdPerHour::new(96_000);

        assert_eq!(price.cost_of(SignedDuration::from_hours(1)), MicroUsd::new(96_000));
        assert_eq!(price.cost_of(SignedDuration::from_secs(1)), MicroUsd::new(27));
        assert_eq!(price.cost_of(SignedDuration::from_secs(-5)), MicroUsd::ZERO);
    }

    #[test]
    fn amounts_read_well() {
        assert_eq!(MicroUsd::new(12_500_000).to_string(), "$12.50");
        assert_eq!(MicroUsd::new(12_345).to_string(), "$0.0123");
        assert_eq!(MicroUsdPerHour::new(96_000).to_string(), "$0.0960/h");
    }
}
