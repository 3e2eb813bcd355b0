//! What is known of problems, as their folder keeps it: `bounds.json` in it or beside it, by the problem's name.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The file's name without its ending.
pub(crate) const FILE_STEM: &str = "bounds";

/// The best that is known of a problem; nothing where nobody has written it down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub(crate) struct Known {
    /// The least cost of any plan that is known.
    #[serde(rename = "best_known")]
    pub(crate) best: Option<f64>,
    /// The highest lower bound that is proven.
    #[serde(rename = "lower_bound")]
    pub(crate) bound: Option<f64>,
}

impl Known {
    pub(crate) fn of(problem: &Path, name: &str) -> Result<Self> {
        let folder = problem.parent().unwrap_or(Path::new("."));
        for folder in [folder.to_owned(), folder.join("..")] {
            let path = folder.join(FILE_STEM).with_extension("json");
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let all: BTreeMap<String, Self> = serde_json::from_str(&text)
                .with_context(|| format!("{} is not understood", path.display()))?;
            if let Some(known) = all.get(name) {
                return Ok(*known);
            }
        }
        Ok(Self::default())
    }
}
