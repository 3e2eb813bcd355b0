//! What has been looked at, for the report: a promise that was never put to the test was not kept either.

use std::ops::AddAssign;

/// Counts of all that was done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Problems, by their kind: static, tiny, with durations, live.
    pub(crate) problems: [u64; 4],
    /// Plans that were made for them, those for shuffled problems and on one thread not counted.
    pub(crate) plans: u64,
    /// Plans for files that the verifier accepted with their certificates.
    pub(crate) verified: u64,
    /// Plans and certificates that it refused with one unit altered.
    pub(crate) altered: u64,
    /// Plans that cost what brute force finds.
    pub(crate) optimal: u64,
    /// Plans that were the same for a shuffled problem.
    pub(crate) shuffled: u64,
    /// Plans that were the same on one thread.
    pub(crate) on_one_thread: u64,
    /// Plans of a live fleet in which the checker found nothing wrong.
    pub(crate) checked: u64,
    /// Plans of a live fleet after which a second one had nothing to do.
    pub(crate) settled: u64,
    /// Plans that a judge from outside accepted.
    pub(crate) accepted_outside: u64,
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        for (sum, n) in self.problems.iter_mut().zip(other.problems) {
            *sum += n;
        }
        self.plans += other.plans;
        self.verified += other.verified;
        self.altered += other.altered;
        self.optimal += other.optimal;
        self.shuffled += other.shuffled;
        self.on_one_thread += other.on_one_thread;
        self.checked += other.checked;
        self.settled += other.settled;
        self.accepted_outside += other.accepted_outside;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [held, tiny, timed, live] = self.problems;
        writeln!(
            f,
            "{:>9} problems: {held} static, {tiny} tiny, {timed} with durations, {live} live fleets",
            held + tiny + timed + live
        )?;
        let lines = [
            (self.plans, "plans made"),
            (self.verified, "accepted by the verifier, with cost, bound, gap and certificate"),
            (self.altered, "refused by it with one unit altered"),
            (self.optimal, "cost exactly what brute force finds"),
            (self.checked, "plans of live fleets in which the checker finds nothing wrong"),
            (self.settled, "of them left nothing to do once carried out"),
            (self.shuffled, "the same with everything in another order"),
            (self.on_one_thread, "the same on one thread as on two"),
            (self.accepted_outside, "accepted by the judge from outside"),
        ];
        for (n, what) in lines {
            writeln!(f, "{n:>9} {what}")?;
        }
        Ok(())
    }
}
