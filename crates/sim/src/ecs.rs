//! ECS: hosts in a cluster, tasks pinned to them, and what each holds. Only states; what happens when is written
//! down by [`crate::cloud`].

mod end;
mod logs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use spillway_core::effect::{Refusal, TaskRequest};
use spillway_core::task::{ContainerInstanceReport, TaskReport, TaskStatus};
use spillway_core::{
    AttemptOrd, ClientToken, CloudError, ContainerInstanceArn, InstanceId, JobId, Resources,
    TaskArn,
};

pub use end::{Exit, TaskEnd};

use crate::behaviour::Behaviour;
use crate::course::Course;
use crate::ec2::TERMINATED_SHOWN;
use crate::fnv::Fnv;
use crate::shared::SharedLog;

const ARN_PREFIX: &str = "arn:aws:ecs:us-east-1:123456789012";

/// A host in the cluster.
#[derive(Debug, Clone)]
pub struct SimContainerInstance {
    /// ECS's name.
    pub arn: ContainerInstanceArn,
    /// The instance.
    pub instance: InstanceId,
    /// What it registered.
    pub registered: Resources,
    /// What tasks hold that are not STOPPED.
    pub held: Resources,
    /// When it registered.
    pub registered_at: Timestamp,
    /// Whether it is DRAINING.
    pub draining: bool,
    /// Since when.
    pub draining_since: Option<Timestamp>,
    /// Since when its agent is away, if it is.
    pub away_since: Option<Timestamp>,
    /// Its agent is away until then.
    pub away_until: Option<Timestamp>,
    /// Images on it, and since when each is (or will be) there.
    pub images: BTreeMap<String, Timestamp>,
    /// The numbers of its tasks that are not STOPPED.
    tasks: BTreeSet<u64>,
    /// Since when it has none.
    pub idle_since: Timestamp,
}

impl SimContainerInstance {
    /// Whether it has no task that is not STOPPED.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// What ECS showed at `at`; none before it registered.
    pub(crate) fn report_at(&self, at: Timestamp) -> Option<ContainerInstanceReport> {
        let not_yet = |since: Option<Timestamp>| since.is_some_and(|since| at < since);
        let report = self.report();
        (self.registered_at <= at).then(|| ContainerInstanceReport {
            active: report.active || not_yet(self.draining_since),
            agent_connected: report.agent_connected || not_yet(self.away_since),
            ..report
        })
    }

    pub(crate) fn report(&self) -> ContainerInstanceReport {
        ContainerInstanceReport {
            arn: self.arn.clone(),
            instance: self.instance.clone(),
            active: !self.draining,
            agent_connected: self.away_until.is_none(),
            registered: self.registered,
        }
    }
}

/// A task, and what really became of it.
#[derive(Debug, Clone)]
pub struct SimTask {
    /// Its ARN.
    pub arn: TaskArn,
    /// The job.
    pub job: JobId,
    /// The attempt.
    pub attempt: AttemptOrd,
    /// Its token; its `startedBy`.
    pub token: ClientToken,
    /// Its host.
    pub instance: InstanceId,
    /// The host's name in the cluster.
    pub container_instance: ContainerInstanceArn,
    /// What it holds until it is STOPPED.
    pub need: Resources,
    /// Its image.
    pub image: String,
    /// How it behaves; of several containers, all of them together.
    pub behaviour: Behaviour,
    /// Whether children share it; see [`Ecs::shared_log`].
    pub is_shared: bool,
    /// What each of several containers does.
    pub course: Option<Box<Course>>,
    /// How long it has between SIGTERM and SIGKILL; none leaves it to the world.
    pub stop_timeout: Option<SignedDuration>,
    /// Where it stands.
    pub status: TaskStatus,
    /// ECS's counter.
    pub version: u64,
    /// When RunTask made it.
    pub created_at: Timestamp,
    /// When its container started.
    pub started_at: Option<Timestamp>,
    /// When it was STOPPED.
    pub stopped_at: Option<Timestamp>,
    /// The reason StopTask was given.
    pub stop_reason: Option<String>,
    /// How it ended, once that is decided.
    pub end: Option<TaskEnd>,
    /// Where it stood before, since when and under which version; for reads that show an older state.
    before: Vec<(Timestamp, TaskStatus, u64)>,
}

impl SimTask {
    /// Whether this is the task of an attempt of a job, its own or one that it shares.
    pub fn is_of(&self, job: JobId, attempt: AttemptOrd, log: Option<&SharedLog>) -> bool {
        (self.job, self.attempt) == (job, attempt)
            || log.is_some_and(|log| log.children().any(|child| child == (job, attempt)))
    }

