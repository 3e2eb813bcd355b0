//! Tables of a page, made from rows of the view. A cell says the number of its field and no other: rounded already, so that it can be
//! read back.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    CostPoint, Fact, FailureRow, FleetPoint, InterruptedRow, InterruptionPoint, JobsPoint, KindRow,
    PackingPoint, TypeRow, WaitBin,
};

/// In what a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Whole things.
    Count,
    /// Things in the mean, to the hundredth.
    Mean,
    /// Hours, to the hundredth.
    Hours,
    /// Dollars, to the micro-dollar.
    Usd,
    /// Parts of a hundred, to the tenth.
    Percent,
    /// Seconds, to the thousandth.
    Seconds,
}

impl Unit {
    /// A number for people; read back it is the same number.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Count => format!("{value:.0}"),
            Self::Mean | Self::Hours => format!("{value:.2}"),
            Self::Usd => format!("${value:.6}"),
            Self::Percent => format!("{value:.1} %"),
            Self::Seconds => format!("{value} s"),
        }
    }
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// A word.
    Text(String),
    /// A moment.
    Time(Timestamp),
    /// A number.
    Number(f64, Unit),
    /// Nothing can be said.
    None,
}

impl Cell {
    fn count(n: u64) -> Self {
        Self::Number(f64::from(u32::try_from(n).unwrap_or(u32::MAX)), Unit::Count)
    }

    fn maybe(value: Option<f64>, unit: Unit) -> Self {
        value.map_or(Self::None, |value| Self::Number(value, unit))
    }
}

/// A row of the view that can stand in a table.
pub(crate) trait Row {
    /// Its fields, as JSON names them, each with a title.
    const FIELDS: &'static [(&'static str, &'static str)];

    /// What is in them.
    fn cells(&self) -> Vec<Cell>;
}

impl Row for Fact {
    const FIELDS: &'static [(&'static str, &'static str)] = &[("name", ""), ("value", "")];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::Text(self.name.to_owned()), Cell::maybe(self.value, self.unit)]
    }
}

impl Row for FleetPoint {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("at", "Time"),
        ("spot_hosts", "Spot hosts"),
        ("on_demand_hosts", "On-Demand hosts"),
        ("spot_vcpus", "Spot vCPUs"),
        ("on_demand_vcpus", "On-Demand vCPUs"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let mean = |value| Cell::Number(value, Unit::Mean);
        vec![
            Cell::Time(self.at),
            mean(self.spot_hosts),
            mean(self.on_demand_hosts),
            mean(self.spot_vcpus),
            mean(self.on_demand_vcpus),
        ]
    }
}

impl Row for TypeRow {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("instance_type", "Type"),
        ("market", "Market"),
        ("hosts", "Hosts"),
        ("host_hours", "Host hours"),
        ("vcpu_hours", "vCPU hours"),
        ("cost_usd", "Cost"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Text(self.instance_type.clone()),
            Cell::Text(self.market.clone()),
            Cell::count(self.hosts),
            Cell::Number(self.host_hours, Unit::Hours),
            Cell::Number(self.vcpu_hours, Unit::Hours),
            Cell::Number(self.cost_usd, Unit::Usd),
        ]
    }
}

impl Row for JobsPoint {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("at", "Time"),
        ("waiting", "Waiting"),
        ("starting", "STARTING"),
        ("running", "RUNNING"),
        ("accepted", "Accepted"),
        ("succeeded", "SUCCEEDED"),
        ("failed", "FAILED"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let mean = |value| Cell::Number(value, Unit::Mean);
        vec![
            Cell::Time(self.at),
            mean(self.waiting),
            mean(self.starting),
            mean(self.running),
            Cell::count(self.accepted),
            Cell::count(self.succeeded),
            Cell::count(self.failed),
        ]
    }
}

impl Row for CostPoint {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("at", "Time"),
        ("work_usd", "Work"),
        ("lost_usd", "Lost"),
        ("unused_usd", "Unused"),
        ("idle_usd", "Idle"),
        ("boot_usd", "Boot"),
        ("drain_usd", "Drain"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let parts = [
            self.work_usd,
            self.lost_usd,
            self.unused_usd,
            self.idle_usd,
            self.boot_usd,
            self.drain_usd,
        ];
        let parts = parts.into_iter().map(|part| Cell::Number(part, Unit::Usd));
        [Cell::Time(self.at)].into_iter().chain(parts).collect()
    }
}

