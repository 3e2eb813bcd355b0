//! The checks of multi-node jobs: all nodes or none, each on a host of its own, and none without its main one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use spillway_core::effect::TaskRequest;
use spillway_core::job::LiveAttempt;
use spillway_core::{Change, FailureCategory, HostId, Job, JobId, JobState};
use spillway_engine::Step;

use super::{Invariants, Moment};
use crate::cloud::SimCloud;
use crate::ledger::MemoryLedger;

/// What tells a node where its main one is.
const ADDRESS: &str = "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS";

/// How long some nodes of an attempt may run while others do not yet, or not any more, beside twice the start time-out (one node
/// after the other) and three looks: a task that hears no signal has until `limits::STOP_GIVE_UP`, and then its host is ended;
/// the rest is for refused, lost and repeated calls.
pub const PARTIAL_MAX: SignedDuration = SignedDuration::from_mins(60);

impl Invariants {
    /// Looks at every multi-node job that a step has moved on, once all of the step is written.
    pub(super) fn check_gangs(
        &mut self,
        moment: Moment,
        step: &Step,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let mut moved: BTreeSet<JobId> = BTreeSet::new();
        for (id, _) in step.changes.iter().filter_map(Change::of_job) {
            if ledger.get_job(id).is_some_and(|job| job.spec.gang.is_some()) {
                moved.insert(id.whole());
            }
        }
        for id in moved {
            self.check_gang(moment, id, ledger);
            if is_partial(id, ledger) {
                self.partial_gangs.entry(id).or_insert(moment.now);
            } else {
                self.partial_gangs.remove(&id);
            }
        }
        self.check_partial(moment, ledger, cloud);
    }

    /// No multi-node job runs in parts for long, while somebody could end it.
    fn check_partial(&mut self, moment: Moment, ledger: &MemoryLedger, cloud: &SimCloud) {
        let start = self.config.start_timeout.saturating_mul(2);
        let looks = self.config.observe_every.saturating_mul(3);
        let max = PARTIAL_MAX + start + looks;
        let for_long = |id: JobId, since: Timestamp| {
            let unlisted = unlisted(id, since, moment.now, ledger, cloud);
            moment.now.duration_since(since) - self.blind_within(since, moment.now) - unlisted
        };
        let over: Vec<(JobId, SignedDuration)> = self
            .partial_gangs
            .iter()
            .map(|(id, since)| (*id, for_long(*id, *since)))
            .filter(|(_, partial)| max < *partial)
            .collect();
        for (id, partial) in over {
            // Told once, and again if it goes on for as long once more.
            self.partial_gangs.insert(id, moment.now);
            let minutes = partial.as_mins();
            let text = format!("some nodes of job {id} have run without others for {minutes} min");
            self.violate("N2", moment, text);
        }
    }

    fn check_gang(&mut self, moment: Moment, id: JobId, ledger: &MemoryLedger) {
        let Some(main) = ledger.get_job(id) else { return };
        let Some(gang) = main.spec.gang.clone() else { return };
        let main_attempt = main.state.live_attempt();
        let mut hosts: BTreeSet<HostId> =
            main_attempt.map(|attempt| attempt.host).into_iter().collect();
        let mut wrong: Vec<String> = Vec::new();
        for node in gang.others() {
            let node_id = id.node(node);
            let node = ledger.get_job(node_id);
            let attempt = node.as_ref().and_then(|node| node.state.live_attempt());
            if let Some(attempt) = attempt
                && !hosts.insert(attempt.host)
            {
                wrong.push(format!("node {node_id} is on a host with another of its job"));
            }
            match (main_attempt, attempt) {
                (Some(main), Some(attempt)) if main.ord == attempt.ord => {}
                (Some(main), None) => {
                    let has_ended = |job: &Job| job.attempts.iter().any(|a| a.ord == main.ord);
                    if !node.as_ref().is_some_and(|node| has_ended(node)) {
                        wrong.push(format!("node {node_id} is not given to a host with its job"));
                    }
                }
                // An attempt that the main one's no longer is must be on its way to its end.
                (Some(_) | None, Some(attempt)) if attempt.stop.is_none() => {
                    wrong.push(format!("node {node_id} goes on without its main one"));
                }
                (Some(_) | None, Some(_)) | (None, None) => {}
            }
            let is_left = main.state.status().is_terminal()
                && attempt.is_none()
                && node.as_ref().is_some_and(|node| !node.state.status().is_terminal());
            if is_left {
                wrong.push(format!("node {node_id} has not ended with its job"));
            }
        }
        for text in wrong {
            self.violate("N1", moment, text);
        }
    }

