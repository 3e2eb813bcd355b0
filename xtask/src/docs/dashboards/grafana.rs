//! Grafana's dashboard format, with a Prometheus data source and the scrape job to choose at the top.

use serde_json::{Value, json};

use super::{Grid, HEIGHT, Panel, Query, Row, Series, Shows, Unit};

/// The format of Grafana 10.4 and 11; newer ones read it too.
const SCHEMA_VERSION: u32 = 39;

/// Which dispatchers: those of the scrape jobs that were chosen.
const CHOSEN: &str = "job=~\"$job\"";

pub(super) fn dashboard(rows: &[Row]) -> Value {
    let mut grid = Grid::default();
    let mut panels = Vec::new();
    for row in rows {
        let shown: Vec<(&Panel, &[Series])> = row
            .panels
            .iter()
            .filter_map(|panel| match &panel.shows {
                Shows::Dispatcher(series) => Some((panel, series.as_slice())),
                Shows::Aws(_) => None,
            })
            .collect();
        if shown.is_empty() {
            continue;
        }
        let (x, y) = grid.place(super::COLUMNS, 1);
        grid.end_line();
        panels.push(json!({
            "id": panels.len() + 1,
            "type": "row",
            "title": row.title,
            "collapsed": false,
            "gridPos": { "x": x, "y": y, "w": super::COLUMNS, "h": 1 },
            "panels": [],
        }));
        for (panel, series) in shown {
            let (x, y) = grid.place(panel.width, HEIGHT);
            panels.push(picture(panels.len() + 1, panel, series, (x, y)));
        }
        grid.end_line();
    }
    json!({
        "uid": "spillway",
        "title": "Spillway",
        "description": "One dispatcher or several: jobs, machines, money, calls.",
        "tags": ["spillway"],
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "time": { "from": "now-6h", "to": "now" },
        "timezone": "browser",
        "templating": { "list": [data_source(), scrape_job()] },
        "annotations": { "list": [] },
        "links": [],
        "panels": panels,
    })
}

fn data_source() -> Value {
    json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
        "refresh": 1,
        "multi": false,
        "includeAll": false,
    })
}

fn scrape_job() -> Value {
    json!({
        "name": "job",
        "label": "Scrape job",
        "type": "query",
        "datasource": prometheus(),
        "query": { "query": "label_values(spillway_jobs, job)", "refId": "job" },
        "definition": "label_values(spillway_jobs, job)",
        "hide": 0,
        "refresh": 2,
        "sort": 1,
        "multi": true,
        "includeAll": true,
        "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
    })
}

fn prometheus() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn picture(id: usize, panel: &Panel, series: &[Series], (x, y): (u32, u32)) -> Value {
    let targets: Vec<Value> = series
        .iter()
        .zip('A'..='Z')
        .map(|(series, letter)| {
            json!({
                "refId": letter.to_string(),
                "datasource": prometheus(),
                "expr": promql(series.query),
                "legendFormat": series.legend,
                "range": true,
            })
        })
        .collect();
    json!({
        "id": id,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": prometheus(),
        "gridPos": { "x": x, "y": y, "w": panel.width, "h": HEIGHT },
        "fieldConfig": {
            "defaults": {
                "unit": unit(panel.unit),
                "min": 0,
                "custom": { "drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never" },
            },
            "overrides": [],
        },
        "options": {
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
            "tooltip": { "mode": "multi", "sort": "desc" },
        },
        "targets": targets,
    })
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "short",
        Unit::PerSecond => "cps",
        Unit::Dollars => "currencyUSD",
        Unit::Seconds => "s",
        Unit::Percent => "percent",
        Unit::Bytes => "bytes",
    }
}

fn promql(query: Query) -> String {
    match query {
        Query::Now { metric, by } | Query::Total { metric, by } => {
            format!("{} ({metric}{{{CHOSEN}}})", sum(by))
        }
        Query::Rate { metric, by } => {
            format!("{} (rate({metric}{{{CHOSEN}}}[$__rate_interval]))", sum(by))
        }
        Query::Counted { metric, by } => {
            format!("{} (increase({metric}{{{CHOSEN}}}[$__rate_interval]))", sum(by))
        }
        Query::Failures { metric, by } => {
            let sum = sum(by);
            format!("{sum} (increase({metric}{{{CHOSEN},outcome!=\"ok\"}}[$__rate_interval]))")
        }
        Query::Grown { metric, over } => format!("sum (increase({metric}{{{CHOSEN}}}[{over}]))"),
        Query::Quantile { metric, by, q } => {
            let max = if by.is_empty() {
                "max".to_owned()
            } else {
                format!("max by ({})", by.join(", "))
            };
            format!("{max} ({metric}{{{CHOSEN},quantile=\"{q}\"}})")
        }
    }
}

fn sum(by: &[&str]) -> String {
    if by.is_empty() { "sum".to_owned() } else { format!("sum by ({})", by.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_query_is_written_as_prometheus_reads_it() {
        let now = Query::Now { metric: "m", by: &["a", "b"] };
        let failures = Query::Failures { metric: "m", by: &["a"] };
        let quantile = Query::Quantile { metric: "m", by: &[], q: "0.99" };

        assert_eq!(promql(now), r#"sum by (a, b) (m{job=~"$job"})"#);
        assert_eq!(
            promql(failures),
            r#"sum by (a) (increase(m{job=~"$job",outcome!="ok"}[$__rate_interval]))"#
        );
        assert_eq!(promql(quantile), r#"max (m{job=~"$job",quantile="0.99"})"#);
        assert_eq!(
            promql(Query::Grown { metric: "m", over: "24h" }),
            r#"sum (increase(m{job=~"$job"}[24h]))"#
        );
    }
}
