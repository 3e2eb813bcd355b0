//! The queue that EventBridge sends news of tasks and hosts to.

use std::time::Duration;

use aws_sdk_sqs::Client;
use spillway_core::effect::{CallResult, Receipt};
use spillway_core::input::EventDelivery;
use spillway_core::port::EventQueue;
use tracing::debug;

use super::event;

/// The event queue.
#[derive(Debug)]
pub struct SqsEvents {
    client: Client,
    queue_url: String,
    cluster: String,
}

impl SqsEvents {
    pub(crate) const fn new(client: Client, queue_url: String, cluster: String) -> Self {
        Self { client, queue_url, cluster }
    }
}

impl EventQueue for SqsEvents {
    async fn receive(&self, wait: Duration) -> CallResult<Vec<EventDelivery>> {
        let messages = super::receive(&self.client, &self.queue_url, wait).await?;
        let mut deliveries = Vec::with_capacity(messages.len());
        for message in messages {
            let Some(receipt) = message.receipt_handle else { continue };
            let event = event::parse(message.body.as_deref().unwrap_or_default(), &self.cluster);
            if event.is_none() {
                debug!(message_id = message.message_id, "an event says nothing we know");
            }
            deliveries.push(EventDelivery { receipt: Receipt(receipt), event });
        }
        Ok(deliveries)
    }

    async fn delete(&self, receipts: &[Receipt]) -> CallResult<()> {
        super::delete(&self.client, &self.queue_url, receipts).await
    }
}
