//! The simulated AWS: two queues, EC2, ECS and the events between them, in a time that is handed in.
//!
//! Every method takes `now`; time only goes forward. [`SimCloud::advance`] lets happen what is due; the calls act at
//! `now` and answer at once (how long an answer takes is the caller's business, see [`SimCloud::call_latency`]). The
//! cloud knows nothing of the engine, and draws nothing but from its [`Dice`].

mod happening;
mod mishap;
mod shared;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use spillway_core::effect::{
    CallResult, DeadLetter, LaunchAnswer, LaunchRequest, Receipt, Refusal, TaskRequest, TaskStart,
};
use spillway_core::input::{Delivery, EventDelivery};
use spillway_core::task::{
    CloudEvent, ContainerInstanceReport, InstanceReport, InstanceStatus, TaskReport, TaskStatus,
};
use spillway_core::{Catalog, CloudError, ContainerInstanceArn, InstanceId, JobId, TaskArn, id};
use uuid::Uuid;

use crate::agenda::Agenda;
use crate::behaviour::Behaviour;
use crate::buckets::Buckets;
use crate::course::Course;
use crate::dice::Dice;
use crate::ec2::{Ec2, InstanceEnd};
use crate::ecs::{Ecs, Started, TaskEnd};
use crate::fault::{Coverage, Fault};
use crate::setting::Spread;
use crate::sqs::Queue;
use crate::world::{Out, WorldConfig};
use happening::Happening;

/// How many messages one call receives at most (SQS: ten).
pub const RECEIVE_MAX: usize = 10;

/// The simulated cloud.
#[derive(Debug)]
pub struct SimCloud {
    config: WorldConfig,
    dice: Dice,
    started_at: Timestamp,
    agenda: Agenda<Happening>,
    behaviours: BTreeMap<JobId, Behaviour>,
    jobs: Queue<String>,
    /// None is an event that says nothing to us.
    events: Queue<Option<CloudEvent>>,
    dead_letters: Vec<DeadLetter>,
    buckets: Buckets,
    /// What was registered as a task definition.
    definitions: BTreeSet<String>,
    coverage: Coverage,
    ec2: Ec2,
    ecs: Ecs,
    n_calls: u64,
    n_events: u64,
    n_messages: u64,
    n_over_limit: u64,
}

