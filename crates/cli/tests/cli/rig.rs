//! Runs the binary in a folder of its own, with nothing of the outer environment but what a test gives it.

use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use serde_json::Value;
use spillway_core::message::{self, Parsed, Request};
use spillway_core::port::Ledger as _;
use spillway_core::{Change, Job, JobId, JobState};
use spillway_runtime::SqliteLedger;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_spillway");

/// An empty home that is also the working directory.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a file into it.
    pub(crate) fn with(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join(name), text).unwrap();
        self
    }

    /// An empty ledger, as after a dispatcher's first start.
    pub(crate) fn with_ledger(self, name: &str) -> Self {
        SqliteLedger::open(&self.path().join(name)).unwrap();
        self
    }

    /// A ledger in which these jobs wait for a machine.
    pub(crate) fn with_waiting(self, name: &str, messages: &[Value]) -> Self {
        let now = Timestamp::UNIX_EPOCH;
        let changes: Vec<Change> =
            (1..).zip(messages).map(|(seq, message)| add_job(seq, message, now)).collect();
        self.with_facts(name, &changes)
    }

    /// A ledger with these facts, the newest last.
    pub(crate) fn with_facts(self, name: &str, facts: &[Change]) -> Self {
        let mut ledger = SqliteLedger::open(&self.path().join(name)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(ledger.commit(Timestamp::UNIX_EPOCH, facts)).unwrap();
        self
    }

    /// A home with the ledger `run.db` of a simulated run, and what was printed of that.
    pub(crate) fn with_run(scenario: &str) -> (Self, Value) {
        let home = Self::new().with("s.toml", scenario);
        let args = ["simulate", "--scenario", "s.toml", "--ledger", "run.db", "--format", "json"];
        let run = home.run(&args).json()["runs"][0].clone();
        (home, run)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(self.path()).env_clear();
        command.env("HOME", self.path()).env("COLUMNS", "100");
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[], "")
    }

    /// Runs it with variables and with a text on stdin.
    pub(crate) fn run_with(&self, args: &[&str], variables: &[(&str, &str)], stdin: &str) -> Ran {
        let mut command = assert_cmd::Command::from_std(self.command(args));
        command.envs(variables.iter().copied()).write_stdin(stdin);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code();
        Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Starts a dispatcher over the world in `scenario`; it is gone with the value.
    pub(crate) fn serve(&self, scenario: &str, ledger: &str) -> Dispatcher {
        self.serve_with(scenario, ledger, &[])
    }

    /// The same with variables.
    pub(crate) fn serve_with(
        &self,
        scenario: &str,
        ledger: &str,
        variables: &[(&str, &str)],
    ) -> Dispatcher {
        let args = ["serve", "--world", scenario, "--ledger", ledger, "--speed", "120"];
        let log = self.file("serve.log");
        let mut command = self.command(&args);
        command.envs(variables.iter().copied());
        command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Dispatcher { child: command.spawn().unwrap(), log }
    }

    /// Starts `batch-api` on a free port; it is gone with the value.
    pub(crate) fn batch_api(&self, ledger: &str, variables: &[(&str, &str)]) -> BatchApi {
        let mut command = self.command(&["batch-api", "--port", "0", "--ledger", ledger]);
        command.envs(variables.iter().copied()).stdout(Stdio::piped());
        command.stderr(File::create(self.file("batch-api.log")).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").map(|address| address.parse().unwrap());
        BatchApi { child, address: address.unwrap() }
    }

    /// The settings for snapshots of what was printed here.
    pub(crate) fn settings(&self) -> insta::Settings {
        let mut settings = insta::Settings::clone_current();
        let here = self.path().display().to_string();
        settings.add_filter(&regex_escape(&here), "[HOME]");
        settings.add_filter(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[UUID]");
        settings
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

fn regex_escape(text: &str) -> String {
    text.replace('.', r"\.")
}

/// A dispatcher that runs.
pub(crate) struct Dispatcher {
    child: Child,
    log: PathBuf,
}

impl Dispatcher {
    /// Sends SIGTERM and waits for its end.
    #[cfg(unix)]
    pub(crate) fn terminate(mut self) -> Ran {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
        let code = self.child.wait().unwrap().code();
        let stderr = std::fs::read_to_string(&self.log).unwrap();
        Ran { code, stdout: String::new(), stderr }
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `batch-api` that answers.
pub(crate) struct BatchApi {
    child: Child,
    address: SocketAddr,
}

impl BatchApi {
    /// Where it answers.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for BatchApi {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a command ended and what it said. Its text is what snapshots hold.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Stdout as JSON, which carries its schema version.
    pub(crate) fn json(&self) -> Value {
        let json: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self}"));
        assert_eq!(json["schema"], 1, "{self}");
        json
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        write!(f, "exit code {code}")?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "\n--- {name}\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// A job that waits since `now`.
pub(crate) fn add_job(seq: u64, body: &Value, now: Timestamp) -> Change {
    let Parsed { request, body_hash, warnings } = message::parse(&body.to_string()).unwrap();
    let Request::Submit { spec, client_token } = request else { panic!("{body} is no job") };
    Change::AddJob(Box::new(Job {
        id: JobId::derive(&spec.queue, &client_token.unwrap()),
        spec: spec.into(),
        body_hash,
        created_at: now,
        seq,
        state: JobState::Runnable { since: now },
        attempts: Vec::new(),
        warnings,
    }))
}

/// A job's message under a token.
pub(crate) fn message(token: &str, memory_mib: u64, script: &str) -> Value {
    serde_json::json!({
        "jobName": token,
        "jobQueue": "default",
        "jobDefinition": {
            "type": "container",
            "containerProperties": {
                "image": "busybox",
                "command": ["sh", "-c", script],
                "resourceRequirements": [
                    {"type": "VCPU", "value": "1"},
                    {"type": "MEMORY", "value": memory_mib.to_string()},
                ],
            },
        },
        "spillway": {"clientToken": token},
    })
}

/// The id of the job under a token.
pub(crate) fn id(token: &str) -> String {
    JobId::derive(&"default".parse().unwrap(), token).to_string()
}
