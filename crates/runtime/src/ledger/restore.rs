//! Lines of an export back into a ledger, in place of all that was in it and within a transaction of the caller's. It refuses what it
//! does not know rather than leave it out, and what ends before its last line. An export of an older format is put into tables of
//! that format and brought to the newest like a file.

use std::collections::BTreeMap;

use rusqlite::Transaction;
use rusqlite::types::Value;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::dump::{self, Column, Head, JSON, KIND, Tail};
use super::error::{Failure, Outcome};
use super::schema;

/// A row, its columns as they stand there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row<'a> {
    table: String,
    #[serde(borrow)]
    row: BTreeMap<String, &'a RawValue>,
}

/// Takes an export piece by piece.
#[derive(Debug)]
pub(super) struct Restorer<'t> {
    tx: &'t Transaction<'t>,
    tables: BTreeMap<String, Vec<Column>>,
    /// What has come of a line whose end has not.
    partial: Vec<u8>,
    format: u32,
    n_lines: u64,
    n_rows: u64,
    is_whole: bool,
}

impl<'t> Restorer<'t> {
    pub(super) fn new(tx: &'t Transaction<'t>) -> Self {
        Self {
            tx,
            tables: BTreeMap::new(),
            partial: Vec::new(),
            format: 0,
            n_lines: 0,
            n_rows: 0,
            is_whole: false,
        }
    }

    /// Takes the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Outcome<()> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, more) = rest.split_at(end);
            if self.partial.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole)?;
            }
            rest = more.get(1..).unwrap_or_default();
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    /// Looks that the last line has come. Returns how many rows there were.
    pub(super) fn finish(mut self) -> Outcome<u64> {
        if !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            self.line(&line)?;
        }
        if !self.is_whole {
            return Err(self.wrong(&"it ends before its last line"));
        }
        schema::finish(self.tx, self.format)?;
        Ok(self.n_rows)
    }

    fn wrong(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::record(&format!("line {} of the export", self.n_lines), error)
    }

    fn line(&mut self, line: &[u8]) -> Outcome<()> {
        self.n_lines += 1;
        let text = std::str::from_utf8(line).map_err(|error| self.wrong(&error))?;
        if self.n_lines == 1 {
            return self.head(text);
        }
        if self.is_whole {
            return Err(self.wrong(&"there is more behind its last line"));
        }
        if let Ok(tail) = serde_json::from_str::<Tail>(text) {
            if tail.n_rows != self.n_rows {
                let said = format!("there were {} rows, and it says {}", self.n_rows, tail.n_rows);
                return Err(self.wrong(&said));
            }
            self.is_whole = true;
            return Ok(());
        }
        let row: Row<'_> = serde_json::from_str(text).map_err(|error| self.wrong(&error))?;
        self.row(&row)
    }

    fn head(&mut self, text: &str) -> Outcome<()> {
        let head: Head = serde_json::from_str(text).map_err(|error| self.wrong(&error))?;
        if head.kind != KIND {
            return Err(self.wrong(&"it is no export of a ledger"));
        }
        schema::begin(self.tx, head.format)?;
        self.format = head.format;
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Outcome<()> {
        if !self.tables.contains_key(&row.table) {
            // Only what the schema knows gets into SQL.
            if !dump::tables(self.tx)?.contains(&row.table) {
                return Err(self.wrong(&format!("there is no table {:?}", row.table)));
            }
            let columns = dump::columns(self.tx, &row.table)?;
            self.tables.insert(row.table.clone(), columns);
        }
        let columns = self.tables.get(&row.table).map(Vec::as_slice).unwrap_or_default();
        let is_known = |name: &String| columns.iter().any(|column| column.name == *name);
        if let Some(other) = row.row.keys().find(|name| !is_known(name)) {
            return Err(self.wrong(&format!("table {} has no column {other:?}", row.table)));
        }
        let mut values: Vec<Value> = Vec::with_capacity(columns.len());
        for column in columns {
            let raw = row.row.get(&column.name);
            let raw = raw.ok_or_else(|| self.wrong(&format!("{} is missing", column.name)))?;
            values.push(value(column, raw.get()).map_err(|error| self.wrong(&error))?);
        }
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO {} VALUES ({marks})", row.table);
        self.tx.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))?;
        self.n_rows += 1;
        Ok(())
    }
}

fn value(column: &Column, raw: &str) -> Result<Value, String> {
    if raw == "null" {
        return Ok(Value::Null);
    }
    if JSON.contains(&column.name.as_str()) {
        return Ok(Value::Text(raw.to_owned()));
    }
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", column.name);
    match column.kind.as_str() {
        "INTEGER" => raw.parse().map(Value::Integer).map_err(|error| wrong(&error)),
        "BLOB" => {
            let hex: String = serde_json::from_str(raw).map_err(|error| wrong(&error))?;
            bytes(&hex).map(Value::Blob).ok_or_else(|| wrong(&"no hexadecimal digits"))
        }
        _ => serde_json::from_str(raw).map(Value::Text).map_err(|error| wrong(&error)),
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) {
        return None;
    }
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(pair).collect()
}
