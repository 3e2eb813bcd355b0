//! `docs/metrics.md`: every metric of the dispatcher, from the table that the dispatcher itself registers.

use std::fmt::Write as _;

use anyhow::Result;
use spillway_runtime::telemetry::{self, Kind, Metric};

use super::dashboards::aws;

/// The page.
pub(crate) fn markdown() -> Result<String> {
    let mut page = String::from(INTRODUCTION);
    page.push_str("| name | kind | unit | labels | meaning |\n| --- | --- | --- | --- | --- |\n");
    for metric in telemetry::ALL {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (metric.name, kind(metric.kind), metric.help);
        let (unit, labels) = (unit(&metric), labels.join(", "));
        writeln!(page, "| `{name}` | {kind} | {unit} | {labels} | {help} |")?;
    }
    page.push_str(LABELS);
    for label in telemetry::LABELS {
        writeln!(page, "| `{}` | `{}` | {} |", label.metric, label.name, label.values)?;
    }
    page.push_str(FROM_AWS);
    for metric in aws::ALL {
        let dimensions: Vec<String> =
            metric.dimensions.iter().map(|name| format!("`{name}`")).collect();
        let (namespace, name, says) = (metric.namespace, metric.name, metric.says);
        writeln!(page, "| `{namespace}` | `{name}` | {} | {says} |", dimensions.join(", "))?;
    }
    Ok(page)
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "summary",
    }
}

fn unit(metric: &Metric) -> &'static str {
    metric.unit.as_ref().map_or_else(
        || match metric.name {
            name if name.ends_with("per_hour") => "dollars per hour",
            name if name.ends_with("ratio") => "ratio",
            _ => "dollars",
        },
        |unit| if *unit == metrics::Unit::Seconds { "seconds" } else { "count" },
    )
}

const INTRODUCTION: &str = "\
# Metrics

<!-- Made by `cargo xtask docs` from the code. Do not edit. -->

`spillway serve` answers at `metrics-address` (nowhere unless it is set; it has no login, so keep it on loopback or behind something that has one):

| path | answer |
| --- | --- |
| `/metrics` | Prometheus' text format, version 0.0.4 |
| `/healthz` | 200 while the control loop makes steps, else 503: restart it |
| `/readyz` | 200 while jobs can be run, else 503, with a line for each of ledger, prices, fleet, running |

```console
$ SPILLWAY_METRICS_ADDRESS=127.0.0.1:9464 spillway serve
$ curl -s 127.0.0.1:9464/metrics
```

Names are public: they change only with a line in the changelog. Units are Prometheus' base units. A label never carries an id. Values begin at 0 with every start
of the dispatcher. [infra/dashboards/grafana.json](../infra/dashboards/grafana.json) shows all of them.

A summary has a series for each `quantile` (`0`, `0.5`, `0.9`, `0.95`, `0.99`, `0.999`, `1`), and `_sum` and `_count`. Quantiles of several dispatchers cannot be added up.

## The dispatcher's

";

const LABELS: &str = "
## Labels

| metric | label | values |
| --- | --- | --- |
";

const FROM_AWS: &str = "
## From CloudWatch

The dispatcher sends nothing to CloudWatch. [infra/dashboards/cloudwatch.json](../infra/dashboards/cloudwatch.json) shows what AWS itself measures of the deployment's queues, rules,
cluster and machines; the alarms of [the runbook](runbook.md) watch some of it.

| namespace | metric | dimensions | what it says |
| --- | --- | --- | --- |
";
