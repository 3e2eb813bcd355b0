//! `spillway batch-api`: AWS Batch's own API on loopback, for clients that know no other. It holds no power of its own: what
//! changes something is sent to the job queue with the caller's credentials, what reads reads the ledger.

mod api;
mod definitions;
mod detail;
mod jobs;
mod list;
mod names;
mod queues;
mod refusal;
mod sent;
mod server;
mod tags;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::dispatch;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::logging::{self, LogFormat};
use crate::output::{Page, View};
use crate::sender::sender;
use api::Api;

pub(crate) const LONG_ABOUT: &str = "\
Answers AWS Batch's API on 127.0.0.1, for clients that know no other: with AWS_ENDPOINT_URL_BATCH set to the address it \
prints, the aws CLI, boto3, Nextflow, Snakemake and Metaflow submit to Spillway unchanged. docs/batch-api.md says what is \
honoured.

It runs beside the client, as the same user. Jobs and orders go to the job queue with that user's credentials; what is listed \
and described is read from the ledger. Requests are answered to whoever is on this machine: their signature is not looked at.

Examples:
  spillway batch-api
  spillway batch-api --port 0
  AWS_ENDPOINT_URL_BATCH=http://127.0.0.1:8787 aws batch list-jobs --job-queue default";

/// Flags of `batch-api`.
#[derive(Debug, Args)]
pub struct BatchApiArgs {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8787)]
    pub port: u16,
    /// How log events are written
    #[arg(long, value_enum, default_value_t, env = "SPILLWAY_LOG_FORMAT", hide_env_values = true)]
    pub log_format: LogFormat,
}

/// Where it answers.
#[derive(Debug, Serialize)]
struct EndpointView {
    endpoint: String,
}

impl View for EndpointView {
    fn page(&self, page: &mut Page) {
        page.line(self.endpoint.clone());
    }
}

/// Answers until a signal.
pub async fn run(args: &BatchApiArgs, context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    let region = context.environment.region();
    // That nothing can be sent is better known now than with the first job.
    let api = Api::new(config.clone(), region, sender(config).await?);
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let listener = TcpListener::bind(wanted).await.map_err(|error| {
        Complaint::usage(format!("cannot answer at {wanted}: {error}"))
            .hint("choose another --port; 0 takes a free one")
    })?;
    let endpoint = format!("http://{}", listener.local_addr().context("where is it?")?);
    logging::start(args.log_format, "info", context.global.verbose);
    let stop = CancellationToken::new();
    let signals = tokio::spawn(dispatch::stop_on_signal(stop.clone()));
    context.output.show(&EndpointView { endpoint: endpoint.clone() })?;
    context.output.note(&format!("for clients: export AWS_ENDPOINT_URL_BATCH={endpoint}"));
    server::serve(listener, Arc::new(api), stop).await.context("cannot answer any more")?;
    signals.abort();
    Ok(ExitStatus::Ok)
}
