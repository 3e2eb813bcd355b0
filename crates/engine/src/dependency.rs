//! Jobs that wait for other jobs: who waits for whom, and what follows when one of them ends. Every edge is looked at when its
//! target ends, and at no other time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use spillway_core::dependency::{Outcome, Verdict, never_met};
use spillway_core::job::JobSpec;
use spillway_core::{Dependency, DependencyKind, Job, JobId, JobState, OrdSet};

use crate::engine::{Cx, Engine};
use crate::timer::Timer;

/// Who waits for whom.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Of each job that waits for whole jobs: what is not met.
    unmet: BTreeMap<JobId, BTreeSet<Dependency>>,
    /// Who waits for each job.
    dependents: BTreeMap<JobId, BTreeSet<JobId>>,
    /// Jobs that have ended and are waited for; those who wait have not been told.
    settled: VecDeque<JobId>,
    /// Jobs that waited for others have joined the line in this step.
    pub(crate) is_released: bool,
}

impl Waits {
    fn add(&mut self, id: JobId, all: &[Dependency], unmet: BTreeSet<Dependency>) {
        for dependency in all {
            let is_met = dependency.kind != DependencyKind::NToN && !unmet.contains(dependency);
            if !is_met {
                self.dependents.entry(dependency.job).or_default().insert(id);
            }
        }
        if !unmet.is_empty() {
            self.unmet.insert(id, unmet);
        }
    }

    fn forget(&mut self, id: JobId, all: &[Dependency]) {
        self.unmet.remove(&id);
        for dependency in all {
            if let Some(dependents) = self.dependents.get_mut(&dependency.job) {
                dependents.remove(&id);
                if dependents.is_empty() {
                    self.dependents.remove(&dependency.job);
                }
            }
        }
    }

    /// Whether somebody waits for this job, or for a child of it.
    pub(crate) fn knows(&self, id: JobId) -> bool {
        !self.dependents.is_empty() && self.dependents_within(id.whole()).next().is_some()
    }

    /// Who waits for an array or any child of it, and for which.
    fn dependents_within(&self, id: JobId) -> impl Iterator<Item = (JobId, JobId)> {
        let of_target = self.dependents.range(id..=id.child(u32::MAX));
        of_target.flat_map(|(target, all)| all.iter().map(|dependent| (*target, *dependent)))
    }

    fn dependents_of(&self, id: JobId) -> Vec<JobId> {
        self.dependents.get(&id).into_iter().flatten().copied().collect()
    }

    /// What a job waits for: whole jobs that have not ended as they must.
    pub(crate) fn unmet(&self, id: JobId) -> impl Iterator<Item = &Dependency> {
        self.unmet.get(&id).into_iter().flatten()
    }
}

/// The dependencies of a job on another one.
fn on(spec: &JobSpec, target: JobId) -> &[Dependency] {
    let all = &spec.depends_on;
    let from = all.partition_point(|dependency| dependency.job < target);
    let rest = all.get(from..).unwrap_or_default();
    let len = rest.partition_point(|dependency| dependency.job == target);
    rest.get(..len).unwrap_or_default()
}

impl Engine {
    /// Where a job stands for those that wait for it.
    pub(crate) fn outcome(&self, id: JobId) -> Outcome {
        if let Some(index) = id.index() {
            return self.child_outcome(id.whole(), index).unwrap_or(Outcome::Unknown);
        }
        match self.ended.get(&id) {
            Some(ended) if ended.succeeded => Outcome::Succeeded,
            Some(_) => Outcome::Failed,
            None if self.jobs.contains_key(&id) => Outcome::Open,
            None => Outcome::Unknown,
        }
    }

    /// Why a dependency makes no sense with what is known of the other job; nothing while that has not arrived.
    fn misfit(&self, spec: &JobSpec, dependency: Dependency) -> Option<String> {
        let target = dependency.job;
        if self.outcome(target.whole()) == Outcome::Unknown {
            return None;
        }
        let there = self.indexes_of(target.whole());
        if let Some(index) = target.index() {
            let has_it = there.is_some_and(|there| there.ord_of(index).is_some());
            return (!has_it).then(|| format!("there is no job {target}"));
        }
        let here = spec.array.map(|array| array.indexes);
        let is_pair = dependency.kind == DependencyKind::NToN;
        (is_pair && there != here).then(|| {
            format!("N_TO_N needs two arrays with the same indexes, and {target} has others")
        })
    }

