//! The HTTP side: which paths there are, and who is answered at all. Loopback alone is no fence against a web page in a browser on
//! the same machine, so whoever comes from one is refused.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use spillway_core::message::limits::BODY_BYTES_MAX;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::api::{Api, Call};
use super::refusal::Refusal;
use super::tags;

/// In which SDKs send what they draw for each call and keep for its repetitions.
const INVOCATION: &str = "amz-sdk-invocation-id";

/// Answers until `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    api: Arc<Api>,
    stop: CancellationToken,
) -> io::Result<()> {
    axum::serve(listener, router(api)).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/v1/{operation}", post(operation))
        .route("/v1/tags/{*arn}", get(tags_of).post(no_tags).delete(no_tags))
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
        // What is longer than a message may be cannot be sent.
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(guard))
        .with_state(api)
}

/// Lets only those in who mean this machine and come from no web page.
async fn guard(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_of_browser = headers.contains_key(header::ORIGIN);
    if is_of_browser || !host.is_some_and(is_loopback) {
        tracing::warn!(host, is_of_browser, "a request that does not come from here");
        return Refusal::denied(
            "this endpoint is for programs on this machine: it is called by the name 127.0.0.1, [::1] or localhost, and \
             by no web page",
        )
        .into_response();
    }
    next.run(request).await
}

/// Whether a `Host` names this machine by a name that nobody else can have: a web page may give its own name our address.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn operation(
    State(api): State<Arc<Api>>,
    Path(operation): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let body = body.map_err(|rejection| Refusal {
        status: rejection.status(),
        ..Refusal::client(format!(
            "{} (hint: a request has at most {BODY_BYTES_MAX} bytes, as a message of SQS)",
            rejection.body_text()
        ))
    })?;
    let invocation = headers.get(INVOCATION).and_then(|id| id.to_str().ok());
    let answered = match Call::new(&body, invocation) {
        Ok(call) => Box::pin(api.answer(&operation, call)).await,
        Err(refusal) => Err(refusal),
    };
    match &answered {
        Ok(_) => tracing::debug!(operation, "answered"),
        Err(refusal) => {
            tracing::info!(operation, error = refusal.name, reason = refusal.message, "refused");
        }
    }
    answered.map(Json)
}

async fn tags_of(
    State(api): State<Arc<Api>>,
    Path(arn): Path<String>,
) -> Result<Json<Value>, Refusal> {
    tags::of(&api, &arn).await.map(Json)
}

async fn no_tags() -> Refusal {
    tags::cannot_change()
}

async fn nothing_here(request: Request) -> Refusal {
    let (method, path) = (request.method(), request.uri().path());
    Refusal {
        status: StatusCode::NOT_FOUND,
        ..Refusal::client(format!("{method} {path} is no operation of AWS Batch"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_always_this_machine_are_answered_to() {
        for host in ["127.0.0.1:8787", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8787"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "evil.example:8787",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "",
            "localhost.evil",
            "[::2]",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
