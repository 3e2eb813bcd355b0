//! What is on the dashboards, and in which order.

use spillway_runtime::telemetry as t;

use super::aws::{self, AwsMetric};
use super::{AwsSeries, Panel, Query, Row, Series, Shows, Unit};

const JOBS: &[&str] = &["DEPLOYMENT-jobs"];
const DEAD_LETTERS: &[&str] = &["DEPLOYMENT-jobs-dlq"];
const EVENTS: &[&str] = &["DEPLOYMENT-events"];
const CLUSTER: &[&str] = &["DEPLOYMENT"];
const LOG_GROUP: &[&str] = &["/spillway/DEPLOYMENT"];

/// Everything, from what users feel to what the dispatcher does inside.
pub(super) fn all() -> Vec<Row> {
    vec![jobs(), money(), markets(), calls(), dispatcher(), queues(), events(), cluster()]
}

fn jobs() -> Row {
    Row {
        title: "Jobs",
        panels: vec![
            dispatched(
                "Jobs by state",
                "Jobs that have not ended. RUNNABLE ones wait for a machine, STARTING ones for their image.",
                Unit::Count,
                12,
                vec![now(t::JOBS, &["state"], "{{state}}")],
            ),
            dispatched(
                "Waiting, and why",
                "Jobs that the last plan could not serve. cooling-down ends by itself; limit-reached ends when a limit is raised; too-large and no-catalog need a person.",
                Unit::Count,
                12,
                vec![now(t::JOBS_WAITING, &["reason"], "{{reason}}")],
            ),
            dispatched(
                "Attempts that ended",
                "succeeded, exit, oom, timeout and invalid are the jobs' own; spot, host, pull and unknown are the infrastructure's and cost a job none of its attempts.",
                Unit::PerSecond,
                12,
                vec![rate(t::ATTEMPTS, &["outcome"], "{{outcome}}")],
            ),
            dispatched(
                "Dead letters",
                "Messages that can never be a job, by the code on the dead letter, since the start.",
                Unit::Count,
                12,
                vec![total(t::DEAD_LETTERS, &["reason"], "{{reason}}")],
            ),
        ],
    }
}

fn money() -> Row {
    Row {
        title: "Machines and money",
        panels: vec![
            dispatched(
                "Hosts",
                "Hosts that are not gone. Many that stay launched never join the cluster: look at their network and role.",
                Unit::Count,
                8,
                vec![now(t::HOSTS, &["status", "market"], "{{status}} {{market}}")],
            ),
            dispatched(
                "Dollars per hour",
                "What all hosts cost now, the proven lower bound of what the last plan bought, and what the fleet would come to cost once somebody approves it: `spillway approve`.",
                Unit::Dollars,
                8,
                vec![
                    now(t::FLEET_PRICE, &[], "fleet"),
                    now(t::PLAN_BOUND, &[], "lower bound of the last purchase"),
                    now(t::BURST_HELD, &[], "awaits approval"),
                ],
            ),
            dispatched(
                "Dollars in 24 hours",
                "What hosts cost, booked when they are gone, and how much of it was attempts. The rest is boot and idleness.",
                Unit::Dollars,
                8,
                vec![
                    grown(t::HOST_DOLLARS, "24h", "hosts"),
                    grown(t::ATTEMPT_DOLLARS, "24h", "of it attempts"),
                ],
            ),
            dispatched(
                "Budgets",
                "What is spent of each in its day, week or month. At 1 nothing of its scope starts before the next: `spillway budgets`.",
                Unit::Count,
                24,
                vec![now(t::BUDGET_SPENT, &["budget"], "{{budget}}")],
            ),
        ],
    }
}

fn markets() -> Row {
    Row {
        title: "Capacity",
        panels: vec![
            dispatched(
                "Refusals",
                "Capacity pools that gave nothing. quota and subnet-full need a person; no-capacity is planned around.",
                Unit::Count,
                12,
                vec![counted(t::POOL_REFUSALS, &["fault"], "{{fault}}")],
            ),
            dispatched(
                "Spot notices",
                "Instances that EC2 takes back.",
                Unit::Count,
                12,
                vec![counted(t::SPOT_NOTICES, &[], "notices")],
            ),
            dispatched(
                "Left alone",
                "What has failed again and again and is tried by a probe now and then: `spillway breakers list`.",
                Unit::Count,
                12,
                vec![now(t::BREAKERS_OPEN, &["kind"], "{{kind}}")],
            ),
        ],
    }
}

