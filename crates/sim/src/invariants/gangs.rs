//! The checks of multi-node jobs: all nodes or none, each on a host of its own, and none without its main one.

use std::collections::BTreeSet;

use spillway_core::effect::TaskRequest;
use spillway_core::job::LiveAttempt;
use spillway_core::{Change, HostId, Job, JobId, JobState};
use spillway_engine::Step;

use super::{Invariants, Moment};
use crate::ledger::MemoryLedger;

/// What tells a node where its main one is.
const ADDRESS: &str = "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS";

impl Invariants {
    /// Looks at every multi-node job that a step has moved on, once all of the step is written.
    pub(super) fn check_gangs(&mut self, moment: Moment, step: &Step, ledger: &MemoryLedger) {
        let mut moved: BTreeSet<JobId> = BTreeSet::new();
        for change in &step.changes {
            let id = match change {
                Change::AddJob(job) => Some(&job.id),
                Change::AddChild { id, .. } | Change::MoveJob { id, .. } => Some(id),
                Change::EndChildren { .. }
                | Change::PutHost(_)
                | Change::PutLaunch(_)
                | Change::Learn { .. }
                | Change::Cool { .. }
                | Change::PutKind { .. }
                | Change::PutSpot { .. }
                | Change::PutBoots(_)
                | Change::PutDefinition(_)
                | Change::PutGate { .. }
                | Change::PutSchedule(_)
                | Change::PutShare { .. }
                | Change::Counters { .. } => None,
            };
            if let Some(id) = id
                && ledger.get_job(*id).is_some_and(|job| job.spec.gang.is_some())
            {
                moved.insert(id.whole());
            }
        }
        for id in moved {
            self.check_gang(moment, id, ledger);
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
            self.violate("G1", moment, text);
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
            self.violate("G1", moment, format!("node {id} is started before its main one runs"));
        }
        if !request.environment.contains_key(ADDRESS) {
            self.violate("G1", moment, format!("node {id} is not told where its main one is"));
        }
    }
}
