//! What stands in for traces in a build without them. It sends nothing, and says so where somebody wants some.

use spillway_core::error::LedgerError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// Passing on news of jobs, and nothing beside it.
pub(crate) fn beside(
    telling: Option<JoinHandle<Result<(), LedgerError>>>,
    _: &Config,
    _: &CancellationToken,
) -> Option<JoinHandle<Result<(), LedgerError>>> {
    let names = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    if let Some(name) = names.iter().find(|name| std::env::var_os(name).is_some()) {
        tracing::warn!(name, "no traces are sent: this build is without the feature `otel`");
    }
    telling
}