impl SimCloud {
    /// An empty cloud.
    pub fn new(config: WorldConfig, started_at: Timestamp) -> Self {
        let mut agenda = Agenda::default();
        for (ord, reclaim) in config.reclaims.iter().enumerate() {
            agenda.add(started_at + reclaim.at, Happening::Reclaim(ord));
        }
        for (ord, outage) in config.outages.iter().enumerate() {
            agenda.add(started_at + outage.from, Happening::OutageBegins(ord));
        }
        Self {
            dice: Dice::new(config.seed),
            started_at,
            agenda,
            behaviours: BTreeMap::new(),
            jobs: Queue::new("job", config.visibility_timeout),
            events: Queue::new("event", config.visibility_timeout),
            dead_letters: Vec::new(),
            buckets: Buckets::new(config.api_percent),
            definitions: BTreeSet::new(),
            coverage: Coverage::default(),
            ec2: Ec2::new(&config, started_at),
            ecs: Ecs::default(),
            n_calls: 0,
            n_events: 0,
            n_messages: 0,
            n_over_limit: 0,
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
    pub const fn event_queue(&self) -> &Queue<Option<CloudEvent>> {
        &self.events
    }

    /// The dead-letter queue, oldest first.
    pub fn dead_letters(&self) -> &[DeadLetter] {
        &self.dead_letters
    }

    /// Which faults have happened.
    pub const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// A fault has happened around the cloud.
    pub fn note(&mut self, fault: Fault) {
        self.coverage.note(fault);
    }

    /// How many calls found their token bucket empty.
    pub const fn n_over_limit(&self) -> u64 {
        self.n_over_limit
    }

    /// Whether something is out now.
    pub fn is_out(&self, now: Timestamp, what: impl Fn(&Out) -> bool) -> bool {
        self.config.is_out(now.duration_since(self.started_at), what)
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
        self.config.faults.until.is_none_or(|until| now.duration_since(self.started_at) < until.0)
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
        if let Some(copy_at) = self.copy_of_message(now, ord) {
            self.jobs.send(now, copy_at, id.clone(), body.clone());
        }
        self.jobs.send(now, now, id.clone(), body);
        id
    }

    /// Receives up to ten messages of the job queue.
    pub fn receive_messages(&mut self, now: Timestamp) -> CallResult<Vec<Delivery>> {
        self.queue_answers(now, "sqs:ReceiveMessage")?;
        let received = self.jobs.receive(now, RECEIVE_MAX);
        let n_again = received.iter().filter(|(_, message)| 1 < message.n_received).count();
        let delivery = |(receipt, message): (Receipt, &crate::sqs::Message<String>)| Delivery {
            message_id: message.id.clone(),
            receipt,
            body: message.body.clone(),
            sent_at: Some(message.sent_at),
            sender: None,
        };
        let deliveries = received.into_iter().map(delivery).collect();
        self.coverage.add(Fault::Redelivery, u64::try_from(n_again).unwrap_or(u64::MAX));
        Ok(deliveries)
    }

    /// Receives up to ten events.
    pub fn receive_events(&mut self, now: Timestamp) -> CallResult<Vec<EventDelivery>> {
        self.credentials_hold(now, "sqs:ReceiveMessage")?;
        let received = self.events.receive(now, RECEIVE_MAX).into_iter();
        Ok(received.map(|(receipt, m)| EventDelivery { receipt, event: m.body.clone() }).collect())
    }

    /// Deletes messages of the job queue.
    pub fn delete_messages(&mut self, now: Timestamp, receipts: &[Receipt]) -> CallResult<()> {
        self.queue_answers(now, "sqs:DeleteMessage")?;
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
        self.queue_answers(now, "sqs:SendMessage")?;
        self.calling(now, "sqs:SendMessage", |cloud| {
            cloud.dead_letters.push(letter.clone());
            cloud.plan_redrive(now);
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
            cloud.note_launch(request, &answer);
            Ok(answer)
        })
    }

    /// `TerminateInstances`. Ids that are not known or have ended are no error.
    pub fn terminate(&mut self, now: Timestamp, instances: &[InstanceId]) -> CallResult<()> {
        self.calling(now, "ec2:TerminateInstances", |cloud| {
            let mut result = Ok(());
            for instance in instances {
                if cloud.is_cut_off(now, instance) {
                    let detail = "Unavailable: the zone does not answer".to_owned();
                    let action = "ec2:TerminateInstances".to_owned();
                    result = Err(CloudError::Unsettled { action, detail });
                } else {
                    cloud.end_instance(now, instance, InstanceEnd::Terminated);
                }
            }
            result
        })
    }

    /// `DescribeInstances`.
    pub fn instances(&mut self, now: Timestamp) -> CallResult<Vec<InstanceReport>> {
        self.calling(now, "ec2:DescribeInstances", |cloud| cloud.list_instances(now))
    }

    /// Offerings and prices.
    pub fn catalog(&mut self, now: Timestamp) -> CallResult<Catalog> {
        self.calling(now, "ec2:DescribeSpotPriceHistory", |cloud| Ok(cloud.price_list(now)))
    }

    // ECS.

    /// `RunTask`, pinned to one instance.
    pub fn run_task(&mut self, now: Timestamp, request: &TaskRequest) -> CallResult<TaskStart> {
        self.define(now, &request.spec.container.image)?;
        self.calling(now, "ecs:RunTask", |cloud| {
            let told = cloud.behaviours.get(&request.job).cloned();
            let dice = cloud.dice;
            let behaviour = told.unwrap_or_else(|| Behaviour::of(&request.spec, request.job, dice));
            let (behaviour, course) = together(request, behaviour, dice);
            let (behaviour, log) = cloud.shared(now, request, behaviour);
            let arn = match cloud.ecs.run_task(now, request, behaviour, course, log)? {
                Started::Refused(refusal) => {
                    if refusal == Refusal::HostGone {
                        cloud.note(Fault::DrainRace);
                    }
                    return Ok(TaskStart::Refused(refusal));
                }
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
            let hears_nothing = cloud.hears_no_signal(now, arn);
            let Some(task) = cloud.ecs.task_mut(arn) else { return Ok(()) };
            let is_first = task.stop_reason.is_none();
            if task.end.is_some() || task.status == TaskStatus::Stopped {
                cloud.coverage.note(Fault::CancelRace);
                return Ok(());
            }
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
            let runs_on = task.behaviour.run.is_none() || task.behaviour.ignores_sigterm;
            if hears_nothing || (runs_on && task.status == TaskStatus::Running) {
                cloud.coverage.note(Fault::RunsForEver);
            }
            if !hears_nothing {
                if let Some(log) = cloud.ecs.shared_log_mut(arn) {
                    log.tell(now);
                }
                cloud.agenda.add(now + pause, Happening::TaskKilled(arn.clone()));
            }
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
        // One call names a hundred tasks at most.
        for _ in 0..tasks.len().saturating_sub(1) / 100 {
            self.within_limits(now, "ecs:DescribeTasks")?;
        }
        self.calling(now, "ecs:DescribeTasks", |cloud| {
            let shown_at = cloud.shown_at(now);
            let (found, missing) = cloud.ecs.describe(now, shown_at, tasks);
            let is_forgotten = |arn: &&TaskArn| {
                cloud.ecs.task(arn).is_none_or(|task| task.status == TaskStatus::Stopped)
            };
            let n_forgotten = missing.iter().filter(is_forgotten).count();
            cloud.coverage.add(Fault::RecordExpired, u64::try_from(n_forgotten).unwrap_or(0));
            Ok((found, missing))
        })
    }

    /// `DescribeContainerInstances` of all.
    pub fn container_instances(
        &mut self,
        now: Timestamp,
    ) -> CallResult<Vec<ContainerInstanceReport>> {
        self.calling(now, "ecs:DescribeContainerInstances", |cloud| {
            let shown_at = cloud.shown_at(now);
            Ok(cloud.ecs.hosts().filter_map(|host| host.report_at(shown_at)).collect())
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

    // Events.

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
        host.draining_since = Some(now);
        let instance = host.instance.clone();
        if !host.is_idle() {
            self.note(Fault::DrainUnderTask);
        }
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
