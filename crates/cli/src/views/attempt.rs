//! The attempts of a job: on which machine, how they ended, what they cost.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use spillway_core::{Attempt, Host, VariantOrd};

use super::container::{self, ContainerEndView};
use super::{span_text, usd, usd_text};
use crate::output::{Field, Rows, Tone};

/// One attempt.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptView {
    /// Its number, from 1.
    pub attempt: u32,
    /// Which of the job's variants it ran; nothing for the job as it is written.
    #[serde(skip_serializing_if = "VariantOrd::is_base")]
    pub variant: VariantOrd,
    /// The EC2 instance.
    pub instance_id: String,
    /// Its type.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// Its market.
    pub market: spillway_core::Market,
    /// The ECS task, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_arn: Option<String>,
    /// When it was given to the host.
    pub placed_at: Timestamp,
    /// When its container started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub stopped_at: Timestamp,
    /// The container's exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How each container ended, if the job has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerEndView>,
    /// How many children of the array shared its task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_by: Option<u32>,
    /// How long it ran itself in that task, where the task's report tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran_ms: Option<u64>,
    /// How it ended, in ECS's words where there are any.
    pub reason: String,
    /// Whose fault it was, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<spillway_core::FailureCategory>,
    /// What the host cost per hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_usd_per_hour: Option<f64>,
    /// Its share of the host's cost.
    pub cost_usd: f64,
    #[serde(skip)]
    cost: String,
    #[serde(skip)]
    price: String,
}

impl AttemptView {
    /// An attempt and its host, where that is known.
    pub fn new(attempt: &Attempt, host: Option<&Host>) -> Self {
        Self {
            attempt: attempt.ord.get(),
            variant: attempt.variant,
            instance_id: attempt.instance.to_string(),
            instance_type: attempt.pool.instance_type.clone(),
            zone: attempt.pool.zone.to_string(),
            market: attempt.pool.market,
            task_arn: attempt.task.as_ref().map(ToString::to_string),
            placed_at: attempt.placed_at,
            started_at: attempt.started_at,
            stopped_at: attempt.stopped_at,
            exit_code: attempt.exit_code,
            containers: container::ends(attempt),
            shared_by: attempt.shared.as_ref().map(|shared| shared.n.get()),
            ran_ms: own_run(attempt).and_then(|ran| u64::try_from(ran.as_millis()).ok()),
            reason: attempt.told().to_owned(),
            failure: attempt.failure,
            price_usd_per_hour: host.map(|host| host.price.as_usd_f64()),
            price: host.map_or_else(|| "-".to_owned(), |host| host.price.to_string()),
            cost_usd: usd(attempt.cost),
            cost: usd_text(attempt.cost),
        }
    }
}

/// How long a child ran in a task that it shared.
fn own_run(attempt: &Attempt) -> Option<SignedDuration> {
    attempt.shared.as_ref().and_then(|shared| shared.ran)
}

/// The attempt that is on a host now.
#[derive(Debug, Serialize)]
pub struct LiveView {
    /// Its number, from 1.
    pub attempt: u32,
    /// Which of the job's variants it runs; nothing for the job as it is written.
    #[serde(skip_serializing_if = "VariantOrd::is_base")]
    pub variant: VariantOrd,
    /// The host, as EC2 and the planner name it.
    pub host: String,
    /// What it costs per hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_usd_per_hour: Option<f64>,
    /// When it was given to the host.
    pub placed_at: Timestamp,
    /// When its container started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// How many children of the array share its task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_by: Option<u32>,
    /// That it is being stopped, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopping: Option<String>,
}

/// The attempts that have ended.
pub(crate) fn attempts_table(attempts: &[AttemptView]) -> Rows {
    let header =
        ["ATTEMPT", "EXIT", "INSTANCE", "TYPE", "ZONE", "MARKET", "PRICE", "RAN", "COST", "REASON"];
    let mut table = Rows::new(&header);
    for attempt in attempts {
        let tone = if attempt.failure.is_some() { Tone::Bad } else { Tone::Good };
        let exit = attempt.exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string());
        let in_task = attempt.started_at.map(|at| attempt.stopped_at.duration_since(at));
        let own = attempt.ran_ms.and_then(|ms| i64::try_from(ms).ok());
        let ran = own.map(SignedDuration::from_millis).or(in_task).map(span_text);
        table.row([
            match attempt.variant {
                VariantOrd::BASE => attempt.attempt.to_string(),
                variant => format!("{} (variant {variant})", attempt.attempt),
            }
            .into(),
            Field::toned(exit, tone),
            attempt.instance_id.as_str().into(),
            attempt.instance_type.as_str().into(),
            attempt.zone.as_str().into(),
            attempt.market.to_string().into(),
            attempt.price.as_str().into(),
            ran.unwrap_or_else(|| "never".to_owned()).into(),
            attempt.cost.as_str().into(),
            attempt.reason.as_str().into(),
        ]);
    }
    table
}
