//! Tasks that children share: when the runner starts each child and when it ends, and what of that is found in the task's log. Pure.
//!
//! The runner's lines reach the log a while after they are written, and those that have not when a host ends are lost.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::{SignedDuration, Timestamp};
use spillway_core::coalesce::{REPORT_MARK, RunnerPlan, SharedChild};
use spillway_core::{AttemptOrd, JobId};

use crate::behaviour::Behaviour;
use crate::ecs::Exit;

/// The exit codes of a child that SIGTERM, and that SIGKILL ended.
const TERMINATED: i32 = 143;
const KILLED: i32 = 137;

/// A child's run within its task, if nobody stops it; times count from the task's start.
#[derive(Debug, Clone)]
struct Run {
    child: SharedChild,
    /// None is never: those before it do not end.
    starts: Option<SignedDuration>,
    /// None is never.
    ends: Option<SignedDuration>,
    exit_code: i32,
    timed_out: bool,
    ignores_sigterm: bool,
}

/// A shared task, and what becomes of its log.
#[derive(Debug, Clone)]
pub struct SharedLog {
    key: String,
    array: JobId,
    runs: Vec<Run>,
    pub(crate) has_oom: bool,
    pub(crate) started_at: Option<Timestamp>,
    /// When the runner heard that it is to stop: it begins no more children, and those that heed SIGTERM end.
    told_at: Option<Timestamp>,
    /// When it ended, or was killed.
    over_at: Option<Timestamp>,
    /// What was written later than this is lost.
    lost_after: Option<Timestamp>,
    /// How long a line takes to the log.
    lag: SignedDuration,
}

impl SharedLog {
    /// The course of a task with this plan, whose children behave so.
    pub(crate) fn of(
        plan: &RunnerPlan,
        behaviour: impl Fn(JobId) -> Behaviour,
        lag: SignedDuration,
    ) -> Self {
        let parallel = usize::try_from(plan.parallel.get()).unwrap_or(usize::MAX);
        // When a place is free next; one that never is is not in here.
        let mut places: BinaryHeap<Reverse<SignedDuration>> =
            (0..parallel.min(plan.children.len())).map(|_| Reverse(SignedDuration::ZERO)).collect();
        let mut runs = Vec::with_capacity(plan.children.len());
        let mut has_oom = false;
        for child in &plan.children {
            let Some(Reverse(starts)) = places.pop() else {
                runs.push(Run {
                    child: *child,
                    starts: None,
                    ends: None,
                    exit_code: 0,
                    timed_out: false,
                    ignores_sigterm: false,
                });
                continue;
            };
            let behaviour = behaviour(plan.array.child(child.index));
            let run = run_of(plan, *child, starts, &behaviour);
            has_oom |= behaviour.oom && !run.timed_out;
            places.extend(run.ends.map(Reverse));
            runs.push(run);
        }
        Self {
            key: plan.key.clone(),
            array: plan.array,
            runs,
            has_oom,
            started_at: None,
            told_at: None,
            over_at: None,
            lost_after: None,
            lag,
        }
    }

    /// When the task ends by itself, counted from its start, and with which exit code; none is never.
    pub(crate) fn end(&self) -> Option<(SignedDuration, i32)> {
        let last = self
            .runs
            .iter()
            .try_fold(SignedDuration::ZERO, |last, run| run.ends.map(|ends| last.max(ends)));
        let is_well = self.runs.iter().all(|run| run.exit_code == 0);
        last.map(|last| (last, i32::from(!is_well)))
    }

    /// The runner hears SIGTERM.
    pub(crate) fn tell(&mut self, at: Timestamp) {
        self.told_at.get_or_insert(at);
    }

    /// From now on nothing happens any more.
    pub(crate) fn close(&mut self, at: Timestamp) {
        self.over_at.get_or_insert(at);
    }

    /// Whether every child has run to its end: a runner that was told to stop before does not end as if all had.
    pub(crate) fn is_done(&self) -> bool {
        self.runs.iter().all(|run| self.ended_at(run).is_some())
    }

    /// The host has ended: what has not reached the log never does.
    pub(crate) fn lose(&mut self, at: Timestamp) {
        self.close(at);
        self.lost_after = self.lost_after.or_else(|| at.checked_sub(self.lag).ok());
    }

