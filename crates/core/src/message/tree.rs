//! JSON text to a tree of values, strictly: one meaning per text, bounded depth, and only characters that can be passed on.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::limits::{BODY_BYTES_MAX, DEPTH_MAX};
use super::path::At;
use super::reject::{Rejection, code, is_legal};
use crate::job::BodyHash;

/// Reads a text. `at` is where it lies, for texts inside an envelope.
pub(super) fn read(text: &str, at: &At<'_>) -> Result<Value, Rejection> {
    if BODY_BYTES_MAX < text.len() {
        let what =
            format!("{} bytes are more than the {BODY_BYTES_MAX} a message may have", text.len());
        return Err(Rejection::at(code::TOO_LARGE, at, &what).hint(
            "put large input where the job can fetch it, and name the place in the message",
        ));
    }
    let fault = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_str(text);
    let strict = Strict { at: *at, depth: 0, fault: &fault };
    let result = strict.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    result.map_err(|error| {
        fault.into_inner().unwrap_or_else(|| {
            Rejection::at(code::INVALID_JSON, at, &format!("is not JSON: {error}")).hint(
                "a message is one JSON object, as `aws batch submit-job --cli-input-json` takes it",
            )
        })
    })
}

/// The first eight bytes of the SHA-256 of the tree's compact text with all keys sorted.
pub(super) fn hash(tree: &Value) -> BodyHash {
    let digest = Sha256::digest(sorted(tree).to_string().as_bytes());
    let first = digest.iter().take(8).fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    BodyHash(first)
}

/// The same tree with the keys of every object in order, whatever `serde_json` does by itself.
pub(super) fn sorted(tree: &Value) -> Value {
    match tree {
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, v)| (key.clone(), sorted(v))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => tree.clone(),
    }
}

/// Builds a value and stops at the first thing that is not strict; `fault` says what it was.
struct Strict<'a> {
    at: At<'a>,
    depth: usize,
    fault: &'a RefCell<Option<Rejection>>,
}

impl Strict<'_> {
    fn stop<E: Error>(&self, rejection: Rejection) -> E {
        self.fault.replace(Some(rejection));
        E::custom("not strict")
    }

    fn check_text<E: Error>(&self, text: &str) -> Result<(), E> {
        match text.chars().find(|c| !is_legal(*c)) {
            None => Ok(()),
            Some(found) => {
                let what = format!(
                    "holds the character U+{:04X}, which SQS does not carry",
                    u32::from(found)
                );
                let rejection = Rejection::invalid(&self.at, &what);
                Err(self.stop(rejection.hint("encode binary values, for example as Base64")))
            }
        }
    }

    fn check_depth<E: Error>(&self) -> Result<(), E> {
        if self.depth < DEPTH_MAX {
            return Ok(());
        }
        let what = format!("values nest more than {DEPTH_MAX} deep");
        Err(self.stop(Rejection::whole(code::TOO_LARGE, what)))
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.check_text(text)?;
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut items = Vec::new();
        loop {
            let at = self.at.index(items.len());
            let item = Strict { at, depth: self.depth + 1, fault: self.fault };
            match seq.next_element_seed(item)? {
                Some(value) => items.push(value),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let at = self.at.key(&key);
            let entry = Strict { at, depth: self.depth + 1, fault: self.fault };
            entry.check_text(&key)?;
            if object.contains_key(&key) {
                let rejection = Rejection::at(code::DUPLICATE_KEY, &at, "is there twice");
                return Err(self.stop(rejection.hint("keep one of the two")));
            }
            let value = map.next_value_seed(entry)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
