//! Whoever collects traces, as far as it is spoken to: over OTLP, JSON on plain HTTP. What it has made of spans is told by what is to be
//! done next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use async_trait::async_trait;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use super::CALL_MAX;

/// What has become of spans.
pub(super) enum Outcome {
    /// They are taken.
    Taken,
    /// They are not, and would not be if they were sent again: something is wrong with them.
    Refused(String),
    /// They are not, and may be later.
    Failed(String),
}

/// A collector.
pub(super) struct Collector {
    exporter: SpanExporter,
    answered: Arc<AtomicU16>,
}

impl Collector {
    /// Endpoint and headers are those of `OpenTelemetry`'s variables.
    pub(super) fn new() -> Result<Self, ExporterBuildError> {
        let answered = Arc::new(AtomicU16::new(0));
        let inner = HyperClient::with_default_connector(CALL_MAX, None);
        let client = Listening { inner, answered: Arc::clone(&answered) };
        let builder = SpanExporter::builder().with_http().with_http_client(client);
        let mut exporter = builder.with_protocol(Protocol::HttpJson).build()?;
        let resource = Resource::builder();
        let resource = match std::env::var_os("OTEL_SERVICE_NAME") {
            Some(_) => resource,
            None => resource.with_service_name("spillway"),
        };
        exporter.set_resource(&resource.build());
        Ok(Self { exporter, answered })
    }

    /// Sends spans, once.
    pub(super) async fn send(&self, spans: Vec<SpanData>) -> Outcome {
        self.answered.store(0, Ordering::Relaxed);
        match tokio::time::timeout(CALL_MAX, self.exporter.export(spans)).await {
            Ok(Ok(())) => Outcome::Taken,
            Ok(Err(error)) if is_final(self.answered.load(Ordering::Relaxed)) => {
                Outcome::Refused(error.to_string())
            }
            Ok(Err(error)) => Outcome::Failed(error.to_string()),
            Err(_) => Outcome::Failed("it took too long".to_owned()),
        }
    }
}

/// Whether a status is about what was sent: too large, or not understood. OTLP would have every 4xx but 429 not sent again
/// (OpenTelemetry Protocol specification, "OTLP/HTTP Response"); but a wrong address, a wrong token or a proxy in between say nothing of
/// the spans, and are mended while these are still in the ledger.
const fn is_final(status: u16) -> bool {
    matches!(status, 400 | 413 | 415 | 422)
}

/// A client that remembers how the last request was answered: the exporter tells it in words alone.
#[derive(Debug)]
struct Listening {
    inner: HyperClient,
    answered: Arc<AtomicU16>,
}

#[async_trait]
impl HttpClient for Listening {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.inner.send_bytes(request).await?;
        self.answered.store(response.status().as_u16(), Ordering::Relaxed);
        Ok(response)
    }
}