    /// What ECS showed at `at`; none before there was a task.
    fn report_at(&self, at: Timestamp) -> Option<TaskReport> {
        let (_, status, version) = *self.before.iter().rev().find(|(since, ..)| *since <= at)?;
        let report = self.report();
        if version == self.version {
            return Some(report);
        }
        Some(TaskReport {
            version,
            status,
            started_at: report.started_at.filter(|started_at| *started_at <= at),
            stopped_at: None,
            exit_code: None,
            stop_code: None,
            stopped_reason: None,
            container_reason: None,
            ..report
        })
    }

    pub(crate) fn report(&self) -> TaskReport {
        // While it is stopping ECS tells no exit code yet.
        let end = self.end.as_ref().filter(|_| self.status == TaskStatus::Stopped);
        TaskReport {
            arn: self.arn.clone(),
            started_by: Some(self.token.to_string()),
            container_instance: Some(self.container_instance.clone()),
            version: self.version,
            status: self.status,
            started_at: self.started_at,
            stopped_at: self.stopped_at,
            // Of several containers ECS does not say which one decides; the first is as good as any.
            exit_code: end.and_then(|e| {
                e.containers.first().map_or(e.exit_code, |container| container.exit_code)
            }),
            stop_code: end.map(|e| e.stop_code.to_owned()),
            stopped_reason: end.map(|e| e.stopped_reason.clone()),
            container_reason: end.and_then(|e| e.container_reason.map(str::to_owned)),
            containers: end.map(|e| e.containers.clone()).unwrap_or_default(),
        }
    }
}

/// What became of a RunTask call.
#[derive(Debug)]
pub(crate) enum Started {
    /// A new task.
    New(TaskArn),
    /// The token was known.
    Known(TaskArn),
    /// No task.
    Refused(Refusal),
}

/// One cluster.
#[derive(Debug, Default)]
pub struct Ecs {
    hosts: BTreeMap<ContainerInstanceArn, SimContainerInstance>,
    by_instance: BTreeMap<InstanceId, ContainerInstanceArn>,
    /// By the number at the end of the ARN. It is made of the token, so a token finds its task.
    tasks: BTreeMap<u64, Box<SimTask>>,
    /// The numbers of tasks that are not STOPPED, by job.
    live_of_job: BTreeMap<JobId, Vec<u64>>,
    /// Tasks that are STOPPED, by when; those that ECS has forgotten are dropped.
    stopped: VecDeque<(Timestamp, u64)>,
    /// How those ended that were dropped.
    past: BTreeMap<u64, Exit>,
    /// The logs of those that children share, but for those that are known to have ended well.
    shared_logs: BTreeMap<u64, Box<SharedLog>>,
    /// Children whose success was read in a log.
    told: BTreeSet<JobId>,
    n_live: usize,
    n_running: u32,
    n_refusals: u64,
}

/// How long a STOPPED task is kept here: ECS shows it, and remembers its token, for an hour (ECS API reference, "Ensuring
/// idempotency"); how it ended is known for ever, see [`Ecs::exit`].
const STOPPED_KEPT: SignedDuration = SignedDuration::from_mins(70);

/// The number of the task that this token makes.
fn number_of(token: &ClientToken) -> u64 {
    Fnv::of(&format_args!("task {token}"))
}

/// The number in a task's ARN.
fn number_in(arn: &TaskArn) -> Option<u64> {
    let text = arn.as_str();
    u64::from_str_radix(text.get(text.len().checked_sub(16)?..)?, 16).ok()
}

impl Ecs {
    /// All hosts in the cluster.
    pub fn hosts(&self) -> impl Iterator<Item = &SimContainerInstance> {
        self.hosts.values()
    }

    /// The host of an instance.
    pub fn host_of(&self, instance: &InstanceId) -> Option<&SimContainerInstance> {
        self.hosts.get(self.by_instance.get(instance)?)
    }

    pub(crate) fn host_of_mut(
        &mut self,
        instance: &InstanceId,
    ) -> Option<&mut SimContainerInstance> {
        self.hosts.get_mut(self.by_instance.get(instance)?)
    }

    pub(crate) fn host_mut(
        &mut self,
        arn: &ContainerInstanceArn,
    ) -> Option<&mut SimContainerInstance> {
        self.hosts.get_mut(arn)
    }

    /// All tasks that are not long over.
    pub fn tasks(&self) -> impl Iterator<Item = &SimTask> {
        self.tasks.values().map(AsRef::as_ref)
    }

