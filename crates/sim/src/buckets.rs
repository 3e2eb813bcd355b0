//! The token buckets of the EC2 and ECS APIs, per account and region, as AWS documents them.
//!
//! EC2: "Request throttling for the Amazon EC2 API"; ECS: "Request throttling for the Amazon ECS API". A call that finds its bucket
//! empty is throttled and takes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// A bucket's burst and what flows back a second, in whole calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Limit {
    /// What shares it.
    name: &'static str,
    burst: u64,
    per_sec: u64,
}

/// The bucket that a call is taken from; none for what has no limit that matters here.
fn limit_of(action: &str) -> Option<Limit> {
    let limit = |name, burst, per_sec| Some(Limit { name, burst, per_sec });
    match action {
        "ec2:CreateFleet" => limit("ec2 mutating", 50, 5),
        "ec2:TerminateInstances" => limit("ec2 terminate", 100, 5),
        "ec2:DescribeInstances" => limit("ec2 describe", 100, 20),
        "ec2:DescribeSpotPriceHistory" => limit("ec2 prices", 100, 20),
        "ecs:RunTask"
        | "ecs:StopTask"
        | "ecs:DeregisterContainerInstance"
        | "ecs:UpdateContainerInstancesState" => limit("ecs tasks", 100, 40),
        "ecs:DescribeTasks" | "ecs:DescribeContainerInstances" => limit("ecs read", 100, 20),
        "logs:GetLogEvents" => limit("logs read", 25, 25),
        "ecs:RegisterTaskDefinition" => limit("ecs definitions", 20, 1),
        _ => None,
    }
}

/// Thousandths of a call.
const MILLI: u64 = 1_000;

/// A bucket as it is: what it held, and when.
#[derive(Debug, Clone, Copy)]
struct Level {
    milli: u64,
    at: Timestamp,
}

/// All buckets, each full until it is used.
#[derive(Debug)]
pub(crate) struct Buckets {
    percent: u64,
    levels: BTreeMap<Limit, Level>,
}

impl Buckets {
    /// Buckets of this part of their documented size and flow.
    pub(crate) fn new(percent: u32) -> Self {
        Self { percent: percent.into(), levels: BTreeMap::new() }
    }

    /// Takes one call out of its bucket; false if that is empty.
    pub(crate) fn take(&mut self, now: Timestamp, action: &str) -> bool {
        let Some(limit) = limit_of(action) else { return true };
        let full = (limit.burst * MILLI * self.percent / 100).max(MILLI);
        let level = self.levels.entry(limit).or_insert(Level { milli: full, at: now });
        let ms = u64::try_from(now.duration_since(level.at).as_millis()).unwrap_or(0);
        let back = ms.saturating_mul(limit.per_sec * self.percent) / 100;
        level.milli = level.milli.saturating_add(back).min(full);
        level.at = now;
        let Some(left) = level.milli.checked_sub(MILLI) else { return false };
        level.milli = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n_taken(buckets: &mut Buckets, ms: i64, action: &str) -> usize {
        let now = Timestamp::from_millisecond(ms).unwrap();
        (0..1_000).take_while(|_| buckets.take(now, action)).count()
    }

    #[test]
    fn a_burst_is_taken_at_once_and_flows_back_at_its_rate() {
        let mut buckets = Buckets::new(100);

        assert_eq!(n_taken(&mut buckets, 0, "ecs:RunTask"), 100);
        assert_eq!(n_taken(&mut buckets, 0, "ecs:StopTask"), 0, "they share a bucket");
        assert_eq!(n_taken(&mut buckets, 500, "ecs:StopTask"), 20);
        assert_eq!(n_taken(&mut buckets, 60_000, "ecs:RunTask"), 100);
    }

    #[test]
    fn half_a_bucket_is_half_of_both() {
        let mut buckets = Buckets::new(50);

        assert_eq!(n_taken(&mut buckets, 0, "ecs:RegisterTaskDefinition"), 10);
        assert_eq!(n_taken(&mut buckets, 4_000, "ecs:RegisterTaskDefinition"), 2);
        assert_eq!(n_taken(&mut buckets, 0, "sqs:ReceiveMessage"), 1_000, "SQS has none here");
    }
}
