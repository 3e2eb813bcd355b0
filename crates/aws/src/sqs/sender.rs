//! The queue that producers send to.

use aws_sdk_sqs::Client;
use spillway_core::effect::CallResult;
use spillway_core::port::JobSender;

use crate::call;

/// Sends to the job queue.
#[derive(Debug)]
pub struct SqsSender {
    client: Client,
    queue_url: String,
}

impl SqsSender {
    pub(crate) const fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }

    /// Where messages go.
    pub fn queue_url(&self) -> &str {
        &self.queue_url
    }
}

impl JobSender for SqsSender {
    async fn send(&self, body: &str) -> CallResult<String> {
        let sent = self.client.send_message().queue_url(&self.queue_url).message_body(body);
        let sent = sent.send().await.map_err(|error| call::sort("sqs:SendMessage", &error))?;
        Ok(sent.message_id.unwrap_or_default())
    }
}
