//! Registered job definitions: names, revisions, and which of them jobs may name. The record of what was registered; what it
//! means is read by `message` when a job names it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{IdError, JobName};

/// How a job names its definition: `name`, `name:revision`, or the ARN of either
/// (`arn:aws:batch:...:job-definition/name:revision`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionRef {
    /// The name.
    pub name: JobName,
    /// The revision; none is the newest active one.
    pub revision: Option<u32>,
}

impl FromStr for DefinitionRef {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError {
            text: text.to_owned(),
            expected: "a job definition (NAME, NAME:REVISION, or the ARN of either)",
        };
        let of_arn = text.split_once(":job-definition/").filter(|(arn, _)| arn.starts_with("arn:"));
        let named = of_arn.map_or(text, |(_, named)| named);
        let (name, revision) = match named.split_once(':') {
            Some((name, revision)) => {
                let is_plain = revision.bytes().all(|b| b.is_ascii_digit());
                let revision = revision.parse().ok().filter(|n| is_plain && 0 < *n);
                (name, Some(revision.ok_or_else(wrong)?))
            }
            None => (named, None),
        };
        Ok(Self { name: name.parse().map_err(|_| wrong())?, revision })
    }
}

impl fmt::Display for DefinitionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            Some(revision) => write!(f, "{}:{revision}", self.name),
            None => self.name.fmt(f),
        }
    }
}

/// One revision of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DefinitionRecord {
    /// Its name.
    pub name: JobName,
    /// Its revision, from 1.
    pub revision: u32,
    /// The token of the message that registered it: the same message again is the same revision.
    pub token: String,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// When it was deregistered; none while jobs may name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistered_at: Option<Timestamp>,
    /// What was registered: `RegisterJobDefinition`'s object.
    pub content: Arc<Value>,
}

impl DefinitionRecord {
    /// AWS Batch's word for where it stands.
    pub const fn status(&self) -> &'static str {
        if self.deregistered_at.is_some() { "INACTIVE" } else { "ACTIVE" }
    }

    /// `name:revision`.
    pub fn reference(&self) -> DefinitionRef {
        DefinitionRef { name: self.name.clone(), revision: Some(self.revision) }
    }
}

/// Where messages look up the definitions that they name.
pub trait DefinitionSource {
    /// The active revision that is meant, with its number.
    fn find(&self, reference: &DefinitionRef) -> Option<(u32, Arc<Value>)>;
}

/// No definitions at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDefinitions;

impl DefinitionSource for NoDefinitions {
    fn find(&self, _: &DefinitionRef) -> Option<(u32, Arc<Value>)> {
        None
    }
}

/// All revisions of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Family {
    newest: u32,
    active: BTreeMap<u32, DefinitionRecord>,
    /// Of every revision there ever was: what comes again is recognised.
    tokens: BTreeSet<String>,
}

/// All definitions. Deregistered revisions are known by their number and token alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definitions {
    families: BTreeMap<JobName, Family>,
}

impl Definitions {
    /// Takes what was registered before, in any order.
    pub fn new(records: impl IntoIterator<Item = DefinitionRecord>) -> Self {
        let mut definitions = Self::default();
        for record in records {
            definitions.put(record);
        }
        definitions
    }

    fn put(&mut self, record: DefinitionRecord) {
        let family = self.families.entry(record.name.clone()).or_default();
        family.newest = family.newest.max(record.revision);
        family.tokens.insert(record.token.clone());
        if record.deregistered_at.is_some() {
            family.active.remove(&record.revision);
        } else {
            family.active.insert(record.revision, record);
        }
    }

    /// Registers a revision; none if a message with this token has done so before.
    pub fn register(
        &mut self,
        name: JobName,
        token: String,
        content: Value,
        now: Timestamp,
    ) -> Option<DefinitionRecord> {
        let family = self.families.get(&name);
        if family.is_some_and(|family| family.tokens.contains(&token)) {
            return None;
        }
        // Numbers are never given again, as in AWS Batch.
        let revision = family.map_or(0, |family| family.newest).saturating_add(1);
        let content = Arc::new(content);
        let record = DefinitionRecord {
            name,
            revision,
            token,
            registered_at: now,
            deregistered_at: None,
            content,
        };
        self.put(record.clone());
        Some(record)
    }

