//! Reading is total: whatever comes, there is an answer, and a refusal can travel.

use proptest::prelude::*;
use serde_json::Value;
use spillway_core::message::{self, limits};

use crate::sample::full;

/// Any JSON value, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9]{1,12}([.][0-9]{0,4})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z.:]{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The pointers to every value in a tree.
fn pointers(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                pointers(value, &format!("{here}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{here}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Holds what every answer must hold.
fn check(body: &str) -> Result<(), TestCaseError> {
    match message::parse(body) {
        Ok(parsed) => {
            prop_assert!(parsed.warnings.len() <= limits::WARNINGS_MAX + 1);
            prop_assert_eq!(message::parse(body), Ok(parsed), "the same text is the same message");
        }
        Err(rejection) => {
            let texts = [Some(&rejection.reason), rejection.path.as_ref(), rejection.hint.as_ref()];
            for text in texts.into_iter().flatten() {
                prop_assert!(!text.is_empty() && text.chars().count() <= limits::TEXT_CHARS_MAX);
                let is_legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
                prop_assert!(text.chars().all(is_legal), "{text:?}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn any_json_has_an_answer(value in any_json()) {
        check(&value.to_string())?;
    }

    #[test]
    fn a_message_with_anything_anywhere_has_an_answer(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4),
    ) {
        let mut message = full();
        for (place, value) in changes {
            let mut all = Vec::new();
            pointers(&message, "", &mut all);
            let pointer: &String = place.get(&all);
            if let Some(found) = message.pointer_mut(pointer) {
                *found = value;
            }
        }
        check(&message.to_string())?;
    }

    #[test]
    fn a_message_with_bytes_cut_or_changed_has_an_answer(
        at in any::<prop::sample::Index>(),
        n_cut in 0..40_usize,
        put in "[\\PC\u{0}-\u{20}]{0,3}",
    ) {
        let mut text: Vec<char> = full().to_string().chars().collect();
        let from = at.index(text.len());
        let to = (from + n_cut).min(text.len());
        text.splice(from..to, put.chars());
        check(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn amounts_are_written_as_they_are_read(vcpus_milli in 1_u32..64_000, mib in 4_u32..1_000_000) {
        let milli = format!("{}.{:03}", vcpus_milli / 1000, vcpus_milli % 1000);
        let cpu: spillway_core::CpuUnits = milli.parse().unwrap();

        prop_assert_eq!(cpu.to_string().parse(), Ok(cpu));
        let memory = spillway_core::MiB::new(mib);
        prop_assert_eq!(memory.get().to_string().parse(), Ok(memory));
    }
}