    /// Why a new job cannot wait for what it says it waits for: a code, and the reason with its place in the message.
    pub(crate) fn refused_dependency(
        &self,
        id: JobId,
        spec: &JobSpec,
    ) -> Option<(&'static str, String)> {
        for dependency in &spec.depends_on {
            let key = key_of(*dependency);
            if let Some(misfit) = self.misfit(spec, *dependency) {
                return Some(("UNKNOWN_JOB", format!("{key}: {misfit}")));
            }
        }
        let (first, path) = self.cycle(id, spec)?;
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        let key = key_of(first);
        let reason = format!("{key}: jobs would wait for each other: {}", path.join(" waits for "));
        Some(("DEPENDENCY_CYCLE", reason))
    }

    /// The way from a new job back to itself, if there is one, and the dependency it begins with. Only who is waited for before
    /// it has arrived can close a circle. Arrays are taken whole: their children wait for the same.
    fn cycle(&self, id: JobId, spec: &JobSpec) -> Option<(Dependency, Vec<JobId>)> {
        let is_awaited = self.waits.knows(id);
        let mut came_from: BTreeMap<JobId, JobId> = BTreeMap::new();
        for dependency in &spec.depends_on {
            let start = dependency.job.whole();
            let mut open = vec![start];
            if !is_awaited && start != id {
                continue;
            }
            while let Some(at) = open.pop() {
                if at == id {
                    let mut path = vec![id];
                    let mut back = at;
                    while let Some(before) = came_from.get(&back).filter(|_| back != start) {
                        path.push(*before);
                        back = *before;
                    }
                    path.push(id);
                    path.reverse();
                    return Some((*dependency, path));
                }
                let Some(job) = self.jobs.get(&at) else { continue };
                for next in job.spec.depends_on.iter().map(|next| next.job.whole()) {
                    if next != start && !came_from.contains_key(&next) {
                        came_from.insert(next, at);
                        open.push(next);
                    }
                }
            }
        }
        None
    }

    /// Judges all that a new job waits for: what is not met of whole jobs, or the dependency that never will be.
    pub(crate) fn judge_all(&self, spec: &JobSpec) -> Result<BTreeSet<Dependency>, Dependency> {
        let mut unmet = BTreeSet::new();
        for dependency in &spec.depends_on {
            if dependency.kind == DependencyKind::NToN {
                continue;
            }
            match dependency.kind.judge(self.outcome(dependency.job)) {
                Verdict::Met => {}
                Verdict::Wait => {
                    unmet.insert(*dependency);
                }
                Verdict::Never => return Err(*dependency),
            }
        }
        Ok(unmet)
    }

    /// Remembers what a job waits for. True if that holds it back as a whole.
    pub(crate) fn wait_for(&mut self, job: &Job, unmet: BTreeSet<Dependency>) -> bool {
        let all = &job.spec.depends_on;
        let is_held = !unmet.is_empty();
        if all.iter().any(|dependency| self.outcome(dependency.job.whole()) == Outcome::Unknown) {
            self.timers.set(job.created_at + self.config.arrival_timeout, Timer::Arrival(job.id));
        }
        self.waits.add(job.id, all, unmet);
        for pair in all.iter().filter(|dependency| dependency.kind == DependencyKind::NToN) {
            // Some of its children may have failed already.
            if self.outcome(pair.job) != Outcome::Unknown {
                self.waits.settled.push_back(pair.job);
            }
        }
        is_held
    }

    /// Takes up again what a job waits for, after a restart.
    pub(crate) fn resume_waits(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let is_held = matches!(job.state, JobState::Submitted | JobState::Pending);
        if job.spec.depends_on.is_empty() || !is_held {
            return;
        }
        let job = job.clone();
        match self.judge_all(&job.spec) {
            Ok(unmet) => {
                self.wait_for(&job, unmet);
            }
            Err(never) => {
                // Whoever stopped in between: it is told again.
                self.waits.add(id, &job.spec.depends_on, BTreeSet::from([never]));
                self.waits.settled.push_back(never.job);
            }
        }
    }