fn calls() -> Row {
    Row {
        title: "Calls to AWS",
        panels: vec![
            dispatched(
                "Calls",
                "By action.",
                Unit::PerSecond,
                6,
                vec![rate(t::API_CALLS, &["api"], "{{api}}")],
            ),
            dispatched(
                "Calls that failed",
                "throttled and unsettled pass; denied, misconfigured and invalid need a person.",
                Unit::Count,
                6,
                vec![Series {
                    query: Query::Failures { metric: t::API_CALLS, by: &["api", "outcome"] },
                    legend: "{{api}} {{outcome}}",
                }],
            ),
            dispatched(
                "Slowest hundredth of calls",
                "The 99th percentile by action.",
                Unit::Seconds,
                6,
                vec![quantile(t::API_CALL_SECONDS, &["api"], "0.99", "{{api}}")],
            ),
            dispatched(
                "Calls in line",
                "Calls that wait for others of their kind. A line that only grows is slower than what comes in.",
                Unit::Count,
                6,
                vec![
                    now(t::CALLS_WAITING, &["lane"], "{{lane}}"),
                    now(t::API_QUEUE, &["bucket"], "bucket: {{bucket}}"),
                ],
            ),
            dispatched(
                "Rate of calls",
                "For what AWS documents. Below 1 while AWS throttles: others use the account's buckets too.",
                Unit::Count,
                24,
                vec![now(t::API_RATE, &["bucket"], "{{bucket}}")],
            ),
        ],
    }
}

fn dispatcher() -> Row {
    Row {
        title: "Dispatcher",
        panels: vec![
            dispatched(
                "Messages and steps",
                "What was taken off the queues, repeats included, and the steps of the control loop.",
                Unit::PerSecond,
                8,
                vec![
                    rate(t::MESSAGES, &["queue"], "messages: {{queue}}"),
                    rate(t::STEPS, &["input"], "steps: {{input}}"),
                ],
            ),
            dispatched(
                "Time of a step",
                "Planning included.",
                Unit::Seconds,
                8,
                vec![
                    quantile(t::STEP_SECONDS, &[], "0.5", "half"),
                    quantile(t::STEP_SECONDS, &[], "0.99", "slowest hundredth"),
                ],
            ),
            dispatched(
                "Time of a commit",
                "The disk included. A ledger on a network disk shows here.",
                Unit::Seconds,
                8,
                vec![
                    quantile(t::COMMIT_SECONDS, &[], "0.5", "half"),
                    quantile(t::COMMIT_SECONDS, &[], "0.99", "slowest hundredth"),
                ],
            ),
            dispatched(
                "Changes written",
                "Changes to the ledger.",
                Unit::PerSecond,
                8,
                vec![rate(t::CHANGES, &[], "changes")],
            ),
            dispatched(
                "Leader",
                "How many dispatchers lead: one. The epoch of a shared ledger grows with every change of its leader.",
                Unit::Count,
                8,
                vec![now(t::LEADER, &[], "leaders"), now(t::EPOCH, &[], "epoch")],
            ),
            dispatched(
                "What must stay at 0",
                "Commits that failed, and tasks of the dispatcher that panicked, since the start.",
                Unit::Count,
                8,
                vec![
                    total(t::COMMIT_FAILURES, &[], "failed commits"),
                    total(t::PANICS, &[], "panics"),
                ],
            ),
            dispatched(
                "Traces",
                "Spans of jobs that have ended, sent to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names. What failed is sent again.",
                Unit::Count,
                24,
                vec![counted(t::TRACE_SPANS, &["outcome"], "{{outcome}}")],
            ),
        ],
    }
}

fn queues() -> Row {
    Row {
        title: "Job queue",
        panels: vec![
            of_aws(
                "Waiting in the job queue",
                "A dispatcher that runs takes messages within seconds: this stays near 0 however many jobs wait for machines.",
                Unit::Count,
                8,
                vec![
                    at(aws::VISIBLE, JOBS, "wait"),
                    at(aws::IN_FLIGHT, JOBS, "received, not deleted"),
                ],
            ),
            of_aws(
                "Age of the oldest job message",
                "Alarm old-job-message.",
                Unit::Seconds,
                8,
                vec![at(aws::AGE, JOBS, "job queue")],
            ),
            of_aws(
                "Traffic of the job queue",
                "Empty receives show that a dispatcher asks. Alarm no-dispatcher.",
                Unit::Count,
                8,
                vec![
                    at(aws::SENT, JOBS, "sent"),
                    at(aws::RECEIVED, JOBS, "received"),
                    at(aws::DELETED, JOBS, "deleted"),
                    at(aws::EMPTY_RECEIVES, JOBS, "empty receives"),
                ],
            ),
        ],
    }
}

