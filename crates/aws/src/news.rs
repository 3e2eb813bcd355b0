//! News of jobs out: to an SQS queue, an SNS topic or an EventBridge bus that others read. Decides nothing: what is not taken comes again.

mod bus;
mod queue;
mod topic;

use spillway_core::effect::CallResult;
use spillway_core::port::EventSink;

pub(crate) use bus::BusNews;
pub(crate) use queue::QueueNews;
pub(crate) use topic::TopicNews;

/// Where news of jobs goes.
#[derive(Debug)]
pub enum News {
    /// A queue: each event is a message.
    Queue(QueueNews),
    /// A topic: each event is a message to all that have subscribed.
    Topic(TopicNews),
    /// A bus: each event is one of its events, which rules can be written for.
    Bus(BusNews),
}

/// Which place is meant, by name or ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewsPlace {
    /// An SQS queue by name.
    Queue(String),
    /// An SNS topic by ARN.
    Topic(String),
    /// An EventBridge bus by name or ARN.
    Bus(String),
}

impl EventSink for News {
    async fn publish(&self, events: &[String]) -> CallResult<()> {
        match self {
            Self::Queue(queue) => queue.publish(events).await,
            Self::Topic(topic) => topic.publish(events).await,
            Self::Bus(bus) => bus.publish(events).await,
        }
    }
}

/// The events in order, as many together as one call takes: so many, and so many bytes with `extra` for each. One that is too large by
/// itself is alone: the service says so, and it is told.
fn batches(events: &[String], n_max: usize, bytes_max: usize, extra: usize) -> Vec<&[String]> {
    let mut batches = Vec::new();
    let mut rest = events;
    while !rest.is_empty() {
        let mut n_bytes = 0;
        let fits = rest.iter().take(n_max).take_while(|event| {
            n_bytes += event.len() + extra;
            n_bytes <= bytes_max
        });
        let n = fits.count().max(1);
        let (batch, more) = rest.split_at(n.min(rest.len()));
        batches.push(batch);
        rest = more;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn a_call_takes_ten_events_and_no_more_bytes_than_the_service_does() {
        let small: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        let large = vec!["x".repeat(limits::SQS_BATCH_BYTES - 10), "y".repeat(20), "z".into()];
        let sizes = |events: &[String], extra| {
            let batches = batches(events, limits::SQS_BATCH, limits::SQS_BATCH_BYTES, extra);
            batches.iter().map(|batch| batch.len()).collect::<Vec<_>>()
        };

        assert_eq!(sizes(&small, 0), [10, 10, 5]);
        assert_eq!(sizes(&large, 0), [1, 2]);
        assert_eq!(sizes(&[], 0), [0; 0]);
        assert_eq!(sizes(&["x".repeat(limits::SQS_BATCH_BYTES + 1)], 0), [1]);
        assert_eq!(sizes(&small, limits::SQS_BATCH_BYTES / 2), [1; 25]);
    }
}