    /// A job that has ended, in whatever way, waits for nothing.
    pub(crate) fn forget_waits(&mut self, id: JobId, spec: &JobSpec) {
        if !spec.depends_on.is_empty() {
            self.waits.forget(id, &spec.depends_on);
        }
    }

    /// A job has ended: those who wait for it are told before the step is over.
    pub(crate) fn note_settled(&mut self, id: JobId) {
        if !self.waits.knows(id) {
            return;
        }
        self.waits.settled.push_back(id);
        if id.index().is_none() {
            // Children that never had a record end with their array, and nobody else says so.
            let children = id.child(0)..=id.child(u32::MAX);
            let awaited = self.waits.dependents.range(children).map(|(child, _)| *child);
            self.waits.settled.extend(awaited);
        }
    }

    /// Tells everybody who waits for what has ended. One end may be that of the next: a queue rather than recursion.
    pub(crate) fn settle(&mut self, cx: &mut Cx) {
        while let Some(target) = self.waits.settled.pop_front() {
            for dependent in self.waits.dependents_of(target) {
                self.judge(cx, dependent, target);
            }
            let Some(index) = target.index() else { continue };
            for dependent in self.waits.dependents_of(target.whole()) {
                self.judge_child(cx, dependent, target.whole(), index);
            }
        }
        if std::mem::take(&mut self.waits.is_released) {
            self.note_arrival(cx.now);
        }
    }

    /// Looks what the end of `target` means to a job that waits for it.
    fn judge(&mut self, cx: &mut Cx, id: JobId, target: JobId) {
        let Some(spec) = self.jobs.get(&id).map(|job| Arc::clone(&job.spec)) else { return };
        let outcome = self.outcome(target);
        for dependency in on(&spec, target) {
            if dependency.kind == DependencyKind::NToN {
                self.judge_children(cx, id, target);
                continue;
            }
            match dependency.kind.judge(outcome) {
                Verdict::Wait => {}
                Verdict::Never => return self.fail_waiting(cx, id, never_met(*dependency)),
                Verdict::Met => {
                    if let Some(unmet) = self.waits.unmet.get_mut(&id) {
                        unmet.remove(dependency);
                    }
                }
            }
        }
        if self.waits.unmet.get(&id).is_some_and(BTreeSet::is_empty) {
            self.waits.unmet.remove(&id);
            self.release(cx, id);
        }
    }

    /// Looks at every child of an array that waits for one of `target`.
    fn judge_children(&mut self, cx: &mut Cx, id: JobId, target: JobId) {
        let (without_record, _) = self.children_within(id, None);
        let Some(indexes) = self.indexes_of(id) else { return };
        let has_failed = |ord: &u32| {
            let index = indexes.index_of(*ord);
            index.is_some_and(|index| self.outcome(target.child(index)) == Outcome::Failed)
        };
        let failed: OrdSet = without_record.iter().filter(has_failed).collect();
        let only = failed.iter().next().filter(|_| failed.len() == 1);
        let job = only.and_then(|ord| indexes.child(target, ord)).unwrap_or(target);
        let never = never_met(Dependency { job, kind: DependencyKind::NToN });
        self.end_children(cx, id, &failed, &never);
        if !self.waits.unmet.contains_key(&id) {
            self.release_if_admitted(cx, id);
        }
    }

    /// Looks what the end of a child of `target` means to the child with the same index of an array that waits for it.
    fn judge_child(&mut self, cx: &mut Cx, id: JobId, target: JobId, index: u32) {
        let Some(spec) = self.jobs.get(&id).map(|job| Arc::clone(&job.spec)) else { return };
        let pair = Dependency { job: target, kind: DependencyKind::NToN };
        let is_pair = spec.depends_on.binary_search(&pair).is_ok();
        let Some(ord) = self.indexes_of(id).and_then(|indexes| indexes.ord_of(index)) else {
            return;
        };
        if !is_pair {
            return;
        }
        match pair.kind.judge(self.outcome(target.child(index))) {
            Verdict::Wait => {}
            Verdict::Met => {
                let is_admitted =
                    self.jobs.get(&id).is_some_and(|job| matches!(job.state, JobState::Pending));
                if is_admitted && !self.waits.unmet.contains_key(&id) {
                    self.release_child(cx.now, id, ord);
                }
            }
            Verdict::Never => {
                let failed = Dependency { job: target.child(index), ..pair };
                self.end_children(cx, id, &[ord].into_iter().collect(), &never_met(failed));
            }
        }
    }