    /// What was written later is lost, whatever becomes of the host.
    pub(crate) fn lose_after(&mut self, part_permille: u32) {
        let (Some(started_at), Some((lasts, _))) = (self.started_at, self.end()) else {
            return;
        };
        let millis = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
        let kept = millis.saturating_mul(part_permille.into()) / 1_000;
        self.lost_after = Some(started_at + SignedDuration::from_millis(kept));
    }

    /// When a line that is written then is in the log; none if it is lost.
    fn shown_at(&self, written: Timestamp) -> Option<Timestamp> {
        let is_kept = self.lost_after.is_none_or(|lost| written <= lost);
        is_kept.then(|| written + self.lag)
    }

    /// When a child began; none if the task was stopped before.
    fn began_at(&self, run: &Run) -> Option<Timestamp> {
        let at = self.started_at? + run.starts?;
        let is_before = |limit: Option<Timestamp>| limit.is_none_or(|limit| at <= limit);
        (is_before(self.told_at) && is_before(self.over_at)).then_some(at)
    }

    /// When a child came to an end of its own; none if it did not.
    fn ended_at(&self, run: &Run) -> Option<Timestamp> {
        self.began_at(run)?;
        let at = self.started_at? + run.ends?;
        let is_before = |limit: Option<Timestamp>| limit.is_none_or(|limit| at <= limit);
        let is_own = run.ignores_sigterm || is_before(self.told_at);
        (is_own && is_before(self.over_at)).then_some(at)
    }

    /// The runner's lines that are in the log at `now`, oldest first.
    pub(crate) fn lines(&self, now: Timestamp) -> Vec<String> {
        let mut lines: Vec<(Timestamp, String)> = Vec::new();
        let mut add = |written: Timestamp, text: String| {
            let shown_at = self.shown_at(written).filter(|at| *at <= now);
            lines.extend(shown_at.map(|at| (at, text)));
        };
        let mark = format!("{REPORT_MARK} {}", self.key);
        for run in &self.runs {
            let SharedChild { index, attempt, .. } = run.child;
            let Some(began) = self.began_at(run) else { continue };
            add(began, format!("{mark} start {index} {attempt}"));
            if let Some(ended) = self.ended_at(run) {
                let (ms, code) = (ended.duration_since(began).as_millis(), run.exit_code);
                let why = if run.timed_out { " timeout" } else { "" };
                add(ended, format!("{mark} end {index} {attempt} exit={code} ms={ms}{why}"));
            }
        }
        lines.sort_by_key(|(at, _)| *at);
        lines.into_iter().map(|(_, text)| text).collect()
    }

    /// The children whose end is in the log at `now`.
    pub(crate) fn told(&self, now: Timestamp) -> impl Iterator<Item = (JobId, AttemptOrd)> {
        let is_told = move |run: &&Run| {
            self.ended_at(run).and_then(|ended| self.shown_at(ended)).is_some_and(|at| at <= now)
        };
        self.runs
            .iter()
            .filter(is_told)
            .map(|run| (self.array.child(run.child.index), run.child.attempt))
    }

    /// How an attempt of a child really ended, if it did by itself.
    pub(crate) fn exit(&self, child: JobId, attempt: AttemptOrd) -> Option<Exit> {
        let is_it =
            |run: &&Run| self.array.child(run.child.index) == child && run.child.attempt == attempt;
        let run = self.runs.iter().find(is_it)?;
        self.ended_at(run)?;
        Some(Exit { code: Some(run.exit_code), is_natural: true })
    }

    /// The children that the task is for, each with its attempt.
    pub(crate) fn children(&self) -> impl Iterator<Item = (JobId, AttemptOrd)> {
        self.runs.iter().map(|run| (self.array.child(run.child.index), run.child.attempt))
    }
}

