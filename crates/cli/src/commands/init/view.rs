//! What `init` has made, for people and scripts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use spillway_aws::StackState;

use crate::output::{Page, Rows, View};

/// What became of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Done {
    Created,
    Changed,
    Unchanged,
    Deleted,
}

/// The answer of `init`.
#[derive(Debug, Serialize)]
pub(super) struct InitView {
    stack: String,
    place: String,
    done: Done,
    /// CloudFormation's word for it; none if there is no stack.
    status: Option<String>,
    outputs: BTreeMap<String, String>,
    /// The configuration file that was written.
    config_file: Option<PathBuf>,
    /// What a configuration says of this installation, as TOML.
    config: String,
}

impl InitView {
    pub(super) fn new(
        stack: &str,
        place: &str,
        done: Done,
        state: Option<&StackState>,
        config_file: Option<PathBuf>,
        config: String,
    ) -> Self {
        Self {
            stack: stack.to_owned(),
            place: place.to_owned(),
            done,
            status: state.map(|state| state.status.clone()),
            outputs: state.map(|state| state.outputs.clone()).unwrap_or_default(),
            config_file,
            config,
        }
    }
}

impl View for InitView {
    fn page(&self, page: &mut Page) {
        let Self { stack, place, .. } = self;
        let Some(status) = &self.status else {
            let is_gone = self.done == Done::Deleted;
            let what = if is_gone { "is deleted" } else { "does not exist" };
            page.line(format!("the stack {stack} {what} in {place}"));
            return;
        };
        let what = match self.done {
            Done::Created => "is made",
            Done::Changed => "is changed",
            Done::Unchanged | Done::Deleted => "is as it should be",
        };
        page.line(format!("the stack {stack} {what} in {place} ({status})"));
        let mut table = Rows::new(&["OUTPUT", "VALUE"]);
        for (key, value) in &self.outputs {
            table.row([key.as_str().into(), value.as_str().into()]);
        }
        page.table(table);
        if let Some(path) = &self.config_file {
            page.line(format!("{} is written; next: spillway doctor", path.display()));
            return;
        }
        page.line("the configuration of this installation has:");
        for line in self.config.lines() {
            page.line(line);
        }
    }
}
