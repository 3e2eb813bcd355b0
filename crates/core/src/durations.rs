//! How long things took, counted in buckets a quarter wide: small, of fixed size, mergeable, and all integers.

use serde::{Deserialize, Serialize};

/// How many buckets there are.
pub const N_BUCKETS: usize = 77;

/// The longest duration of each bucket in whole seconds: 1 to 8, then each a quarter more than the one before, to more than a
/// year.
const EDGES: [u32; N_BUCKETS] = edges();

const fn edges() -> [u32; N_BUCKETS] {
    let mut edges = [1; N_BUCKETS];
    let mut at = 1;
    while at < N_BUCKETS {
        let before = edges[at - 1];
        // Below 4 a quarter is less than one second.
        edges[at] = before + if before < 4 { 1 } else { before / 4 };
        at += 1;
    }
    edges
}

/// Longer than any job: a year.
const SECS_MAX: u32 = 366 * 24 * 3600;

const _: () = assert!(
    EDGES[N_BUCKETS - 2] < SECS_MAX && SECS_MAX <= EDGES[N_BUCKETS - 1],
    "the last bucket holds a year"
);

/// Which bucket a duration is in. More than a year counts as a year.
pub fn bucket_of(secs: u32) -> usize {
    EDGES.partition_point(|edge| *edge < secs.clamp(1, SECS_MAX))
}

/// The longest duration of a bucket; of one that does not exist, the longest of all.
pub fn bucket_end(bucket: usize) -> u32 {
    EDGES.get(bucket).copied().unwrap_or(SECS_MAX)
}

/// Rounds whole seconds up to the end of their bucket, so that jobs of like duration share a group.
pub fn duration_bucket(secs: u32) -> u32 {
    bucket_end(bucket_of(secs))
}

/// Rounds whole seconds down to the end of a bucket; less than one is 0.
pub fn duration_bucket_below(secs: u32) -> u32 {
    let n_below = EDGES.partition_point(|edge| *edge <= secs);
    n_below.checked_sub(1).map_or(0, bucket_end)
}

/// What was seen of the durations of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Which bucket, below [`N_BUCKETS`].
    pub bucket: usize,
    /// How many lasted so long and ended by themselves.
    pub n_ended: u32,
    /// How long these took together.
    pub sum: u64,
    /// How many were cut short there: they would have lasted at least so long.
    pub n_cut_short: u32,
}

/// Durations, those that ended and those that were cut short, by bucket. When more than [`Self::N_MAX`] have been counted all
/// counts are halved: what is old fades. How many have faded is known: there were so many more like those that are left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Durations {
    /// Bucket, how many ended, their sum, how many were cut short.
    lines: Vec<(u8, u32, u64, u32)>,
    n_faded: u64,
}

/// As it is written: most have seen too little for anything to fade.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Lines(Vec<(u8, u32, u64, u32)>),
    Faded { n_faded: u64, lines: Vec<(u8, u32, u64, u32)> },
}

impl From<Kept> for Durations {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Lines(lines) => Self { lines, n_faded: 0 },
            Kept::Faded { n_faded, lines } => Self { lines, n_faded },
        }
    }
}

impl From<Durations> for Kept {
    fn from(Durations { lines, n_faded }: Durations) -> Self {
        if n_faded == 0 { Self::Lines(lines) } else { Self::Faded { n_faded, lines } }
    }
}

impl Durations {
    /// So many count at most.
    pub const N_MAX: u32 = 512;

    /// None yet.
    pub const fn new() -> Self {
        Self { lines: Vec::new(), n_faded: 0 }
    }

    /// One that ended by itself after so many seconds.
    pub fn ended(&mut self, secs: u32) {
        let line = self.line(secs);
        line.1 = line.1.saturating_add(1);
        line.2 = line.2.saturating_add(secs.max(1).into());
        self.fade();
    }

    /// One that was cut short after so many seconds.
    pub fn cut_short(&mut self, secs: u32) {
        let line = self.line(secs);
        line.3 = line.3.saturating_add(1);
        self.fade();
    }

