//! Sends messages to the job queue, in batches. It must never send what was not checked.

use std::sync::Arc;

use anyhow::Result;
use spillway_core::CloudError;
use spillway_core::port::JobSender;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::outbox::Letter;
use crate::sender::sender;

/// Messages on their way at once. One takes SQS some 10 ms, so this is a few thousand a second.
const AT_ONCE: usize = 32;

/// Off a terminal, progress is told every so many messages.
const TOLD_EVERY: usize = 1_000;

/// How far a batch came: which letters were sent, by their place in it, and what stopped it.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Those that SQS has, in order.
    pub(crate) ords: Vec<usize>,
    /// The first failure, with the letter it befell.
    pub(crate) failed: Option<(usize, CloudError)>,
}

/// Sends all to the installation's queue.
pub(crate) async fn letters(letters: &[Letter], context: &Context) -> Result<Sent> {
    let texts: Vec<&str> = letters.iter().map(|letter| letter.body.as_str()).collect();
    bodies(&texts, context).await
}

/// The same with messages that have been checked.
pub(crate) async fn bodies(bodies: &[impl AsRef<str>], context: &Context) -> Result<Sent> {
    let sender = sender(context.config()?).await?;
    let mut progress = context.output.progress();
    let is_live = context.output.has_live_line();
    let tell = |n_sent: usize| {
        if is_live || n_sent.is_multiple_of(TOLD_EVERY) {
            progress.set(&format!("sent {n_sent} of {}", bodies.len()));
        }
    };
    Ok(through(Arc::new(sender), bodies, tell).await)
}

/// Sends all through `sender`, several at once. After a failure nothing more is sent.
async fn through<S: JobSender + 'static>(
    sender: Arc<S>,
    bodies: &[impl AsRef<str>],
    mut tell: impl FnMut(usize),
) -> Sent {
    let mut sent = Sent::default();
    let mut under_way = JoinSet::new();
    let mut rest = bodies.iter().enumerate();
    loop {
        while under_way.len() < AT_ONCE && sent.failed.is_none() {
            let Some((ord, body)) = rest.next() else { break };
            let (sender, body) = (Arc::clone(&sender), body.as_ref().to_owned());
            under_way.spawn(async move { (ord, sender.send(&body).await) });
        }
        match under_way.join_next().await {
            None => break,
            Some(Ok((ord, Ok(_message_id)))) => {
                sent.ords.push(ord);
                tell(sent.ords.len());
            }
            Some(Ok((ord, Err(error)))) => sent.fail(ord, error),
            // A send that panicked: nobody knows whether its message went out.
            Some(Err(error)) => sent.fail(
                bodies.len(),
                CloudError::Unsettled {
                    action: "sqs:SendMessage".to_owned(),
                    detail: error.to_string(),
                },
            ),
        }
    }
    sent.ords.sort_unstable();
    sent
}

impl Sent {
    fn fail(&mut self, ord: usize, error: CloudError) {
        self.failed.get_or_insert((ord, error));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes messages until its room is used up, then denies.
    struct Room {
        bodies: Mutex<Vec<String>>,
        room: usize,
    }

    impl JobSender for Room {
        async fn send(&self, body: &str) -> Result<String, CloudError> {
            let mut bodies = self.bodies.lock().unwrap();
            if bodies.len() == self.room {
                let action = "sqs:SendMessage".to_owned();
                return Err(CloudError::Denied { action, detail: "full".to_owned() });
            }
            bodies.push(body.to_owned());
            Ok(bodies.len().to_string())
        }
    }

    fn room(room: usize) -> Arc<Room> {
        Arc::new(Room { bodies: Mutex::default(), room })
    }

    #[tokio::test]
    async fn a_batch_is_sent_to_the_last_message() {
        let bodies: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let sender = room(1_000);
        let mut told = Vec::new();

        let sent = through(Arc::clone(&sender), &bodies, |n| told.push(n)).await;

        assert_eq!(sent.ords, (0..100).collect::<Vec<_>>());
        assert!(sent.failed.is_none());
        assert_eq!(told.last(), Some(&100));
        assert_eq!(sender.bodies.lock().unwrap().len(), 100);
    }

    #[tokio::test]
    async fn after_a_failure_nothing_more_is_sent_and_what_was_sent_is_known() {
        let bodies: Vec<String> = (0..200).map(|n| n.to_string()).collect();

        let sent = through(room(50), &bodies, |_| {}).await;

        assert_eq!(sent.ords.len(), 50);
        let (_, error) = sent.failed.unwrap();
        assert!(matches!(error, CloudError::Denied { .. }), "{error:?}");
    }
}
