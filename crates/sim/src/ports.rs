//! The simulated cloud behind the ports, for the real runtime on whatever clock it is given.
//!
//! Every call first lets happen what is due, then acts, and returns at once: how long calls take is left to the clock's
//! owner, and an empty queue is for the caller to come back to. Time never goes back, whatever the clock says.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use spillway_core::effect::{
    CallResult, DeadLetter, LaunchAnswer, LaunchRequest, Receipt, TaskRequest, TaskStart,
};
use spillway_core::input::{Delivery, EventDelivery};
use spillway_core::port::{Cluster, Compute, EventQueue, JobQueue, JobSender, PriceFeed};
use spillway_core::task::{ContainerInstanceReport, InstanceReport, TaskReport};
use spillway_core::{Catalog, ContainerInstanceArn, InstanceId, JobSpec, TaskArn};

use crate::cloud::SimCloud;

/// The time that the simulated cloud lives in.
type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

struct Shared {
    cloud: SimCloud,
    last: Timestamp,
}

/// All ports over one simulated cloud. Clones share it.
#[derive(Clone)]
pub struct SimPorts {
    shared: Arc<Mutex<Shared>>,
    now: Now,
}

impl fmt::Debug for SimPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimPorts").finish_non_exhaustive()
    }
}

impl SimPorts {
    /// Ports over `cloud`, whose time `now` tells.
    pub fn new(cloud: SimCloud, now: Now) -> Self {
        let last = cloud.started_at();
        Self { shared: Arc::new(Mutex::new(Shared { cloud, last })), now }
    }

    /// Looks at the cloud, or changes it, at this moment.
    pub fn with_cloud<R>(&self, f: impl FnOnce(&mut SimCloud, Timestamp) -> R) -> R {
        // A panic elsewhere while it was locked leaves a cloud that is whole: no call is half done in between.
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.now)().max(shared.last);
        shared.last = now;
        shared.cloud.advance(now);
        f(&mut shared.cloud, now)
    }
}

impl JobQueue for SimPorts {
    async fn receive(&self, _wait: Duration) -> CallResult<Vec<Delivery>> {
        self.with_cloud(SimCloud::receive_messages)
    }

    async fn delete(&self, receipts: &[Receipt]) -> CallResult<()> {
        self.with_cloud(|cloud, now| cloud.delete_messages(now, receipts))
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> CallResult<()> {
        self.with_cloud(|cloud, now| cloud.dead_letter(now, letter))
    }
}

impl JobSender for SimPorts {
    async fn send(&self, body: &str) -> CallResult<String> {
        Ok(self.with_cloud(|cloud, now| cloud.send_message(now, body.to_owned())))
    }
}

impl EventQueue for SimPorts {
    async fn receive(&self, _wait: Duration) -> CallResult<Vec<EventDelivery>> {
        self.with_cloud(SimCloud::receive_events)
    }

    async fn delete(&self, receipts: &[Receipt]) -> CallResult<()> {
        self.with_cloud(|cloud, now| cloud.delete_events(now, receipts))
    }
}

impl Compute for SimPorts {
    async fn launch(&self, request: &LaunchRequest) -> CallResult<LaunchAnswer> {
        self.with_cloud(|cloud, now| cloud.launch(now, request))
    }

    async fn terminate(&self, instances: &[InstanceId]) -> CallResult<()> {
        self.with_cloud(|cloud, now| cloud.terminate(now, instances))
    }

    async fn instances(&self) -> CallResult<Vec<InstanceReport>> {
        self.with_cloud(SimCloud::instances)
    }
}

impl Cluster for SimPorts {
    async fn run_task(&self, request: &TaskRequest) -> CallResult<TaskStart> {
        self.with_cloud(|cloud, now| cloud.run_task(now, request))
    }

    async fn stop_task(&self, task: &TaskArn, reason: &str) -> CallResult<()> {
        self.with_cloud(|cloud, now| cloud.stop_task(now, task, reason))
    }

    async fn report(&self, task: &TaskArn, _spec: &JobSpec) -> CallResult<Vec<String>> {
        self.with_cloud(|cloud, now| cloud.report(now, task))
    }

    async fn tasks(&self, tasks: &[TaskArn]) -> CallResult<(Vec<TaskReport>, Vec<TaskArn>)> {
        self.with_cloud(|cloud, now| cloud.tasks(now, tasks))
    }

    async fn container_instances(&self) -> CallResult<Vec<ContainerInstanceReport>> {
        self.with_cloud(SimCloud::container_instances)
    }

    async fn drain(&self, host: &ContainerInstanceArn) -> CallResult<()> {
        self.with_cloud(|cloud, now| cloud.drain(now, host))
    }

    async fn deregister(&self, host: &ContainerInstanceArn) -> CallResult<()> {
        self.with_cloud(|cloud, now| cloud.deregister(now, host))
    }
}

impl PriceFeed for SimPorts {
    async fn catalog(&self) -> CallResult<Catalog> {
        self.with_cloud(SimCloud::catalog)
    }
}
