//! The simulated AWS: two queues, EC2, ECS and the events between them, in a time that is handed in.
//!
//! Every method takes `now`; time only goes forward. [`SimCloud::advance`] lets happen what is due; the calls act at
//! `now` and answer at once (how long an answer takes is the caller's business, see [`SimCloud::call_latency`]). The
//! cloud knows nothing of the engine, and draws nothing but from its [`Dice`].

mod happening;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use spillway_core::effect::{
    CallResult, DeadLetter, LaunchAnswer, LaunchRequest, Receipt, TaskRequest, TaskStart,
};
use spillway_core::input::{Delivery, EventDelivery};
use spillway_core::task::{
    CloudEvent, ContainerInstanceReport, InstanceReport, InstanceStatus, TaskReport, TaskStatus,
};
use spillway_core::{
    Catalog, CloudError, ContainerInstanceArn, InstanceId, JobId, Market, TaskArn, id,
};
use uuid::Uuid;

use crate::agenda::Agenda;
use crate::behaviour::Behaviour;
use crate::course::Course;
use crate::dice::Dice;
use crate::ec2::{Ec2, InstanceEnd};
use crate::ecs::{Ecs, Started, TaskEnd};
use crate::setting::{Chance, Spread};
use crate::sqs::Queue;
use crate::world::WorldConfig;
use happening::Happening;

/// How many messages one call receives at most (SQS: ten).
pub const RECEIVE_MAX: usize = 10;

/// When SQS's own copy of a message comes.
const COPY_DELAY: Spread = Spread::of_secs(0, 240);

/// What a fault does to one call.
enum CallFault {
    /// Nothing happens, and the caller learns it.
    Refused(CloudError),
    /// It happens, and the caller does not learn it.
    AnswerLost(CloudError),
}

/// The simulated cloud.
#[derive(Debug)]
pub struct SimCloud {
    config: WorldConfig,
    dice: Dice,
    started_at: Timestamp,
    agenda: Agenda<Happening>,
    behaviours: BTreeMap<JobId, Behaviour>,
    jobs: Queue<String>,
    events: Queue<CloudEvent>,
    dead_letters: Vec<DeadLetter>,
    ec2: Ec2,
    ecs: Ecs,
    n_calls: u64,
    n_events: u64,
    n_messages: u64,
}

impl SimCloud {
    /// An empty cloud.
    pub fn new(config: WorldConfig, started_at: Timestamp) -> Self {
        let mut agenda = Agenda::default();
        for (ord, reclaim) in config.reclaims.iter().enumerate() {
            agenda.add(started_at + reclaim.at, Happening::Reclaim(ord));
        }
        Self {
            dice: Dice::new(config.seed),
            started_at,
            agenda,
            behaviours: BTreeMap::new(),
            jobs: Queue::new("job", config.visibility_timeout),
            events: Queue::new("event", config.visibility_timeout),
            dead_letters: Vec::new(),
            ec2: Ec2::new(&config, started_at),
            ecs: Ecs::default(),
            n_calls: 0,
            n_events: 0,
            n_messages: 0,
            config,
        }
    }

    /// What kind of world it is.
    pub const fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// Its luck, for what happens around it.
    pub const fn dice(&self) -> Dice {
        self.dice
    }

    /// When it began.
    pub const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// What EC2 really is.
    pub const fn ec2(&self) -> &Ec2 {
        &self.ec2
    }

    /// What ECS really is.
    pub const fn ecs(&self) -> &Ecs {
        &self.ecs
    }

    /// The job queue.
    pub const fn job_queue(&self) -> &Queue<String> {
        &self.jobs
    }

    /// The event queue.
    pub const fn event_queue(&self) -> &Queue<CloudEvent> {
        &self.events
    }

    /// The dead-letter queue, oldest first.
    pub fn dead_letters(&self) -> &[DeadLetter] {
        &self.dead_letters
    }

    /// Makes a job behave so, whatever its command says.
    pub fn set_behaviour(&mut self, job: JobId, behaviour: Behaviour) {
        self.behaviours.insert(job, behaviour);
    }

    /// Offerings and prices as they are, without a call.
    pub fn price_list(&self, now: Timestamp) -> Catalog {
        self.ec2.list.catalog(now)
    }

