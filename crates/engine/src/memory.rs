//! What the control loop learns from what it sees, to estimate from: how long kinds of jobs take, how long hosts boot, how often
//! Spot is taken back. All of it is in the ledger, so that a restart forgets nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use spillway_core::class::whole_secs;
use spillway_core::{
    Change, Hazard, History, Host, JobSpec, KindHistory, KindId, Market, PoolId, SpotEvidence,
    VariantOrd, kind_name_of_variant,
};

use crate::fleet::Run;
use crate::forecast::KindForecast;
use crate::limits;
use crate::survival::Survival;

/// What is remembered, and which jobs run.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    history: History,
    /// Jobs on hosts: kind, what they say, since when, and how many. Their ages are evidence too.
    running: BTreeMap<(KindId, Option<u32>, i64), u32>,
    /// Kinds by their last end, for forgetting those that are of the past.
    by_last_end: BTreeSet<(Timestamp, KindId)>,
    /// Kinds that the ledger does not have as they are.
    changed: BTreeSet<KindId>,
}

impl Memory {
    pub(crate) fn new(history: History) -> Self {
        let by_last_end = history.kinds.iter().map(|(kind, known)| (known.last_ended, *kind));
        Self { by_last_end: by_last_end.collect(), history, ..Self::default() }
    }

    /// A job is on a host.
    pub(crate) fn runs(&mut self, run: &Run) {
        if 1 < run.waves.get() {
            // How old it is tells nothing of how long one of those takes that run one after another in it.
            return;
        }
        let count = self.running.entry((run.kind, run.told_secs, run.since_sec)).or_default();
        *count = count.saturating_add(1);
    }

    /// A job is on a host no more.
    pub(crate) fn runs_no_more(&mut self, run: &Run) {
        if 1 < run.waves.get() {
            return;
        }
        let key = (run.kind, run.told_secs, run.since_sec);
        if let Some(count) = self.running.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.running.remove(&key);
            }
        }
    }

    /// An attempt ended after it had run for `ran`: by itself, or cut short.
    pub(crate) fn ended(
        &mut self,
        now: Timestamp,
        kind: KindId,
        (spec, variant): (&JobSpec, VariantOrd),
        ran: SignedDuration,
        by_itself: bool,
    ) {
        let known = self.history.kinds.entry(kind).or_insert_with(|| KindHistory {
            name: kind_name_of_variant(spec, variant),
            last_ended: now,
            took: spillway_core::Durations::default(),
            took_of_told: spillway_core::Durations::default(),
        });
        self.by_last_end.remove(&(known.last_ended, kind));
        self.by_last_end.insert((now, kind));
        known.last_ended = now;
        let secs = whole_secs(ran);
        let told = spec.expected_duration_of(variant);
        let of_told = told.map(|told| milli_of(secs, whole_secs(told)));
        if by_itself {
            known.took.ended(secs);
        } else {
            known.took.cut_short(secs);
        }
        match of_told {
            Some(of_told) if by_itself => known.took_of_told.ended(of_told),
            Some(of_told) => known.took_of_told.cut_short(of_told),
            None => {}
        }
        self.changed.insert(kind);
        while limits::KINDS_MAX < self.history.kinds.len() {
            let Some((_, oldest)) = self.by_last_end.pop_first() else { break };
            self.history.kinds.remove(&oldest);
            self.changed.insert(oldest);
        }
    }

    /// What the ledger does not have yet of kinds of jobs.
    pub(crate) fn take_changes(&mut self, changes: &mut Vec<Change>) {
        for kind in std::mem::take(&mut self.changed) {
            let history = self.history.kinds.get(&kind).cloned().map(Box::new);
            changes.push(Change::PutKind { kind, history });
        }
    }

    /// What is known of a kind.
    pub(crate) fn forecast(&self, now: Timestamp, kind: KindId) -> KindForecast {
        let age = |since: i64| u32::try_from(now.as_second().saturating_sub(since)).unwrap_or(0);
        let first = (kind, None, i64::MIN);
        let last = (kind, Some(u32::MAX), i64::MAX);
        let running = || self.running.range(first..=last);
        let known = self.history.kinds.get(&kind);
        let ages = running().map(|((_, _, since), count)| (age(*since), *count));
        let took = known.and_then(|known| Survival::of(&known.took, ages.clone()));
        let of_told = running().filter_map(|((_, told, since), count)| {
            Some((milli_of(age(*since), (*told)?), *count))
        });
        let took_of_told = known.and_then(|known| Survival::of(&known.took_of_told, of_told));
        let longest = ages.map(|(age, _)| age).max().unwrap_or(0);
        let cut_short = known.and_then(|known| known.took.lines().last());
        let longest_cut = cut_short.map_or(0, |l| spillway_core::durations::bucket_end(l.bucket));
        KindForecast { took, took_of_told, longest_secs: longest.max(longest_cut) }
    }

    /// How long a host takes to boot: the mean of the last ones, rounded up to five seconds so that it does not move with
    /// every host; `unknown` until enough have.
    pub(crate) fn boot_secs(&self, unknown: u32) -> u32 {
        let is_known = limits::BOOTS_MIN <= self.history.boots.n_ended();
        let mean = self.history.boots.mean_of_ended().filter(|_| is_known);
        mean.map_or(unknown, |mean| mean.div_ceil(5) * 5)
    }

    /// A host registered so long after its launch.
    pub(crate) fn booted(&mut self, took: SignedDuration) -> Change {
        self.history.boots.ended(whole_secs(took));
        Change::PutBoots(self.history.boots.clone())
    }

    /// A host has ended at `at`, interrupted by EC2 or not. Only Spot hosts tell something of Spot.
    pub(crate) fn host_ended(
        &mut self,
        host: &Host,
        at: Timestamp,
        interrupted: bool,
    ) -> Option<Change> {
        let instance = host.instance().filter(|_| host.pool.market == Market::Spot)?;
        let PoolId { instance_type, zone, market: _ } = host.pool.clone();
        let ran = at.duration_since(instance.launched_at);
        let key = (instance_type.clone(), zone.clone());
        let seen = self.history.spot.entry(key).or_insert(SpotEvidence::none(at));
        *seen = seen.with_host(at, ran, interrupted);
        Some(Change::PutSpot { instance_type, zone, evidence: *seen })
    }

    /// How often a host of a pool is interrupted, by what was heard beforehand and what was seen.
    pub(crate) fn hazard(&self, now: Timestamp, pool: &PoolId, prior: Hazard) -> Hazard {
        let key = (pool.instance_type.clone(), pool.zone.clone());
        let seen = self.history.spot.get(&key);
        seen.map_or(prior, |seen| seen.faded(now).hazard(prior))
    }
}

