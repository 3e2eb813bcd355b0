//! What a host costs, and which part of it an attempt carries.

use jiff::{SignedDuration, Timestamp};

use crate::money::{MicroUsd, MicroUsdPerHour};
use crate::quantity::Resources;

/// EC2 bills Linux by the second with a minimum of one minute (EC2 pricing page, "Per second billing").
pub const BILLED_MIN: SignedDuration = SignedDuration::from_secs(60);

/// What an instance costs from `launched_at` to `ended_at`.
pub fn bill(price: MicroUsdPerHour, launched_at: Timestamp, ended_at: Timestamp) -> MicroUsd {
    price.cost_of(ended_at.duration_since(launched_at).max(BILLED_MIN))
}

/// A month as AWS's own calculator has it: 365 days of 24 h in 12 parts (AWS Pricing Calculator, "730 hours in a month").
const HOURS_PER_MONTH: u64 = 730;

/// The size of the root volume of ECS-optimized Amazon Linux 2023 images (Amazon ECS developer guide, "Amazon ECS-optimized Linux AMIs").
pub const ROOT_VOLUME_GIB_DEFAULT: u32 = 30;

/// A GiB of gp3 for a month in us-east-1 (Amazon EBS pricing): what is taken where nothing else is known.
pub const VOLUME_PRICE_DEFAULT: MicroUsd = MicroUsd::new(80_000);

/// A public IPv4 address, in all regions of the `aws` partition (Amazon VPC pricing, since 1 February 2024).
pub const PUBLIC_ADDRESS_PRICE: MicroUsdPerHour = MicroUsdPerHour::new(5_000);

/// What a volume of `gib` GiB costs an hour at `per_gib_month`, rounded up to the next millionth.
pub fn volume_price(gib: u32, per_gib_month: MicroUsd) -> MicroUsdPerHour {
    let month = per_gib_month.get().saturating_mul(gib.into());
    MicroUsdPerHour::new(month.div_ceil(HOURS_PER_MONTH))
}

/// What an instance that ran from `launched_at` to `ended_at` had cost by `at`: nothing up to its launch, and its bill from its end on.
/// It never falls, so that what it cost between two times is the difference, and the parts sum to the bill.
pub fn billed_by(
    price: MicroUsdPerHour,
    launched_at: Timestamp,
    ended_at: Timestamp,
    at: Timestamp,
) -> MicroUsd {
    if at <= launched_at { MicroUsd::ZERO } else { bill(price, launched_at, at.min(ended_at)) }
}

/// An attempt's part of its host's cost for the `held` time it kept its place.
///
/// Its share is the mean, over the dimensions the host has, of the part it reserves: the shares of all that fit on a
/// host at once never sum to more than one, so attempts never carry more than the host's bill; the rest is idle.
pub fn attempt_cost(
    price: MicroUsdPerHour,
    held: SignedDuration,
    need: &Resources,
    capacity: &Resources,
) -> MicroUsd {
    let whole = price.cost_of(held).get();
    MicroUsd::new(part_of(whole, need, capacity))
}

/// What an attempt's share of its host is priced at; see [`attempt_cost`].
pub fn attempt_price(
    price: MicroUsdPerHour,
    need: &Resources,
    capacity: &Resources,
) -> MicroUsdPerHour {
    MicroUsdPerHour::new(part_of(price.get(), need, capacity))
}

/// An attempt's part of `whole`.
fn part_of(whole: u64, need: &Resources, capacity: &Resources) -> u64 {
    const PARTS: u64 = 1 << 32;
    let part = |need: u32, have: u32| {
        (u64::from(need) * PARTS).checked_div(u64::from(have)).map(|p| p.min(PARTS))
    };
    let parts = [
        part(need.cpu.get(), capacity.cpu.get()),
        part(need.memory.get(), capacity.memory.get()),
        part(need.gpus, capacity.gpus),
    ];
    let (mut sum, mut n_dimensions) = (0, 0);
    for part in parts.into_iter().flatten() {
        sum += part;
        n_dimensions += 1;
    }
    let share = sum.checked_div(n_dimensions).unwrap_or(0);
    let micro = (u128::from(whole) * u128::from(share)) >> 32;
    u64::try_from(micro).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::{CpuUnits, MiB};

    #[test]
    fn the_first_minute_is_always_paid() {
        let price = MicroUsdPerHour::new(3_600_000);
        let start = Timestamp::UNIX_EPOCH;

        let bill = bill(price, start, start + SignedDuration::from_secs(5));

        assert_eq!(bill, MicroUsd::new(60_000));
    }

    #[test]
    fn a_volume_costs_a_part_of_its_month() {
        // 30 GiB for 730 h are $2.40.
        let price = volume_price(ROOT_VOLUME_GIB_DEFAULT, VOLUME_PRICE_DEFAULT);

        assert_eq!(price, MicroUsdPerHour::new(3_288));
        assert_eq!(price.cost_of(SignedDuration::from_hours(730)), MicroUsd::new(2_400_240));
    }

    #[test]
    fn what_is_launched_at_midnight_is_of_the_day_that_begins() {
        let price = MicroUsdPerHour::new(3_600_000);
        let (start, end) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(600).unwrap());
        let by = |secs: i64| billed_by(price, start, end, Timestamp::from_second(secs).unwrap());

        let course = [-1, 0, 1, 60, 61, 600, 9_000].map(by);

        assert_eq!(course.map(MicroUsd::get), [0, 0, 60_000, 60_000, 61_000, 600_000, 600_000]);
    }

    #[test]
    fn attempts_that_fill_a_host_carry_its_whole_cost_and_never_more() {
        let capacity = Resources::new(CpuUnits::from_vcpus(4), MiB::from_gib(8), 0);
        let lean = Resources::new(CpuUnits::from_vcpus(3), MiB::from_gib(1), 0);
        let fat = Resources::new(CpuUnits::from_vcpus(1), MiB::from_gib(7), 0);
        let hour = SignedDuration::from_hours(1);
        let price = MicroUsdPerHour::new(1_000_000);

        let carried = attempt_cost(price, hour, &lean, &capacity)
            + attempt_cost(price, hour, &fat, &capacity);

        assert_eq!(carried, MicroUsd::new(1_000_000));
    }
}
