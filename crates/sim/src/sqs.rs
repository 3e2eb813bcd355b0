//! A standard SQS queue: at least once, in about the order of sending, until it is deleted.
//!
//! A received message is hidden for the visibility timeout and then comes again. A copy made by SQS itself is a message
//! of its own here that carries the same id, so it may come after the first was deleted, as in SQS.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use spillway_core::effect::Receipt;

/// One message in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<T> {
    /// SQS's id.
    pub id: String,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it says.
    pub body: T,
    /// How often it has been received.
    pub n_received: u32,
    visible_at: Timestamp,
}

/// A queue.
#[derive(Debug)]
pub struct Queue<T> {
    name: &'static str,
    visibility_timeout: SignedDuration,
    messages: BTreeMap<u64, Box<Message<T>>>,
    /// By the time at which each can be received.
    visible: BTreeSet<(Timestamp, u64)>,
    n_sent: u64,
}

impl<T> Queue<T> {
    /// An empty queue. `name` begins its receipts.
    pub const fn new(name: &'static str, visibility_timeout: SignedDuration) -> Self {
        Self {
            name,
            visibility_timeout,
            messages: BTreeMap::new(),
            visible: BTreeSet::new(),
            n_sent: 0,
        }
    }

    /// Adds a message that can be received from `visible_at`.
    pub fn send(&mut self, sent_at: Timestamp, visible_at: Timestamp, id: String, body: T) {
        let ord = self.n_sent;
        self.n_sent += 1;
        self.visible.insert((visible_at, ord));
        let message = Message { id, sent_at, body, n_received: 0, visible_at };
        self.messages.insert(ord, Box::new(message));
    }

    /// Up to `n` messages that are visible at `now`, each hidden from now on for the visibility timeout.
    pub fn receive(&mut self, now: Timestamp, n: usize) -> Vec<(Receipt, &Message<T>)> {
        let ords: Vec<u64> = self
            .visible
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(n)
            .map(|(_, ord)| *ord)
            .collect();
        let hidden_until = now + self.visibility_timeout;
        for ord in &ords {
            if let Some(message) = self.messages.get_mut(ord) {
                self.visible.remove(&(message.visible_at, *ord));
                self.visible.insert((hidden_until, *ord));
                message.visible_at = hidden_until;
                message.n_received = message.n_received.saturating_add(1);
            }
        }
        let with_receipt = |ord: &u64| {
            let message = self.messages.get(ord)?.as_ref();
            Some((Receipt(format!("{}-{ord}-{}", self.name, message.n_received)), message))
        };
        ords.iter().filter_map(with_receipt).collect()
    }

    /// The message of a receipt, if it is still there and the receipt is of its newest delivery.
    pub fn get(&self, receipt: &Receipt) -> Option<&Message<T>> {
        let (ord, n_received) = self.parse(receipt)?;
        let message = self.messages.get(&ord)?.as_ref();
        (message.n_received == n_received).then_some(message)
    }

    /// Deletes by receipt. An old receipt deletes nothing, and is no error: SQS promises no more.
    pub fn delete(&mut self, receipt: &Receipt) -> Option<Message<T>> {
        self.get(receipt)?;
        let (ord, _) = self.parse(receipt)?;
        let message = self.messages.remove(&ord)?;
        self.visible.remove(&(message.visible_at, ord));
        Some(*message)
    }

    fn parse(&self, receipt: &Receipt) -> Option<(u64, u32)> {
        let rest = receipt.0.strip_prefix(self.name)?.strip_prefix('-')?;
        let (ord, n_received) = rest.split_once('-')?;
        Some((ord.parse().ok()?, n_received.parse().ok()?))
    }

    /// When the next message can be received.
    pub fn next_visible(&self) -> Option<Timestamp> {
        self.visible.first().map(|(at, _)| *at)
    }

    /// How many messages there are, hidden ones included.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is none, not even a hidden one.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// How many messages were ever sent, SQS's own copies included.
    pub const fn n_sent(&self) -> u64 {
        self.n_sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    fn queue_of(n: usize) -> Queue<usize> {
        let mut queue = Queue::new("jobs", SignedDuration::from_secs(30));
        for body in 0..n {
            queue.send(at(0), at(0), format!("m{body}"), body);
        }
        queue
    }

    fn bodies(received: &[(Receipt, &Message<usize>)]) -> Vec<usize> {
        received.iter().map(|(_, m)| m.body).collect()
    }

    #[test]
    fn what_is_not_deleted_comes_again_after_the_visibility_timeout() {
        let mut queue = queue_of(1);

        assert_eq!(bodies(&queue.receive(at(0), 10)), [0]);
        assert!(queue.receive(at(29), 10).is_empty());
        assert_eq!(queue.next_visible(), Some(at(30)));
        assert_eq!(bodies(&queue.receive(at(30), 10)), [0]);
    }

    #[test]
    fn what_is_deleted_does_not() {
        let mut queue = queue_of(1);
        let receipt = queue.receive(at(0), 10)[0].0.clone();

        assert!(queue.delete(&receipt).is_some());

        assert!(queue.is_empty());
        assert!(queue.receive(at(100), 10).is_empty());
        assert!(queue.delete(&receipt).is_none());
    }

    #[test]
    fn an_old_receipt_deletes_nothing() {
        let mut queue = queue_of(1);
        let old = queue.receive(at(0), 10)[0].0.clone();
        let new = queue.receive(at(30), 10)[0].0.clone();

        assert!(queue.delete(&old).is_none());
        assert!(queue.delete(&new).is_some());
    }

    #[test]
    fn no_more_are_received_than_were_asked_for() {
        let mut queue = queue_of(25);

        assert_eq!(queue.receive(at(0), 10).len(), 10);
        assert_eq!(queue.receive(at(0), 10).len(), 10);
        assert_eq!(queue.receive(at(0), 10).len(), 5);
    }
}
