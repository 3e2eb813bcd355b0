//! Every metric: its name, unit, labels and meaning. Names are public; a label never carries an id.
//!
//! Recorded through the `metrics` facade, so that whoever builds the program chooses the exporter, or none. Units are
//! Prometheus's base units; names end as it asks (`_total`, `_seconds`).

use metrics::Unit;

/// Jobs that have not ended. Label `state`: AWS Batch's word.
pub const JOBS: &str = "spillway_jobs";
/// Jobs that wait and that the last plan could not serve. Label `reason`.
pub const JOBS_WAITING: &str = "spillway_jobs_waiting";
/// Hosts that are not gone. Labels `status`, `market`.
pub const HOSTS: &str = "spillway_hosts";
/// What all hosts that are paid for cost.
pub const FLEET_PRICE: &str = "spillway_fleet_dollars_per_hour";
/// The proven lower bound of the last plan's purchases.
pub const PLAN_BOUND: &str = "spillway_plan_lower_bound_dollars_per_hour";
/// Steps of the control loop. Label `input`.
pub const STEPS: &str = "spillway_steps_total";
/// How long a step took, planning included.
pub const STEP_SECONDS: &str = "spillway_step_seconds";
/// How long a commit took, the disk included.
pub const COMMIT_SECONDS: &str = "spillway_commit_seconds";
/// Changes written to the ledger.
pub const CHANGES: &str = "spillway_changes_total";
/// Commits that failed and were tried again or ended the dispatcher.
pub const COMMIT_FAILURES: &str = "spillway_commit_failures_total";
/// Calls to the cloud. Labels `api`, as IAM names it, and `outcome`.
pub const API_CALLS: &str = "spillway_api_calls_total";
/// How long a call took. Label `api`.
pub const API_CALL_SECONDS: &str = "spillway_api_call_seconds";
/// Calls that wait for others of their kind. Label `lane`.
pub const CALLS_WAITING: &str = "spillway_calls_waiting";
/// Calls that wait for a token of their AWS bucket. Label `bucket`.
pub const API_QUEUE: &str = "spillway_api_queue";
/// The rate that calls of a bucket are sent at, for what AWS documents. Label `bucket`.
pub const API_RATE: &str = "spillway_api_rate_ratio";
/// Messages taken off a queue, repeats included. Label `queue`: `jobs` or `events`.
pub const MESSAGES: &str = "spillway_messages_total";
/// Messages that can never be a job. Label `reason`: the code on the dead letter.
pub const DEAD_LETTERS: &str = "spillway_dlq_total";
/// Refusals of capacity pools. Label `fault`.
pub const POOL_REFUSALS: &str = "spillway_pool_refusals_total";
/// What is left alone after failures, but for probes. Label `kind`: `image`, `call`, `host` or `spend`.
pub const BREAKERS_OPEN: &str = "spillway_breakers_open";
/// What the fleet would cost per hour with what is held until somebody approves it; 0 while nothing is.
pub const BURST_HELD: &str = "spillway_burst_held_dollars_per_hour";
/// What is spent of each budget in its current period; at 1 nothing of its scope starts. Label `budget`: its name.
pub const BUDGET_SPENT: &str = "spillway_budget_spent_ratio";
/// Notices that EC2 takes an instance back.
pub const SPOT_NOTICES: &str = "spillway_spot_notices_total";
/// Attempts that ended. Label `outcome`: `succeeded`, or the category of the failure.
pub const ATTEMPTS: &str = "spillway_attempts_total";
/// What attempts have cost since the start, booked when they end. A gauge, because counters hold whole numbers.
pub const ATTEMPT_DOLLARS: &str = "spillway_attempt_dollars";
/// What hosts have cost since the start, booked when they are gone. Less [`ATTEMPT_DOLLARS`] it is what boot and idleness cost.
pub const HOST_DOLLARS: &str = "spillway_host_dollars";
/// Whether this dispatcher leads: 1, or 0 while it stands by.
pub const LEADER: &str = "spillway_leader";
/// How often the leader of a shared ledger has changed, as its leader knows it; 0 of one that stands by. There is none for a ledger in
/// a file.
pub const EPOCH: &str = "spillway_ledger_epoch";
/// Tasks of the dispatcher that panicked. Must stay 0.
pub const PANICS: &str = "spillway_panics_total";
/// Spans of jobs that have ended, as they are sent to a collector.
pub const TRACE_SPANS: &str = "spillway_trace_spans_total";

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One metric, described.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its unit; none for dollars, which the facade does not know.
    pub unit: Option<Unit>,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const fn metric(
    name: &'static str,
    kind: Kind,
    unit: Option<Unit>,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, unit, labels, help }
}

