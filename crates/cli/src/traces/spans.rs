//! The trace of a job that has ended: one span for the job, and below it its waits and its attempts. Pure, and the same job gives the same
//! spans with the same ids: whoever gets them twice can tell.

use std::collections::BTreeMap;

use jiff::Timestamp;
use spillway_core::{Attempt, Host, HostId, Job, JobId};
use uuid::Uuid;

/// Fixed for ever: it makes the ids of traces and spans.
const NAMESPACE: Uuid = Uuid::from_u128(0x1d0a_77c5_3a0b_5c4e_9d6a_20f1_8d63_54ae);

/// The variable in which programs hand on the trace that they are part of (W3C Trace Context, in `OpenTelemetry`'s form for environments).
const VARIABLE: &str = "TRACEPARENT";

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    Text(String),
    Number(i64),
    Dollars(f64),
}

impl From<String> for Told {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A part of a trace.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace: u128,
    pub(crate) id: u64,
    pub(crate) parent: Option<u64>,
    /// Whether the parent is a span of the sender's.
    pub(crate) is_parent_remote: bool,
    pub(crate) name: &'static str,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) attributes: Vec<(&'static str, Told)>,
    /// Why it failed; none if it did not.
    pub(crate) error: Option<String>,
}

/// The trace and the span that a job's sender is in, if the job says so.
fn parent_of(job: &Job) -> Option<(u128, u64)> {
    let variables = &job.spec.container.environment;
    let (_, value) = variables.iter().find(|(name, _)| name == VARIABLE)?;
    traceparent(value)
}

/// Reads `00-<trace id>-<span id>-<flags>`; a later version's further parts are passed over.
fn traceparent(text: &str) -> Option<(u128, u64)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &str, n| {
        part.len() == n && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let is_good = is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    let is_over = version != "00" || parts.next().is_none();
    if !is_good || !is_over || version == "ff" {
        return None;
    }
    let ids = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
    (ids.0 != 0 && ids.1 != 0).then_some(ids)
}

/// The trace of a job that no sender's trace is known of.
fn trace_of(id: JobId) -> u128 {
    Uuid::new_v5(&NAMESPACE, format!("trace\n{id}").as_bytes()).as_u128()
}

fn span_of(id: JobId, label: &str) -> u64 {
    let (high, low) =
        Uuid::new_v5(&NAMESPACE, format!("span\n{id}\n{label}").as_bytes()).as_u64_pair();
    // Nothing but zeros would be no id.
    (high ^ low).max(1)
}

/// All spans of a job, the job's own first; none of one that has not ended.
pub(crate) fn of_job(job: &Job, hosts: &BTreeMap<HostId, Host>) -> Vec<Span> {
    let Some(end) = job.state.ended_at() else { return Vec::new() };
    let sender = parent_of(job);
    let trace = sender.map_or_else(|| trace_of(job.id), |(trace, _)| trace);
    let root = span_of(job.id, "job");
    let mut spans = vec![Span {
        trace,
        id: root,
        parent: sender.map(|(_, span)| span),
        is_parent_remote: sender.is_some(),
        name: "job",
        start: job.created_at,
        end: end.max(job.created_at),
        attributes: of_whole(job),
        error: error_of(job),
    }];
    let child = |label: &str, parent, name, start: Timestamp, end: Timestamp| Span {
        trace,
        id: span_of(job.id, label),
        parent: Some(parent),
        is_parent_remote: false,
        name,
        start,
        end: end.max(start),
        attributes: Vec::new(),
        error: None,
    };
    let mut free_since = job.created_at;
    for attempt in &job.attempts {
        let label = |part: &str| format!("{part} {}", attempt.ord);
        spans.push(child(&label("waiting"), root, "waiting", free_since, attempt.placed_at));
        let own = span_of(job.id, &label("attempt"));
        let whole =
            child(&label("attempt"), root, "attempt", attempt.placed_at, attempt.stopped_at);
        spans.push(Span {
            attributes: of_attempt(job, attempt, hosts.get(&attempt.host)),
            error: attempt.failure.map(|_| attempt.told().to_owned()),
            ..whole
        });
        let started = attempt.started_at.unwrap_or(attempt.stopped_at);
        spans.push(child(&label("starting"), own, "starting", attempt.placed_at, started));
        if let Some(started) = attempt.started_at {
            spans.push(child(&label("running"), own, "running", started, attempt.stopped_at));
        }
        free_since = attempt.stopped_at;
    }
    // It was ended while it waited: a job that ends with an attempt ends at the same time. An array runs by its children.
    let is_array = job.spec.array.is_some() && job.id == job.id.whole();
    if free_since < end && !is_array {
        spans.push(child("waiting", root, "waiting", free_since, end));
    }
    spans
}

