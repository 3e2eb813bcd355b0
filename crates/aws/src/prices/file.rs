//! A file with prices, in CSV or JSON, for accounts that may not read AWS's list and for regions that have none.
//!
//! CSV: a header line, then one price a line, no quotes. `instance_type` and `usd_per_hour` are required; `region`,
//! `zone` and `market` (`on-demand`, the default, or `spot`) may be there or not, in any order:
//!
//! ```csv
//! instance_type,usd_per_hour,region
//! c7g.large,0.0725,us-east-1
//! ```
//!
//! JSON: `{"schema": 1, "prices": [{"instanceType": "c7g.large", "usdPerHour": "0.0725", "region": "us-east-1"}]}`,
//! with `region`, `zone` and `market` as above. Prices are text, so that no decimal is lost. Lines of other regions
//! are skipped. A Spot price takes the place of EC2's own.

use std::path::Path;

use serde::Deserialize;
use spillway_core::catalog::InstanceType;
use spillway_core::{Market, MicroUsdPerHour, Zone};

use super::assemble::Prices;

/// Why a prices file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PricesFileError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{path}, line {line}: {problem}")]
    Wrong {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing in it is about the region.
    #[error("{path} has no On-Demand price for {region}")]
    NoneForRegion {
        /// Which file.
        path: String,
        /// The region.
        region: String,
    },
}

/// Reads a file: JSON if its name ends in `.json`, else CSV.
pub(super) fn read(path: &Path, region: &str) -> Result<Prices, PricesFileError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| PricesFileError::Unreadable { path: name.clone(), source })?;
    let is_json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
    let lines = if is_json { json(&text) } else { csv(&text) };
    let lines = lines.map_err(|Problem { line, problem }| PricesFileError::Wrong {
        path: name.clone(),
        line,
        problem,
    })?;
    let mut prices = Prices::default();
    let mut n_on_demand = 0_usize;
    for line in lines {
        if line.region.is_none_or(|of| of == region) {
            n_on_demand += usize::from(line.market == Market::OnDemand);
            prices.insert(line.market, &line.instance_type, line.zone, line.price);
        }
    }
    if n_on_demand == 0 {
        return Err(PricesFileError::NoneForRegion { path: name, region: region.to_owned() });
    }
    Ok(prices)
}

#[derive(Debug, PartialEq, Eq)]
struct Line {
    instance_type: InstanceType,
    price: MicroUsdPerHour,
    region: Option<String>,
    zone: Option<Zone>,
    market: Market,
}

#[derive(Debug, PartialEq, Eq)]
struct Problem {
    line: usize,
    problem: String,
}

const COLUMNS: [&str; 5] = ["instance_type", "usd_per_hour", "region", "zone", "market"];

fn csv(text: &str) -> Result<Vec<Line>, Problem> {
    let is_content = |(_, line): &(usize, &str)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    };
    let mut lines = text.lines().enumerate().filter(is_content).map(|(at, line)| (at + 1, line));
    let wrong = |line: usize, problem: String| Problem { line, problem };
    let (header_at, header) =
        lines.next().ok_or_else(|| wrong(1, "the file is empty".to_owned()))?;
    let columns: Vec<&str> = header.split(',').map(str::trim).collect();
    if let Some(unknown) = columns.iter().find(|column| !COLUMNS.contains(column)) {
        let known = COLUMNS.join(", ");
        return Err(wrong(header_at, format!("{unknown:?} is not a column; columns are {known}")));
    }
    for required in ["instance_type", "usd_per_hour"] {
        if !columns.contains(&required) {
            return Err(wrong(header_at, format!("the column {required} is missing")));
        }
    }
    let mut prices = Vec::new();
    for (at, line) in lines {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        if cells.len() != columns.len() {
            let problem = format!("{} cells, the header has {}", cells.len(), columns.len());
            return Err(wrong(at, problem));
        }
        let cell = |name: &str| {
            let (_, cell) = columns.iter().zip(&cells).find(|(column, _)| **column == name)?;
            (!cell.is_empty()).then(|| (*cell).to_owned())
        };
        let row = Row {
            instance_type: cell("instance_type").unwrap_or_default(),
            usd_per_hour: cell("usd_per_hour").unwrap_or_default(),
            region: cell("region"),
            zone: cell("zone"),
            market: cell("market"),
        };
        prices.push(row.checked().map_err(|problem| wrong(at, problem))?);
    }
    Ok(prices)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: u32,
    prices: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    instance_type: String,
    usd_per_hour: String,
    region: Option<String>,
    zone: Option<String>,
    market: Option<String>,
}

fn json(text: &str) -> Result<Vec<Line>, Problem> {
    let document: Document = serde_json::from_str(text)
        .map_err(|error| Problem { line: error.line(), problem: error.to_string() })?;
    if document.schema != 1 {
        let problem = format!("schema {} is not known; this Spillway reads 1", document.schema);
        return Err(Problem { line: 1, problem });
    }
    let mut prices = Vec::with_capacity(document.prices.len());
    for (ord, row) in document.prices.into_iter().enumerate() {
        let in_row =
            |problem: String| Problem { line: 1, problem: format!("prices[{ord}]: {problem}") };
        prices.push(row.checked().map_err(in_row)?);
    }
    Ok(prices)
}

impl Row {
    fn checked(self) -> Result<Line, String> {
        let has_family_and_size = self
            .instance_type
            .split_once('.')
            .is_some_and(|(family, size)| !family.is_empty() && !size.is_empty());
        if !has_family_and_size {
            return Err(format!("{:?} is not an instance type", self.instance_type));
        }
        let price: MicroUsdPerHour =
            self.usd_per_hour.parse().map_err(|error| format!("usd_per_hour: {error}"))?;
        if price == MicroUsdPerHour::ZERO {
            return Err("a price of zero would make a machine free".to_owned());
        }
        let market = match self.market {
            Some(text) => text.parse().map_err(|error| format!("market: {error}"))?,
            None => Market::OnDemand,
        };
        let zone = self.zone.map(|text| text.parse::<Zone>().map_err(|e| e.to_string()));
        Ok(Line {
            instance_type: self.instance_type,
            price,
            region: self.region,
            zone: zone.transpose()?,
            market,
        })
    }
}

#[cfg(test)]
mod tests;
