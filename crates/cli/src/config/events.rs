//! Who is told what becomes of jobs.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillway_core::job::JobStatus;
use spillway_runtime::ledger::EventRule;

/// News of jobs for others: AWS Batch's event `Batch Job State Change`, from the source `spillway`, at least once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct EventsConfig {
    /// The SQS queue that it is sent to; none sends none. The dispatcher needs `sqs:SendMessage` on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The ARN of an SNS topic that it is published to instead. The dispatcher needs `sns:Publish` on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// An `EventBridge` bus that it is put on instead, by name or ARN. The dispatcher needs `events:PutEvents` on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
    /// A file that it is appended to instead, one JSON object per line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The states whose beginning is news.
    #[schemars(with = "Vec<String>")]
    pub statuses: Vec<JobStatus>,
    /// Whether each child of an array is told of by itself; without it, arrays are told of as wholes.
    pub children: bool,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self {
            queue: None,
            topic: None,
            bus: None,
            file: None,
            statuses: JobStatus::ALL.to_vec(),
            children: false,
        }
    }
}

impl EventsConfig {
    /// What is put into the outbox; none if nobody is told.
    pub fn rule(&self) -> Option<EventRule> {
        let is_wanted = !self.places().is_empty();
        let statuses = self.statuses.iter().copied().collect();
        is_wanted.then_some(EventRule { statuses, children: self.children })
    }

    /// The settings that say where it goes. What is told in two places may be taken in one and not in the other, so there is one at most.
    pub(super) fn places(&self) -> Vec<&'static str> {
        let places = [
            ("job-events.queue", self.queue.is_some()),
            ("job-events.topic", self.topic.is_some()),
            ("job-events.bus", self.bus.is_some()),
            ("job-events.file", self.file.is_some()),
        ];
        places.into_iter().filter(|(_, is_named)| *is_named).map(|(key, _)| key).collect()
    }
}
