//! EC2 and ECS, as little of them as it takes to answer the control loop truly, falsely, late or never.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use spillway_core::effect::{
    LaunchAnswer, LaunchRequest, LaunchedInstance, PoolError, PoolFault, Refusal, TaskRequest,
    TaskStart,
};
use spillway_core::id::ContainerInstanceArn;
use spillway_core::task::{
    CloudEvent, ContainerInstanceReport, FleetSnapshot, InstanceReport, InstanceStatus, TaskReport,
    TaskStatus,
};
use spillway_core::{Arch, Catalog, InstanceId, JobId, LaunchId, PoolId, Resources, TaskArn};

use crate::rig::Rig;

/// An instance, from its launch on.
pub(super) struct Machine {
    pub(super) pool: PoolId,
    launch: LaunchId,
    launched_at: Timestamp,
    pub(super) is_alive: bool,
    pub(super) is_registered: bool,
    is_draining: bool,
    capacity: Resources,
}

/// A task, from its start on.
pub(super) struct Task {
    pub(super) report: TaskReport,
    pub(super) machine: u32,
    job: JobId,
    need: Resources,
    made_at: Timestamp,
    pub(super) stop_asked: bool,
}

impl Task {
    pub(super) fn is_alive(&self) -> bool {
        self.report.status != TaskStatus::Stopped
    }
}

/// All there is.
pub(super) struct World {
    catalog: Catalog,
    pub(super) machines: BTreeMap<u32, Machine>,
    pub(super) tasks: Vec<Task>,
    launches: BTreeMap<String, LaunchAnswer>,
    /// Every event there has been, for telling it again.
    pub(super) told: Vec<CloudEvent>,
}

impl World {
    pub(super) fn new() -> Self {
        let catalog = crate::rig::catalog();
        let (machines, launches) = (BTreeMap::new(), BTreeMap::new());
        Self { catalog, machines, tasks: Vec::new(), launches, told: Vec::new() }
    }

    fn number(instance: &InstanceId) -> u32 {
        u32::from_str_radix(instance.as_str().trim_start_matches("i-"), 16).unwrap()
    }

    fn arn(n: u32) -> ContainerInstanceArn {
        format!("arn:aws:ecs:us-east-1:1:container-instance/c/{n}").parse().unwrap()
    }

    /// The same token gives the same instances, as EC2 does.
    pub(super) fn launch(&mut self, now: Timestamp, request: &LaunchRequest) -> LaunchAnswer {
        if let Some(known) = self.launches.get(request.token.as_str()) {
            return known.clone();
        }
        let pool = request.choices[0].pool.clone();
        let mut answer = LaunchAnswer::default();
        for _ in 0..request.count {
            let n = u32::try_from(self.machines.len()).unwrap() + 1;
            let capacity = self.catalog.get(&pool).expect("it is on offer").capacity;
            let machine = Machine {
                pool: pool.clone(),
                launch: request.launch,
                launched_at: now,
                is_alive: true,
                is_registered: false,
                is_draining: false,
                capacity,
            };
            self.machines.insert(n, machine);
            let launched_at = Some(now);
            let id = Rig::instance(n);
            answer.instances.push(LaunchedInstance { id, pool: pool.clone(), launched_at });
        }
        self.launches.insert(request.token.to_string(), answer.clone());
        answer
    }

    pub(super) fn dry(request: &LaunchRequest) -> LaunchAnswer {
        let error = PoolError {
            pool: Some(request.choices[0].pool.clone()),
            fault: PoolFault::NoCapacity,
            code: "InsufficientInstanceCapacity".into(),
        };
        LaunchAnswer { errors: vec![error], ..LaunchAnswer::default() }
    }

    /// The same token gives the same task, for a day.
    pub(super) fn run_task(&mut self, now: Timestamp, request: &TaskRequest) -> TaskStart {
        let token = request.token.as_str();
        let remembered = SignedDuration::from_hours(24);
        let known = self.tasks.iter().rev().find(|task| {
            task.report.started_by.as_deref() == Some(token)
                && now.duration_since(task.made_at) < remembered
        });
        if let Some(known) = known {
            return TaskStart::Started(known.report.clone());
        }
        let n = Self::number(&request.instance);
        let machine = &self.machines[&n];
        if !machine.is_alive || !machine.is_registered || machine.is_draining {
            return TaskStart::Refused(Refusal::HostGone);
        }
        let on_it = self.tasks.iter().filter(|task| task.machine == n && task.is_alive());
        let held = on_it.fold(Resources::ZERO, |sum, task| sum.checked_add(&task.need).unwrap());
        let free = machine.capacity.saturating_sub(&held);
        assert!(
            request.spec.resources.fits(&free),
            "the loop put {} where only {free} is free",
            request.spec.resources
        );
        let twin = self.tasks.iter().find(|task| task.job == request.job && task.is_alive());
        assert!(twin.is_none(), "a second task of {} while one is alive", request.job);
        let ord = self.tasks.len();
        let report = TaskReport {
            arn: format!("arn:aws:ecs:us-east-1:1:task/c/{ord}").parse().unwrap(),
            started_by: Some(token.to_owned()),
            container_instance: Some(Self::arn(n)),
            version: 1,
            status: TaskStatus::Pending,
            started_at: None,
            stopped_at: None,
            exit_code: None,
            stop_code: None,
            stopped_reason: None,
            container_reason: None,
            containers: Vec::new(),
        };
        let (job, need) = (request.job, request.spec.resources);
        let task =
            Task { report: report.clone(), machine: n, job, need, made_at: now, stop_asked: false };
        self.tasks.push(task);
        TaskStart::Started(report)
    }