    /// A node starts only while its main one runs, and is told where.
    pub(super) fn check_node_start(
        &mut self,
        moment: Moment,
        request: &TaskRequest,
        ledger: &MemoryLedger,
    ) {
        let id = request.job;
        if id.node_index().is_none() {
            return;
        }
        let main = ledger.get_job(id.whole());
        let is_same = |attempt: &LiveAttempt| attempt.ord == request.attempt;
        let is_running = main.as_ref().is_some_and(|main| match &main.state {
            JobState::Running { attempt, .. } => is_same(attempt),
            JobState::Submitted
            | JobState::Pending
            | JobState::Runnable { .. }
            | JobState::Starting { .. }
            | JobState::Succeeded { .. }
            | JobState::Failed { .. } => false,
        });
        if !is_running {
            self.violate("N1", moment, format!("node {id} is started before its main one runs"));
        }
        if !request.environment.contains_key(ADDRESS) {
            self.violate("N1", moment, format!("node {id} is not told where its main one is"));
        }
    }
}

/// Whether some nodes of a job's newest attempt run while others do not: not yet, or not any more through somebody else's doing.
/// A node that has ended by itself is missed by nobody, unless it is the main one.
/// For how long lists left out hosts that nodes of a job are on.
fn unlisted(
    id: JobId,
    since: Timestamp,
    now: Timestamp,
    ledger: &MemoryLedger,
    cloud: &SimCloud,
) -> SignedDuration {
    let n_nodes = ledger.get_job(id).and_then(|job| Some(job.spec.gang.as_ref()?.n_nodes()));
    let live = |node| ledger.get_job(id.node(node))?.state.live_attempt().map(|live| live.host);
    let hosts = (0..n_nodes.unwrap_or(0)).filter_map(live);
    let instances = hosts.filter_map(|host| ledger.get_host(host)?.instance());
    let left_out = |id| cloud.left_out_within(id, since, now);
    instances.fold(SignedDuration::ZERO, |sum, instance| sum + left_out(&instance.id))
}

fn is_partial(id: JobId, ledger: &MemoryLedger) -> bool {
    let Some(main) = ledger.get_job(id) else { return false };
    let Some(gang) = main.spec.gang.clone() else { return false };
    let records: Vec<Option<Cow<'_, Job>>> =
        (0..gang.n_nodes()).map(|node| ledger.get_job(id.node(node))).collect();
    let running = |job: &Job| match &job.state {
        JobState::Running { attempt, .. } => Some(attempt.ord),
        JobState::Submitted
        | JobState::Pending
        | JobState::Runnable { .. }
        | JobState::Starting { .. }
        | JobState::Succeeded { .. }
        | JobState::Failed { .. } => None,
    };
    let newest = records.iter().flatten().filter_map(|job| running(job)).max();
    let Some(ord) = newest else { return false };
    let is_missing = |job: &Job| {
        let has_ended_by_itself = job.attempts.iter().any(|attempt| {
            let by_itself = match attempt.failure {
                None => true,
                Some(failure) => {
                    !failure.is_infrastructure() && failure != FailureCategory::Terminated
                }
            };
            attempt.ord == ord && by_itself
        });
        running(job) != Some(ord) && (job.id.node_index().is_none() || !has_ended_by_itself)
    };
    records.iter().any(|job| job.as_ref().is_none_or(|job| is_missing(job)))
}
