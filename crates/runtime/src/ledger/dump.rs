//! A ledger as lines of JSON: a first one that says what it is, one for every row of every table, and a last one that says how many
//! there were, so that a torn export is told from a whole one. What was JSON in a row is written as it stands there.

use std::fmt::Write as _;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use spillway_core::error::LedgerError;

use super::error::{Failure, Outcome};
use super::schema::FORMAT;

/// What the first line says.
pub(super) const KIND: &str = "spillway-ledger";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) kind: String,
    pub(super) format: u32,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) n_rows: u64,
}

/// Columns that hold JSON, of whatever table.
pub(super) const JSON: [&str; 15] = [
    "attempt",
    "boots",
    "cooldown",
    "detail",
    "evidence",
    "gate",
    "history",
    "host",
    "launch",
    "record",
    "registered",
    "spec",
    "state",
    "used",
    "warnings",
];

/// A table that says something of the file rather than of the ledger.
const OF_FILE: &str = "copied";

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// `TEXT`, `INTEGER` or `BLOB`.
    pub(super) kind: String,
    /// Its place in the table's key, from 1; 0 for none.
    key: i64,
}

/// The tables of a ledger, in order of name.
pub(super) fn tables(connection: &Connection) -> Outcome<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> ?1 ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([OF_FILE], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// The columns of a table; none if there is no such table.
pub(super) fn columns(connection: &Connection, table: &str) -> Outcome<Vec<Column>> {
    let sql = "SELECT name, type, pk FROM pragma_table_info(?1)";
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.query_map([table], |row| {
        Ok(Column { name: row.get(0)?, kind: row.get(1)?, key: row.get(2)? })
    })?;
    Ok(columns.collect::<Result<_, _>>()?)
}

/// Whether nothing has ever been committed to it.
pub(super) fn is_empty(connection: &Connection) -> Outcome<bool> {
    for table in tables(connection)? {
        let sql = if table == "meta" {
            "SELECT count(*) FROM meta WHERE committed_at IS NOT NULL".to_owned()
        } else {
            format!("SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 1)")
        };
        let n: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        if n != 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Deletes every row, but for the ledger's id.
pub(super) fn clear(tx: &Transaction<'_>) -> Outcome<()> {
    for table in tables(tx)?.iter().filter(|table| *table != "meta") {
        tx.execute(&format!("DELETE FROM {table}"), [])?;
    }
    let sql = "UPDATE meta SET n_launches = 0, n_jobs = 0, n_events = 0, committed_at = NULL, boots = NULL";
    tx.execute(sql, [])?;
    Ok(())
}

/// Gives every line to `line`, without its end. Rows are in the order of their keys, so that equal ledgers are equal line by line.
pub(super) fn lines(
    connection: &Connection,
    line: &mut dyn FnMut(&str) -> Outcome<()>,
) -> Outcome<()> {
    let head = Head { kind: KIND.to_owned(), format: FORMAT };
    line(&super::write::json(&head)?)?;
    let mut n_rows = 0_u64;
    let mut text = String::new();
    for table in tables(connection)? {
        let columns = columns(connection, &table)?;
        let mut key: Vec<&Column> = columns.iter().filter(|column| 0 < column.key).collect();
        key.sort_by_key(|column| column.key);
        let names = |columns: &[&Column]| {
            columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>().join(", ")
        };
        let sql = format!(
            "SELECT {} FROM {table} ORDER BY {}",
            names(&columns.iter().collect::<Vec<_>>()),
            names(&key)
        );
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            text.clear();
            write!(text, "{{\"table\":\"{table}\",\"row\":{{").map_err(unwritten)?;
            for (at, column) in columns.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                write!(text, "{comma}\"{}\":", column.name).map_err(unwritten)?;
                value(&mut text, column, row.get_ref(at)?)?;
            }
            text.push_str("}}");
            line(&text)?;
            n_rows += 1;
        }
    }
    line(&super::write::json(&Tail { n_rows })?)
}

/// The same, in pieces of about so many bytes.
pub(super) fn pieces(
    connection: &Connection,
    piece_bytes: usize,
    piece: &mut dyn FnMut(Vec<u8>) -> Result<(), LedgerError>,
) -> Outcome<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(piece_bytes);
    lines(connection, &mut |line| {
        buffer.extend_from_slice(line.as_bytes());
        buffer.push(b'\n');
        while piece_bytes <= buffer.len() {
            let rest = buffer.split_off(piece_bytes);
            piece(std::mem::replace(&mut buffer, rest))?;
        }
        Ok(())
    })?;
    piece(buffer)?;
    Ok(())
}

fn value(text: &mut String, column: &Column, value: ValueRef<'_>) -> Outcome<()> {
    match value {
        ValueRef::Null => text.push_str("null"),
        ValueRef::Integer(n) => write!(text, "{n}").map_err(unwritten)?,
        ValueRef::Real(_) => return Err(unwritten("a column of another type")),
        ValueRef::Text(bytes) => {
            let content = std::str::from_utf8(bytes).map_err(unwritten)?;
            if JSON.contains(&column.name.as_str()) {
                text.push_str(content);
            } else {
                text.push_str(&Value::from(content).to_string());
            }
        }
        ValueRef::Blob(bytes) => {
            text.push('"');
            for byte in bytes {
                write!(text, "{byte:02x}").map_err(unwritten)?;
            }
            text.push('"');
        }
    }
    Ok(())
}

fn unwritten(error: impl std::fmt::Display) -> Failure {
    Failure::record("to be exported", &error)
}