fn run_of(
    plan: &RunnerPlan,
    child: SharedChild,
    starts: SignedDuration,
    behaviour: &Behaviour,
) -> Run {
    let limit = plan.timeout.filter(|limit| behaviour.run.is_none_or(|run| *limit < run));
    let (takes, exit_code) = match limit {
        Some(limit) if behaviour.ignores_sigterm => (Some(limit + plan.stop), KILLED),
        Some(limit) => (Some(limit), TERMINATED),
        None if behaviour.oom => (behaviour.run, KILLED),
        None => (behaviour.run, behaviour.exit_code),
    };
    let ends = takes.map(|takes| starts + takes);
    Run {
        child,
        starts: Some(starts),
        ends,
        exit_code,
        timed_out: limit.is_some(),
        ignores_sigterm: behaviour.ignores_sigterm,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use spillway_core::coalesce::Report;

    use super::*;

    const ID: &str = "290f9993-9821-5417-9e19-119b12a9b481";

    fn secs(secs: i64) -> SignedDuration {
        SignedDuration::from_secs(secs)
    }

    fn log(parallel: u32, timeout: Option<i64>, runs: &[(i64, i32)]) -> SharedLog {
        let child = |index| SharedChild { index, attempt: AttemptOrd::FIRST, counted: 1 };
        let n = u32::try_from(runs.len()).unwrap();
        let plan = RunnerPlan {
            key: "k".to_owned(),
            array: ID.parse().unwrap(),
            size: n,
            parallel: NonZeroU32::new(parallel).unwrap(),
            timeout: timeout.map(secs),
            stop: secs(30),
            children: (0..n).map(child).collect(),
        };
        let behaviour = |id: JobId| {
            let (run, code) = runs[usize::try_from(id.index().unwrap()).unwrap()];
            Behaviour::exits(secs(run), code)
        };
        SharedLog::of(&plan, behaviour, secs(3))
    }

    fn report(log: &SharedLog, at: i64) -> Vec<(u32, i32)> {
        let lines = log.lines(Timestamp::UNIX_EPOCH + secs(at));
        let report = Report::read("k", lines.iter().map(String::as_str));
        report.ended.iter().map(|((index, _), end)| (*index, end.exit_code)).collect()
    }

    #[test]
    fn children_run_in_waves_and_one_that_fails_fails_the_task() {
        let mut log = log(2, None, &[(10, 0), (4, 3), (5, 0)]);
        log.started_at = Some(Timestamp::UNIX_EPOCH);

        assert_eq!(log.end(), Some((secs(10), 1)));
        assert_eq!(report(&log, 6), [], "lines take 3 s to the log");
        assert_eq!(report(&log, 7), [(1, 3)]);
        assert_eq!(report(&log, 13), [(0, 0), (1, 3), (2, 0)]);
    }

    #[test]
    fn one_that_takes_too_long_is_stopped_and_the_next_begins() {
        let mut log = log(1, Some(60), &[(100, 0), (5, 0)]);
        log.started_at = Some(Timestamp::UNIX_EPOCH);

        assert_eq!(log.end(), Some((secs(65), 1)));
        assert_eq!(report(&log, 100), [(0, 143), (1, 0)]);
    }

    #[test]
    fn a_runner_that_is_told_to_stop_begins_no_more_and_waits_for_those_who_do_not_heed_it() {
        let mut heeded = log(1, None, &[(5, 0), (5, 0)]);
        heeded.started_at = Some(Timestamp::UNIX_EPOCH);
        let mut ignored = heeded.clone();
        ignored.runs.iter_mut().for_each(|run| run.ignores_sigterm = true);
        for log in [&mut heeded, &mut ignored] {
            log.tell(Timestamp::UNIX_EPOCH + secs(3));
        }

        assert_eq!(report(&heeded, 100), []);
        assert_eq!(report(&ignored, 100), [(0, 0)], "the second never began");
        assert!(!ignored.is_done());
    }

    #[test]
    fn what_has_not_reached_the_log_is_lost_with_the_host() {
        let mut log = log(1, None, &[(5, 0), (5, 0), (5, 0)]);
        log.started_at = Some(Timestamp::UNIX_EPOCH);
        log.lose(Timestamp::UNIX_EPOCH + secs(12));

        assert_eq!(report(&log, 100), [(0, 0)], "the second ended at 10 s");
        let second: JobId = format!("{ID}:1").parse().unwrap();
        assert!(log.exit(second, AttemptOrd::FIRST).is_some(), "it ended all the same");
    }
}
