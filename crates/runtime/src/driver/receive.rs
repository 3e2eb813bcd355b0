//! Polls a queue for as long as the control loop has room for what comes. Looks at no message.

use std::sync::Arc;

use jiff::SignedDuration;
use metrics::counter;
use spillway_core::effect::CallResult;
use spillway_core::input::{Delivery, EventDelivery};
use spillway_core::port::{EventQueue, JobQueue};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::perform::call;
use crate::clock::Clock;
use crate::{limits, telemetry};

/// A queue that is polled.
pub(super) trait Source: Send + Sync + 'static {
    type Item: Send + 'static;
    /// Its name in metrics and logs.
    const NAME: &'static str;

    fn poll(&self) -> impl Future<Output = CallResult<Vec<Self::Item>>> + Send;
}

pub(super) struct Jobs<Q>(pub(super) Arc<Q>);

impl<Q: JobQueue + 'static> Source for Jobs<Q> {
    type Item = Delivery;
    const NAME: &'static str = "jobs";

    fn poll(&self) -> impl Future<Output = CallResult<Vec<Delivery>>> + Send {
        self.0.receive(limits::RECEIVE_WAIT)
    }
}

pub(super) struct Events<E>(pub(super) Arc<E>);

impl<E: EventQueue + 'static> Source for Events<E> {
    type Item = EventDelivery;
    const NAME: &'static str = "events";

    fn poll(&self) -> impl Future<Output = CallResult<Vec<EventDelivery>>> + Send {
        self.0.receive(limits::RECEIVE_WAIT)
    }
}

/// Receives until `stop`. A receiver that panics is told of and begins again after a pause.
pub(super) async fn keep_receiving<S: Source, T: Clock>(
    source: Arc<S>,
    clock: Arc<T>,
    out: mpsc::Sender<Vec<S::Item>>,
    stop: CancellationToken,
) {
    loop {
        // A set of one: dropping it, as a driver that is dropped does, ends the receiver too.
        let mut receiver = JoinSet::new();
        receiver.spawn(receive(Arc::clone(&source), Arc::clone(&clock), out.clone(), stop.clone()));
        let Some(Err(lost)) = receiver.join_next().await else { return };
        counter!(telemetry::PANICS).increment(1);
        error!(queue = S::NAME, error = %lost, "a receiver panicked; it begins again");
        let pause = pause(clock.as_ref(), limits::RECEIVE_RETRY);
        tokio::select! {
            () = stop.cancelled() => return,
            () = pause => {}
        }
    }
}

async fn receive<S: Source, T: Clock>(
    source: Arc<S>,
    clock: Arc<T>,
    out: mpsc::Sender<Vec<S::Item>>,
    stop: CancellationToken,
) {
    let mut retry = limits::RECEIVE_RETRY;
    loop {
        // Room first: what is received and cannot be handed on would only wait until it becomes visible again.
        let room = tokio::select! {
            () = stop.cancelled() => return,
            room = out.reserve() => room,
        };
        let Ok(room) = room else { return };
        let asked_at = Instant::now();
        let polled = tokio::select! {
            // What this poll may have taken comes again after its visibility timeout.
            () = stop.cancelled() => return,
            polled = call("sqs:ReceiveMessage", limits::CALL_TIMEOUT, source.poll()) => polled,
        };
        let wait = async {
            match polled {
                Ok(batch) if batch.is_empty() => {
                    retry = limits::RECEIVE_RETRY;
                    tokio::time::sleep_until(asked_at + limits::EMPTY_RECEIVE_PAUSE).await;
                }
                Ok(batch) => {
                    retry = limits::RECEIVE_RETRY;
                    let n = u64::try_from(batch.len()).unwrap_or(u64::MAX);
                    counter!(telemetry::MESSAGES, "queue" => S::NAME).increment(n);
                    room.send(batch);
                }
                // The call has told of the error.
                Err(_) => {
                    info!(queue = S::NAME, retry_in = %retry, "nothing is received for a while");
                    pause(clock.as_ref(), retry).await;
                    retry = retry.saturating_mul(2).min(limits::RECEIVE_RETRY_MAX);
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = wait => {}
        }
    }
}

/// A pause by the driver's clock.
async fn pause<T: Clock>(clock: &T, time: SignedDuration) {
    let until = clock.now().saturating_add(time).unwrap_or(jiff::Timestamp::MAX);
    clock.sleep_until(until).await;
}
