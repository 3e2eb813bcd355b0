//! Where the ledger is: a file on this machine, or a table that dispatchers on several machines share.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What stands before the name of a table.
const TABLE: &str = "dynamodb:";

/// What may stand before the name of a file.
const FILE: &str = "file:";

/// Where the ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerPlace {
    /// In a SQLite file.
    File(PathBuf),
    /// In this table of DynamoDB.
    Table(String),
}

/// A text that names no ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a file, nor \"dynamodb:\" and the name of a table (3 to 255 letters, digits, - _ and .)"
)]
pub struct LedgerPlaceError(String);

impl LedgerPlace {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Table(_) => None,
        }
    }
}

impl FromStr for LedgerPlace {
    type Err = LedgerPlaceError;
    fn from_str(text: &str) -> Result<Self, LedgerPlaceError> {
        if let Some(name) = text.strip_prefix(TABLE) {
            // DynamoDB developer guide, "Naming rules".
            let is_legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            let is_name = (3..=255).contains(&name.len()) && name.bytes().all(is_legal);
            return if is_name {
                Ok(Self::Table(name.to_owned()))
            } else {
                Err(LedgerPlaceError(text.to_owned()))
            };
        }
        let path = text.strip_prefix(FILE).unwrap_or(text);
        if path.is_empty() {
            return Err(LedgerPlaceError(text.to_owned()));
        }
        Ok(Self::File(PathBuf::from(path)))
    }
}

impl fmt::Display for LedgerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Table(name) => write!(f, "{TABLE}{name}"),
        }
    }
}

impl<'de> Deserialize<'de> for LedgerPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for LedgerPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for LedgerPlace {
    fn schema_name() -> Cow<'static, str> {
        "LedgerPlace".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_a_table_are_told_apart() {
        let parsed = |text: &str| text.parse::<LedgerPlace>();

        assert_eq!(parsed("/a/b.db"), Ok(LedgerPlace::File("/a/b.db".into())));
        assert_eq!(parsed("file:b.db"), Ok(LedgerPlace::File("b.db".into())));
        assert_eq!(
            parsed("dynamodb:spillway-ledger").unwrap().to_string(),
            "dynamodb:spillway-ledger"
        );
        for wrong in ["dynamodb:", "dynamodb:a/b", "dynamodb:ab", ""] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