fn error_of(job: &Job) -> Option<String> {
    let has_failed = job.state.status() == spillway_core::job::JobStatus::Failed;
    has_failed.then(|| job.reason().unwrap_or_default().to_owned())
}

fn of_whole(job: &Job) -> Vec<(&'static str, Told)> {
    let mut told = named(job);
    told.push(("spillway.job.status", job.state.status().to_string().into()));
    told.push(("spillway.job.attempts", Told::Number(count(job.attempts.len()))));
    told.push(("spillway.cost_usd", Told::Dollars(job.cost().as_usd_f64())));
    if job.id != job.id.whole() {
        told.push(("spillway.array.id", job.id.whole().to_string().into()));
    }
    told
}

fn named(job: &Job) -> Vec<(&'static str, Told)> {
    vec![
        ("spillway.job.id", job.id.to_string().into()),
        ("spillway.job.name", job.spec.name.to_string().into()),
        ("spillway.queue", job.spec.queue.to_string().into()),
        ("spillway.share", job.spec.share().to_string().into()),
    ]
}

fn of_attempt(job: &Job, attempt: &Attempt, host: Option<&Host>) -> Vec<(&'static str, Told)> {
    let mut told = named(job);
    told.extend([
        ("spillway.attempt", Told::Number(i64::from(attempt.ord.get()))),
        ("host.id", attempt.instance.to_string().into()),
        ("host.type", attempt.pool.instance_type.clone().into()),
        ("cloud.availability_zone", attempt.pool.zone.to_string().into()),
        ("spillway.market", attempt.pool.market.to_string().into()),
        ("spillway.reason", attempt.told().to_owned().into()),
        ("spillway.cost_usd", Told::Dollars(attempt.cost.as_usd_f64())),
    ]);
    if let Some(host) = host {
        let price = Told::Dollars(host.price.as_usd_f64());
        told.push(("spillway.host.price_usd_per_hour", price));
    }
    if let Some(task) = &attempt.task {
        told.push(("aws.ecs.task.arn", task.to_string().into()));
    }
    if let Some(code) = attempt.exit_code {
        told.push(("process.exit.code", Told::Number(i64::from(code))));
    }
    if let Some(failure) = attempt.failure {
        told.push(("spillway.failure", failure.to_string().into()));
    }
    told
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use spillway_core::job::BodyHash;
    use spillway_core::message::{self, Request};
    use spillway_core::{AttemptOrd, FailureCategory, JobState, Market, MicroUsd, PoolId};

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_senders_trace_is_read_as_the_w3c_writes_it() {
        let ids = (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7);
        assert_eq!(traceparent(GOOD), Some(ids));
        assert_eq!(traceparent(&GOOD.replacen("00", "01", 1)), Some(ids));
        assert_eq!(traceparent(&format!("{GOOD}-more").replacen("00", "01", 1)), Some(ids));
        for bad in [
            "",
            "00-4bf9-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            &GOOD.replacen("00", "ff", 1),
            &format!("{GOOD}-more"),
        ] {
            assert_eq!(traceparent(bad), None, "{bad}");
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(secs)
    }

    fn attempt(ord: AttemptOrd, placed: i64, started: Option<i64>, stopped: i64) -> Attempt {
        Attempt {
            ord,
            host: HostId::adopted(&"i-0123456789abcdef0".parse().unwrap()),
            instance: "i-0123456789abcdef0".parse().unwrap(),
            pool: PoolId {
                instance_type: "c7g.large".into(),
                zone: "us-east-1a".parse().unwrap(),
                market: Market::Spot,
            },
            task: None,
            placed_at: at(placed),
            started_at: started.map(at),
            stopped_at: at(stopped),
            exit_code: None,
            reason: "Host EC2 (instance i-0123456789abcdef0) terminated.".into(),
            container_reason: None,
            containers: Box::default(),
            failure: Some(FailureCategory::Spot),
            cost: MicroUsd::new(10),
            expected: None,
            shared: None,
            variant: spillway_core::VariantOrd::BASE,
        }
    }

    /// Lost once before it ran and once while it did; then someone ended it.
    fn job(variables: &str) -> Job {
        let body = format!(
            r#"{{"jobName":"a","jobQueue":"q","jobDefinition":{{"type":"container",
            "containerProperties":{{"image":"busybox","environment":[{variables}],"resourceRequirements":[
            {{"type":"VCPU","value":"1"}},{{"type":"MEMORY","value":"512"}}]}}}}}}"#
        );
        let Request::Submit { spec, .. } = message::parse(&body).unwrap().request else {
            panic!("it is a job")
        };
        let first = AttemptOrd::FIRST;
        Job {
            id: JobId::derive(&spec.queue, "t"),
            spec: std::sync::Arc::from(spec),
            body_hash: BodyHash(1),
            created_at: at(0),
            seq: 1,
            state: JobState::Failed { at: at(90), reason: "not needed".into() },
            attempts: vec![attempt(first, 10, None, 20), attempt(first.next(), 30, Some(40), 70)],
            warnings: Vec::new(),
        }
    }

    fn told(spans: &[Span]) -> Vec<String> {
        let name = |id: Option<u64>| {
            let parent = spans.iter().find(|span| Some(span.id) == id);
            parent.map_or("-", |span| span.name)
        };
        let secs = |at: Timestamp| at.as_second();
        let line = |span: &Span| {
            format!("{} {} {}..{}", name(span.parent), span.name, secs(span.start), secs(span.end))
        };
        spans.iter().map(line).collect()
    }

    #[test]
    fn a_job_is_its_waits_and_its_attempts_and_they_their_parts() {
        let spans = of_job(&job(""), &BTreeMap::new());

        assert_eq!(
            told(&spans),
            [
                "- job 0..90",
                "job waiting 0..10",
                "job attempt 10..20",
                "attempt starting 10..20",
                "job waiting 20..30",
                "job attempt 30..70",
                "attempt starting 30..40",
                "attempt running 40..70",
                "job waiting 70..90",
            ]
        );
        assert_eq!(spans[0].error.as_deref(), Some("not needed"));
        assert!(spans.iter().all(|span| span.trace == spans[0].trace));
        let market = ("spillway.market", Told::Text("spot".into()));
        assert!(spans[2].attributes.contains(&market), "{spans:?}");
    }

    #[test]
    fn a_job_within_a_senders_trace_is_a_child_of_its_span() {
        let variable = format!(r#"{{"name":"TRACEPARENT","value":"{GOOD}"}}"#);

        let spans = of_job(&job(&variable), &BTreeMap::new());

        assert_eq!(spans[0].trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(spans[0].parent, Some(0x00f0_67aa_0ba9_02b7));
        assert!(spans[0].is_parent_remote && !spans[1].is_parent_remote);
    }

    #[test]
    fn a_job_that_goes_on_has_no_trace_yet() {
        let waiting = Job { state: JobState::Runnable { since: at(0) }, ..job("") };

        assert!(of_job(&waiting, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn ids_are_of_the_job_alone() {
        let id = JobId::derive(&"default".parse().unwrap(), "t");

        assert_eq!(trace_of(id), trace_of(id));
        assert_ne!(trace_of(id), trace_of(id.child(1)));
        assert_ne!(span_of(id, "job"), span_of(id, "waiting 1"));
    }
}
