//! Sees which faults have happened from what the control loop decides about them.

use spillway_core::id::HostId;
use spillway_core::message::code;
use spillway_core::{Change, Effect, HostState, JobState};
use spillway_engine::Step;

use crate::cloud::SimCloud;
use crate::fault::Fault;

/// Reasons for a dead letter whose message is a good one.
const GOOD_MESSAGES: [&str; 6] = [
    "UNKNOWN_BURST",
    "UNKNOWN_JOB",
    "UNKNOWN_QUEUE",
    "TOKEN_REUSED",
    "DEPENDENCY_CYCLE",
    code::UNKNOWN_DEFINITION,
];

/// Counts what the step shows to have happened.
pub(super) fn witness(step: &Step, cloud: &mut SimCloud) {
    for change in &step.changes {
        let shown = match change {
            Change::AddJob(job) => no_fit(&job.state),
            Change::MoveJob { state, .. } => no_fit(state),
            Change::PutHost(host) => match &host.state {
                HostState::Launched { instance } if host.id == HostId::adopted(&instance.id) => {
                    Some(Fault::LeakedInstance)
                }
                HostState::Launched { .. }
                | HostState::Requested
                | HostState::Registered { .. }
                | HostState::Draining { .. }
                | HostState::Terminating { .. }
                | HostState::Lost { .. }
                | HostState::Gone { .. } => None,
            },
            Change::AddChild { .. }
            | Change::EndChildren { .. }
            | Change::PutLaunch(_)
            | Change::Learn { .. }
            | Change::Cool { .. }
            | Change::PutKind { .. }
            | Change::PutSpot { .. }
            | Change::PutBoots(_)
            | Change::PutDefinition(_)
            | Change::PutGate { .. }
            | Change::PutBreaker { .. }
            | Change::PutBurst(_)
            | Change::PutShare { .. }
            | Change::PutSpending { .. }
            | Change::PutSchedule(_)
            | Change::Heard(_)
            | Change::Counters { .. } => None,
        };
        if let Some(fault) = shown {
            cloud.note(fault);
        }
    }
    for effect in &step.effects {
        if let Effect::DeadLetter(letter) = effect
            && !GOOD_MESSAGES.contains(&letter.code.as_str())
        {
            cloud.note(Fault::PoisonMessage);
        }
    }
}

fn no_fit(state: &JobState) -> Option<Fault> {
    match state {
        JobState::Failed { reason, .. } if reason.starts_with("Job fits no host") => {
            Some(Fault::Oversized)
        }
        JobState::Failed { .. }
        | JobState::Submitted
        | JobState::Pending
        | JobState::Runnable { .. }
        | JobState::Starting { .. }
        | JobState::Running { .. }
        | JobState::Succeeded { .. } => None,
    }
}
