//! The queue that jobs come from, and the one for what can never be a job.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use jiff::Timestamp;
use spillway_core::effect::{CallResult, DeadLetter, Receipt};
use spillway_core::input::Delivery;
use spillway_core::port::JobQueue;

use super::attributes;
use crate::call;

/// The job queue and its dead-letter queue.
#[derive(Debug)]
pub struct SqsJobs {
    client: Client,
    queue_url: String,
    dead_letter_url: String,
}

impl SqsJobs {
    pub(crate) const fn new(client: Client, queue_url: String, dead_letter_url: String) -> Self {
        Self { client, queue_url, dead_letter_url }
    }
}

impl JobQueue for SqsJobs {
    async fn receive(&self, wait: Duration) -> CallResult<Vec<Delivery>> {
        let messages = super::receive(&self.client, &self.queue_url, wait).await?;
        Ok(messages.into_iter().filter_map(delivery).collect())
    }

    async fn delete(&self, receipts: &[Receipt]) -> CallResult<()> {
        super::delete(&self.client, &self.queue_url, receipts).await
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> CallResult<()> {
        let attributes = attributes::of_letter(letter, &self.queue_url);
        let sent = self
            .client
            .send_message()
            .queue_url(&self.dead_letter_url)
            .message_body(&letter.body)
            .set_message_attributes(Some(attributes))
            .send()
            .await;
        sent.map_err(|error| call::sort("sqs:SendMessage", &error))?;
        // Only now: a letter that is sent twice is better than one that is lost.
        super::delete(&self.client, &self.queue_url, std::slice::from_ref(&letter.receipt)).await
    }
}

/// A message as the control loop knows it. SQS never leaves out an id or a receipt; without them nothing can be done.
fn delivery(message: Message) -> Option<Delivery> {
    let sent_at = message.attributes.as_ref().and_then(|attributes| {
        let millis = attributes.get(&MessageSystemAttributeName::SentTimestamp)?;
        Timestamp::from_millisecond(millis.parse().ok()?).ok()
    });
    let attributes = message.attributes.as_ref();
    let sender = attributes.and_then(|all| all.get(&MessageSystemAttributeName::SenderId)).cloned();
    Some(Delivery {
        message_id: message.message_id?,
        receipt: Receipt(message.receipt_handle?),
        body: message.body.unwrap_or_default(),
        sent_at,
        sender,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_body_id_receipt_and_time() {
        let message = Message::builder()
            .message_id("m-1")
            .receipt_handle("r-1")
            .body("{}")
            .attributes(MessageSystemAttributeName::SentTimestamp, "1700000000250")
            .attributes(MessageSystemAttributeName::SenderId, "AROAEXAMPLE:me")
            .build();

        let delivery = delivery(message).unwrap();

        assert_eq!(delivery.message_id, "m-1");
        assert_eq!(delivery.receipt, Receipt("r-1".into()));
        assert_eq!(delivery.body, "{}");
        assert_eq!(delivery.sender.as_deref(), Some("AROAEXAMPLE:me"));
        assert_eq!(delivery.sent_at.unwrap().as_millisecond(), 1_700_000_000_250);
    }

    #[test]
    fn a_message_without_a_receipt_is_left_alone() {
        let message = Message::builder().message_id("m-1").body("{}").build();

        assert_eq!(delivery(message), None);
    }
}
