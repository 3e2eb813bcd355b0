//! What every request is answered from: the ledger, the way to the job queue, and what was sent. It knows nothing of HTTP.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use spillway_core::error::LedgerError;
use spillway_core::port::JobSender as _;
use uuid::Uuid;

use super::names::Names;
use super::refusal::Refusal;
use super::sent::Sent;
use super::{definitions, jobs, list, queues};
use crate::config::Config;
use crate::ledger::{self, Reader};
use crate::sender::Sender;

/// How long an answer waits for the dispatcher to do what was asked: less than the 30 s after which the AWS SDK for Java gives up
/// reading.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// How often the ledger is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What requests are answered from.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) config: Arc<Config>,
    pub(super) names: Names,
    sender: Sender,
    sent: Mutex<Sent>,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    /// The request's object.
    pub(super) fields: Map<String, Value>,
    /// The same for every repetition of one call, so that a job that is sent again is the same job.
    pub(super) token: String,
}

impl Call {
    /// `invocation` is what SDKs draw for each call and keep for its repetitions.
    pub(super) fn new(body: &[u8], invocation: Option<&str>) -> Result<Self, Refusal> {
        let value = match body {
            [] => Value::Object(Map::new()),
            body => serde_json::from_slice(body)
                .map_err(|error| Refusal::client(format!("the request is not JSON: {error}")))?,
        };
        let Value::Object(fields) = value else {
            return Err(Refusal::client("the request is not a JSON object"));
        };
        let drawn = invocation.and_then(|text| Uuid::parse_str(text).ok());
        let token = drawn.unwrap_or_else(Uuid::new_v4).to_string();
        Ok(Self { fields, token })
    }

    /// The request as one of Batch's.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, Refusal> {
        let value = Value::Object(self.fields);
        serde_path_to_error::deserialize(value).map_err(|error| Refusal::client(error.to_string()))
    }
}

impl Api {
    pub(super) fn new(config: Config, region: Option<String>, sender: Sender) -> Self {
        let region = config.region.clone().or(region);
        let names = Names::new(region.as_deref(), config.job_queue_url.as_deref());
        let config = Arc::new(config);
        Self { config, names, sender, sent: Mutex::default() }
    }

    /// Answers one operation, by the name in its path.
    pub(super) async fn answer(&self, operation: &str, call: Call) -> Result<Value, Refusal> {
        match operation {
            "submitjob" => jobs::submit(self, call).await,
            "describejobs" => jobs::describe(self, call).await,
            "canceljob" => jobs::cancel(self, call).await,
            "terminatejob" => jobs::terminate(self, call).await,
            "listjobs" => list::list(self, call).await,
            "registerjobdefinition" => definitions::register(self, call).await,
            "deregisterjobdefinition" => definitions::deregister(self, call).await,
            "describejobdefinitions" => definitions::describe(self, call).await,
            "describejobqueues" => queues::describe(self, call).await,
            "describecomputeenvironments" => queues::environments(self, call).await,
            "getjobqueuesnapshot" => queues::snapshot(self, call).await,
            other => Err(Refusal::client(format!(
                "Spillway does not do {other:?} here (hint: queues, pools and limits are configured in spillway.toml; \
                 docs/batch-api.md says what is honoured)"
            ))),
        }
    }

    /// Sends a message that was checked.
    pub(super) async fn send(&self, body: &str) -> Result<(), Refusal> {
        self.sender.send(body).await.map_err(|error| {
            tracing::warn!(%error, "a message was not sent");
            Refusal::from(error)
        })?;
        Ok(())
    }

    /// Asks the ledger, with the dispatcher up or down.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let config = Arc::clone(&self.config);
        let reading = tokio::task::spawn_blocking(move || read(&*ledger::reader(&config)?));
        match reading.await {
            Ok(found) => Ok(found?),
            Err(lost) => Err(Refusal::server(format!("cannot read the ledger: {lost}"))),
        }
    }

    /// Asks the ledger again and again until it has what is looked for. `what` is what the dispatcher is to do meanwhile.
    pub(super) async fn settled<T: Send + 'static>(
        &self,
        what: &str,
        look: impl Fn(&Reader) -> Result<Option<T>, LedgerError> + Clone + Send + 'static,
    ) -> Result<T, Refusal> {
        let look_until_found = async {
            loop {
                match self.read(look.clone()).await {
                    Ok(Some(found)) => return Ok(found),
                    Ok(None) => tokio::time::sleep(LOOK_EVERY).await,
                    Err(refusal) => return Err(refusal),
                }
            }
        };
        tokio::time::timeout(SETTLED_WITHIN, look_until_found).await.unwrap_or_else(|_| {
            Err(Refusal::server(format!(
                "the dispatcher has been asked to {what}, and has not done it within {} s (hint: `spillway serve` must run \
                 on this ledger; the same call again is safe)",
                SETTLED_WITHIN.as_secs()
            )))
        })
    }

    /// What was sent.
    pub(super) fn sent(&self) -> MutexGuard<'_, Sent> {
        // Plain values: whoever panicked with them left them whole.
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
