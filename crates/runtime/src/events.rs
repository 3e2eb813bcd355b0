//! Passes news of jobs on to whoever wants it, from the ledger's outbox. It decides nothing, and a sink that is away holds up
//! nobody but itself: what it has not taken stays in the outbox.

use std::time::Duration;

use spillway_core::error::LedgerError;
use spillway_core::port::EventSink;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::ledger::Outbox;
use crate::limits;

/// Passes on until `stop`. What is left then is passed on after the next start.
///
/// # Errors
/// Only the ledger's: without it nobody knows what to pass on.
pub async fn pass_on<S: EventSink>(
    outbox: Outbox,
    sink: &S,
    stop: CancellationToken,
) -> Result<(), LedgerError> {
    let mut n_failed = 0_u32;
    while !stop.is_cancelled() {
        let pending = outbox.pending(limits::EVENTS_BATCH).await?;
        let Some(last) = pending.last().map(|event| event.version) else {
            pause(limits::EVENTS_POLL, &stop).await;
            continue;
        };
        let bodies: Vec<String> = pending.iter().map(|event| event.event.to_string()).collect();
        let publishing = tokio::time::timeout(limits::EVENTS_CALL_MAX, sink.publish(&bodies));
        let answer = tokio::select! {
            answer = publishing => answer,
            // Whether it has been taken nobody knows: it comes again.
            () = stop.cancelled() => return Ok(()),
        };
        let failure = match answer {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it took too long".to_owned()),
        };
        if let Some(error) = failure {
            n_failed = n_failed.saturating_add(1);
            let again_in = backoff(n_failed);
            warn!(error, n_failed, ?again_in, "news of jobs is not taken");
            pause(again_in, &stop).await;
            continue;
        }
        n_failed = 0;
        outbox.passed_on(last).await?;
        debug!(n_events = bodies.len(), last, "news of jobs passed on");
    }
    Ok(())
}

/// Twice as long each time, up to a minute.
fn backoff(n_failed: u32) -> Duration {
    let doubled = limits::EVENTS_POLL.saturating_mul(1_u32 << n_failed.min(6));
    doubled.min(limits::EVENTS_RETRY_MAX)
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.cancelled() => {}
    }
}
