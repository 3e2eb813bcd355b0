//! The ports: narrow traits between the runtime and the world. Adapters decide nothing.
//!
//! Every method may fail, be slow, or do its work and lose the answer. Implementations return errors sorted as in
//! [`CloudError`](crate::CloudError) and never retry beyond what the transport does by itself.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;

use crate::breaker::{Breaker, BreakerId};
use crate::burst::Burst;
use crate::catalog::Catalog;
use crate::change::{Change, LedgerState};
use crate::definition::DefinitionRecord;
use crate::effect::{
    CallResult, DeadLetter, LaunchAnswer, LaunchRequest, Receipt, TaskRequest, TaskStart,
};
use crate::error::LedgerError;
pub use crate::filter::JobFilter;
use crate::host::Host;
use crate::id::{ContainerInstanceArn, HostId, InstanceId, JobId, QueueName, TaskArn};
use crate::input::{Delivery, EventDelivery};
use crate::job::{Job, JobSpec, JobStatus};
use crate::launch::Launch;
use crate::schedule::ScheduleRecord;
use crate::scheduling::{Gate, Pausable};
use crate::task::{ContainerInstanceReport, InstanceReport, TaskReport};

/// The queue that jobs come from. At least once, in any order.
pub trait JobQueue: Send + Sync {
    /// Up to ten messages; waits up to `wait` (at most 20 s) for the first.
    fn receive(&self, wait: Duration) -> impl Future<Output = CallResult<Vec<Delivery>>> + Send;

    /// Deletes deliveries. One that fails comes again, which does no harm.
    fn delete(&self, receipts: &[Receipt]) -> impl Future<Output = CallResult<()>> + Send;

    /// Puts a message on the dead-letter queue with its reason, then deletes the original.
    fn dead_letter(&self, letter: &DeadLetter) -> impl Future<Output = CallResult<()>> + Send;
}

/// The queue that producers send to.
pub trait JobSender: Send + Sync {
    /// Sends one message; returns its id.
    fn send(&self, body: &str) -> impl Future<Output = CallResult<String>> + Send;
}

/// The queue that news of tasks and hosts comes from. At least once, in any order, sometimes never.
pub trait EventQueue: Send + Sync {
    /// Up to ten events; waits up to `wait` (at most 20 s) for the first.
    fn receive(
        &self,
        wait: Duration,
    ) -> impl Future<Output = CallResult<Vec<EventDelivery>>> + Send;

    /// Deletes deliveries.
    fn delete(&self, receipts: &[Receipt]) -> impl Future<Output = CallResult<()>> + Send;
}

/// Where news of jobs goes, for others. At least once; what is newer is told by its version.
pub trait EventSink: Send + Sync {
    /// Passes on events, all of them or an error; after an error they come again.
    fn publish(&self, events: &[String]) -> impl Future<Output = CallResult<()>> + Send;
}

/// EC2.
pub trait Compute: Send + Sync {
    /// Buys hosts. The same token again is the same call and gives the same instances.
    fn launch(
        &self,
        request: &LaunchRequest,
    ) -> impl Future<Output = CallResult<LaunchAnswer>> + Send;

    /// Ends instances; one that has ended already is no error.
    fn terminate(&self, instances: &[InstanceId]) -> impl Future<Output = CallResult<()>> + Send;

    /// All instances with our deployment's tag, ended ones included while EC2 shows them.
    fn instances(&self) -> impl Future<Output = CallResult<Vec<InstanceReport>>> + Send;
}

/// ECS.
pub trait Cluster: Send + Sync {
    /// Starts an attempt on its host. The same token again is the same call and gives the same task.
    fn run_task(&self, request: &TaskRequest)
    -> impl Future<Output = CallResult<TaskStart>> + Send;

    /// Stops a task; one that has stopped already, or is not known, is no error.
    fn stop_task(
        &self,
        task: &TaskArn,
        reason: &str,
    ) -> impl Future<Output = CallResult<()>> + Send;

    /// What the log of a task says so far of the children that share it: the lines with the runner's mark, oldest first.
    /// One that has no log (yet) has no lines.
    fn report(
        &self,
        task: &TaskArn,
        spec: &JobSpec,
    ) -> impl Future<Output = CallResult<Vec<String>>> + Send;

