//! Whatever comes on the queue is a job, an order that was carried out, or a dead letter: thousands of mutated messages, each
//! with its seed, and not one is lost.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::SignedDuration;
use serde_json::Value;
use spillway_core::effect::Effect;
use spillway_core::message::{self, Request};
use spillway_core::{JobId, JobState};

use crate::mutate::{self, Dice};
use crate::rig::Rig;

/// How many messages.
const CASES: u64 = 4_000;

fn corpus() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/fuzz/corpus/message");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let read = |path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    files.into_iter().map(read).collect()
}

/// The same with a token of its own, most of the time: under the token of another it would be a dead letter for that alone.
fn with_token(body: String, seed: u64) -> String {
    let Ok(mut message) = serde_json::from_str::<Value>(&body) else { return body };
    match message.get_mut("spillway").and_then(Value::as_object_mut) {
        Some(own) if !seed.is_multiple_of(4) => {
            own.insert("clientToken".to_owned(), Value::from(format!("token-{seed}")));
            message.to_string()
        }
        Some(_) | None => body,
    }
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Deleted,
    DeadLetter { code: String },
}

#[test]
fn no_message_is_lost_whatever_is_in_it() {
    let corpus = corpus();
    let mut rig = Rig::new();
    let mut sent: BTreeMap<String, String> = BTreeMap::new();
    // First each as it is, so that orders and names find what they name.
    let originals = corpus.iter().map(Value::to_string);
    let mutated =
        (0..CASES).map(|seed| with_token(mutate::message(&mut Dice::new(seed), &corpus), seed));
    let mut fates: BTreeMap<String, Fate> = BTreeMap::new();

    for (n, body) in originals.chain(mutated).enumerate() {
        sent.insert(format!("receipt-{}", n + 1), body.clone());
        // Old enough that nothing is left on the queue in the hope that what it names still comes.
        rig.send_of(body, SignedDuration::from_hours(1));
        for effect in rig.take_effects() {
            let ends: Vec<(String, Fate)> = match effect {
                Effect::DeleteMessages { receipts } => {
                    receipts.into_iter().map(|receipt| (receipt.0, Fate::Deleted)).collect()
                }
                Effect::DeadLetter(letter) => {
                    assert_eq!(Some(&letter.body), sent.get(&letter.receipt.0), "as it came");
                    assert!(!letter.code.is_empty() && !letter.reason.is_empty(), "{letter:?}");
                    vec![(letter.receipt.0, Fate::DeadLetter { code: letter.code })]
                }
                _ => Vec::new(),
            };
            for (receipt, fate) in ends {
                assert_eq!(fates.insert(receipt.clone(), fate), None, "{receipt} ends twice");
            }
        }
    }

    for (receipt, body) in &sent {
        let fate = fates.get(receipt).unwrap_or_else(|| panic!("{receipt} is lost: {body}"));
        let n = receipt.trim_start_matches("receipt-");
        // A job that was deleted from the queue is in the ledger, whatever became of it.
        if let (Fate::Deleted, Ok(parsed)) = (fate, message::parse(body))
            && let Request::Submit { spec, client_token } = parsed.request
        {
            let token = client_token.unwrap_or_else(|| format!("message-{n}"));
            let job = rig.jobs.get(&JobId::derive(&spec.queue, &token));
            assert!(job.is_some_and(|job| job.body_hash == parsed.body_hash), "{body}");
        }
    }
    assert_eq!(fates.len(), sent.len());
    let n_letters = fates.values().filter(|fate| **fate != Fate::Deleted).count();
    assert!(sent.len() / 10 < n_letters, "{n_letters} letters");
    assert!(100 < sent.len() - n_letters, "{n_letters} letters of {}", sent.len());
    let n_waiting =
        rig.jobs.values().filter(|job| matches!(job.state, JobState::Runnable { .. })).count();
    assert!(20 < n_waiting, "{n_waiting} jobs wait");
}
