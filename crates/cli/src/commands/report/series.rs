//! Sums over time, in buckets of one length. A million intervals cost no more memory than one.

use jiff::{SignedDuration, Timestamp};

/// No more buckets than can be told apart on a small screen.
const BUCKETS_MAX: i64 = 60;

/// Lengths of buckets that people count in, in seconds.
const STEPS_SECS: [i64; 22] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 172_800, 604_800, 2_592_000, 31_536_000,
];

/// A time and its division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    pub(super) step: SignedDuration,
    n_buckets: usize,
}

impl Axis {
    /// From then until then, which is later.
    pub(super) fn new(since: Timestamp, until: Timestamp) -> Self {
        let secs = ceil_div(until.duration_since(since).as_millis(), 1000);
        let fits = |step: &i64| ceil_div(secs, i128::from(*step)) <= i128::from(BUCKETS_MAX);
        let last = STEPS_SECS.last().copied().unwrap_or(1);
        let step = STEPS_SECS.into_iter().find(fits).unwrap_or(last);
        let n_buckets = ceil_div(secs, i128::from(step)).max(1);
        let n_buckets = usize::try_from(n_buckets).unwrap_or(1);
        Self { since, until, step: SignedDuration::from_secs(step), n_buckets }
    }

    /// The same, begun at a multiple of the step.
    pub(super) fn aligned(self) -> Self {
        let step = self.step.as_secs();
        let secs = self.since.as_second();
        let since = Timestamp::from_second(secs - secs.rem_euclid(step)).unwrap_or(self.since);
        Self::new(since, self.until)
    }

    pub(super) const fn n_buckets(&self) -> usize {
        self.n_buckets
    }

    /// When each bucket begins.
    pub(super) fn starts(&self) -> Vec<Timestamp> {
        (0..self.n_buckets).map(|n| self.start(n)).collect()
    }

    fn start(&self, n: usize) -> Timestamp {
        let n = i32::try_from(n).unwrap_or(i32::MAX);
        let after = self.step.checked_mul(n).unwrap_or(SignedDuration::MAX);
        self.since.checked_add(after).unwrap_or(Timestamp::MAX)
    }

    /// The bucket of a moment; none outside.
    pub(super) fn bucket(&self, at: Timestamp) -> Option<usize> {
        if at < self.since || self.until <= at {
            return None;
        }
        let millis = at.duration_since(self.since).as_millis();
        usize::try_from(millis.checked_div(self.step.as_millis())?).ok()
    }

    /// How long a bucket is: the last one may be cut short.
    fn length_millis(&self, n: usize) -> i128 {
        let end = self.start(n + 1).min(self.until);
        end.duration_since(self.start(n)).as_millis()
    }
}

const fn ceil_div(a: i128, b: i128) -> i128 {
    (a + b - 1) / b
}

/// Something that lasts: how much of it there was, bucket by bucket.
#[derive(Debug, Clone)]
pub(super) struct Lasting {
    axis: Axis,
    /// Amount times milliseconds, in buckets that were not covered from end to end.
    parts: Vec<i128>,
    /// What begins and ends to cover whole buckets.
    whole: Vec<i128>,
}

impl Lasting {
    pub(super) fn new(axis: Axis) -> Self {
        Self { axis, parts: vec![0; axis.n_buckets], whole: vec![0; axis.n_buckets + 1] }
    }

    /// There is so much of it from then until then.
    pub(super) fn add(&mut self, from: Timestamp, until: Timestamp, amount: i64) {
        let axis = self.axis;
        let (from, until) = (from.max(axis.since), until.min(axis.until));
        if until <= from {
            return;
        }
        let first = axis.bucket(from);
        // The last moment that is in it.
        let before = until.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(from);
        let last = axis.bucket(before);
        let (Some(first), Some(last)) = (first, last) else { return };
        let amount = i128::from(amount);
        if first == last {
            self.add_part(first, amount * until.duration_since(from).as_millis());
            return;
        }
        let head = axis.start(first + 1).duration_since(from).as_millis();
        let tail = until.duration_since(axis.start(last)).as_millis();
        self.add_part(first, amount * head);
        self.add_part(last, amount * tail);
        self.add_whole(first + 1, amount);
        self.add_whole(last, -amount);
    }