    /// One of them.
    pub fn task(&self, arn: &TaskArn) -> Option<&SimTask> {
        self.tasks.get(&number_in(arn)?).map(AsRef::as_ref)
    }

    /// How a task ended that is STOPPED, however long ago; none if it never was one, or has not ended.
    pub fn exit(&self, arn: &TaskArn) -> Option<Exit> {
        let number = number_in(arn)?;
        let Some(task) = self.tasks.get(&number) else { return self.past.get(&number).copied() };
        let end = task.end.as_ref().filter(|_| task.status == TaskStatus::Stopped);
        end.map(Exit::of)
    }

    pub(crate) fn task_mut(&mut self, arn: &TaskArn) -> Option<&mut SimTask> {
        self.tasks.get_mut(&number_in(arn)?).map(AsMut::as_mut)
    }

    /// A job's tasks that are not STOPPED.
    pub fn live_tasks(&self, job: JobId) -> impl Iterator<Item = &SimTask> {
        self.numbered(self.live_of_job.get(&job).into_iter().flatten())
    }

    /// Those on the host of an instance.
    pub fn tasks_on(&self, instance: &InstanceId) -> impl Iterator<Item = &SimTask> {
        self.numbered(self.host_of(instance).into_iter().flat_map(|host| &host.tasks))
    }

