//! News of jobs to an SNS topic.

use aws_sdk_sns::Client;
use aws_sdk_sns::types::PublishBatchRequestEntry;
use spillway_core::effect::CallResult;

use super::batches;
use crate::{call, codes, limits};

const ACTION: &str = "sns:Publish";

/// Publishes events to a topic, ten in a call.
#[derive(Debug)]
pub struct TopicNews {
    client: Client,
    topic_arn: String,
}

impl TopicNews {
    pub(crate) const fn new(client: Client, topic_arn: String) -> Self {
        Self { client, topic_arn }
    }

    pub(super) async fn publish(&self, events: &[String]) -> CallResult<()> {
        for batch in batches(events, limits::SNS_BATCH, limits::SNS_BATCH_BYTES, 0) {
            let entries: Vec<_> = batch.iter().enumerate().filter_map(entry).collect();
            let answer = self
                .client
                .publish_batch()
                .topic_arn(&self.topic_arn)
                .set_publish_batch_request_entries(Some(entries))
                .send()
                .await;
            let answer = answer.map_err(|error| call::sort(ACTION, &error))?;
            // SNS answers for each. What it has taken comes again with what it has not.
            if let Some(failed) = answer.failed().first() {
                let detail = format!("{}: {}", failed.code(), failed.message().unwrap_or_default());
                return Err(call::cloud_error(codes::kind(failed.code()), ACTION, detail));
            }
        }
        Ok(())
    }
}

fn entry((ord, event): (usize, &String)) -> Option<PublishBatchRequestEntry> {
    PublishBatchRequestEntry::builder().id(ord.to_string()).message(event).build().ok()
}
