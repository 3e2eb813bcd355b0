//! Any bytes are a message to be answered. Inputs that are JSON are mutated as JSON.
#![no_main]

#[path = "../../tests/message/answer.rs"]
mod answer;
#[path = "../../tests/message/mutate.rs"]
mod mutate;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    if let Ok(body) = std::str::from_utf8(data) {
        let _accepted = answer::check(body);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut dice = mutate::Dice::new(u64::from(seed));
    // A third of the time libFuzzer's own ways: they know what the code compares with.
    if dice.below(3) != 0
        && let Ok(tree) = serde_json::from_slice::<Value>(&data[..size])
    {
        let text = mutate::message(&mut dice, std::slice::from_ref(&tree));
        if text.len() <= max_size {
            data[..text.len()].copy_from_slice(text.as_bytes());
            return text.len();
        }
    }
    fuzzer_mutate(data, size, max_size)
});
