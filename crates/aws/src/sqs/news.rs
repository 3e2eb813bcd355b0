//! News of jobs out: a queue that others read.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use spillway_core::effect::CallResult;
use spillway_core::port::EventSink;

use crate::{call, codes, limits};

/// Sends events to a queue, ten in a call.
#[derive(Debug)]
pub struct SqsNews {
    client: Client,
    queue_url: String,
}

impl SqsNews {
    pub(crate) const fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl EventSink for SqsNews {
    async fn publish(&self, events: &[String]) -> CallResult<()> {
        for batch in batches(events) {
            let entries: Vec<_> = batch.iter().enumerate().filter_map(entry).collect();
            let answer = self
                .client
                .send_message_batch()
                .queue_url(&self.queue_url)
                .set_entries(Some(entries))
                .send()
                .await;
            let answer = answer.map_err(|error| call::sort("sqs:SendMessage", &error))?;
            // SQS answers for each. What it has taken comes again with what it has not.
            if let Some(failed) = answer.failed.first() {
                let detail = format!("{}: {}", failed.code(), failed.message().unwrap_or_default());
                return Err(call::cloud_error(
                    codes::kind(failed.code()),
                    "sqs:SendMessage",
                    detail,
                ));
            }
        }
        Ok(())
    }
}

fn entry((ord, event): (usize, &String)) -> Option<SendMessageBatchRequestEntry> {
    let entry = SendMessageBatchRequestEntry::builder();
    entry.id(ord.to_string()).message_body(event).build().ok()
}

/// The events in order, as many together as one call takes.
fn batches(events: &[String]) -> Vec<&[String]> {
    let mut batches = Vec::new();
    let mut rest = events;
    while !rest.is_empty() {
        let mut n_bytes = 0;
        let fits = rest.iter().take(limits::SQS_BATCH).take_while(|event| {
            n_bytes += event.len();
            n_bytes <= limits::SQS_BATCH_BYTES
        });
        // One that is too large by itself is sent alone: SQS says so, and it is told.
        let n = fits.count().max(1);
        let (batch, more) = rest.split_at(n.min(rest.len()));
        batches.push(batch);
        rest = more;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_takes_ten_events_and_no_more_bytes_than_sqs_does() {
        let small: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        let large = vec!["x".repeat(limits::SQS_BATCH_BYTES - 10), "y".repeat(20), "z".into()];
        let sizes = |events: &[String]| batches(events).iter().map(|b| b.len()).collect::<Vec<_>>();

        assert_eq!(sizes(&small), [10, 10, 5]);
        assert_eq!(sizes(&large), [1, 2]);
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&["x".repeat(limits::SQS_BATCH_BYTES + 1)]), [1]);
    }
}
