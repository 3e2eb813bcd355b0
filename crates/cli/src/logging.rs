//! Where log events go: to stderr, for people or as JSON. It must never be installed twice.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log events are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON document per event.
    Json,
}

/// Starts logging to stderr. `RUST_LOG` decides what is logged; without it `quietest`, raised by `-v`.
pub fn start(format: LogFormat, quietest: &str, verbose: u8) {
    let level = match verbose {
        0 => quietest,
        1 => "debug",
        _ => "trace",
    };
    // The SDK and its HTTP stack are silent until everything is asked for.
    let others = if verbose < 2 { "warn" } else { "debug" };
    let ours = ["spillway", "spillway_cli", "spillway_runtime", "spillway_engine", "spillway_aws"];
    let directives: Vec<String> = ours.iter().map(|name| format!("{name}={level}")).collect();
    // What it warns of, such as a place without credentials, comes back as an error that is told in our words.
    let sdk = if verbose < 2 { "error" } else { "debug" };
    let default = format!("{others},aws_config={sdk},{}", directives.join(","));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match format {
        LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // Only a second start can fail, and then the first one's events go on.
    debug_assert!(started.is_ok(), "logging was started twice");
}
