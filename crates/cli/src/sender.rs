//! Where messages are sent: the installation's SQS queue, or the folder that stands in for it beside a simulated world. The one
//! place that chooses. It makes no message of its own.

use anyhow::{Context as _, Result};
use serde_json::Value;
use spillway_core::effect::CallResult;
use spillway_core::port::JobSender;

use crate::config::Config;
use crate::spool::Spool;

/// A way to the dispatcher.
#[derive(Debug)]
pub(crate) enum Sender {
    /// A folder (`job-queue-url = "file:..."`).
    Spool(Spool),
    /// SQS.
    #[cfg(feature = "aws")]
    Sqs(spillway_aws::SqsSender),
}

impl JobSender for Sender {
    async fn send(&self, body: &str) -> CallResult<String> {
        match self {
            Self::Spool(spool) => spool.send(body).await,
            #[cfg(feature = "aws")]
            Self::Sqs(sqs) => sqs.send(body).await,
        }
    }
}

/// The one that the configuration names.
pub(crate) async fn sender(config: &Config) -> Result<Sender> {
    match Spool::named_by(config) {
        Some(spool) => Ok(Sender::Spool(spool)),
        None => to_account(config).await,
    }
}

/// Sends one message; `what` says in an error what could not be sent.
pub(crate) async fn send(message: &Value, what: &str, config: &Config) -> Result<()> {
    let sender = sender(config).await?;
    sender.send(&message.to_string()).await.with_context(|| format!("cannot send {what}"))?;
    Ok(())
}

#[cfg(feature = "aws")]
async fn to_account(config: &Config) -> Result<Sender> {
    Ok(Sender::Sqs(crate::cloud::sender(config).await?))
}

#[cfg(not(feature = "aws"))]
async fn to_account(_config: &Config) -> Result<Sender> {
    let complaint = crate::cloudless::complaint("send messages").hint(
        "build it with its default features: `cargo build --release`; or name the folder of a simulated world: \
         SPILLWAY_JOB_QUEUE_URL=file:FOLDER",
    );
    std::future::ready(Err(complaint.into())).await
}
