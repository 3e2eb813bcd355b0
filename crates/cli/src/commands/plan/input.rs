//! Reads the JSON files that `plan` is given, and says where one is not understood.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Complaint;
use crate::files;

pub(super) fn read_json(file: &Path) -> Result<Value> {
    let text = files::read(file)?;
    let not_json =
        |error| Complaint::usage(format!("{} is not valid JSON: {error}", file.display()));
    Ok(serde_json::from_str(&text).map_err(not_json)?)
}

/// The value as a problem, a plan or a certificate.
pub(super) fn understood<T: DeserializeOwned>(file: &Path, value: Value, what: &str) -> Result<T> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| Complaint::usage(format!("{}: {error}", file.display())))
        .with_context(|| format!("the {what} cannot be understood"))
}