impl Row for KindRow {
    const FIELDS: &'static [(&'static str, &'static str)] =
        &[("kind", "What for"), ("cost_usd", "Cost"), ("percent", "Part")];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Text(self.kind.to_owned()),
            Cell::Number(self.cost_usd, Unit::Usd),
            Cell::Number(self.percent, Unit::Percent),
        ]
    }
}

impl Row for WaitBin {
    const FIELDS: &'static [(&'static str, &'static str)] =
        &[("from_s", "From"), ("until_s", "Until"), ("jobs", "Jobs"), ("percent", "Part")];

    fn cells(&self) -> Vec<Cell> {
        let secs = |secs: i64| f64::from(i32::try_from(secs).unwrap_or(i32::MAX));
        vec![
            Cell::Number(secs(self.from_s), Unit::Seconds),
            Cell::maybe(self.until_s.map(secs), Unit::Seconds),
            Cell::count(self.jobs),
            Cell::Number(self.percent, Unit::Percent),
        ]
    }
}

impl Row for PackingPoint {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("at", "Time"),
        ("vcpus", "vCPUs registered"),
        ("vcpus_held", "vCPUs held"),
        ("vcpu_percent", "vCPU"),
        ("memory_percent", "Memory"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Time(self.at),
            Cell::Number(self.vcpus, Unit::Mean),
            Cell::Number(self.vcpus_held, Unit::Mean),
            Cell::maybe(self.vcpu_percent, Unit::Percent),
            Cell::maybe(self.memory_percent, Unit::Percent),
        ]
    }
}

impl Row for InterruptionPoint {
    const FIELDS: &'static [(&'static str, &'static str)] =
        &[("at", "Time"), ("hosts", "Spot hosts taken back"), ("attempts", "Attempts lost")];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::Time(self.at), Cell::count(self.hosts), Cell::count(self.attempts)]
    }
}

impl Row for InterruptedRow {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("instance_type", "Type"),
        ("zone", "Zone"),
        ("hosts", "Spot hosts"),
        ("interrupted", "Taken back"),
        ("lost_usd", "Work lost"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Text(self.instance_type.clone()),
            Cell::Text(self.zone.clone()),
            Cell::count(self.hosts),
            Cell::count(self.interrupted),
            Cell::Number(self.lost_usd, Unit::Usd),
        ]
    }
}

impl Row for FailureRow {
    const FIELDS: &'static [(&'static str, &'static str)] =
        &[("jobs", "Jobs"), ("reason", "Reason"), ("one_of_them", "One of them")];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::count(self.jobs),
            Cell::Text(self.reason.clone()),
            Cell::Text(self.one_of_them.clone()),
        ]
    }
}

/// A table of rows that JSON has at `json`. Times are shown to the second where buckets are shorter than a minute.
pub(crate) fn html<R: Row>(page: &mut String, json: &str, rows: &[R], step_s: i64) {
    let _ =
        write!(page, "<div class=\"scroll\"><table data-json=\"{}\"><thead><tr>", escaped(json));
    let first = rows.first().map(Row::cells).unwrap_or_default();
    for (nth, (field, title)) in R::FIELDS.iter().enumerate() {
        let is_text = matches!(first.get(nth), Some(Cell::Text(_) | Cell::Time(_)));
        let class = if is_text { " class=\"t\"" } else { "" };
        let (field, title) = (escaped(field), escaped(title));
        let _ = write!(page, "<th data-field=\"{field}\"{class}>{title}</th>");
    }
    page.push_str("</tr></thead><tbody>");
    for row in rows {
        page.push_str("<tr>");
        for cell in row.cells() {
            push_cell(page, &cell, step_s);
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div>");
}

fn push_cell(page: &mut String, cell: &Cell, step_s: i64) {
    let _ = match cell {
        Cell::Text(text) => write!(page, "<td class=\"t\">{}</td>", escaped(text)),
        Cell::Time(at) => {
            let text = time_text(*at, step_s);
            write!(page, "<td class=\"t\"><time datetime=\"{at}\">{text}</time></td>")
        }
        Cell::Number(value, unit) => write!(page, "<td>{}</td>", unit.text(*value)),
        Cell::None => write!(page, "<td>-</td>"),
    };
}

/// A moment, as exactly as buckets of this length need it.
pub(crate) fn time_text(at: Timestamp, step_s: i64) -> String {
    let form = if step_s < 60 {
        "%m-%d %H:%M:%S"
    } else if step_s < 86_400 {
        "%m-%d %H:%M"
    } else {
        "%Y-%m-%d"
    };
    at.strftime(form).to_string()
}

/// What others wrote is text on the page, whatever is in it.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
