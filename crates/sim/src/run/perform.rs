//! Turns an effect into calls of the simulated cloud, and what they said into an answer. Decides nothing.

use jiff::Timestamp;
use spillway_core::task::FleetSnapshot;
use spillway_core::{Answer, Effect, TaskArn};

use crate::cloud::SimCloud;

/// Performs an effect at `now`, when the dispatcher's clock shows `clock`; the answer is none for those that nobody waits for.
///
/// A failed delete or dead letter needs no answer: the message comes again.
pub(super) fn perform(
    cloud: &mut SimCloud,
    now: Timestamp,
    clock: Timestamp,
    effect: Effect,
) -> Option<Answer> {
    match effect {
        Effect::Launch(request) => {
            Some(Answer::Launch { launch: request.launch, result: cloud.launch(now, &request) })
        }
        Effect::Terminate { hosts } => {
            let (hosts, instances): (Vec<_>, Vec<_>) = hosts.into_iter().unzip();
            Some(Answer::Terminate { hosts, result: cloud.terminate(now, &instances) })
        }
        Effect::Drain { host, container_instance } => {
            Some(Answer::Drain { host, result: cloud.drain(now, &container_instance) })
        }
        Effect::Deregister { container_instance } => {
            // One that stays in the cluster is taken out by ECS itself when it sees its instance ended.
            drop(cloud.deregister(now, &container_instance));
            None
        }
        Effect::RunTask(request) => {
            let (job, attempt) = (request.job, request.attempt);
            Some(Answer::RunTask { job, attempt, result: cloud.run_task(now, &request) })
        }
        Effect::StopTask { job, attempt, task, reason } => {
            Some(Answer::StopTask { job, attempt, result: cloud.stop_task(now, &task, &reason) })
        }
        Effect::ReadReport { job, attempt, task, spec: _ } => {
            Some(Answer::Report { job, attempt, result: cloud.report(now, &task) })
        }
        Effect::Observe { tasks } => {
            let snapshot = observe(cloud, now, &tasks);
            Some(Answer::Observe { asked_at: clock, snapshot })
        }
        Effect::RefreshCatalog => Some(Answer::Catalog { result: cloud.catalog(now) }),
        Effect::DeleteMessages { receipts } => {
            drop(cloud.delete_messages(now, &receipts));
            None
        }
        Effect::DeleteEvents { receipts } => {
            drop(cloud.delete_events(now, &receipts));
            None
        }
        Effect::DeadLetter(letter) => {
            drop(cloud.dead_letter(now, &letter));
            None
        }
    }
}

/// A look at everything. What could not be read says nothing.
fn observe(cloud: &mut SimCloud, now: Timestamp, tasks: &[TaskArn]) -> FleetSnapshot {
    let instances = cloud.instances(now).ok();
    let container_instances = cloud.container_instances(now).ok();
    let (tasks, missing_tasks) = match cloud.tasks(now, tasks) {
        Ok((found, missing)) => (Some(found), missing),
        Err(_) => (None, Vec::new()),
    };
    FleetSnapshot { instances, container_instances, tasks, missing_tasks }
}