    pub(super) fn stop_task(&mut self, arn: &TaskArn) {
        for task in self.tasks.iter_mut().filter(|task| task.report.arn == *arn) {
            task.stop_asked = true;
        }
    }

    pub(super) fn drain(&mut self, arn: &ContainerInstanceArn) {
        for (n, machine) in &mut self.machines {
            machine.is_draining |= Self::arn(*n) == *arn;
        }
    }

    pub(super) fn register(&mut self, n: u32) -> Option<CloudEvent> {
        let machine = self.machines.get_mut(&n).filter(|m| m.is_alive && !m.is_registered)?;
        machine.is_registered = true;
        Some(CloudEvent::ContainerInstance { report: self.container_instance(n) })
    }

    fn container_instance(&self, n: u32) -> ContainerInstanceReport {
        let machine = &self.machines[&n];
        ContainerInstanceReport {
            arn: Self::arn(n),
            instance: Rig::instance(n),
            active: !machine.is_draining,
            agent_connected: machine.is_alive,
            registered: machine.capacity,
        }
    }

    /// A living task goes one step: to RUNNING, then to its end.
    pub(super) fn advance(
        &mut self,
        now: Timestamp,
        ord: usize,
        exit_code: i32,
    ) -> Option<CloudEvent> {
        let task = self.tasks.get_mut(ord).filter(|task| task.is_alive())?;
        let report = &mut task.report;
        report.version += 1;
        if report.status == TaskStatus::Pending && !task.stop_asked {
            report.status = TaskStatus::Running;
            report.started_at = Some(now);
        } else {
            report.status = TaskStatus::Stopped;
            report.stopped_at = Some(now);
            let asked = task.stop_asked;
            report.exit_code = Some(if asked { 143 } else { exit_code });
            let code = if asked { "UserInitiated" } else { "EssentialContainerExited" };
            report.stop_code = Some(code.into());
        }
        Some(CloudEvent::Task { report: report.clone() })
    }

    /// An instance ends, and with it what runs there.
    pub(super) fn kill(&mut self, now: Timestamp, n: u32) -> Option<CloudEvent> {
        let machine = self.machines.get_mut(&n).filter(|machine| machine.is_alive)?;
        machine.is_alive = false;
        for task in self.tasks.iter_mut().filter(|task| task.machine == n && task.is_alive()) {
            task.report.version += 1;
            task.report.status = TaskStatus::Stopped;
            task.report.stopped_at = Some(now);
            task.report.stop_code = Some("TerminationNotice".into());
            task.report.stopped_reason = Some("Host EC2 (instance) terminated.".into());
        }
        Some(CloudEvent::Instance { id: Rig::instance(n), status: InstanceStatus::Terminated })
    }

    /// What a look shows. ECS forgets stopped tasks after an hour.
    pub(super) fn look(&self, now: Timestamp, asked: &[TaskArn]) -> FleetSnapshot {
        let instance = |(n, machine): (&u32, &Machine)| InstanceReport {
            id: Rig::instance(*n),
            pool: machine.pool.clone(),
            arch: Arch::X86_64,
            launched_at: machine.launched_at,
            status: if machine.is_alive {
                InstanceStatus::Running
            } else {
                InstanceStatus::Terminated
            },
            launch: Some(machine.launch),
            address: Some(std::net::Ipv4Addr::new(10, 0, 0, 1)),
        };
        let is_known = |task: &&Task| {
            let stopped_for = task.report.stopped_at.map(|at| now.duration_since(at));
            asked.contains(&task.report.arn)
                && stopped_for.is_none_or(|time| time < SignedDuration::from_hours(1))
        };
        let tasks: Vec<TaskReport> =
            self.tasks.iter().filter(is_known).map(|task| task.report.clone()).collect();
        let is_missing = |arn: &&TaskArn| !tasks.iter().any(|task| task.arn == **arn);
        let missing_tasks = asked.iter().filter(is_missing).cloned().collect();
        let registered = self.machines.iter().filter(|(_, m)| m.is_registered && m.is_alive);
        FleetSnapshot {
            instances: Some(self.machines.iter().map(instance).collect()),
            container_instances: Some(
                registered.map(|(n, _)| self.container_instance(*n)).collect(),
            ),
            tasks: Some(tasks),
            missing_tasks,
        }
    }
}