    /// Deregisters a revision; none if it is not active.
    pub fn deregister(
        &mut self,
        name: &JobName,
        revision: u32,
        now: Timestamp,
    ) -> Option<DefinitionRecord> {
        let mut record = self.families.get(name)?.active.get(&revision)?.clone();
        record.deregistered_at = Some(now);
        self.put(record.clone());
        Some(record)
    }

    /// Whether there ever was such a revision.
    pub fn was_registered(&self, name: &JobName, revision: u32) -> bool {
        self.families.get(name).is_some_and(|family| (1..=family.newest).contains(&revision))
    }
}

impl DefinitionSource for Definitions {
    fn find(&self, reference: &DefinitionRef) -> Option<(u32, Arc<Value>)> {
        let active = &self.families.get(&reference.name)?.active;
        let found = match reference.revision {
            Some(revision) => active.get(&revision),
            None => active.last_key_value().map(|(_, record)| record),
        };
        found.map(|record| (record.revision, Arc::clone(&record.content)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reference(text: &str) -> DefinitionRef {
        text.parse().unwrap()
    }

    fn register(definitions: &mut Definitions, token: &str) -> Option<u32> {
        let name = "align".parse().unwrap();
        let content = json!({ "token": token });
        let now = Timestamp::UNIX_EPOCH;
        definitions.register(name, token.to_owned(), content, now).map(|record| record.revision)
    }

    #[test]
    fn a_definition_is_named_in_four_ways() {
        let arn = "arn:aws:batch:us-east-1:123456789012:job-definition/align";

        assert_eq!(reference("align"), reference(arn));
        assert_eq!(reference("align:7"), reference(&format!("{arn}:7")));
        assert_eq!(reference("align:7").to_string(), "align:7");
        for wrong in ["", ":1", "align:", "align:0", "align:+1", "align:x", "a b", "align:1:2"] {
            assert!(wrong.parse::<DefinitionRef>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn revisions_count_up_and_the_newest_active_one_is_meant() {
        let mut definitions = Definitions::default();
        let found = |definitions: &Definitions, text: &str| {
            definitions.find(&reference(text)).map(|(revision, _)| revision)
        };

        assert_eq!(
            ["a", "b", "c"].map(|token| register(&mut definitions, token)),
            [1, 2, 3].map(Some)
        );
        assert_eq!(
            (found(&definitions, "align"), found(&definitions, "align:2")),
            (Some(3), Some(2))
        );

        let name = "align".parse().unwrap();
        assert!(definitions.deregister(&name, 3, Timestamp::UNIX_EPOCH).is_some());
        assert_eq!((found(&definitions, "align"), found(&definitions, "align:3")), (Some(2), None));
        assert!(definitions.deregister(&name, 3, Timestamp::UNIX_EPOCH).is_none());
        assert!(definitions.was_registered(&name, 3) && !definitions.was_registered(&name, 4));
        assert_eq!(register(&mut definitions, "d"), Some(4), "a number is given once");
    }

    #[test]
    fn a_registration_that_comes_twice_is_one_revision() {
        let mut definitions = Definitions::default();
        register(&mut definitions, "a");
        register(&mut definitions, "b");

        assert_eq!(register(&mut definitions, "a"), None);
    }

    #[test]
    fn what_was_registered_is_known_again_after_a_restart() {
        let mut definitions = Definitions::default();
        let name: JobName = "align".parse().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let mut records = Vec::new();
        for token in ["a", "b"] {
            records.extend(definitions.register(name.clone(), token.to_owned(), json!({}), now));
        }
        let gone = definitions.deregister(&name, 2, now).unwrap();
        records[1] = gone;

        assert_eq!(Definitions::new(records), definitions);
    }
}