    fn add_part(&mut self, bucket: usize, amount: i128) {
        if let Some(part) = self.parts.get_mut(bucket) {
            *part += amount;
        }
    }

    fn add_whole(&mut self, bucket: usize, amount: i128) {
        if let Some(change) = self.whole.get_mut(bucket) {
            *change += amount;
        }
    }

    /// The mean of each bucket, in thousandths.
    pub(super) fn means_milli(&self) -> Vec<i64> {
        let mut means = Vec::with_capacity(self.parts.len());
        let mut covering = 0;
        for (n, part) in self.parts.iter().enumerate() {
            covering += self.whole.get(n).copied().unwrap_or_default();
            let length = self.axis.length_millis(n);
            let sum = part + covering * length;
            let mean = (sum * 1000 + length / 2).checked_div(length).unwrap_or(0);
            means.push(i64::try_from(mean).unwrap_or(i64::MAX));
        }
        means
    }

    /// The whole of it, amount times hours in thousandths.
    pub(super) fn hours_milli(&self) -> i64 {
        let mut sum = 0;
        let mut covering = 0;
        for (n, part) in self.parts.iter().enumerate() {
            covering += self.whole.get(n).copied().unwrap_or_default();
            sum += part + covering * self.axis.length_millis(n);
        }
        i64::try_from(sum / 3_600).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_767_571_200 + secs).unwrap()
    }

    #[test]
    fn buckets_have_a_length_that_people_count_in_and_are_at_most_sixty() {
        let step = |secs| Axis::new(at(0), at(secs)).step.as_secs();

        assert_eq!((step(10), step(60), step(61), step(3_600)), (1, 1, 2, 60));
        assert_eq!((step(86_400), step(7 * 86_400), step(366 * 86_400)), (1_800, 10_800, 604_800));
        for secs in 1..5_000 {
            let axis = Axis::new(at(0), at(secs));
            assert!(axis.n_buckets() <= 60);
            assert_eq!(axis.bucket(at(secs - 1)), Some(axis.n_buckets() - 1), "{secs}");
            assert_eq!(axis.bucket(at(secs)), None);
        }
    }

    #[test]
    fn an_aligned_axis_begins_at_a_multiple_of_its_step_and_holds_all() {
        let axis = Axis::new(at(7), at(3_500)).aligned();

        assert_eq!((axis.since, axis.until, axis.step.as_secs()), (at(0), at(3_500), 60));
        assert_eq!(axis.bucket(at(3_499)), Some(axis.n_buckets() - 1));
    }

    #[test]
    fn the_mean_of_a_bucket_is_what_there_was_of_it_for_how_much_of_its_time() {
        let mut hosts = Lasting::new(Axis::new(at(0), at(150)));
        // Steps of five seconds: 30 buckets.
        hosts.add(at(-100), at(12), 2);
        hosts.add(at(6), at(7), 10);
        hosts.add(at(145), at(900), 1);

        let means = hosts.means_milli();

        assert_eq!(means.len(), 30);
        assert_eq!(&means[..4], [2_000, 4_000, 800, 0]);
        assert_eq!(means[29], 1_000);
        assert_eq!(hosts.hours_milli(), (2 * 12 + 10 + 5) * 1000 / 3600);
    }

    #[test]
    fn whatever_the_intervals_the_buckets_sum_to_what_they_last() {
        let axis = Axis::new(at(0), at(997));
        for (from, until) in [(0, 997), (3, 4), (19, 20), (20, 40), (5, 800), (990, 997)] {
            let mut one = Lasting::new(axis);
            one.add(at(from), at(until), 3_600);

            assert_eq!(one.hours_milli(), (until - from) * 1000, "{from} to {until}");
        }
    }

    #[test]
    fn the_last_bucket_may_be_short_and_its_mean_is_of_what_there_is_of_it() {
        let axis = Axis::new(at(0), at(61));
        let mut one = Lasting::new(axis);
        one.add(at(0), at(61), 1);

        assert_eq!(axis.step.as_secs(), 2);
        assert!(one.means_milli().iter().all(|mean| *mean == 1_000));
    }
}
