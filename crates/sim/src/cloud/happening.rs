//! What happens in the cloud by itself: machines boot and die, containers run and exit, Spot hosts are reclaimed.

use jiff::{SignedDuration, Timestamp};
use spillway_core::task::{CloudEvent, InstanceStatus, TaskStatus};
use spillway_core::task_spec::ContainerEnd;
use spillway_core::{InstanceId, InstanceShape, TaskArn};

use super::{InstanceEnd, Market, SimCloud, Spread, TaskEnd};
use crate::course::OUT_OF_MEMORY;
use crate::ecs::SimTask;

/// From the launch of an instance to EC2 calling it `running`.
const PENDING: Spread = Spread::of_secs(4, 12);

/// From the end of an instance to ECS noticing it.
const END_NOTICED: Spread = Spread::of_secs(1, 10);

/// One thing that is due.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// An instance is `running`.
    InstanceRuns(InstanceId),
    /// Its agent registers.
    HostRegisters(InstanceId),
    /// Its end is announced.
    SpotNotice(InstanceId),
    /// It is taken back.
    SpotReclaim(InstanceId),
    /// It dies.
    HostDies(InstanceId),
    /// It is `terminated`.
    InstanceTerminated(InstanceId),
    /// ECS notices that it has ended.
    EndNoticed(InstanceId),
    /// Its agent loses the connection.
    AgentLeaves(InstanceId),
    /// Its agent is back.
    AgentReturns(InstanceId),
    /// A task's image could not be pulled.
    PullFails(TaskArn),
    /// A task's container starts.
    TaskRuns(TaskArn),
    /// A task's container ends by itself.
    TaskExits(TaskArn),
    /// A task's container ends because of StopTask.
    TaskKilled(TaskArn),
    /// A task is STOPPED.
    TaskStops(TaskArn),
    /// Many Spot instances are told to end: the reclaim of this number.
    Reclaim(usize),
}