    /// The tasks that are known, and those that are not.
    fn tasks(
        &self,
        tasks: &[TaskArn],
    ) -> impl Future<Output = CallResult<(Vec<TaskReport>, Vec<TaskArn>)>> + Send;

    /// All hosts in the cluster.
    fn container_instances(
        &self,
    ) -> impl Future<Output = CallResult<Vec<ContainerInstanceReport>>> + Send;

    /// Sets a host DRAINING; one that is so already, or is not known, is no error.
    fn drain(&self, host: &ContainerInstanceArn) -> impl Future<Output = CallResult<()>> + Send;

    /// Takes an ended host out of the cluster; one that is not known is no error.
    fn deregister(
        &self,
        host: &ContainerInstanceArn,
    ) -> impl Future<Output = CallResult<()>> + Send;
}

/// Offerings and prices.
pub trait PriceFeed: Send + Sync {
    /// What can be bought now.
    fn catalog(&self) -> impl Future<Output = CallResult<Catalog>> + Send;
}

/// The durable record, as the dispatcher writes it. One writer.
pub trait Ledger: Send {
    /// All that is not over.
    fn load(&mut self) -> impl Future<Output = Result<LedgerState, LedgerError>> + Send;

    /// Writes all changes or none.
    fn commit(
        &mut self,
        now: Timestamp,
        changes: &[Change],
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Whether what is written may be acted on now. Where several dispatchers share a ledger, one that has not been able to show
    /// for a while that it leads must begin nothing, since another may.
    fn may_act(&self) -> bool {
        true
    }
}

/// The durable record, as the CLI reads it. Works with the dispatcher up or down.
pub trait LedgerReader {
    /// One job.
    fn job(&self, id: JobId) -> Result<Option<Job>, LedgerError>;

    /// Jobs that meet the conditions, newest first.
    fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, LedgerError>;

    /// How many jobs are in each state, in the order of [`JobStatus::ALL`].
    fn job_counts(&self) -> Result<Vec<(JobStatus, u64)>, LedgerError>;

    /// The same by queue; what there is none of is left out.
    fn queue_counts(&self) -> Result<BTreeMap<(QueueName, JobStatus), u64>, LedgerError>;

    /// How many children of an array are in each state, those that have no record as [`Self::job`] tells them; the states
    /// with none are left out.
    fn child_counts(&self, array: JobId) -> Result<Vec<(JobStatus, u32)>, LedgerError>;

    /// Jobs, arrays, and children with a record that ended last, newest first, to the second.
    fn last_ended(&self, limit: usize) -> Result<Vec<Job>, LedgerError>;

    /// When the first job was accepted, and when the last end was of all that have a record and have ended, nodes too; to the
    /// second. None without a job.
    fn span(&self) -> Result<Option<(Timestamp, Timestamp)>, LedgerError>;

    /// One host, whether or not it is gone.
    fn host(&self, id: HostId) -> Result<Option<Host>, LedgerError>;

    /// All hosts that are not gone, or all there ever were.
    fn hosts(&self, with_gone: bool) -> Result<Vec<Host>, LedgerError>;

    /// All hosts that are not gone, or were not at `at`.
    fn hosts_since(&self, at: Timestamp) -> Result<Vec<Host>, LedgerError>;

    /// All launches, newest first.
    fn launches(&self, limit: usize) -> Result<Vec<Launch>, LedgerError>;

    /// All revisions of job definitions, by name and revision.
    fn definitions(&self) -> Result<Vec<DefinitionRecord>, LedgerError>;

    /// All schedules by name, those that were deleted too.
    fn schedules(&self) -> Result<Vec<ScheduleRecord>, LedgerError>;

    /// The newest orders to pause or resume, by what they are about.
    fn gates(&self) -> Result<BTreeMap<Pausable, Gate>, LedgerError>;

    /// What is left alone after failures, by what it is.
    fn breakers(&self) -> Result<BTreeMap<BreakerId, Breaker>, LedgerError>;

    /// What is held until somebody approves it, and what is approved.
    fn burst(&self) -> Result<Burst, LedgerError>;

    /// What a dispatcher would start from.
    fn state(&self) -> Result<LedgerState, LedgerError>;
}
