//! What happens to a task, from its start call to its end.

use jiff::{SignedDuration, Timestamp};
use spillway_core::TaskArn;
use spillway_core::task::TaskStatus;
use spillway_core::task_spec::ContainerEnd;

use super::Happening;
use crate::cloud::{SimCloud, Spread, TaskEnd};
use crate::course::OUT_OF_MEMORY;
use crate::ecs::SimTask;
use crate::fault::Fault;
use crate::world::Out;

/// How long a pull takes that is slow; the agent gives up after two hours (`ECS_IMAGE_PULL_TIMEOUT`).
const SLOW_PULL: Spread = Spread::of_secs(600, 7_200);

impl SimCloud {
    /// Writes down when a new task will run.
    pub(in crate::cloud) fn plan_start(&mut self, now: Timestamp, arn: &TaskArn) {
        let Some(task) = self.ecs.task(arn) else { return };
        let (instance, image) = (task.instance.clone(), task.image.clone());
        let behaviour = task.behaviour.clone();
        if behaviour.never_starts {
            return self.note(Fault::StuckPending);
        }
        let of_image = format!("{instance}/{image}");
        let mut pull = self.dice.roll("pull", &of_image).within(self.config.pull);
        if self.faults_on(now)
            && self.dice.roll("slow pull", &of_image).happens(self.config.faults.slow_pulls)
        {
            self.note(Fault::StuckPending);
            pull = self.dice.roll("slow pull takes", &of_image).within(SLOW_PULL);
        }
        if self.faults_on(now)
            && self.dice.roll("odd end", arn).happens(self.config.faults.odd_ends)
        {
            return self.agenda.add(now + pull, Happening::EndsOddly(arn.clone()));
        }
        let by_chance = self.faults_on(now)
            && self.dice.roll("pull failure", arn).happens(self.config.faults.pull_failures);
        let is_out =
            self.is_out(now, |out| matches!(out, Out::Image(missing) if *missing == image));
        if behaviour.missing_image || is_out || by_chance {
            self.agenda.add(now + pull, Happening::PullFails(arn.clone()));
            return;
        }
        let pulled_at = match self.ecs.host_of_mut(&instance) {
            Some(host) => *host.images.entry(image).or_insert(now + pull),
            None => now + pull,
        };
        let start = self.dice.roll("start", arn).within(self.config.start);
        self.agenda.add(pulled_at.max(now) + start, Happening::TaskRuns(arn.clone()));
    }

    /// Until when the host of a task cannot report; a host that has ended never will.
    pub(super) fn silent_until(&self, arn: &TaskArn) -> Option<Timestamp> {
        let task = self.ecs.task(arn)?;
        self.ecs.host_of(&task.instance)?.away_until
    }

    /// Puts off what an absent agent cannot tell. True if it was put off, or will never be told.
    pub(super) fn put_off(&mut self, arn: &TaskArn, happening: Happening) -> bool {
        let Some(until) = self.silent_until(arn) else { return false };
        if until != Timestamp::MAX {
            self.agenda.add(until, happening);
        }
        true
    }

    pub(super) fn status_of(&self, arn: &TaskArn) -> Option<TaskStatus> {
        self.ecs.task(arn).map(|task| task.status)
    }

    pub(super) fn pull_fails(&mut self, now: Timestamp, arn: &TaskArn) {
        let is_pending = self.status_of(arn) == Some(TaskStatus::Pending);
        if !is_pending || self.put_off(arn, Happening::PullFails(arn.clone())) {
            return;
        }
        self.note(Fault::PullFailure);
        self.end_task(
            now,
            arn,
            TaskEnd {
                exit_code: None,
                stop_code: "TaskFailedToStart",
                stopped_reason: "Task failed to start".to_owned(),
                container_reason: Some(
                    "CannotPullContainerError: pull image manifest has been retried",
                ),
                containers: Vec::new(),
            },
        );
    }

    pub(super) fn ends_oddly(&mut self, now: Timestamp, arn: &TaskArn) {
        let is_pending = self.status_of(arn) == Some(TaskStatus::Pending);
        if !is_pending || self.put_off(arn, Happening::EndsOddly(arn.clone())) {
            return;
        }
        self.note(Fault::OddEnd);
        self.end_task(
            now,
            arn,
            TaskEnd {
                exit_code: None,
                stop_code: "TaskFailedToStart",
                stopped_reason: "Unexpected EC2 error while attempting to do something".to_owned(),
                container_reason: Some("FluxCapacitorError: not in any list"),
                containers: Vec::new(),
            },
        );
    }