/// All of them.
pub const ALL: [Metric; 29] = {
    use Kind::{Counter, Gauge, Histogram};
    let count = Some(Unit::Count);
    let seconds = Some(Unit::Seconds);
    [
        metric(JOBS, Gauge, count, &["state"], "Jobs that have not ended."),
        metric(JOBS_WAITING, Gauge, count, &["reason"], "Jobs the last plan could not serve."),
        metric(HOSTS, Gauge, count, &["status", "market"], "Hosts that are not gone."),
        metric(FLEET_PRICE, Gauge, None, &[], "What all hosts cost, in dollars per hour."),
        metric(PLAN_BOUND, Gauge, None, &[], "Proven lower bound of the last plan's purchases."),
        metric(STEPS, Counter, count, &["input"], "Steps of the control loop."),
        metric(STEP_SECONDS, Histogram, seconds, &[], "Time of a step, planning included."),
        metric(COMMIT_SECONDS, Histogram, seconds, &[], "Time of a commit, the disk included."),
        metric(CHANGES, Counter, count, &[], "Changes written to the ledger."),
        metric(COMMIT_FAILURES, Counter, count, &[], "Commits that failed."),
        metric(API_CALLS, Counter, count, &["api", "outcome"], "Calls to the cloud."),
        metric(API_CALL_SECONDS, Histogram, seconds, &["api"], "Time of a call."),
        metric(CALLS_WAITING, Gauge, count, &["lane"], "Calls waiting for others of their kind."),
        metric(API_QUEUE, Gauge, count, &["bucket"], "Calls waiting for a token of AWS's bucket."),
        metric(API_RATE, Gauge, None, &["bucket"], "Rate of calls, 1 is what AWS documents."),
        metric(MESSAGES, Counter, count, &["queue"], "Messages taken off a queue."),
        metric(DEAD_LETTERS, Counter, count, &["reason"], "Messages that can never be a job."),
        metric(POOL_REFUSALS, Counter, count, &["fault"], "Refusals of capacity pools."),
        metric(SPOT_NOTICES, Counter, count, &[], "Notices that EC2 takes an instance back."),
        metric(BREAKERS_OPEN, Gauge, count, &["kind"], "What is left alone after failures."),
        metric(BURST_HELD, Gauge, None, &[], "Price per hour that awaits approval, in dollars."),
        metric(BUDGET_SPENT, Gauge, None, &["budget"], "Part of a budget that is spent, 1 is all."),
        metric(ATTEMPTS, Counter, count, &["outcome"], "Attempts that ended."),
        metric(ATTEMPT_DOLLARS, Gauge, None, &[], "What attempts have cost, in dollars."),
        metric(HOST_DOLLARS, Gauge, None, &[], "What hosts have cost, in dollars."),
        metric(LEADER, Gauge, count, &[], "Whether this dispatcher leads."),
        metric(EPOCH, Gauge, count, &[], "How often the leader of the ledger has changed."),
        metric(PANICS, Counter, count, &[], "Tasks of the dispatcher that panicked."),
        metric(TRACE_SPANS, Counter, count, &["outcome"], "Spans sent to a collector of traces."),
    ]
};

/// What the values of one metric's label are. A label never carries an id, so there are few of them.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// The metric's name.
    pub metric: &'static str,
    /// The label's name.
    pub name: &'static str,
    /// Its values, or where they are listed.
    pub values: &'static str,
}

const fn label(metric: &'static str, name: &'static str, values: &'static str) -> Label {
    Label { metric, name, values }
}

/// Every label of every metric.
pub const LABELS: [Label; 18] = [
    label(JOBS, "state", "`SUBMITTED`, `PENDING`, `RUNNABLE`, `STARTING`, `RUNNING`"),
    label(JOBS_WAITING, "reason", "`too-large`, `cooling-down`, `limit-reached`, `no-catalog`"),
    label(
        HOSTS,
        "status",
        "`requested`, `launched`, `registered`, `draining`, `terminating`, `lost`",
    ),
    label(HOSTS, "market", "`on-demand`, `spot`"),
    label(STEPS, "input", "`messages`, `events`, `answer`, `tick`"),
    label(API_CALLS, "api", "the action as IAM names it, such as `ec2:CreateFleet`"),
    label(
        API_CALLS,
        "outcome",
        "`ok`, `unsettled`, `throttled`, `denied`, `quota`, `misconfigured`, `invalid`, `conflict`",
    ),
    label(API_CALL_SECONDS, "api", "the action as IAM names it"),
    label(CALLS_WAITING, "lane", "`launches`, `tasks`, `hosts`, `looks`, `prices`, `deletes`"),
    label(API_QUEUE, "bucket", "`tasks`, `launches`, `terminations`, `reports`"),
    label(API_RATE, "bucket", "`tasks`, `launches`, `terminations`, `reports`"),
    label(MESSAGES, "queue", "`jobs`, `events`"),
    label(DEAD_LETTERS, "reason", "the code on the dead letter, such as `INVALID_JSON`"),
    label(POOL_REFUSALS, "fault", "`no-capacity`, `unsupported`, `quota`, `subnet-full`, `other`"),
    label(BREAKERS_OPEN, "kind", "`image`, `call`, `host`, `spend`"),
    label(BUDGET_SPENT, "budget", "the name of a `[[budget]]` of the configuration"),
    label(
        ATTEMPTS,
        "outcome",
        "`succeeded`, `exit`, `oom`, `timeout`, `terminated`, `spot`, `host`, `pull`, `invalid`, `unknown`, `held`",
    ),
    label(TRACE_SPANS, "outcome", "`sent`, `failed` (sent again), `refused` (not)"),
];

/// Tells the installed recorder what every metric means. Call it once, after installing one.
pub fn describe() {
    for metric in ALL {
        let unit = metric.unit.unwrap_or(Unit::Count);
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own_that_ends_as_prometheus_asks() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();

        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            let is_total = metric.name.ends_with("_total");
            assert_eq!(is_total, metric.kind == Kind::Counter, "{}", metric.name);
            let is_time = metric.kind == Kind::Histogram;
            assert_eq!(metric.name.ends_with("_seconds"), is_time, "{}", metric.name);
            assert!(metric.name.starts_with("spillway_"), "{}", metric.name);
        }
    }

    #[test]
    fn every_label_of_every_metric_says_what_its_values_are() {
        let of_metrics: BTreeSet<(&str, &str)> =
            ALL.iter().flat_map(|m| m.labels.iter().map(|label| (m.name, *label))).collect();
        let described: BTreeSet<(&str, &str)> =
            LABELS.iter().map(|label| (label.metric, label.name)).collect();

        assert_eq!(of_metrics, described);
        assert_eq!(LABELS.len(), described.len());
    }
}