    fn numbered<'a>(
        &'a self,
        numbers: impl Iterator<Item = &'a u64>,
    ) -> impl Iterator<Item = &'a SimTask> {
        numbers.filter_map(|number| self.tasks.get(number).map(AsRef::as_ref))
    }

    /// How many tasks are not STOPPED.
    pub const fn n_live(&self) -> usize {
        self.n_live
    }

    /// How many tasks are RUNNING.
    pub const fn n_running(&self) -> u32 {
        self.n_running
    }

    /// How many RunTask calls were refused.
    pub const fn n_refusals(&self) -> u64 {
        self.n_refusals
    }

    /// A host's agent registers; the host takes tasks from now on.
    pub(crate) fn register(
        &mut self,
        now: Timestamp,
        instance: &InstanceId,
        registered: Resources,
    ) {
        let hash = Fnv::of(&format_args!("container-instance {instance}"));
        let arn = format!("{ARN_PREFIX}:container-instance/spillway/{hash:032x}");
        let Ok(arn) = arn.parse::<ContainerInstanceArn>() else { return };
        let host = SimContainerInstance {
            arn: arn.clone(),
            instance: instance.clone(),
            registered,
            held: Resources::ZERO,
            registered_at: now,
            draining: false,
            draining_since: None,
            away_since: None,
            away_until: None,
            images: BTreeMap::new(),
            tasks: BTreeSet::new(),
            idle_since: now,
        };
        self.by_instance.insert(instance.clone(), arn.clone());
        self.hosts.insert(arn, host);
    }

    /// Takes a host out. One that still has tasks stays, as without `force`.
    pub(crate) fn deregister(
        &mut self,
        arn: &ContainerInstanceArn,
    ) -> Option<SimContainerInstance> {
        if !self.hosts.get(arn)?.is_idle() {
            return None;
        }
        let host = self.hosts.remove(arn)?;
        self.by_instance.remove(&host.instance);
        Some(host)
    }

    pub(crate) fn run_task(
        &mut self,
        now: Timestamp,
        request: &TaskRequest,
        behaviour: Behaviour,
        course: Option<Box<Course>>,
        log: Option<Box<SharedLog>>,
    ) -> Result<Started, CloudError> {
        self.forget(now);
        let number = number_of(&request.token);
        if let Some(known) = self.tasks.get(&number) {
            if known.instance == request.instance {
                return Ok(Started::Known(known.arn.clone()));
            }
            let detail = format!("ConflictException: token {}", request.token);
            return Err(CloudError::Conflict { action: "ecs:RunTask".to_owned(), detail });
        }
        let need = request.spec.resources;
        let refusal = match self.host_of(&request.instance) {
            None => Some(Refusal::HostGone),
            Some(host) if host.draining => Some(Refusal::HostGone),
            Some(host) if host.away_until.is_some() => Some(Refusal::AgentAway),
            Some(host) => need
                .exceeds(&host.registered.saturating_sub(&host.held))
                .map(|dimension| Refusal::NoRoom { dimension: Some(dimension) }),
        };
        if let Some(refusal) = refusal {
            self.n_refusals += 1;
            return Ok(Started::Refused(refusal));
        }
        let parsed = format!("{ARN_PREFIX}:task/spillway/{number:032x}").parse::<TaskArn>();
        let (Ok(arn), Some(host)) = (parsed, self.host_of_mut(&request.instance)) else {
            return Ok(Started::Refused(Refusal::HostGone));
        };
        host.held = host.held.checked_add(&need).unwrap_or(host.registered);
        host.tasks.insert(number);
        let task = SimTask {
            arn: arn.clone(),
            job: request.job,
            attempt: request.attempt,
            token: request.token.clone(),
            instance: request.instance.clone(),
            container_instance: host.arn.clone(),
            need,
            image: request.spec.container.image.clone(),
            behaviour,
            is_shared: log.is_some(),
            course,
            stop_timeout: request.spec.time_limits.stop,
            status: TaskStatus::Pending,
            version: 1,
            created_at: now,
            started_at: None,
            stopped_at: None,
            stop_reason: None,
            end: None,
            before: vec![(now, TaskStatus::Pending, 1)],
        };
        self.n_live += 1;
        self.note_live(request.job, number);
        if let Some(log) = log {
            for (child, _) in log.children() {
                self.note_live(child, number);
            }
            self.shared_logs.insert(number, log);
        }
        self.tasks.insert(number, Box::new(task));
        Ok(Started::New(arn))
    }

    fn note_live(&mut self, job: JobId, number: u64) {
        let live = self.live_of_job.entry(job).or_default();
        if !live.contains(&number) {
            live.push(number);
        }
    }

    /// Drops tasks that are long over, with their tokens.
    fn forget(&mut self, now: Timestamp) {
        let is_old = |(at, _): &mut (Timestamp, u64)| STOPPED_KEPT < now.duration_since(*at);
        while let Some((_, number)) = self.stopped.pop_front_if(is_old) {
            let end = self.tasks.remove(&number).and_then(|task| task.end);
            if end.as_ref().is_some_and(|end| end.is_natural() && end.exit_code == Some(0)) {
                self.shared_logs.remove(&number);
            }
            self.past.extend(end.map(|end| (number, Exit::of(&end))));
        }
    }

    /// Moves a task on and counts its version up. A STOPPED one holds nothing any more.
    pub(crate) fn move_task(&mut self, now: Timestamp, arn: &TaskArn, status: TaskStatus) {
        let Some(number) = number_in(arn) else { return };
        let Some(task) = self.tasks.get_mut(&number) else { return };
        if task.status == TaskStatus::Running && status != TaskStatus::Running {
            self.n_running = self.n_running.saturating_sub(1);
        }
        task.status = status;
        task.version += 1;
        task.before.push((now, status, task.version));
        match status {
            TaskStatus::Pending | TaskStatus::Stopping => {}
            TaskStatus::Running => {
                task.started_at = Some(now);
                self.n_running += 1;
                if let Some(log) = self.shared_logs.get_mut(&number) {
                    log.started_at = Some(now);
                }
            }
            TaskStatus::Stopped => {
                task.stopped_at = Some(now);
                self.stopped.push_back((now, number));
                if let Some(host) = self.hosts.get_mut(&task.container_instance) {
                    host.held = host.held.saturating_sub(&task.need);
                    host.tasks.remove(&number);
                    host.idle_since = now;
                }
                self.n_live = self.n_live.saturating_sub(1);
                let log = self.shared_logs.get(&number);
                let riders = log.into_iter().flat_map(|log| log.children());
                for (job, _) in riders.chain([(task.job, task.attempt)]) {
                    let Some(live) = self.live_of_job.get_mut(&job) else { continue };
                    live.retain(|other| *other != number);
                    if live.is_empty() {
                        self.live_of_job.remove(&job);
                    }
                }
            }
        }
    }

    /// What `DescribeTasks` says: reports as of `shown_at`, and the ARNs it does not know (any more).
    pub(crate) fn describe(
        &self,
        now: Timestamp,
        shown_at: Timestamp,
        arns: &[TaskArn],
    ) -> (Vec<TaskReport>, Vec<TaskArn>) {
        let (mut found, mut missing) = (Vec::with_capacity(arns.len()), Vec::new());
        for arn in arns {
            let known = self.task(arn).filter(|task| {
                // ECS keeps a STOPPED task for an hour, as EC2 does an instance.
                task.stopped_at.is_none_or(|at| now.duration_since(at) < TERMINATED_SHOWN)
            });
            match known.and_then(|task| task.report_at(shown_at)) {
                Some(report) => found.push(report),
                None => missing.push(arn.clone()),
            }
        }
        (found, missing)
    }
}
