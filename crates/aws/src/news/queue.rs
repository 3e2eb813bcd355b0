//! News of jobs to an SQS queue.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use spillway_core::effect::CallResult;

use super::batches;
use crate::{call, codes, limits};

const ACTION: &str = "sqs:SendMessage";

/// Sends events to a queue, ten in a call.
#[derive(Debug)]
pub struct QueueNews {
    client: Client,
    queue_url: String,
}

impl QueueNews {
    pub(crate) const fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }

    pub(super) async fn publish(&self, events: &[String]) -> CallResult<()> {
        for batch in batches(events, limits::SQS_BATCH, limits::SQS_BATCH_BYTES, 0) {
            let entries: Vec<_> = batch.iter().enumerate().filter_map(entry).collect();
            let answer = self
                .client
                .send_message_batch()
                .queue_url(&self.queue_url)
                .set_entries(Some(entries))
                .send()
                .await;
            let answer = answer.map_err(|error| call::sort(ACTION, &error))?;
            // SQS answers for each. What it has taken comes again with what it has not.
            if let Some(failed) = answer.failed.first() {
                let detail = format!("{}: {}", failed.code(), failed.message().unwrap_or_default());
                return Err(call::cloud_error(codes::kind(failed.code()), ACTION, detail));
            }
        }
        Ok(())
    }
}

fn entry((ord, event): (usize, &String)) -> Option<SendMessageBatchRequestEntry> {
    let entry = SendMessageBatchRequestEntry::builder();
    entry.id(ord.to_string()).message_body(event).build().ok()
}
