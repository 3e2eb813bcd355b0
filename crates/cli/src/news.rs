//! Puts together who is told what becomes of jobs. It decides nothing.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use spillway_core::CloudError;
use spillway_core::effect::CallResult;
use spillway_core::error::LedgerError;
use spillway_core::port::EventSink;
use spillway_runtime::SqliteLedger;
use spillway_runtime::events::pass_on;
use spillway_runtime::ledger::Outbox;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// Appends events to a file, one per line.
#[derive(Debug)]
struct FileSink(PathBuf);

impl EventSink for FileSink {
    async fn publish(&self, events: &[String]) -> CallResult<()> {
        let lines: String = events.iter().flat_map(|event| [event.as_str(), "\n"]).collect();
        let path = self.0.clone();
        let append = move || -> std::io::Result<()> {
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            file.write_all(lines.as_bytes())?;
            file.sync_data()
        };
        let failed = |detail: String| CloudError::Unsettled {
            action: format!("write to {}", self.0.display()),
            detail,
        };
        let appended = tokio::task::spawn_blocking(append).await;
        appended
            .map_err(|lost| failed(lost.to_string()))?
            .map_err(|error| failed(error.to_string()))
    }
}

/// The ledger, which keeps what is to be told until it has been.
pub(crate) fn kept_in(ledger: SqliteLedger, config: &Config) -> SqliteLedger {
    match config.job_events.rule() {
        Some(rule) => ledger.telling(rule),
        None => ledger,
    }
}

/// Tells a sink until `stop`.
pub(crate) fn tell<S: EventSink + 'static>(
    outbox: Outbox,
    sink: Arc<S>,
    stop: CancellationToken,
) -> JoinHandle<Result<(), LedgerError>> {
    tokio::spawn(async move {
        let ended = pass_on(outbox, &*sink, stop).await;
        if let Err(error) = &ended {
            tracing::error!(error = %error, "news of jobs is passed on no more");
        }
        ended
    })
}

/// Tells the file that the configuration names, if it names one.
pub(crate) fn tell_file(
    outbox: Outbox,
    config: &Config,
    stop: CancellationToken,
) -> Option<JoinHandle<Result<(), LedgerError>>> {
    let path = config.job_events.file.clone()?;
    Some(tell(outbox, Arc::new(FileSink(path)), stop))
}