/// One in thousandths of the other.
fn milli_of(secs: u32, of: u32) -> u32 {
    let milli = u64::from(secs) * 1_000 / u64::from(of.max(1));
    u32::try_from(milli).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> JobSpec {
        let body = format!(
            r#"{{"jobName":"{name}","jobQueue":"q","jobDefinition":{{"jobDefinitionName":"{name}",
            "containerProperties":{{"image":"busybox","resourceRequirements":[{{"type":"VCPU","value":"1"}},
            {{"type":"MEMORY","value":"64"}}]}}}}}}"#
        );
        let parsed = spillway_core::message::parse(&body).unwrap();
        let spillway_core::message::Request::Submit { spec, .. } = parsed.request else {
            panic!("it is a job")
        };
        *spec
    }

    #[test]
    fn kinds_that_ended_longest_ago_are_forgotten_first_and_in_the_ledger_too() {
        let mut memory = Memory::default();
        let at =
            |n: usize| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(i64::try_from(n).unwrap());
        let ran = SignedDuration::from_secs(60);
        let (first, second) = (spec("first"), spec("second"));
        let ended = |memory: &mut Memory, n: usize, spec: &JobSpec| {
            memory.ended(at(n), KindId::of(spec), (spec, VariantOrd::BASE), ran, true);
        };
        ended(&mut memory, 0, &first);
        ended(&mut memory, 1, &second);
        ended(&mut memory, 2, &first);
        for n in 2..limits::KINDS_MAX {
            ended(&mut memory, n + 1, &spec(&format!("other-{n}")));
        }
        memory.take_changes(&mut Vec::new());

        ended(&mut memory, 9_999, &spec("one-more"));
        let mut changes = Vec::new();
        memory.take_changes(&mut changes);

        let forgotten = KindId::of(&second);
        assert!(changes.contains(&Change::PutKind { kind: forgotten, history: None }));
        assert_eq!(changes.len(), 2, "the new one and the forgotten one");
        assert!(memory.history.kinds.contains_key(&KindId::of(&first)));
        assert_eq!(memory.history.kinds.len(), limits::KINDS_MAX);
    }
}
