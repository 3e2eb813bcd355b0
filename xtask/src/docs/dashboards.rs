//! Dashboards for Grafana and CloudWatch, made from one list of panels. Nothing is shown that nobody emits.

pub(super) mod aws;
mod cloudwatch;
mod grafana;
mod panels;

use aws::AwsMetric;

/// The columns of a dashboard, in Grafana and CloudWatch alike.
const COLUMNS: u32 = 24;

/// The height of every panel, in either's units.
const HEIGHT: u32 = 7;

/// A heading with what stands below it.
#[derive(Debug)]
struct Row {
    title: &'static str,
    panels: Vec<Panel>,
}

/// One picture.
#[derive(Debug)]
struct Panel {
    title: &'static str,
    /// What it tells, and what to make of it.
    says: &'static str,
    unit: Unit,
    width: u32,
    shows: Shows,
}

/// What a panel's values are.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Count,
    PerSecond,
    Dollars,
    Seconds,
    Percent,
    Bytes,
}

/// Where a panel's values come from, and so which dashboard it is on.
#[derive(Debug)]
enum Shows {
    /// Prometheus, which asks the dispatcher: Grafana.
    Dispatcher(Vec<Series>),
    /// AWS itself: CloudWatch.
    Aws(Vec<AwsSeries>),
}

/// Lines from one query.
#[derive(Debug)]
struct Series {
    query: Query,
    /// What a line is called; `{{label}}` stands for a label's value.
    legend: &'static str,
}

/// A query of metrics that `telemetry` names.
#[derive(Debug, Clone, Copy)]
enum Query {
    /// A gauge as it stands, summed up but for some labels.
    Now { metric: &'static str, by: &'static [&'static str] },
    /// How fast a counter grows.
    Rate { metric: &'static str, by: &'static [&'static str] },
    /// How many a counter has counted since the line's point before: for what is rare.
    Counted { metric: &'static str, by: &'static [&'static str] },
    /// The same, without those that went well.
    Failures { metric: &'static str, by: &'static [&'static str] },
    /// What a counter has counted since its start: shows the very first one, which no difference does.
    Total { metric: &'static str, by: &'static [&'static str] },
    /// How much a sum of dollars has grown over a span.
    Grown { metric: &'static str, over: &'static str },
    /// A quantile of a summary, the worst of those that the labels leave apart.
    Quantile { metric: &'static str, by: &'static [&'static str], q: &'static str },
}

/// One metric of AWS with what it is of.
#[derive(Debug)]
struct AwsSeries {
    metric: AwsMetric,
    /// The values of its dimensions, in order.
    at: &'static [&'static str],
    label: &'static str,
}

/// Grafana's dashboard, to be imported.
pub(crate) fn grafana() -> serde_json::Value {
    grafana::dashboard(&panels::all())
}

/// CloudWatch's dashboard, as `put-dashboard` takes it.
pub(crate) fn cloudwatch() -> serde_json::Value {
    cloudwatch::dashboard(&panels::all())
}

/// Puts panels side by side, from the left, and begins a new line where one does not fit.
#[derive(Debug, Default)]
struct Grid {
    x: u32,
    y: u32,
    /// The height of the line that is being filled; 0 if there is none.
    line: u32,
}

impl Grid {
    fn place(&mut self, width: u32, height: u32) -> (u32, u32) {
        if self.x + width > COLUMNS {
            self.end_line();
        }
        let at = (self.x, self.y);
        self.x += width;
        self.line = self.line.max(height);
        at
    }

    const fn end_line(&mut self) {
        self.x = 0;
        self.y += self.line;
        self.line = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use spillway_runtime::telemetry::{self, Kind, Metric};

    use super::*;

    fn queries() -> Vec<Query> {
        let series = |panel: Panel| match panel.shows {
            Shows::Dispatcher(series) => series,
            Shows::Aws(_) => Vec::new(),
        };
        let panels = panels::all().into_iter().flat_map(|row| row.panels);
        panels.flat_map(series).map(|series| series.query).collect()
    }

    fn known(name: &str) -> Metric {
        let found = telemetry::ALL.into_iter().find(|metric| metric.name == name);
        found.unwrap_or_else(|| panic!("nobody emits {name}"))
    }

    #[test]
    fn every_query_is_of_a_metric_that_is_emitted_with_labels_that_it_has() {
        for query in queries() {
            let (name, by, kind) = match query {
                Query::Now { metric, by } => (metric, by, Kind::Gauge),
                Query::Rate { metric, by }
                | Query::Counted { metric, by }
                | Query::Total { metric, by } => (metric, by, Kind::Counter),
                Query::Failures { metric, by } => {
                    assert!(known(metric).labels.contains(&"outcome"), "{metric}");
                    (metric, by, Kind::Counter)
                }
                Query::Grown { metric, .. } => {
                    assert!(metric.ends_with("_dollars"), "{metric} is a gauge that may fall");
                    (metric, &[][..], Kind::Gauge)
                }
                Query::Quantile { metric, by, q } => {
                    assert!(["0.5", "0.9", "0.95", "0.99"].contains(&q), "no quantile {q}");
                    (metric, by, Kind::Histogram)
                }
            };
            let metric = known(name);
            assert_eq!(metric.kind, kind, "{name}");
            for label in by {
                assert!(metric.labels.contains(label), "{name} has no label {label}");
            }
        }
    }

    #[test]
    fn every_metric_of_the_dispatcher_is_on_the_dashboard() {
        let text = grafana().to_string();

        for metric in telemetry::ALL {
            assert!(text.contains(metric.name), "{} is not shown", metric.name);
        }
    }

    #[test]
    fn every_name_in_grafanas_text_is_that_of_a_metric() {
        let text = grafana().to_string();
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("spillway_"));
        let names: BTreeSet<&str> = words.collect();

        assert_eq!(names.len(), telemetry::ALL.len());
        for name in names {
            known(name);
        }
    }

    #[test]
    fn every_metric_of_aws_is_in_the_table_and_on_the_dashboard_with_all_its_dimensions() {
        let mut shown = Vec::new();
        for panel in panels::all().into_iter().flat_map(|row| row.panels) {
            if let Shows::Aws(series) = panel.shows {
                for one in series {
                    let name = one.metric.name;
                    assert!(aws::ALL.contains(&one.metric), "{name} is not in the table");
                    assert_eq!(one.at.len(), one.metric.dimensions.len(), "{name}");
                    shown.push(one.metric);
                }
            }
        }
        for metric in aws::ALL {
            assert!(shown.contains(&metric), "{} is not shown", metric.name);
        }
    }

    #[test]
    fn a_panel_that_does_not_fit_begins_a_new_line() {
        let mut grid = Grid::default();

        let places = [(12, 7), (12, 5), (8, 7)].map(|(width, height)| grid.place(width, height));

        assert_eq!(places, [(0, 0), (12, 0), (0, 7)]);
    }
}