impl SimCloud {
    /// When the next thing happens by itself. Messages that become visible are not among them.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.agenda.next_at()
    }

    /// Lets everything happen that is due by `now`; returns how many things that were.
    pub fn advance(&mut self, now: Timestamp) -> u64 {
        let mut n = 0;
        while let Some((at, happening)) = self.agenda.pop_due(now) {
            self.happen(at, happening);
            n += 1;
        }
        n
    }

    fn happen(&mut self, now: Timestamp, happening: Happening) {
        match happening {
            Happening::InstanceRuns(id) => self.instance_runs(now, &id),
            Happening::HostRegisters(id) => self.host_registers(now, &id),
            Happening::SpotNotice(id) => self.spot_notice(now, &id),
            Happening::SpotReclaim(id) => self.end_instance(now, &id, InstanceEnd::Reclaimed),
            Happening::HostDies(id) => self.end_instance(now, &id, InstanceEnd::Died),
            Happening::InstanceTerminated(id) => self.instance_terminated(now, &id),
            Happening::EndNoticed(id) => self.end_noticed(now, &id),
            Happening::AgentLeaves(id) => self.agent_leaves(now, &id),
            Happening::AgentReturns(id) => self.agent_returns(now, &id),
            Happening::PullFails(arn) => self.pull_fails(now, &arn),
            Happening::TaskRuns(arn) => self.task_runs(now, &arn),
            Happening::TaskExits(arn) => self.task_exits(now, &arn),
            Happening::TaskKilled(arn) => self.task_killed(now, &arn),
            Happening::TaskStops(arn) => self.task_stops(now, &arn),
            Happening::Reclaim(ord) => self.reclaim(now, ord),
        }
    }

    /// Writes down what will become of a new instance.
    pub(super) fn plan_life(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(instance) = self.ec2.get(id) else { return };
        let pool = instance.pool.clone();
        let faults = self.config.faults;
        let faults_on = self.faults_on(now);
        let roll = |purpose: &str| self.dice.roll(purpose, id);
        let mut due = Vec::new();

        due.push((roll("pending").within(PENDING), Happening::InstanceRuns(id.clone())));
        if !(faults_on && roll("unregistered").happens(faults.unregistered_hosts)) {
            let boot = roll("boot").within(self.config.boot);
            due.push((boot, Happening::HostRegisters(id.clone())));
        }
        if pool.market == Market::Spot {
            let by_rule = self.config.rule(&pool).and_then(|rule| rule.interruptions);
            let rate = by_rule.unwrap_or(self.config.interruptions);
            let is_unannounced = faults_on && roll("notice").happens(faults.missing_notices);
            if let Some(wait) = roll("interruption").wait_for(rate) {
                due.push(if is_unannounced {
                    (wait, Happening::SpotReclaim(id.clone()))
                } else {
                    (wait, Happening::SpotNotice(id.clone()))
                });
            }
        }
        for (purpose, rate, happening) in [
            ("death", faults.host_deaths, Happening::HostDies(id.clone())),
            ("absence", faults.agent_absences, Happening::AgentLeaves(id.clone())),
        ] {
            if let Some(wait) = roll(purpose).wait_for(rate)
                && self.faults_on(now + wait)
            {
                due.push((wait, happening));
            }
        }
        for (wait, happening) in due {
            self.agenda.add(now + wait, happening);
        }
    }

    fn instance_runs(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(instance) = self.ec2.get_mut(id) else { return };
        if instance.status == InstanceStatus::Pending {
            instance.status = InstanceStatus::Running;
            self.tell_instance(now, id, InstanceStatus::Running);
        }
    }

    fn host_registers(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(instance) = self.ec2.get_mut(id) else { return };
        if !instance.is_alive() {
            return;
        }
        instance.registered_at = Some(now);
        let shape = InstanceShape {
            name: instance.pool.instance_type.clone(),
            arch: instance.arch,
            gpu: instance.gpu,
            nominal: instance.nominal,
        };
        self.ecs.register(id, self.config.registered(&shape));
        self.instance_runs(now, id);
        self.tell_host(now, id);
    }

    fn spot_notice(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(instance) = self.ec2.get_mut(id) else { return };
        if !instance.is_alive() || instance.interrupted_at.is_some() {
            return;
        }
        instance.interrupted_at = Some(now);
        self.agenda.add(now + self.config.notice, Happening::SpotReclaim(id.clone()));
        self.tell(now, CloudEvent::SpotInterruption { id: id.clone() });
        // Our hosts run with ECS_ENABLE_SPOT_INSTANCE_DRAINING: the agent sees the notice too.
        if let Some(host) = self.ecs.host_of(id) {
            let arn = host.arn.clone();
            self.set_draining(now, &arn);
        }
    }

    fn reclaim(&mut self, now: Timestamp, ord: usize) {
        let Some(reclaim) = self.config.reclaims.get(ord) else { return };
        let is_told = |i: &&crate::ec2::SimInstance| {
            i.pool.market == Market::Spot
                && reclaim.pools.matches(&i.pool)
                && self.dice.roll("reclaim", &format_args!("{ord}/{}", i.id)).happens(reclaim.part)
        };
        let told: Vec<InstanceId> =
            self.ec2.alive().filter(is_told).map(|i| i.id.clone()).collect();
        for id in told {
            self.spot_notice(now, &id);
        }
    }

    /// An instance ends, for whatever reason: it is not paid any more, and its agent is silent from now on.
    pub(super) fn end_instance(&mut self, now: Timestamp, id: &InstanceId, end: InstanceEnd) {
        if !self.ec2.end(now, id, end) {
            return;
        }
        if end == InstanceEnd::Reclaimed
            && let Some(instance) = self.ec2.get_mut(id)
        {
            instance.interrupted_at = instance.interrupted_at.or(Some(now));
        }
        if let Some(host) = self.ecs.host_of_mut(id) {
            host.away_until = Some(Timestamp::MAX);
        }
        self.tell_instance(now, id, InstanceStatus::ShuttingDown);
        let terminated_at = now + self.dice.roll("shutdown", id).within(self.config.shutdown);
        self.agenda.add(terminated_at, Happening::InstanceTerminated(id.clone()));
        let noticed_at = terminated_at + self.dice.roll("end noticed", id).within(END_NOTICED);
        self.agenda.add(noticed_at, Happening::EndNoticed(id.clone()));
    }

    fn instance_terminated(&mut self, now: Timestamp, id: &InstanceId) {
        if let Some(instance) = self.ec2.get_mut(id) {
            instance.status = InstanceStatus::Terminated;
            self.tell_instance(now, id, InstanceStatus::Terminated);
        }
    }

    /// ECS ends the tasks of a host that is gone and takes the host out.
    fn end_noticed(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(host) = self.ecs.host_of(id) else { return };
        let (arn, tasks) = (host.arn.clone(), host.tasks.clone());
        for task in tasks {
            let stopped_reason = format!("Host EC2 (instance {id}) terminated.");
            if let Some(task) = self.ecs.task_mut(&task) {
                // An exit that the agent had not reported yet is lost with it.
                task.end = Some(TaskEnd {
                    exit_code: None,
                    stop_code: "TerminationNotice",
                    stopped_reason,
                    container_reason: None,
                    containers: Vec::new(),
                });
            }
            self.move_task(now, &task, TaskStatus::Stopped);
        }
        self.ecs.deregister(&arn);
    }

    fn agent_leaves(&mut self, now: Timestamp, id: &InstanceId) {
        let back_at = now + self.dice.roll("agent back", id).within(self.config.agent_absence);
        let Some(host) = self.ecs.host_of_mut(id) else { return };
        if host.away_until.is_some() {
            return;
        }
        host.away_until = Some(back_at);
        self.agenda.add(back_at, Happening::AgentReturns(id.clone()));
        self.tell_host(now, id);
    }

    fn agent_returns(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(host) = self.ecs.host_of_mut(id) else { return };
        // A host that has ended meanwhile stays silent.
        if host.away_until.is_some_and(|until| until <= now) {
            host.away_until = None;
            self.tell_host(now, id);
        }
    }

    /// Writes down when a new task will run.
    pub(super) fn plan_start(&mut self, now: Timestamp, arn: &TaskArn) {
        let Some(task) = self.ecs.task(arn) else { return };
        let (instance, image) = (task.instance.clone(), task.image.clone());
        let behaviour = task.behaviour.clone();
        if behaviour.never_starts {
            return;
        }
        let pull =
            self.dice.roll("pull", &format_args!("{instance}/{image}")).within(self.config.pull);
        let by_chance = self.faults_on(now)
            && self.dice.roll("pull failure", arn).happens(self.config.faults.pull_failures);
        if behaviour.missing_image || by_chance {
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
    fn silent_until(&self, arn: &TaskArn) -> Option<Timestamp> {
        let task = self.ecs.task(arn)?;
        self.ecs.host_of(&task.instance)?.away_until
    }

    /// Puts off what an absent agent cannot tell. True if it was put off, or will never be told.
    fn put_off(&mut self, arn: &TaskArn, happening: Happening) -> bool {
        let Some(until) = self.silent_until(arn) else { return false };
        if until != Timestamp::MAX {
            self.agenda.add(until, happening);
        }
        true
    }

    fn status_of(&self, arn: &TaskArn) -> Option<TaskStatus> {
        self.ecs.task(arn).map(|task| task.status)
    }

    fn pull_fails(&mut self, now: Timestamp, arn: &TaskArn) {
        let is_pending = self.status_of(arn) == Some(TaskStatus::Pending);
        if !is_pending || self.put_off(arn, Happening::PullFails(arn.clone())) {
            return;
        }
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

    fn task_runs(&mut self, now: Timestamp, arn: &TaskArn) {
        let is_pending = self.status_of(arn) == Some(TaskStatus::Pending);
        if !is_pending || self.put_off(arn, Happening::TaskRuns(arn.clone())) {
            return;
        }
        self.move_task(now, arn, TaskStatus::Running);
        if let Some(run) = self.ecs.task(arn).and_then(|task| task.behaviour.run) {
            self.agenda.add(now + run, Happening::TaskExits(arn.clone()));
        }
    }

    fn task_exits(&mut self, now: Timestamp, arn: &TaskArn) {
        let Some(task) = self.ecs.task(arn) else { return };
        let is_over = task.end.is_some() || task.status == TaskStatus::Stopped;
        if is_over || self.put_off(arn, Happening::TaskExits(arn.clone())) {
            return;
        }
        let Some(task) = self.ecs.task(arn) else { return };
        let behaviour = &task.behaviour;
        let containers = ends_of(task, now);
        let decisive = task.course.as_ref().and_then(|course| course.decisive(&containers));
        let (exit_code, container_reason) = match decisive {
            Some(end) => (end.exit_code, end.reason.as_ref().map(|_| OUT_OF_MEMORY)),
            None if behaviour.oom => (Some(137), Some(OUT_OF_MEMORY)),
            None => (Some(behaviour.exit_code), None),
        };
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

    fn task_killed(&mut self, now: Timestamp, arn: &TaskArn) {
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
    fn end_task(&mut self, now: Timestamp, arn: &TaskArn, end: TaskEnd) {
        let pause: SignedDuration = self.dice.roll("stop", arn).within(self.config.stop);
        let Some(task) = self.ecs.task_mut(arn) else { return };
        task.end = Some(end);
        if task.status != TaskStatus::Stopping {
            self.move_task(now, arn, TaskStatus::Stopping);
        }
        self.agenda.add(now + pause, Happening::TaskStops(arn.clone()));
    }

    fn task_stops(&mut self, now: Timestamp, arn: &TaskArn) {
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