    /// Whether faults still happen.
    pub fn faults_on(&self, now: Timestamp) -> bool {
        self.config.faults.until.is_none_or(|until| now.duration_since(self.started_at) < until)
    }

    /// How long the answer to the next call takes.
    pub fn call_latency(&self) -> SignedDuration {
        self.dice.roll("call latency", &self.n_calls).within(self.config.call_latency)
    }

    // The queues.

    /// A producer sends a message; returns its id.
    pub fn send_message(&mut self, now: Timestamp, body: String) -> String {
        let ord = self.n_messages;
        self.n_messages += 1;
        let name = format!("message\n{}\n{ord}", self.config.seed);
        let id = Uuid::new_v5(&id::NAMESPACE, name.as_bytes()).to_string();
        let mut roll = self.dice.roll("message", &ord);
        if self.faults_on(now) && roll.happens(self.config.faults.message_duplicates) {
            let copy_at = now + roll.within(COPY_DELAY);
            self.jobs.send(now, copy_at, id.clone(), body.clone());
        }
        self.jobs.send(now, now, id.clone(), body);
        id
    }

    /// Receives up to ten messages of the job queue.
    pub fn receive_messages(&mut self, now: Timestamp) -> Vec<Delivery> {
        let received = self.jobs.receive(now, RECEIVE_MAX).into_iter();
        let delivery = |(receipt, message): (Receipt, &crate::sqs::Message<String>)| Delivery {
            message_id: message.id.clone(),
            receipt,
            body: message.body.clone(),
            sent_at: Some(message.sent_at),
            sender: None,
        };
        received.map(delivery).collect()
    }

    /// Receives up to ten events.
    pub fn receive_events(&mut self, now: Timestamp) -> Vec<EventDelivery> {
        let received = self.events.receive(now, RECEIVE_MAX).into_iter();
        received
            .map(|(receipt, m)| EventDelivery { receipt, event: Some(m.body.clone()) })
            .collect()
    }

    /// Deletes messages of the job queue.
    pub fn delete_messages(&mut self, now: Timestamp, receipts: &[Receipt]) -> CallResult<()> {
        self.calling(now, "sqs:DeleteMessage", |cloud| {
            for receipt in receipts {
                cloud.jobs.delete(receipt);
            }
            Ok(())
        })
    }

    /// Deletes events.
    pub fn delete_events(&mut self, now: Timestamp, receipts: &[Receipt]) -> CallResult<()> {
        self.calling(now, "sqs:DeleteMessage", |cloud| {
            for receipt in receipts {
                cloud.events.delete(receipt);
            }
            Ok(())
        })
    }

    /// Puts a message on the dead-letter queue and deletes the original.
    pub fn dead_letter(&mut self, now: Timestamp, letter: &DeadLetter) -> CallResult<()> {
        self.calling(now, "sqs:SendMessage", |cloud| {
            cloud.dead_letters.push(letter.clone());
            cloud.jobs.delete(&letter.receipt);
            Ok(())
        })
    }

    // EC2.

    /// `CreateFleet` of type `instant`.
    pub fn launch(&mut self, now: Timestamp, request: &LaunchRequest) -> CallResult<LaunchAnswer> {
        self.calling(now, "ec2:CreateFleet", |cloud| {
            let faults_on = cloud.faults_on(now);
            let (answer, new) =
                cloud.ec2.launch(now, request, &cloud.config, cloud.dice, faults_on)?;
            for instance in new {
                cloud.plan_life(now, &instance);
            }
            Ok(answer)
        })
    }

    /// `TerminateInstances`. Ids that are not known or have ended are no error.
    pub fn terminate(&mut self, now: Timestamp, instances: &[InstanceId]) -> CallResult<()> {
        self.calling(now, "ec2:TerminateInstances", |cloud| {
            for instance in instances {
                cloud.end_instance(now, instance, InstanceEnd::Terminated);
            }
            Ok(())
        })
    }

    /// `DescribeInstances`.
    pub fn instances(&mut self, now: Timestamp) -> CallResult<Vec<InstanceReport>> {
        self.calling(now, "ec2:DescribeInstances", |cloud| Ok(cloud.ec2.reports(now)))
    }

