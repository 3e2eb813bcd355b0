//! What the records of children say of a task that they share. One of them leads: its attempt's token is the task's, and it holds
//! the task's place on the host. Data; what follows is decided elsewhere.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::CoalesceRule;
use crate::attempt::{Attempt, FailureCategory};
use crate::cost;
use crate::id::{AttemptOrd, JobId};
use crate::job::{Job, JobSpec};
use crate::money::{MicroUsd, MicroUsdPerHour};
use crate::quantity::Resources;

/// A live attempt's part in a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SharedTask {
    /// The child that leads.
    pub leader: JobId,
    /// The leader's attempt.
    pub leader_attempt: AttemptOrd,
    /// How many children share the task.
    pub n: NonZeroU32,
    /// How the task ended, while its report has still to be read. Only with the leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Box<SharedEnd>>,
}

impl SharedTask {
    /// Whether this child leads.
    pub fn is_led_by(&self, child: JobId) -> bool {
        self.leader == child
    }
}

/// How a shared task ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SharedEnd {
    /// Since when it ran; none if it was not seen running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub stopped_at: Timestamp,
    /// The runner's exit code; none if it did not exit by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why, as of a task of one job.
    pub reason: String,
    /// The container's own reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_reason: Option<String>,
    /// Whose fault it was, as of a task of one job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCategory>,
}

/// An ended attempt's part in a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SharedPart {
    /// How many children shared the task; each of them carries as much of what it cost.
    pub n: NonZeroU32,
    /// How long this one ran, where the report was read and tells it. The task ran from the attempt's start to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran: Option<SignedDuration>,
}

/// What makes waiting children the same that may share tasks: only those of one array do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClassOfShared {
    /// Their array.
    pub array: JobId,
    /// How many share a task.
    pub size: NonZeroU32,
    /// In how many waves they run.
    pub waves: NonZeroU32,
}

impl ClassOfShared {
    /// That of a job's next attempt, with what a task needs; none if it may not share one.
    pub fn of(job: &Job) -> Option<(Self, Resources)> {
        let rule = CoalesceRule::of_next(job)?;
        let size = rule.size_of(job.spec.array?.indexes.size);
        let need = rule.need(&job.need(), size)?;
        let waves = NonZeroU32::new(rule.waves(size))?;
        (1 < size.get()).then_some((Self { array: job.id.whole(), size, waves }, need))
    }
}

impl JobSpec {
    /// What a host must have for one task of it: of children that share tasks, of as many as run side by side.
    pub fn need_of_task(&self) -> Resources {
        let shared = self
            .coalesce
            .zip(self.array)
            .and_then(|(rule, array)| rule.need(&self.resources, rule.size_of(array.indexes.size)));
        shared.unwrap_or(self.resources)
    }
}

impl Job {
    /// The task that its live attempt shares with others.
    pub fn shared(&self) -> Option<&SharedTask> {
        self.state.live_attempt()?.shared.as_deref()
    }

    /// Whether its live attempt is in a task that another child leads.
    pub fn rides_along(&self) -> bool {
        self.shared().is_some_and(|shared| !shared.is_led_by(self.id))
    }

    /// What the task of its live attempt needs, and among how many that is divided. Without a shared task, its own need.
    pub fn task_need(&self) -> (Resources, NonZeroU32) {
        let each = self.need();
        let shared = self.shared().zip(self.spec.coalesce);
        shared.map_or((each, NonZeroU32::MIN), |(shared, rule)| {
            (rule.need(&each, shared.n).unwrap_or(each), shared.n)
        })
    }

    /// What it holds on its host, or would hold by itself: of a shared task all of it is the leader's.
    pub fn held(&self) -> Resources {
        if self.rides_along() { Resources::ZERO } else { self.task_need().0 }
    }

    /// Its part of what its live attempt's task costs in this time on such a host. `at` is its place among those that share the
    /// task: the parts of all of them sum to what the task costs, to the micro-dollar.
    pub fn cost_of(
        &self,
        price: MicroUsdPerHour,
        held: SignedDuration,
        capacity: &Resources,
        at: u32,
    ) -> MicroUsd {
        let (need, n) = self.task_need();
        let whole = u128::from(cost::attempt_cost(price, held, &need, capacity).get());
        let up_to = |at: u32| whole * u128::from(at.min(n.get())) / u128::from(n.get());
        let part = up_to(at.saturating_add(1)) - up_to(at);
        MicroUsd::new(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

impl Attempt {
    /// How long it ran: of a shared task only the child itself, where nothing tells that as long as its children did on average.
    pub fn ran(&self, spec: &JobSpec) -> Option<SignedDuration> {
        let task_ran = self.stopped_at.duration_since(self.started_at?);
        let Some((shared, rule)) = self.shared.as_deref().zip(spec.coalesce) else {
            return Some(task_ran);
        };
        shared.ran.or_else(|| {
            let n = i64::from(shared.n.get());
            let at_once = i64::from(rule.parallel.get()).min(n);
            let millis = i64::try_from(task_ran.as_millis()).unwrap_or(i64::MAX);
            Some(SignedDuration::from_millis(millis.saturating_mul(at_once) / n))
        })
    }
}
