//! Sends a trace of every job that has ended to whoever collects them, over OTLP. It reads the audit record of the ledger, beside the
//! dispatcher and never in its way: what is sent is committed, and what cannot be sent stays where it is until it can, over restarts too:
//! how far it has come is in a file beside the ledger. It decides nothing.

mod collector;
mod spans;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use metrics::counter;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use spillway_core::error::LedgerError;
use spillway_core::port::LedgerReader as _;
use spillway_core::{AuditFilter, AuditKind};
use spillway_runtime::ledger::SqliteReader;
use spillway_runtime::telemetry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{Config, LedgerPlace};
use collector::{Collector, Outcome};
use spans::{Span, Told};

/// Between two looks for jobs that have ended.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// So many jobs are sent at a time: some hundreds of kilobytes.
const JOBS_AT_ONCE: usize = 200;

/// A collector that has not answered by then has not taken it.
const CALL_MAX: Duration = Duration::from_secs(10);

/// The longest pause before what was not taken is sent again.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// What is left at the end is sent for so long.
const LAST_MAX: Duration = Duration::from_secs(5);

/// Passing on news of jobs, and sending traces beside it where a collector is named.
pub(crate) fn beside(
    telling: Option<JoinHandle<Result<(), LedgerError>>>,
    config: &Config,
    stop: &CancellationToken,
) -> Option<JoinHandle<Result<(), LedgerError>>> {
    if endpoint().is_none() {
        return telling;
    }
    let ledger = match &config.ledger {
        LedgerPlace::File(path) => path.clone(),
        LedgerPlace::Table(_) => config.ledger_copy.clone(),
    };
    let sending = send(ledger, stop.clone());
    Some(tokio::spawn(async move {
        let told = async {
            let Some(telling) = telling else { return Ok(()) };
            let lost =
                |lost: tokio::task::JoinError| LedgerError::Unavailable { source: Box::new(lost) };
            telling.await.map_err(lost)?
        };
        tokio::join!(told, sending).0
    }))
}

/// The variable of `OpenTelemetry`'s that names a collector, and which.
fn endpoint() -> Option<(&'static str, String)> {
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var(name).ok()?)))
        .find(|(_, value)| !value.is_empty())
}

/// Sends until `stop`, then what has ended meanwhile.
async fn send(ledger: PathBuf, stop: CancellationToken) {
    if let Some(name) = endpoint().filter(|(_, value)| !value.starts_with("http://")) {
        let (name, hint) = (name.0, "send to a collector beside it, which sends them on");
        warn!(name, hint, "no traces are sent: they are over plain HTTP alone");
        return;
    }
    let collector = match Collector::new() {
        Ok(collector) => collector,
        Err(error) => {
            warn!(%error, "no traces are sent");
            return;
        }
    };
    let Some(newest) = read(&ledger, |reader| newest(&reader)).await else { return };
    let mark = Mark::beside(&ledger);
    // A mark that is ahead is of another ledger.
    let mut at = mark.read().filter(|at| *at <= newest).unwrap_or(newest);
    mark.write(at);
    info!(after = at, "traces of jobs that end are sent");
    let mut pause = LOOK_EVERY;
    while !stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => break,
        }
        let (reached, is_taken) = pass(&ledger, &collector, &mark, at).await;
        at = reached;
        pause = if is_taken { LOOK_EVERY } else { (2 * pause).min(RETRY_MAX) };
    }
    // Whoever stops is not kept waiting by a collector that is away.
    let last = tokio::time::timeout(LAST_MAX, pass(&ledger, &collector, &mark, at)).await;
    if !last.is_ok_and(|(_, is_taken)| is_taken) {
        warn!("some traces were not sent");
    }
}

/// Sends all that has ended behind an event. Returns behind which to go on, and whether everything was taken.
async fn pass(ledger: &Path, collector: &Collector, mark: &Mark, from: u64) -> (u64, bool) {
    let mut at = from;
    loop {
        let Some((spans, reached, is_all)) =
            read(ledger, move |reader| ended_behind(&reader, at)).await
        else {
            return (at, false);
        };
        let n = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        if 0 < n {
            let outcome = collector.send(spans.iter().map(data).collect()).await;
            let word = match &outcome {
                Outcome::Taken => "sent",
                Outcome::Refused(_) => "refused",
                Outcome::Failed(_) => "failed",
            };
            counter!(telemetry::TRACE_SPANS, "outcome" => word).increment(n);
            match outcome {
                Outcome::Taken => {}
                // Whoever sent them for ever would never send what came after them.
                Outcome::Refused(error) => {
                    warn!(error, n_spans = n, "traces are refused, and not sent again");
                }
                Outcome::Failed(error) => {
                    warn!(error, n_spans = n, "traces are not taken; they are sent again");
                    return (at, false);
                }
            }
        }
        if at < reached {
            mark.write(reached);
        }
        at = reached;
        if is_all {
            return (at, true);
        }
    }
}

