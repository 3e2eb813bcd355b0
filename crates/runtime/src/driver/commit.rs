//! Writes a step's changes, and does not give up while the ledger is only out of reach. Nothing new is begun meanwhile.

use jiff::Timestamp;
use metrics::{counter, histogram};
use spillway_core::Change;
use spillway_core::error::LedgerError;
use spillway_core::port::Ledger;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::health::Health;
use crate::{limits, telemetry};

/// Returns once `changes` are durable, or with the error that says they never will be. A stop ends the waiting after
/// one more try.
pub(super) async fn commit<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    changes: &[Change],
    stop: &CancellationToken,
    health: &Health,
) -> Result<(), LedgerError> {
    let mut pause = limits::COMMIT_RETRY;
    let mut n_failed: u32 = 0;
    loop {
        let is_last_try = stop.is_cancelled();
        let started = Instant::now();
        let result = ledger.commit(now, changes).await;
        histogram!(telemetry::COMMIT_SECONDS).record(started.elapsed().as_secs_f64());
        let Err(error) = result else {
            if 0 < n_failed {
                health.ledger_works(true);
                info!(n_failed, "the ledger can be written again");
            }
            return Ok(());
        };
        counter!(telemetry::COMMIT_FAILURES).increment(1);
        health.ledger_works(false);
        if is_last_try || !matches!(error, LedgerError::Unavailable { .. }) {
            return Err(error);
        }
        n_failed = n_failed.saturating_add(1);
        // The loop lives: a restart would not bring the ledger back. One that hangs is another matter.
        health.stepped();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        warn!(%error, cause, retry_in = ?pause, n_changes = changes.len(), "nothing is begun");
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
        pause = pause.saturating_mul(2).min(limits::COMMIT_RETRY_MAX);
    }
}