    /// All that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, n_ended, sum, n_cut_short) in &other.lines {
            let line = self.line(bucket_end((*bucket).into()));
            line.1 = line.1.saturating_add(*n_ended);
            line.2 = line.2.saturating_add(*sum);
            line.3 = line.3.saturating_add(*n_cut_short);
        }
        self.n_faded = self.n_faded.saturating_add(other.n_faded);
        self.fade();
    }

    /// What was seen, shortest first; buckets of which nothing was seen are left out.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.lines.iter().map(|&(bucket, n_ended, sum, n_cut_short)| Line {
            bucket: bucket.into(),
            n_ended,
            sum,
            n_cut_short,
        })
    }

    /// How many ended.
    pub fn n_ended(&self) -> u32 {
        self.lines.iter().map(|line| line.1).sum()
    }

    /// How many were cut short.
    pub fn n_cut_short(&self) -> u32 {
        self.lines.iter().map(|line| line.3).sum()
    }

    /// The mean of those that ended, rounded up; none if none did.
    pub fn mean_of_ended(&self) -> Option<u32> {
        let n: u64 = self.n_ended().into();
        let sum = self.lines.iter().fold(0_u64, |sum, line| sum.saturating_add(line.2));
        (0 < n).then(|| u32::try_from(sum.div_ceil(n)).unwrap_or(u32::MAX))
    }

    /// How many have faded beside those that are counted.
    pub const fn n_faded(&self) -> u64 {
        self.n_faded
    }

    /// How many are counted.
    fn n_counted(&self) -> u32 {
        self.n_ended().saturating_add(self.n_cut_short())
    }

    fn line(&mut self, secs: u32) -> &mut (u8, u32, u64, u32) {
        let bucket = u8::try_from(bucket_of(secs)).unwrap_or(u8::MAX);
        let at = match self.lines.binary_search_by_key(&bucket, |line| line.0) {
            Ok(at) => at,
            Err(at) => {
                self.lines.insert(at, (bucket, 0, 0, 0));
                at
            }
        };
        &mut self.lines[at]
    }

    /// Halves all counts while there are too many. What a halving leaves over goes to the next bucket, so that single
    /// counts are neither all kept nor all lost.
    fn fade(&mut self) {
        while Self::N_MAX < self.n_counted() {
            let before = self.n_counted();
            let (mut ended_over, mut cut_over) = (0, 0);
            for (_, n_ended, sum, n_cut_short) in &mut self.lines {
                let (n, with_over) = (u64::from(*n_ended), n_ended.saturating_add(ended_over));
                ended_over = with_over % 2;
                *n_ended = with_over / 2;
                // The mean stays; without any, half of what was left over is none.
                *sum = sum.checked_div(n).map_or(0, |mean| {
                    let half = u64::from(*n_ended);
                    mean * half + *sum % n * half / n
                });
                let half = n_cut_short.saturating_add(cut_over) / 2;
                cut_over = n_cut_short.saturating_add(cut_over) % 2;
                *n_cut_short = half;
            }
            self.lines.retain(|line| 0 < line.1 || 0 < line.3);
            let n_gone = before.saturating_sub(self.n_counted());
            self.n_faded = self.n_faded.saturating_add(n_gone.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_durations_share_a_bucket_and_none_is_rounded_the_wrong_way() {
        assert_eq!(duration_bucket(0), 1);
        assert_eq!(duration_bucket_below(0), 0);
        for secs in [1, 2, 3, 4, 7, 59, 60, 61, 3600, 86_400] {
            let bucket = duration_bucket(secs);
            assert!(secs <= bucket && bucket <= secs * 5 / 4 + 1, "{secs} {bucket}");
            let below = duration_bucket_below(secs);
            assert!(below <= secs && secs <= below * 5 / 4 + 1, "{secs} {below}");
            assert_eq!(duration_bucket(below), below, "both have the same buckets");
        }
        assert_eq!(duration_bucket(u32::MAX), bucket_end(N_BUCKETS - 1));
    }

    #[test]
    fn the_mean_of_like_durations_is_exact_whatever_the_buckets() {
        let mut durations = Durations::default();
        for _ in 0..5_000 {
            durations.ended(1_000);
        }

        assert_eq!(durations.mean_of_ended(), Some(1_000));
        assert!(durations.n_ended() <= Durations::N_MAX);
    }

    #[test]
    fn how_many_have_faded_is_known_and_kept() {
        let mut durations = Durations::default();
        for n in 0..5_000 {
            durations.ended(n % 900);
        }
        let kept = serde_json::to_string(&durations).unwrap();

        assert_eq!(u64::from(durations.n_ended()) + durations.n_faded(), 5_000);
        assert_eq!(serde_json::from_str::<Durations>(&kept).unwrap(), durations);
        let few = "[[25,0,0,1],[28,1,600,0]]";
        let read: Durations = serde_json::from_str(few).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), few);
    }

    #[test]
    fn what_is_old_fades_and_what_is_rare_is_not_lost_at_once() {
        let mut durations = Durations::default();
        for _ in 0..400 {
            durations.ended(10);
        }
        for n in 0..60 {
            durations.ended(100 + n * 100);
        }
        let n_before = durations.n_ended();
        for _ in 0..60 {
            durations.cut_short(10);
        }

        assert!(durations.n_ended() < n_before);
        let long: u32 =
            durations.lines().filter(|l| bucket_of(100) <= l.bucket).map(|l| l.n_ended).sum();
        assert!((25..=35).contains(&long), "{long} of 60");
    }

    #[test]
    fn counting_apart_and_merging_is_counting_together() {
        let (mut all, mut left, mut right) =
            (Durations::default(), Durations::default(), Durations::default());
        for n in 0..100 {
            let part = if n % 3 == 0 { &mut left } else { &mut right };
            part.ended(n * 7);
            all.ended(n * 7);
            part.cut_short(n);
            all.cut_short(n);
        }

        left.merge(&right);

        assert_eq!(left, all);
    }

    #[test]
    fn durations_are_written_as_short_lists() {
        let mut durations = Durations::default();
        durations.ended(9);
        durations.cut_short(600);

        let text = serde_json::to_string(&durations).unwrap();

        assert_eq!(text, "[[8,1,9,0],[28,0,0,1]]");
        assert_eq!(serde_json::from_str::<Durations>(&text).unwrap(), durations);
    }
}