/// How far a ledger's traces have been sent.
struct Mark(PathBuf);

impl Mark {
    fn beside(ledger: &Path) -> Self {
        let mut name = ledger.as_os_str().to_owned();
        name.push(".traced");
        Self(name.into())
    }

    fn read(&self) -> Option<u64> {
        std::fs::read_to_string(&self.0).ok()?.trim().parse().ok()
    }

    /// Without it a restart goes on with what ends from then on.
    fn write(&self, at: u64) {
        if let Err(error) = std::fs::write(&self.0, at.to_string()) {
            warn!(file = %self.0.display(), %error, "how far traces were sent is not kept");
        }
    }
}

/// Reads the ledger on a thread that may wait. A reader that fails is tried again later.
async fn read<T: Send + 'static>(
    ledger: &Path,
    read: impl FnOnce(SqliteReader) -> Result<T, LedgerError> + Send + 'static,
) -> Option<T> {
    let path = ledger.to_owned();
    let reading = tokio::task::spawn_blocking(move || read(SqliteReader::open(&path)?));
    match reading.await {
        Ok(Ok(read)) => Some(read),
        Ok(Err(error)) => {
            warn!(%error, "the ledger cannot be read for traces");
            None
        }
        Err(lost) => {
            warn!(%lost, "the ledger cannot be read for traces");
            None
        }
    }
}

fn newest(reader: &SqliteReader) -> Result<u64, LedgerError> {
    let last = reader.events(&AuditFilter { limit: 1, ..AuditFilter::default() })?;
    Ok(last.last().map_or(0, |event| event.n))
}

/// The spans of the next jobs that ended behind an event, behind which to go on, and whether those were all.
fn ended_behind(reader: &SqliteReader, at: u64) -> Result<(Vec<Span>, u64, bool), LedgerError> {
    // Asked first: what comes between is behind it.
    let newest = newest(reader)?;
    let filter = AuditFilter {
        after: Some(at),
        kinds: vec![AuditKind::JobEnded, AuditKind::JobRefused],
        limit: JOBS_AT_ONCE,
        ..AuditFilter::default()
    };
    let ended = reader.events(&filter)?;
    let is_all = ended.len() < JOBS_AT_ONCE;
    let last = ended.last().map_or(at, |event| event.n);
    let mut spans = Vec::new();
    // A node's attempts are told with its job's main node alone.
    for id in ended.iter().filter_map(|event| event.job).filter(|id| id.node_index().is_none()) {
        let Some(job) = reader.job(id)? else { continue };
        let mut hosts = BTreeMap::new();
        for attempt in &job.attempts {
            hosts.extend(reader.host(attempt.host)?.map(|host| (host.id, host)));
        }
        spans.extend(spans::of_job(&job, &hosts));
    }
    Ok((spans, if is_all { last.max(newest) } else { last }, is_all))
}

fn data(span: &Span) -> SpanData {
    let (trace, id) = (TraceId::from(span.trace), SpanId::from(span.id));
    let value = |told: &Told| match told {
        Told::Text(text) => Value::from(text.clone()),
        Told::Number(number) => Value::from(*number),
        Told::Dollars(dollars) => Value::from(*dollars),
    };
    let attributes = span.attributes.iter().map(|(name, told)| KeyValue::new(*name, value(told)));
    SpanData {
        span_context: SpanContext::new(
            trace,
            id,
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from),
        parent_span_is_remote: span.is_parent_remote,
        span_kind: if span.name == "job" { SpanKind::Consumer } else { SpanKind::Internal },
        name: span.name.into(),
        start_time: span.start.into(),
        end_time: span.end.into(),
        attributes: attributes.collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.as_ref().map_or(Status::Unset, |error| Status::error(error.clone())),
        instrumentation_scope: InstrumentationScope::builder("spillway")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}
