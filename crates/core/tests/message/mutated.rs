//! The fuzzer's corpus, and tens of thousands of messages made of it: what the fuzzer would hold the reader to, wherever the
//! tests run. Each case has its seed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use spillway_core::message::{self, Request, StandIn};

use crate::answer::check;
use crate::mutate::{self, Dice};

/// How many messages: a few seconds of them.
const CASES: u64 = 20_000;

/// The messages in the fuzzer's corpus, by the names of their files.
fn corpus() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/message");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (
            path.file_stem().unwrap().to_string_lossy().into_owned(),
            serde_json::from_str(&text).unwrap(),
        )
    };
    files.into_iter().map(read).collect()
}

#[test]
fn the_corpus_holds_every_kind_of_request_and_each_is_understood() {
    let mut kinds = BTreeSet::new();
    for (name, message) in corpus() {
        check(&message.to_string());
        let parsed = message::parse_with(&message.to_string(), &StandIn)
            .unwrap_or_else(|rejection| panic!("{name}: {rejection:?}"));
        kinds.insert(match parsed.request {
            Request::Submit { spec, .. } if spec.array.is_some() => "array",
            Request::Submit { spec, .. } if spec.task.is_some() => "several",
            Request::Submit { .. } => "job",
            Request::Register { .. } => "register",
            Request::Deregister { .. } => "deregister",
            Request::Cancel { .. } => "cancel",
            Request::Terminate { .. } => "terminate",
            Request::Pause { .. } => "pause",
            Request::ResetBreaker { .. } => "reset",
            Request::ApproveBurst { .. } => "approve",
            Request::Schedule(_) => "schedule",
        });
    }
    let all = [
        "array",
        "several",
        "job",
        "register",
        "deregister",
        "cancel",
        "terminate",
        "pause",
        "reset",
        "approve",
        "schedule",
    ];
    assert_eq!(kinds, BTreeSet::from(all));
}

#[test]
fn tens_of_thousands_of_mutated_messages_each_have_an_answer_that_says_where() {
    let corpus: Vec<Value> = corpus().into_iter().map(|(_, message)| message).collect();
    let mut n_accepted = 0_u64;
    for seed in 0..CASES {
        let body = mutate::message(&mut Dice::new(seed), &corpus);
        let checked = std::panic::catch_unwind(|| check(&body));
        let is_accepted = checked.unwrap_or_else(|_| panic!("seed {seed}: {body}"));
        n_accepted += u64::from(is_accepted);
    }
    // A mutator that breaks everything, or nothing, would test little.
    assert!((CASES / 20..CASES * 3 / 4).contains(&n_accepted), "{n_accepted} of {CASES} accepted");
}
