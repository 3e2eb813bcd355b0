//! Puts a dispatcher together: driver, ledger, clock and the port for probes and scrapers. It takes no decision.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use spillway_core::port::{Cluster, Compute, EventQueue, JobQueue, PriceFeed};
use spillway_engine::EngineConfig;
use spillway_runtime::driver::{self, Stopped};
use spillway_runtime::ledger::SqliteLedger;
use spillway_runtime::{Clock, Health, Ports, health, telemetry};
use tokio_util::sync::CancellationToken;

use crate::error::Complaint;
use crate::exit::ExitStatus;

/// How often samples are folded into their summaries, so that they do not pile up when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Runs a dispatcher until `stop`. With an address it answers `/healthz`, `/readyz` and `/metrics` there.
pub(crate) async fn run<Q, E, C, K, P, T>(
    ports: Ports<Q, E, C, K, P>,
    ledger: SqliteLedger,
    engine: EngineConfig,
    clock: T,
    stop: CancellationToken,
    address: Option<SocketAddr>,
) -> Result<Stopped>
where
    Q: JobQueue + 'static,
    E: EventQueue + 'static,
    C: Compute + 'static,
    K: Cluster + 'static,
    P: PriceFeed + 'static,
    T: Clock,
{
    let health = Health::default();
    let driving = driver::run(ports, ledger, engine, clock, stop.clone(), health.clone());
    let driving = async {
        gauge!(telemetry::LEADER).set(1.0);
        Ok(driving.await?)
    };
    watched(Box::pin(driving), health, stop, address).await
}

/// Answers at the address, if there is one, until `driving` has ended.
pub(crate) async fn watched(
    driving: impl Future<Output = Result<Stopped>> + Unpin,
    health: Health,
    stop: CancellationToken,
    address: Option<SocketAddr>,
) -> Result<Stopped> {
    let Some(address) = address else { return driving.await };
    let handle = recorder()?;
    let mut driving = driving;
    tokio::select! {
        stopped = &mut driving => stopped,
        ended = answer(address, health, handle, stop.clone()) => {
            // Without its port the dispatcher could not be watched as was asked for: better not at all.
            stop.cancel();
            let stopped = driving.await?;
            ended.map(|()| stopped)
        }
    }
}

/// Where all metrics of the process go.
fn recorder() -> Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new().install_recorder().context("cannot record metrics")?;
    telemetry::describe();
    Ok(handle)
}

async fn answer(
    address: SocketAddr,
    health: Health,
    handle: PrometheusHandle,
    stop: CancellationToken,
) -> Result<()> {
    let rendered = handle.clone();
    let serving = health::serve(address, health, move || rendered.render(), stop);
    let upkeep = async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            handle.run_upkeep();
        }
    };
    tokio::select! {
        served = serving => served.map_err(|error| {
            Complaint::usage(format!("cannot answer at {address}: {error}"))
                .hint("choose another metrics-address, or free this one")
                .status(ExitStatus::Config)
                .into()
        }),
        () = upkeep => Ok(()),
    }
}

/// Cancels `stop` at the first SIGTERM or Ctrl-C.
pub(crate) async fn stop_on_signal(stop: CancellationToken) -> Result<()> {
    let name = signalled().await.context("cannot listen for signals")?;
    tracing::info!(signal = name, "stopping; jobs that run go on");
    stop.cancel();
    Ok(())
}

#[cfg(unix)]
async fn signalled() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}

#[cfg(not(unix))]
async fn signalled() -> std::io::Result<&'static str> {
    tokio::signal::ctrl_c().await.map(|()| "Ctrl-C")
}