    /// Offerings and prices.
    pub fn catalog(&mut self, now: Timestamp) -> CallResult<Catalog> {
        self.calling(now, "ec2:DescribeSpotPriceHistory", |cloud| Ok(cloud.price_list(now)))
    }

    // ECS.

    /// `RunTask`, pinned to one instance.
    pub fn run_task(&mut self, now: Timestamp, request: &TaskRequest) -> CallResult<TaskStart> {
        self.calling(now, "ecs:RunTask", |cloud| {
            let told = cloud.behaviours.get(&request.job).cloned();
            let dice = cloud.dice;
            let behaviour = told.unwrap_or_else(|| Behaviour::of(&request.spec, request.job, dice));
            let (behaviour, course) = together(request, behaviour, dice);
            let arn = match cloud.ecs.run_task(now, request, behaviour, course)? {
                Started::Refused(refusal) => return Ok(TaskStart::Refused(refusal)),
                Started::Known(arn) => arn,
                Started::New(arn) => {
                    cloud.plan_start(now, &arn);
                    cloud.tell_task(now, &arn);
                    arn
                }
            };
            let known = cloud.ecs.task(&arn).map(|task| TaskStart::Started(task.report()));
            known.ok_or_else(|| CloudError::Unsettled {
                action: "ecs:RunTask".to_owned(),
                detail: format!("{arn} is not known"),
            })
        })
    }

    /// `StopTask`. A task that has stopped or is not known is no error.
    pub fn stop_task(&mut self, now: Timestamp, arn: &TaskArn, reason: &str) -> CallResult<()> {
        self.calling(now, "ecs:StopTask", |cloud| {
            let usual = cloud.config.stop_timeout;
            let sigterm = cloud.dice.roll("sigterm", arn).within(cloud.config.sigterm);
            let Some(task) = cloud.ecs.task_mut(arn) else { return Ok(()) };
            let is_first = task.stop_reason.is_none();
            if !is_first || matches!(task.status, TaskStatus::Stopping | TaskStatus::Stopped) {
                return Ok(());
            }
            task.stop_reason = Some(reason.to_owned());
            let stop_timeout = task.stop_timeout.unwrap_or(usual);
            let pause = match task.status {
                TaskStatus::Running if task.behaviour.ignores_sigterm => stop_timeout,
                TaskStatus::Running => sigterm.min(stop_timeout),
                TaskStatus::Pending | TaskStatus::Stopping | TaskStatus::Stopped => {
                    SignedDuration::ZERO
                }
            };
            cloud.agenda.add(now + pause, Happening::TaskKilled(arn.clone()));
            cloud.move_task(now, arn, TaskStatus::Stopping);
            Ok(())
        })
    }

    /// `DescribeTasks`: what is known of these tasks, and those that are not known.
    pub fn tasks(
        &mut self,
        now: Timestamp,
        tasks: &[TaskArn],
    ) -> CallResult<(Vec<TaskReport>, Vec<TaskArn>)> {
        self.calling(now, "ecs:DescribeTasks", |cloud| Ok(cloud.ecs.describe(now, tasks)))
    }

    /// `DescribeContainerInstances` of all.
    pub fn container_instances(
        &mut self,
        now: Timestamp,
    ) -> CallResult<Vec<ContainerInstanceReport>> {
        self.calling(now, "ecs:DescribeContainerInstances", |cloud| {
            Ok(cloud.ecs.hosts().map(crate::ecs::SimContainerInstance::report).collect())
        })
    }

    /// `UpdateContainerInstancesState` to DRAINING. One that is so already or is not known is no error.
    pub fn drain(&mut self, now: Timestamp, arn: &ContainerInstanceArn) -> CallResult<()> {
        self.calling(now, "ecs:UpdateContainerInstancesState", |cloud| {
            cloud.set_draining(now, arn);
            Ok(())
        })
    }

    /// `DeregisterContainerInstance` without `force`.
    pub fn deregister(&mut self, now: Timestamp, arn: &ContainerInstanceArn) -> CallResult<()> {
        self.calling(now, "ecs:DeregisterContainerInstance", |cloud| {
            cloud.ecs.deregister(arn);
            Ok(())
        })
    }

    // Faults and events.

