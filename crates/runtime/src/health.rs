//! Whether the dispatcher lives and is ready, and the HTTP endpoint that says so. Takes no commands.
//!
//! The endpoint has no login: it belongs on 127.0.0.1, or behind something that has one.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits;

/// The text format of Prometheus.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What must be there before jobs can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Leader,
    Ledger,
    Prices,
    Fleet,
    Running,
}

impl Need {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Leader, "leader"),
        (Self::Ledger, "ledger"),
        (Self::Prices, "prices"),
        (Self::Fleet, "fleet"),
        (Self::Running, "running"),
    ];
}

/// What the driver says of itself. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Health {
    signs: Arc<Mutex<Signs>>,
}

#[derive(Debug)]
struct Signs {
    stepped_at: Instant,
    met: Vec<Need>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Of a dispatcher that begins now.
    pub fn new() -> Self {
        let signs = Signs { stepped_at: Instant::now(), met: vec![Need::Leader, Need::Running] };
        Self { signs: Arc::new(Mutex::new(signs)) }
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        // The signs are plain values: whoever panicked with them left them whole.
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the control loop has made a step within [`limits::HEALTHY_SILENCE_MAX`]. If not, restart the program.
    pub fn is_live(&self) -> bool {
        self.signs().stepped_at.elapsed() <= limits::HEALTHY_SILENCE_MAX
    }

    /// Whether jobs can be run: this dispatcher leads, the ledger takes commits, prices have been read and the fleet has been seen, and no
    /// stop was asked for.
    pub fn is_ready(&self) -> bool {
        let signs = self.signs();
        Need::ALL.iter().all(|(need, _)| signs.met.contains(need))
    }

    pub(crate) fn stepped(&self) {
        self.signs().stepped_at = Instant::now();
    }

    /// Another dispatcher leads; this one is well, and not ready.
    pub(crate) fn stands_by(&self) {
        self.stepped();
        // What was known when it led is known no more.
        self.signs().met.retain(|need| *need == Need::Running);
    }

    pub(crate) fn leads(&self) {
        self.set(Need::Leader, true);
    }

    pub(crate) fn ledger_works(&self, works: bool) {
        self.set(Need::Ledger, works);
    }

    pub(crate) fn catalog_read(&self) {
        self.set(Need::Prices, true);
    }

    pub(crate) fn observed(&self) {
        self.set(Need::Fleet, true);
    }

    pub(crate) fn stopping(&self) {
        self.set(Need::Running, false);
    }

    fn set(&self, need: Need, is_met: bool) {
        let mut signs = self.signs();
        signs.met.retain(|known| *known != need);
        if is_met {
            signs.met.push(need);
        }
    }

    fn liveness(&self) -> (StatusCode, String) {
        let silence = self.signs().stepped_at.elapsed().as_secs();
        (status(self.is_live()), format!("last step: {silence} s ago\n"))
    }

    fn readiness(&self) -> (StatusCode, String) {
        let is_ready = self.is_ready();
        let signs = self.signs();
        let line = |(need, name): &(Need, &str)| {
            format!("{name}: {}\n", if signs.met.contains(need) { "ok" } else { "no" })
        };
        (status(is_ready), Need::ALL.iter().map(line).collect())
    }
}

const fn status(is_well: bool) -> StatusCode {
    if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Serves `/healthz`, `/readyz` and `/metrics` on `addr` until `stop`.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(
    addr: SocketAddr,
    health: Health,
    render_metrics: impl Fn() -> String + Clone + Send + Sync + 'static,
    stop: CancellationToken,
) -> io::Result<()> {
    serve_on(TcpListener::bind(addr).await?, health, render_metrics, stop).await
}

/// The same as [`serve`], on a listener that is open already.
///
/// # Errors
/// If the listener fails.
pub async fn serve_on(
    listener: TcpListener,
    health: Health,
    render_metrics: impl Fn() -> String + Clone + Send + Sync + 'static,
    stop: CancellationToken,
) -> io::Result<()> {
    let (live, ready) = (health.clone(), health);
    let metrics =
        move || async move { ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], render_metrics()) };
    let router = Router::new()
        .route("/healthz", get(move || async move { live.liveness().into_response() }))
        .route("/readyz", get(move || async move { ready.readiness().into_response() }))
        .route("/metrics", get(metrics));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// Status and body of one request.
    async fn ask(addr: SocketAddr, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    #[tokio::test]
    async fn the_endpoint_tells_liveness_readiness_and_metrics_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (health, stop) = (Health::new(), CancellationToken::new());
        let render = || "spillway_jobs 3\n".to_owned();
        let server = tokio::spawn(serve_on(listener, health.clone(), render, stop.clone()));

        assert_eq!(ask(addr, "/healthz").await.0, "HTTP/1.1 200 OK");
        let (status, body) = ask(addr, "/readyz").await;
        assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
        assert_eq!(body, "leader: ok\nledger: no\nprices: no\nfleet: no\nrunning: ok\n");

        health.ledger_works(true);
        health.catalog_read();
        health.observed();
        assert_eq!(ask(addr, "/readyz").await.0, "HTTP/1.1 200 OK");
        assert_eq!(ask(addr, "/metrics").await.1, "spillway_jobs 3\n");
        assert_eq!(ask(addr, "/").await.0, "HTTP/1.1 404 Not Found");

        health.stopping();
        assert_eq!(ask(addr, "/readyz").await.0, "HTTP/1.1 503 Service Unavailable");
        stop.cancel();
        server.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_makes_no_step_for_minutes_is_not_live() {
        let health = Health::new();
        assert!(health.is_live());

        tokio::time::advance(limits::HEALTHY_SILENCE_MAX + Duration::from_secs(1)).await;
        assert!(!health.is_live());

        health.stepped();
        assert!(health.is_live());
    }
}