    fn release_if_admitted(&mut self, cx: &Cx, id: JobId) {
        if self.jobs.get(&id).is_some_and(|job| matches!(job.state, JobState::Pending)) {
            self.release_children(cx.now, id);
        }
    }

    /// Nothing holds a job back any more but machines.
    fn release(&mut self, cx: &mut Cx, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if !matches!(job.state, JobState::Pending) {
            // Without prices nobody knows whether it can run at all; they let it in.
            return;
        }
        if job.spec.array.is_some() {
            return self.release_children(cx.now, id);
        }
        let spec = Arc::clone(&job.spec);
        self.forget_waits(id, &spec);
        let state = self.admit_by_catalog(cx.now, &spec);
        self.move_job(cx, id, state, None);
        self.join_line(id);
        self.waits.is_released = true;
    }

    /// A job that waits will never run.
    fn fail_waiting(&mut self, cx: &mut Cx, id: JobId, reason: String) {
        if self.jobs.get(&id).is_some_and(|job| job.spec.array.is_some()) && !self.is_untouched(id)
        {
            let (without_record, _) = self.children_within(id, None);
            return self.end_children(cx, id, &without_record, &reason);
        }
        self.move_job(cx, id, JobState::Failed { at: cx.now, reason }, None);
    }

    /// A job has arrived that others wait for: those who cannot mean it as it is fail now.
    pub(crate) fn note_arrived(&mut self, cx: &mut Cx, id: JobId) {
        if !self.waits.knows(id) {
            return;
        }
        let waiting: Vec<(JobId, JobId)> = self.waits.dependents_within(id).collect();
        for (target, dependent) in waiting {
            let Some(spec) = self.jobs.get(&dependent).map(|job| Arc::clone(&job.spec)) else {
                continue;
            };
            let misfit = on(&spec, target).iter().find_map(|d| Some((*d, self.misfit(&spec, *d)?)));
            if let Some((dependency, misfit)) = misfit {
                self.fail_waiting(cx, dependent, format!("{}: {misfit}", key_of(dependency)));
            }
        }
    }

    /// A job has waited long enough for the messages of those it waits for.
    pub(crate) fn arrival_timed_out(&mut self, cx: &mut Cx, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if !matches!(job.state, JobState::Submitted | JobState::Pending) {
            return;
        }
        let is_missing = |d: &&Dependency| self.outcome(d.job.whole()) == Outcome::Unknown;
        let Some(missing) = job.spec.depends_on.iter().find(is_missing).copied() else { return };
        let reason = format!(
            "{}: job {} has not arrived within {:#}",
            key_of(missing),
            missing.job,
            self.config.arrival_timeout
        );
        self.fail_waiting(cx, id, reason);
    }

    /// What a job waits for now: each job, how it must end, and where it stands.
    pub fn waits_for(&self, id: JobId) -> Vec<(Dependency, Outcome)> {
        let whole = self.jobs.get(&id.whole());
        let pairs = whole.into_iter().flat_map(|job| &job.spec.depends_on);
        let pairs = pairs.filter(|d| d.kind == DependencyKind::NToN).map(|d| match id.index() {
            Some(index) => Dependency { job: d.job.child(index), kind: d.kind },
            None => *d,
        });
        let all = self.waits.unmet(id.whole()).copied().chain(pairs);
        let with_outcome = all.map(|d| (d, self.outcome(d.job)));
        with_outcome.filter(|(d, outcome)| d.kind.judge(*outcome) == Verdict::Wait).collect()
    }
}

/// Where in a message a dependency is said.
const fn key_of(dependency: Dependency) -> &'static str {
    match dependency.kind {
        DependencyKind::AfterOk | DependencyKind::NToN => "dependsOn",
        DependencyKind::AfterAny => "spillway.afterAny",
        DependencyKind::AfterNotOk => "spillway.afterNotOk",
    }
}