    /// Performs a call, unless a fault befalls it.
    fn calling<T>(
        &mut self,
        now: Timestamp,
        action: &str,
        act: impl FnOnce(&mut Self) -> CallResult<T>,
    ) -> CallResult<T> {
        let ord = self.n_calls;
        self.n_calls += 1;
        match self.call_fault(now, ord, action) {
            None => act(self),
            Some(CallFault::Refused(error)) => Err(error),
            Some(CallFault::AnswerLost(error)) => {
                // What the call would have answered is just what the caller does not learn.
                let _ = act(self);
                Err(error)
            }
        }
    }

    fn call_fault(&self, now: Timestamp, ord: u64, action: &str) -> Option<CallFault> {
        let faults = &self.config.faults;
        let is_calm =
            faults.throttled_calls == Chance::NEVER && faults.unsettled_calls == Chance::NEVER;
        if is_calm || !self.faults_on(now) {
            return None;
        }
        let mut roll = self.dice.roll("call", &ord);
        let action = action.to_owned();
        if roll.happens(faults.throttled_calls) {
            let detail = "RequestLimitExceeded: simulated".to_owned();
            return Some(CallFault::Refused(CloudError::Throttled { action, detail }));
        }
        if !roll.happens(faults.unsettled_calls) {
            return None;
        }
        let error =
            CloudError::Unsettled { action, detail: "connection reset: simulated".to_owned() };
        let is_done = roll.happens(Chance::percent(50));
        Some(if is_done { CallFault::AnswerLost(error) } else { CallFault::Refused(error) })
    }

    /// Sends an event on its way, once, twice or not at all.
    fn tell(&mut self, now: Timestamp, event: CloudEvent) {
        let ord = self.n_events;
        self.n_events += 1;
        let mut roll = self.dice.roll("event", &ord);
        let latency = self.config.event_latency;
        let id = ord.to_string();
        if self.faults_on(now) {
            if roll.happens(self.config.faults.event_losses) {
                return;
            }
            if roll.happens(self.config.faults.event_duplicates) {
                let copy_at = now + roll.within(latency) + roll.within(Spread::of_secs(0, 60));
                self.events.send(now, copy_at, id.clone(), event.clone());
            }
        }
        self.events.send(now, now + roll.within(latency), id, event);
    }

    fn tell_task(&mut self, now: Timestamp, arn: &TaskArn) {
        if let Some(task) = self.ecs.task(arn) {
            let report = task.report();
            self.tell(now, CloudEvent::Task { report });
        }
    }

    fn tell_host(&mut self, now: Timestamp, instance: &InstanceId) {
        if let Some(host) = self.ecs.host_of(instance) {
            let report = host.report();
            self.tell(now, CloudEvent::ContainerInstance { report });
        }
    }

    fn tell_instance(&mut self, now: Timestamp, id: &InstanceId, status: InstanceStatus) {
        self.tell(now, CloudEvent::Instance { id: id.clone(), status });
    }

    fn move_task(&mut self, now: Timestamp, arn: &TaskArn, status: TaskStatus) {
        self.ecs.move_task(now, arn, status);
        self.tell_task(now, arn);
    }

    fn set_draining(&mut self, now: Timestamp, arn: &ContainerInstanceArn) {
        let Some(host) = self.ecs.host_mut(arn) else { return };
        if host.draining {
            return;
        }
        host.draining = true;
        let instance = host.instance.clone();
        self.tell_host(now, &instance);
    }
}

/// How all containers of a task behave together, the main one of which behaves so, and what each of several does.
fn together(
    request: &TaskRequest,
    main: Behaviour,
    dice: Dice,
) -> (Behaviour, Option<Box<Course>>) {
    let spec = &request.spec;
    let Some(task) = &spec.task else { return (main, None) };
    let others = task
        .others
        .iter()
        .map(|other| Behaviour::of_container(&other.container, spec, request.job, dice));
    let all: Vec<Behaviour> = std::iter::once(main.clone()).chain(others).collect();
    let any = |is_so: fn(&Behaviour) -> bool| all.iter().any(is_so);
    let behaviour = Behaviour {
        never_starts: any(|b| b.never_starts),
        missing_image: any(|b| b.missing_image),
        ignores_sigterm: any(|b| b.ignores_sigterm),
        ..main
    };
    let course = Course::of(task, all);
    (Behaviour { run: course.end(), ..behaviour }, Some(Box::new(course)))
}
