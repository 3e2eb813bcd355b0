//! What is kept of a run: its trace, the ledger that a real dispatcher would have left, and a report made of that.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use spillway_core::Change;
use spillway_core::error::LedgerError;
use spillway_runtime::ledger::SqliteLedger;
use spillway_sim::run::Outcome;
use spillway_sim::run::listeners::{Commits, Listeners};
use spillway_sim::{Policy, Scenario};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, block_in_place};

use crate::commands::report::write_run;
use crate::error::Complaint;
use crate::ledger;

/// Changes that are written together. Nothing depends on a simulated commit, so that none must be on the disk by itself.
const CHANGES: usize = 10_000;

/// So many times as many wait to be written, while the run goes on beside it.
const BATCHES: usize = 2;

/// Files that are kept of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) trace: Option<&'a Path>,
    pub(super) ledger: Option<&'a Path>,
    pub(super) report: Option<&'a Path>,
}

impl Kept<'_> {
    pub(super) const fn is_any(self) -> bool {
        self.trace.is_some() || self.ledger.is_some() || self.report.is_some()
    }

    /// Runs it and writes them.
    pub(super) fn run(self, scenario: &Scenario, policy: Policy) -> Result<Outcome> {
        let mut trace = self.trace.map(trace).transpose()?;
        // A report is made of a ledger; one that nobody wants to keep goes with its folder.
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let passing = folder.path().join("ledger.db");
        let path = self.ledger.or_else(|| self.report.map(|_| passing.as_path()));
        let mut ledger = path.map(Batches::open).transpose()?;
        let listeners = Listeners {
            trace: trace.as_mut().map(|trace| trace as &mut dyn Write),
            ledger: ledger.as_mut().map(|ledger| ledger as &mut dyn Commits),
        };
        let outcome = policy.run(scenario, listeners)?;
        if let (Some(mut trace), Some(path)) = (trace, self.trace) {
            let told = || format!("cannot write the trace {}", path.display());
            trace.flush().with_context(told)?;
        }
        if let (Some(ledger), Some(path)) = (ledger, path) {
            let told = || format!("cannot write the ledger {}", path.display());
            let now = ledger.now;
            ledger.finish().with_context(told)?;
            if let Some(report) = self.report {
                let source =
                    format!("{}, seed {}, {}", scenario.name, scenario.seed, policy.name());
                let reader = crate::ledger::file_reader(path)?;
                write_run(reader.as_ref(), source, now, report)?;
            }
        }
        Ok(outcome)
    }
}

fn trace(path: &Path) -> Result<BufWriter<File>, Complaint> {
    let file = File::create(path).map_err(|error| {
        Complaint::usage(format!("cannot write the trace {}: {error}", path.display()))
    })?;
    Ok(BufWriter::new(file))
}

/// Commits, each with its time.
type Batch = Vec<(Timestamp, Vec<Change>)>;

/// A ledger that takes many commits as one, beside the run.
struct Batches {
    runtime: Handle,
    written: Sender<Batch>,
    writer: JoinHandle<Result<(), LedgerError>>,
    waiting: Batch,
    n_waiting: usize,
    now: Timestamp,
}

impl Batches {
    fn open(path: &Path) -> Result<Self> {
        if path.exists() {
            let what = format!("the ledger {} is there already", path.display());
            return Err(Complaint::usage(what)
                .hint("a run needs a ledger of its own: name a file that is not there yet")
                .into());
        }
        let runtime = Handle::current();
        let (written, batches) = mpsc::channel(BATCHES);
        let writer = runtime.spawn(write(ledger::writer(path)?, batches));
        let (waiting, now) = (Vec::new(), Timestamp::UNIX_EPOCH);
        Ok(Self { runtime, written, writer, waiting, n_waiting: 0, now })
    }

    /// Hands over what waits. The run goes no further ahead of the disk than [`BATCHES`].
    fn send(&mut self) -> io::Result<()> {
        self.n_waiting = 0;
        let batch = std::mem::take(&mut self.waiting);
        let sent = block_in_place(|| self.runtime.block_on(self.written.send(batch)));
        // It takes no more only if it could not write: it says why.
        sent.or_else(|_| ended(&self.runtime, &mut self.writer))
    }

    /// Writes what waits, and returns after all of it is written.
    fn finish(mut self) -> io::Result<()> {
        self.send()?;
        drop(self.written);
        ended(&self.runtime, &mut self.writer)
    }
}

/// What became of the writer, once it has ended.
fn ended(runtime: &Handle, writer: &mut JoinHandle<Result<(), LedgerError>>) -> io::Result<()> {
    let written = block_in_place(|| runtime.block_on(writer)).map_err(io::Error::other)?;
    written.map_err(io::Error::other)
}

async fn write(mut ledger: SqliteLedger, mut batches: Receiver<Batch>) -> Result<(), LedgerError> {
    ledger.draft().await?;
    while let Some(batch) = batches.recv().await {
        ledger.commit_together(batch).await?;
    }
    ledger.settle().await
}

impl Commits for Batches {
    fn commit(&mut self, now: Timestamp, changes: &[Change]) -> io::Result<()> {
        self.now = now;
        self.n_waiting += changes.len();
        self.waiting.push((now, changes.to_vec()));
        if self.n_waiting < CHANGES { Ok(()) } else { self.send() }
    }
}
