//! What became of a ledger, as people and scripts see it.

use std::path::Path;

use serde::Serialize;
use spillway_runtime::ledger::verify::{Flaw, Verified};

use crate::config::Config;
use crate::output::{Page, View};

/// A ledger that was exported or imported.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MovedView {
    ledger: String,
    file: String,
    rows: u64,
    #[serde(skip)]
    said: &'static str,
}

impl MovedView {
    pub(super) fn exported(config: &Config, file: &Path, rows: u64) -> Self {
        Self::new(config, file, rows, "exported")
    }

    pub(super) fn imported(config: &Config, file: &Path, rows: u64) -> Self {
        Self::new(config, file, rows, "imported")
    }

    fn new(config: &Config, file: &Path, rows: u64, said: &'static str) -> Self {
        Self { ledger: config.ledger.to_string(), file: file.display().to_string(), rows, said }
    }
}

impl View for MovedView {
    fn page(&self, page: &mut Page) {
        let Self { ledger, file, rows, said } = self;
        page.line(format!("{said} {rows} rows: ledger {ledger}, file {file}"));
    }
}

/// A ledger that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct VerifiedView {
    ledger: String,
    rows: u64,
    flaws: Vec<FlawView>,
}

/// Something that is wrong with it.
#[derive(Debug, Clone, Serialize)]
struct FlawView {
    what: String,
    examples: Vec<String>,
}

impl VerifiedView {
    pub(super) fn of(config: &Config, verified: Verified) -> Self {
        let mut view =
            Self { ledger: config.ledger.to_string(), rows: verified.n_rows, flaws: Vec::new() };
        for flaw in verified.flaws {
            view.add(flaw);
        }
        view
    }

    pub(super) fn add(&mut self, flaw: Flaw) {
        self.flaws.push(FlawView { what: flaw.what, examples: flaw.examples });
    }

    pub(super) const fn is_well(&self) -> bool {
        self.flaws.is_empty()
    }
}

impl View for VerifiedView {
    fn page(&self, page: &mut Page) {
        let (ledger, rows) = (&self.ledger, self.rows);
        if self.is_well() {
            page.line(format!("ledger {ledger}: {rows} rows, all is well"));
            return;
        }
        page.line(format!("ledger {ledger}: {rows} rows, {} flaws", self.flaws.len()));
        for flaw in &self.flaws {
            page.line(format!("  {}: {}", flaw.what, flaw.examples.join("; ")));
        }
    }
}
