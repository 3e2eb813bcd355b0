//! What was paid, for people, scripts and spreadsheets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use spillway_core::MicroUsd;
use spillway_engine::costs::{CostKind, Posting};

use super::{usd, usd_text};
use crate::output::{Field, Lines, Page, Rows, View};

/// One row. The parts sum to the total, to the micro-dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CostRow {
    parts: [MicroUsd; CostKind::ALL.len()],
    on_demand: MicroUsd,
    /// How much of the total is not for instances but for root volumes and public addresses.
    extras: MicroUsd,
    /// What the jobs would have cost on a machine each.
    alone: MicroUsd,
}

impl CostRow {
    /// Adds a posting to it.
    pub fn add<K>(&mut self, posting: &Posting<K>) {
        let kinds = CostKind::ALL.into_iter();
        for (part, _) in self.parts.iter_mut().zip(kinds).filter(|(_, kind)| *kind == posting.kind)
        {
            *part += posting.cost;
        }
        self.on_demand += posting.on_demand;
        self.extras += posting.extras;
    }

    /// Adds what a job would have cost on a machine of its own.
    pub fn add_alone(&mut self, cost: MicroUsd) {
        self.alone += cost;
    }

    fn merge(&mut self, other: &Self) {
        for (part, more) in self.parts.iter_mut().zip(other.parts) {
            *part += more;
        }
        self.on_demand += other.on_demand;
        self.extras += other.extras;
        self.alone += other.alone;
    }

    fn total(&self) -> MicroUsd {
        self.parts.iter().copied().sum()
    }

    fn saved(&self) -> MicroUsd {
        self.on_demand.saturating_sub(self.total())
    }

    /// Its amounts with their names, in the order of a table.
    fn amounts(&self, beside_alone: bool) -> Vec<(&'static str, MicroUsd)> {
        let parts = CostKind::ALL.into_iter().zip(self.parts);
        let parts = parts.map(|(kind, amount)| (name_of(kind), amount));
        let (on_demand, saved) = (self.on_demand, self.saved());
        let rest = [("extras", self.extras), ("on_demand", on_demand), ("saved", saved)];
        let alone = [("one_vm_per_job", self.alone)].into_iter().filter(|_| beside_alone);
        [("total", self.total())].into_iter().chain(parts).chain(rest).chain(alone).collect()
    }
}

/// A kind's name in tables and JSON.
pub(crate) const fn name_of(kind: CostKind) -> &'static str {
    match kind {
        CostKind::Work => "work",
        CostKind::Lost => "lost",
        CostKind::Unused => "unused",
        CostKind::Idle => "idle",
        CostKind::Boot => "boot",
        CostKind::Drain => "drain",
    }
}

/// All rows.
#[derive(Debug, Serialize)]
pub struct CostView {
    /// When it was asked.
    pub as_of: Timestamp,
    /// What rows are.
    pub by: Vec<String>,
    /// Each with the value of every key (null for what is nobody's) and its amounts in dollars: `total_usd`, its parts,
    /// `extras_usd` for how much of it is not for instances but for their root volumes and public addresses, `on_demand_usd` for the same machines On-Demand, `saved_usd`, and where that is asked `one_vm_per_job_usd`.
    pub rows: Vec<Map<String, Value>>,
    /// The sum of all rows.
    pub total: Map<String, Value>,
    /// Attempts that are left out of `one_vm_per_job_usd`: no machine on offer holds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_too_large: Option<usize>,
    #[serde(skip)]
    beside_alone: bool,
    #[serde(skip)]
    table: Vec<(Vec<Option<String>>, CostRow)>,
    #[serde(skip)]
    sum: CostRow,
}

impl CostView {
    /// Rows by the values of their keys, which are as many as `by`.
    pub fn new(
        as_of: Timestamp,
        by: Vec<String>,
        rows: BTreeMap<Vec<Option<String>>, CostRow>,
        beside_alone: bool,
    ) -> Self {
        let mut sum = CostRow::default();
        for row in rows.values() {
            sum.merge(row);
        }
        let table: Vec<_> = rows.into_iter().collect();
        let json = |keys: &[Option<String>], row: &CostRow| {
            let keys = by.iter().cloned().zip(keys.iter().cloned().map(Value::from));
            let amounts = row.amounts(beside_alone).into_iter();
            keys.chain(amounts.map(|(name, amount)| (format!("{name}_usd"), usd(amount).into())))
                .collect()
        };
        let rows = table.iter().map(|(keys, row)| json(keys, row)).collect();
        let total = json(&[], &sum);
        Self { as_of, by, rows, total, n_too_large: None, beside_alone, table, sum }
    }

    /// Says how many attempts no machine on offer holds.
    #[must_use]
    pub fn with_too_large(self, n: usize) -> Self {
        Self { n_too_large: self.beside_alone.then_some(n), ..self }
    }

    /// Comma-separated, with a header. Amounts are dollars with six decimals: exact.
    ///
    /// # Errors
    /// None that a writer into memory does not have.
    pub fn csv(&self) -> anyhow::Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names =
            self.sum.amounts(self.beside_alone).into_iter().map(|(name, _)| format!("{name}_usd"));
        writer.write_record(self.by.iter().cloned().chain(names))?;
        for (keys, row) in &self.table {
            let keys = keys.iter().map(|key| key.clone().unwrap_or_default());
            writer.write_record(keys.chain(
                row.amounts(self.beside_alone).into_iter().map(|(_, amount)| exact(amount)),
            ))?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }
}

/// Dollars with all six decimals.
fn exact(amount: MicroUsd) -> String {
    format!("{}.{:06}", amount.get() / 1_000_000, amount.get() % 1_000_000)
}

impl View for CostView {
    fn page(&self, page: &mut Page) {
        let amounts = self.sum.amounts(self.beside_alone);
        let header = |name: &str| name.to_uppercase().replace('_', "-");
        let keys = self.by.iter().map(|name| header(name));
        let names: Vec<String> = keys.chain(amounts.iter().map(|(name, _)| header(name))).collect();
        let mut table = Rows::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let fields = |row: &CostRow| -> Vec<Field> {
            let amounts = row.amounts(self.beside_alone).into_iter();
            amounts.map(|(_, amount)| usd_text(amount).into()).collect()
        };
        for (keys, row) in &self.table {
            let keys = keys.iter().map(|key| key.clone().unwrap_or_else(|| "-".to_owned()).into());
            table.row(keys.chain(fields(row)).collect::<Vec<Field>>());
        }
        if !self.by.is_empty() {
            let none = (1..self.by.len()).map(|_| Field::default());
            let keys = [Field::from("all".to_owned())].into_iter().chain(none);
            table.row(keys.chain(fields(&self.sum)).collect::<Vec<Field>>());
        } else if self.table.is_empty() {
            table.row(fields(&self.sum));
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.rows.iter().try_for_each(|row| lines.item(row))
    }
}
