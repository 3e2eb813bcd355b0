//! The contract of the job queue and its dead-letter queue: at least once, and gone when deleted.

use std::time::Duration;

use spillway_core::effect::DeadLetter;
use spillway_core::input::Delivery;
use spillway_core::port::{JobQueue as _, JobSender as _};

use super::{Letter, World, eventually};

/// Long polling with a short patience.
const WAIT: Duration = Duration::from_secs(1);

async fn receive<W: World>(world: &W) -> Vec<Delivery> {
    world.jobs().receive(WAIT).await.expect("the queue can be read")
}

async fn receive_one<W: World>(world: &W) -> Delivery {
    let first = async || receive(world).await.into_iter().next();
    eventually(world, "a message", first).await
}

/// An empty queue answers with nothing, not with an error.
pub async fn an_empty_queue_gives_nothing<W: World>(world: &W) {
    assert_eq!(receive(world).await, []);
}

/// The body comes as it was sent, under the id that the sender was told.
pub async fn a_message_comes_with_its_body_and_its_id<W: World>(world: &W) {
    let body = "{\"jobName\": \"ä → b\",\n\t\"n\": 1}";

    let id = world.sender().send(body).await.expect("a message can be sent");
    let delivery = receive_one(world).await;

    assert_eq!(delivery.body, body);
    assert_eq!(delivery.message_id, id);
    assert!(delivery.sent_at.is_some());
    world.jobs().delete(&[delivery.receipt]).await.expect("it can be deleted");
}

/// What was deleted does not come again; deleting it again is no error.
pub async fn a_deleted_message_does_not_come_again<W: World>(world: &W) {
    world.sender().send("{}").await.expect("a message can be sent");
    let delivery = receive_one(world).await;

    world.jobs().delete(std::slice::from_ref(&delivery.receipt)).await.expect("it can be deleted");
    let again = world.jobs().delete(&[delivery.receipt]).await;

    assert_eq!(again, Ok(()));
    assert_eq!(receive(world).await, []);
}

/// A burst comes in batches of at most ten, each message once while it is held.
pub async fn a_burst_comes_in_batches<W: World>(world: &W) {
    let n_messages = 25;
    for ord in 0..n_messages {
        world.sender().send(&format!("{{\"n\": {ord}}}")).await.expect("a message can be sent");
    }

    let mut bodies = Vec::new();
    while bodies.len() < n_messages {
        let batch = eventually(world, "more messages", async || {
            Some(receive(world).await).filter(|batch| !batch.is_empty())
        })
        .await;
        assert!(batch.len() <= 10, "{} messages in one batch", batch.len());
        let receipts: Vec<_> = batch.iter().map(|delivery| delivery.receipt.clone()).collect();
        world.jobs().delete(&receipts).await.expect("they can be deleted");
        bodies.extend(batch.into_iter().map(|delivery| delivery.body));
    }

    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), n_messages);
}

/// A dead letter has its body intact and its reason beside it, and is no longer in the job queue.
pub async fn a_dead_letter_keeps_its_body_and_says_why<W: World>(world: &W) {
    let body = "{\"jobName\": 7} not JSON → at all";
    world.sender().send(body).await.expect("a message can be sent");
    let delivery = receive_one(world).await;
    let letter = DeadLetter {
        receipt: delivery.receipt,
        message_id: delivery.message_id,
        body: delivery.body,
        code: "INVALID_JSON".to_owned(),
        reason: "it is not JSON: trailing characters at line 1 column 16".to_owned(),
    };

    world.jobs().dead_letter(&letter).await.expect("it can be put aside");

    let found = eventually(world, "a dead letter", async || world.dead_letters().await.pop()).await;
    let expected = Letter { body: body.to_owned(), code: letter.code, reason: letter.reason };
    assert_eq!(found, expected);
    assert_eq!(receive(world).await, []);
}
