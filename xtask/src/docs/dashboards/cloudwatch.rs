//! CloudWatch's dashboard format (CloudWatch API reference, "Dashboard body structure and syntax").
//!
//! The deployment and the region are variables of the dashboard: the file is good for every installation as it is.

use serde_json::{Value, json};

use super::{AwsSeries, Grid, HEIGHT, Panel, Row, Shows, Unit};

/// What stands for the deployment's name, until the dashboard is looked at.
const DEPLOYMENT: &str = "DEPLOYMENT";

/// Every widget must name a region; the variable replaces it.
const REGION: &str = "us-east-1";

/// AWS's own metrics are of minutes.
const PERIOD_SECONDS: u32 = 60;

pub(super) fn dashboard(rows: &[Row]) -> Value {
    let mut grid = Grid::default();
    let mut widgets = Vec::new();
    for row in rows {
        let shown: Vec<(&Panel, &[AwsSeries])> = row
            .panels
            .iter()
            .filter_map(|panel| match &panel.shows {
                Shows::Aws(series) => Some((panel, series.as_slice())),
                Shows::Dispatcher(_) => None,
            })
            .collect();
        if shown.is_empty() {
            continue;
        }
        widgets.push(text(&mut grid, 1, &format!("## {}", row.title)));
        for (panel, series) in shown {
            let (x, y) = grid.place(panel.width, HEIGHT);
            widgets.push(picture(panel, series, (x, y)));
        }
        grid.end_line();
        let notes: Vec<String> =
            row.panels.iter().map(|panel| format!("**{}**: {}", panel.title, panel.says)).collect();
        widgets.push(text(&mut grid, 2, &notes.join(" ")));
    }
    json!({
        "start": "-PT6H",
        "periodOverride": "inherit",
        "variables": [
            variable("deployment", "Deployment", "pattern", DEPLOYMENT, "spillway"),
            variable("region", "Region", "property", "region", REGION),
        ],
        "widgets": widgets,
    })
}

fn variable(id: &str, label: &str, kind: &str, replaces: &str, default: &str) -> Value {
    json!({
        "id": id,
        "label": label,
        "type": kind,
        kind: replaces,
        "inputType": "input",
        "defaultValue": default,
        "visible": true,
    })
}

fn text(grid: &mut Grid, height: u32, markdown: &str) -> Value {
    let (x, y) = grid.place(super::COLUMNS, height);
    grid.end_line();
    json!({
        "type": "text",
        "x": x,
        "y": y,
        "width": super::COLUMNS,
        "height": height,
        "properties": { "markdown": markdown, "background": "transparent" },
    })
}

fn picture(panel: &Panel, series: &[AwsSeries], (x, y): (u32, u32)) -> Value {
    json!({
        "type": "metric",
        "x": x,
        "y": y,
        "width": panel.width,
        "height": HEIGHT,
        "properties": {
            "title": panel.title,
            "region": REGION,
            "view": "timeSeries",
            "stacked": false,
            "period": PERIOD_SECONDS,
            "yAxis": { "left": { "min": 0, "label": axis(panel.unit), "showUnits": false } },
            "metrics": series.iter().map(line).collect::<Vec<_>>(),
        },
    })
}

/// Namespace, name, dimensions by name and value, then how it is drawn.
fn line(series: &AwsSeries) -> Value {
    let metric = &series.metric;
    let mut parts = vec![json!(metric.namespace), json!(metric.name)];
    for (name, value) in metric.dimensions.iter().zip(series.at) {
        parts.extend([json!(name), json!(value)]);
    }
    parts.push(json!({ "stat": metric.statistic, "label": series.label }));
    Value::Array(parts)
}

const fn axis(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "count",
        Unit::PerSecond => "per second",
        Unit::Dollars => "dollars",
        Unit::Seconds => "seconds",
        Unit::Percent => "percent",
        Unit::Bytes => "bytes",
    }
}

#[cfg(test)]
mod tests {
    use super::super::aws;
    use super::*;

    #[test]
    fn a_line_is_a_metric_with_its_dimensions_and_its_statistic() {
        let series = AwsSeries { metric: aws::AGE, at: &["DEPLOYMENT-jobs"], label: "jobs" };

        assert_eq!(
            line(&series),
            json!(["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "DEPLOYMENT-jobs",
                { "stat": "Maximum", "label": "jobs" }])
        );
    }
}