    pub(super) fn task_runs(&mut self, now: Timestamp, arn: &TaskArn) {
        let is_pending = self.status_of(arn) == Some(TaskStatus::Pending);
        if !is_pending || self.put_off(arn, Happening::TaskRuns(arn.clone())) {
            return;
        }
        self.move_task(now, arn, TaskStatus::Running);
        self.may_lose_log(now, arn);
        if let Some(run) = self.ecs.task(arn).and_then(|task| task.behaviour.run) {
            self.agenda.add(now + run, Happening::TaskExits(arn.clone()));
        }
    }

    pub(super) fn task_exits(&mut self, now: Timestamp, arn: &TaskArn) {
        let Some(task) = self.ecs.task(arn) else { return };
        let is_over = task.end.is_some() || task.status == TaskStatus::Stopped;
        if is_over || self.put_off(arn, Happening::TaskExits(arn.clone())) {
            return;
        }
        if self.ecs.shared_log(arn).is_some_and(|log| !log.is_done()) {
            // It was told to stop meanwhile, and is on its way to that end.
            return;
        }
        let Some(task) = self.ecs.task(arn) else { return };
        let behaviour = &task.behaviour;
        let containers = ends_of(task, now);
        let decisive = task.course.as_ref().and_then(|course| course.decisive(&containers));
        let (exit_code, container_reason) = match decisive {
            Some(end) => (end.exit_code, end.reason.as_ref().map(|_| OUT_OF_MEMORY)),
            None if self.ecs.shared_log(arn).is_some_and(|log| log.has_oom) => {
                (Some(behaviour.exit_code), Some(OUT_OF_MEMORY))
            }
            None if behaviour.oom => (Some(137), Some(OUT_OF_MEMORY)),
            None => (Some(behaviour.exit_code), None),
        };
        if container_reason == Some(OUT_OF_MEMORY) {
            self.note(Fault::OutOfMemory);
        }
        self.end_task(
            now,
            arn,
            TaskEnd {
                exit_code,
                stop_code: "EssentialContainerExited",
                stopped_reason: "Essential container in task exited".to_owned(),
                container_reason,
                containers,
            },
        );
    }

    pub(super) fn task_killed(&mut self, now: Timestamp, arn: &TaskArn) {
        let Some(task) = self.ecs.task(arn) else { return };
        let is_over = task.end.is_some() || task.status == TaskStatus::Stopped;
        if is_over || self.put_off(arn, Happening::TaskKilled(arn.clone())) {
            return;
        }
        let Some(task) = self.ecs.task(arn) else { return };
        let containers = ends_of(task, now);
        let decisive = task.course.as_ref().and_then(|course| course.decisive(&containers));
        let killed =
            || task.started_at.map(|_| if task.behaviour.ignores_sigterm { 137 } else { 143 });
        let exit_code = decisive.map_or_else(killed, |end| end.exit_code);
        let stopped_reason = task.stop_reason.clone().unwrap_or_default();
        self.end_task(
            now,
            arn,
            TaskEnd {
                exit_code,
                stop_code: "UserInitiated",
                stopped_reason,
                container_reason: None,
                containers,
            },
        );
    }

    /// How a task ended is decided; ECS calls it STOPPED a moment later.
    pub(super) fn end_task(&mut self, now: Timestamp, arn: &TaskArn, end: TaskEnd) {
        let pause: SignedDuration = self.dice.roll("stop", arn).within(self.config.stop);
        let Some(task) = self.ecs.task_mut(arn) else { return };
        task.end = Some(end);
        if let Some(log) = self.ecs.shared_log_mut(arn) {
            log.close(now);
        }
        if self.status_of(arn) != Some(TaskStatus::Stopping) {
            self.move_task(now, arn, TaskStatus::Stopping);
        }
        self.agenda.add(now + pause, Happening::TaskStops(arn.clone()));
    }

    pub(super) fn task_stops(&mut self, now: Timestamp, arn: &TaskArn) {
        let is_stopping = self.status_of(arn) == Some(TaskStatus::Stopping);
        if is_stopping && !self.put_off(arn, Happening::TaskStops(arn.clone())) {
            self.move_task(now, arn, TaskStatus::Stopped);
        }
    }
}

/// How each of several containers ends if their task stops now.
fn ends_of(task: &SimTask, now: Timestamp) -> Vec<ContainerEnd> {
    let (Some(course), Some(started_at)) = (&task.course, task.started_at) else {
        return Vec::new();
    };
    course.ends(now.duration_since(started_at))
}