fn events() -> Row {
    Row {
        title: "Dead letters and events",
        panels: vec![
            of_aws(
                "Dead letters",
                "Alarm dead-letters.",
                Unit::Count,
                8,
                vec![at(aws::VISIBLE, DEAD_LETTERS, "on the dead-letter queue")],
            ),
            of_aws(
                "Age of the oldest event",
                "Alarm old-event.",
                Unit::Seconds,
                8,
                vec![at(aws::AGE, EVENTS, "event queue")],
            ),
            of_aws(
                "Events passed on",
                "By rule. Alarm events-undelivered.",
                Unit::Count,
                8,
                vec![
                    at(aws::INVOCATIONS, &["DEPLOYMENT-tasks"], "tasks"),
                    at(aws::INVOCATIONS, &["DEPLOYMENT-container-instances"], "hosts"),
                    at(aws::INVOCATIONS, &["DEPLOYMENT-instances"], "instances"),
                    at(aws::FAILED_INVOCATIONS, &["DEPLOYMENT-tasks"], "tasks, lost"),
                    at(aws::FAILED_INVOCATIONS, &["DEPLOYMENT-container-instances"], "hosts, lost"),
                    at(aws::FAILED_INVOCATIONS, &["DEPLOYMENT-instances"], "instances, lost"),
                ],
            ),
        ],
    }
}

fn cluster() -> Row {
    Row {
        title: "Cluster",
        panels: vec![
            of_aws(
                "Reserved by tasks",
                "How well hosts are packed. ECS measures it while hosts are registered.",
                Unit::Percent,
                6,
                vec![
                    at(aws::CPU_RESERVED, CLUSTER, "CPU"),
                    at(aws::MEMORY_RESERVED, CLUSTER, "memory"),
                    at(aws::GPU_RESERVED, CLUSTER, "GPUs"),
                ],
            ),
            of_aws(
                "Used by tasks",
                "Far below what is reserved, jobs ask for more than they need.",
                Unit::Percent,
                6,
                vec![at(aws::CPU_USED, CLUSTER, "CPU"), at(aws::MEMORY_USED, CLUSTER, "memory")],
            ),
            of_aws(
                "vCPUs in the account",
                "All that run in the account and region, against EC2's quotas.",
                Unit::Count,
                6,
                vec![
                    at(aws::VCPUS, &["EC2", "Resource", "vCPU", "Standard/OnDemand"], "On-Demand"),
                    at(aws::VCPUS, &["EC2", "Resource", "vCPU", "Standard/Spot"], "Spot"),
                ],
            ),
            of_aws(
                "Output of jobs",
                "What CloudWatch Logs takes in, and charges for.",
                Unit::Bytes,
                6,
                vec![at(aws::LOG_BYTES, LOG_GROUP, "log group")],
            ),
        ],
    }
}

const fn dispatched(
    title: &'static str,
    says: &'static str,
    unit: Unit,
    width: u32,
    series: Vec<Series>,
) -> Panel {
    Panel { title, says, unit, width, shows: Shows::Dispatcher(series) }
}

const fn of_aws(
    title: &'static str,
    says: &'static str,
    unit: Unit,
    width: u32,
    series: Vec<AwsSeries>,
) -> Panel {
    Panel { title, says, unit, width, shows: Shows::Aws(series) }
}

const fn now(metric: &'static str, by: &'static [&'static str], legend: &'static str) -> Series {
    Series { query: Query::Now { metric, by }, legend }
}

const fn rate(metric: &'static str, by: &'static [&'static str], legend: &'static str) -> Series {
    Series { query: Query::Rate { metric, by }, legend }
}

const fn counted(
    metric: &'static str,
    by: &'static [&'static str],
    legend: &'static str,
) -> Series {
    Series { query: Query::Counted { metric, by }, legend }
}

const fn total(metric: &'static str, by: &'static [&'static str], legend: &'static str) -> Series {
    Series { query: Query::Total { metric, by }, legend }
}

const fn grown(metric: &'static str, over: &'static str, legend: &'static str) -> Series {
    Series { query: Query::Grown { metric, over }, legend }
}

const fn quantile(
    metric: &'static str,
    by: &'static [&'static str],
    q: &'static str,
    legend: &'static str,
) -> Series {
    Series { query: Query::Quantile { metric, by, q }, legend }
}

const fn at(metric: AwsMetric, at: &'static [&'static str], label: &'static str) -> AwsSeries {
    AwsSeries { metric, at, label }
}
