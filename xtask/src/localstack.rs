//! Starting and stopping the emulator. It listens on loopback only, and what was started here is ended here.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::process::Group;
use crate::shell::{Shell, say};
use crate::venv::Venv;

/// It is ready in seconds; a cold machine that still compiles Python takes longer.
const READY_WITHIN: Duration = Duration::from_mins(3);

/// How long it may take to end its tasks and itself.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// How long one look at its health may take.
const HEALTH_WITHIN: Duration = Duration::from_secs(5);

/// A running LocalStack with plugin, resources and agent. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct LocalStack {
    group: Group,
    endpoint: String,
    log: Option<PathBuf>,
}

impl LocalStack {
    /// Starts it on a free port with an empty volume; what it says goes into a file.
    pub(crate) fn start_for_tests(shell: &Shell, venv: &Venv) -> Result<Self> {
        let folder = shell.target().join("localstack");
        let port = free_port()?;
        let log = folder.join("up.log");
        let volume = folder.join("volume");
        fs::create_dir_all(&folder)?;
        remove(&volume)?;
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut up = up(shell, venv, port, &volume);
        up.stdout(file.try_clone()?).stderr(file);
        say(&format!("==> start LocalStack on 127.0.0.1:{port} (log: {})", log.display()));
        Self::start(shell, up, port, Some(log))
    }

    fn start(shell: &Shell, mut up: Command, port: u16, log: Option<PathBuf>) -> Result<Self> {
        let group = Group::spawn(up.stdin(Stdio::null()))?;
        let mut started = Self { group, endpoint: format!("http://127.0.0.1:{port}"), log };
        started.wait_until_ready(shell)?;
        Ok(started)
    }

    /// Where it answers.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The last lines that it said.
    pub(crate) fn last_words(&self) -> String {
        let text = self.log.as_ref().and_then(|log| fs::read_to_string(log).ok());
        let text = text.unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Ends it.
    pub(crate) fn stop(mut self) -> Result<()> {
        say("==> stop LocalStack");
        self.group.end(rustix::process::Signal::TERM, STOP_GRACE)
    }

    fn wait_until_ready(&mut self, shell: &Shell) -> Result<()> {
        let until = Instant::now() + READY_WITHIN;
        let health = format!("{}/_spillway/health", self.endpoint);
        loop {
            if let Some(status) = self.group.wait_for(Duration::from_millis(200))? {
                bail!("LocalStack ended before it was ready ({status})\n{}", self.last_words());
            }
            if shell.is_interrupted() {
                bail!("interrupted");
            }
            if is_healthy(&health) {
                return Ok(());
            }
            if until < Instant::now() {
                bail!("LocalStack was not ready within {READY_WITHIN:?}\n{}", self.last_words());
            }
        }
    }
}

/// `cargo xtask localstack`: runs it until Ctrl-C and says how to talk to it.
pub(crate) fn tour(shell: &Shell, port: u16) -> Result<bool> {
    if TcpListener::bind(("127.0.0.1", port)).is_err() {
        bail!("port {port} is in use\n  hint: `cargo xtask localstack --port 4567`");
    }
    let venv = Venv::ready(shell)?;
    let volume = shell.target().join("localstack").join("tour");
    remove(&volume)?;
    let mut running = LocalStack::start(shell, up(shell, &venv, port, &volume), port, None)?;
    say(&format!(
        "\nLocalStack is ready. Paste this into another terminal:\n\n  \
         export AWS_ENDPOINT_URL={} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n\n\
         Then `cargo run --release -- doctor`, and `cargo run --release -- serve`. Ctrl-C here ends LocalStack.\n",
        running.endpoint()
    ));
    loop {
        if let Some(status) = running.group.wait_for(Duration::from_millis(200))? {
            bail!("LocalStack ended by itself ({status})");
        }
        if shell.is_interrupted() {
            running.stop()?;
            return Ok(true);
        }
    }
}

fn up(shell: &Shell, venv: &Venv, port: u16, volume: &Path) -> Command {
    let mut up = shell.command(venv.program("python"));
    up.args(["-m", "spillway_localstack", "up", "--port", &port.to_string(), "--volume"]);
    up.arg(volume);
    up
}

fn is_healthy(url: &str) -> bool {
    let config = ureq::Agent::config_builder().timeout_global(Some(HEALTH_WITHIN)).build();
    ureq::Agent::new_with_config(config).get(url).call().is_ok()
}

/// A port nobody listens on. Somebody may take it before we do; then LocalStack fails at once and says so.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
