//! The queues: jobs in, news in, jobs out. Never looks into a job message.

mod attributes;
mod event;
mod events;
mod jobs;
mod sender;

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use spillway_core::effect::{CallResult, Receipt};
use tracing::debug;

pub use events::SqsEvents;
pub use jobs::SqsJobs;
pub use sender::SqsSender;

use crate::{call, limits};

/// Up to ten messages of a queue.
async fn receive(client: &Client, queue_url: &str, wait: Duration) -> CallResult<Vec<Message>> {
    let wait = wait.min(limits::SQS_WAIT_MAX);
    let answer = client
        .receive_message()
        .queue_url(queue_url)
        .max_number_of_messages(i32::try_from(limits::SQS_BATCH).unwrap_or(1))
        .wait_time_seconds(i32::try_from(wait.as_secs()).unwrap_or(0))
        .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
        .message_system_attribute_names(MessageSystemAttributeName::SenderId)
        .send()
        .await;
    let answer = answer.map_err(|error| call::sort("sqs:ReceiveMessage", &error))?;
    Ok(answer.messages.unwrap_or_default())
}

/// Deletes deliveries. SQS answers for each; one that failed comes again, and is known then.
async fn delete(client: &Client, queue_url: &str, receipts: &[Receipt]) -> CallResult<()> {
    for batch in receipts.chunks(limits::SQS_BATCH) {
        let entries: Vec<_> = batch.iter().enumerate().filter_map(entry).collect();
        let answer = client
            .delete_message_batch()
            .queue_url(queue_url)
            .set_entries(Some(entries))
            .send()
            .await;
        let answer = answer.map_err(|error| call::sort("sqs:DeleteMessage", &error))?;
        for failed in &answer.failed {
            debug!(code = failed.code(), "a message was not deleted and will come again");
        }
    }
    Ok(())
}

fn entry((ord, receipt): (usize, &Receipt)) -> Option<DeleteMessageBatchRequestEntry> {
    let entry = DeleteMessageBatchRequestEntry::builder();
    entry.id(ord.to_string()).receipt_handle(&receipt.0).build().ok()
}
