//! `spillway doctor`: looks whether everything the dispatcher needs is there. It changes nothing.

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;
use spillway_core::{Breaker, BreakerId};
use spillway_engine::{BudgetStanding, BudgetState};

use crate::config::{Config, ConfigError};
use crate::context::Context;
use crate::error::ledger_hint;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::output::{Field, Lines, Page, Rows, Tone, View};
use crate::views::breaker::remedy;
use crate::views::budget;

pub(crate) const LONG_ABOUT: &str = "\
Looks whether everything the dispatcher needs is there: configuration, ledger, clock, credentials; the queues, who may \
send to them and whether EventBridge does; the cluster; the subnets, their free addresses and their way to ECS; images, a \
launch as a dry run, prices, and EC2's vCPU quotas beside the limits; whether the dispatcher leaves something alone after \
failures, and what is spent of each budget. Says for each what it found and, where something is wrong, what to do. Changes \
nothing and buys nothing.

Exit code 0 if nothing failed; warnings do not count. Otherwise the code that `spillway serve` would end with: 6 if the \
configuration or something in the account is wrong or a budget is spent, 7 without credentials, 8 if AWS cannot be reached, 9 if the ledger is \
wrong.

Examples:
  spillway doctor
  spillway doctor --format json | jq '.findings[] | select(.outcome != \"ok\")'";

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Leave AWS alone: check only what is on this machine
    #[arg(long)]
    pub local: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Warning,
    Failed,
}

impl Outcome {
    const fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warning => Tone::Warning,
            Self::Failed => Tone::Bad,
        }
    }
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    name: String,
    outcome: Outcome,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// How the command ends if this is the first that failed.
    #[serde(skip)]
    status: ExitStatus,
}

impl Finding {
    fn new(name: &str, outcome: Outcome, detail: impl Into<String>) -> Self {
        let (detail, status) = (detail.into(), ExitStatus::Config);
        Self { name: name.to_owned(), outcome, detail, hint: None, status }
    }

    fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// The answer of `doctor`.
#[derive(Debug, Serialize)]
struct DoctorView {
    /// Whether nothing failed.
    ok: bool,
    findings: Vec<Finding>,
}

impl View for DoctorView {
    fn page(&self, page: &mut Page) {
        let mut table = Rows::new(&["CHECK", "OUTCOME", "FOUND"]);
        for finding in &self.findings {
            let outcome = Field::toned(finding.outcome.text(), finding.outcome.tone());
            table.row([finding.name.as_str().into(), outcome, finding.detail.as_str().into()]);
        }
        page.table(table);
        for finding in &self.findings {
            if let Some(hint) = &finding.hint {
                page.line(format!("{} {}: {hint}", Tone::Busy.paint("hint:"), finding.name));
            }
        }
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.findings.iter().try_for_each(|finding| lines.item(finding))
    }
}

/// Checks everything.
pub async fn run(args: &DoctorArgs, context: &Context) -> Result<ExitStatus> {
    let mut findings = Vec::new();
    match context.resolved() {
        Ok(resolved) => {
            findings.push(configuration(resolved));
            findings.push(record(&resolved.config));
            findings.extend(breakers(&resolved.config));
            findings.extend(budgets(&resolved.config));
            findings.extend(approval(&resolved.config));
            if !args.local {
                findings.extend(account(&resolved.config).await);
            }
        }
        // Without a configuration nobody knows what to look for.
        Err(error) => findings.push(misconfigured(&error)),
    }
    let failed = findings.iter().find(|finding| finding.outcome == Outcome::Failed);
    let status = failed.map_or(ExitStatus::Ok, |finding| finding.status);
    context.output.show(&DoctorView { ok: failed.is_none(), findings })?;
    Ok(status)
}

fn configuration(resolved: &crate::config::Resolved) -> Finding {
    let of = resolved.file.as_ref().map_or_else(
        || "built-in values, variables and flags; no file".to_owned(),
        |file| format!("{} is read", file.display()),
    );
    match resolved.warnings.as_slice() {
        [] => Finding::new("configuration", Outcome::Ok, of),
        warnings => Finding::new(
            "configuration",
            Outcome::Warning,
            format!("{of}; {}", warnings.join("; ")),
        ),
    }
}

fn misconfigured(error: &ConfigError) -> Finding {
    Finding::new("configuration", Outcome::Failed, error.to_string()).hint(error.hint())
}

/// The ledger: what is in it, or why it cannot be read.
fn record(config: &Config) -> Finding {
    let path = &config.ledger;
    let counts = ledger::reader(config).and_then(|reader| reader.job_counts());
    match counts {
        Ok(counts) => {
            let is_open = |status: JobStatus| !status.is_terminal();
            let n_jobs: u64 = counts.iter().map(|(_, n)| n).sum();
            let n_open: u64 = counts.iter().filter(|(s, _)| is_open(*s)).map(|(_, n)| n).sum();
            let detail = format!("{path}: {n_jobs} jobs, {n_open} of them not ended");
            Finding::new("ledger", Outcome::Ok, detail)
        }
        Err(error @ LedgerError::Missing { .. }) => {
            let hint = "the first `spillway serve` creates it".to_owned();
            Finding::new("ledger", Outcome::Warning, error.to_string()).hint(Some(hint))
        }
        Err(error) => {
            let detail = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            let hint = Some(ledger_hint(&error));
            let finding = Finding::new("ledger", Outcome::Failed, format!("{path}: {detail}"));
            Finding { status: ExitStatus::Ledger, ..finding.hint(hint) }
        }
    }
}

/// What the dispatcher leaves alone after failures; nothing where the ledger cannot be read, which is told by itself.
fn breakers(config: &Config) -> Vec<Finding> {
    let open = ledger::reader(config).and_then(|reader| reader.breakers()).unwrap_or_default();
    let finding = |(id, breaker): (&BreakerId, &Breaker)| {
        let found = Finding::new(&id.to_string(), Outcome::Warning, breaker.to_string());
        found.hint(Some(remedy(id)))
    };
    open.iter().map(finding).collect()
}

/// What is spent of each budget: one that stops jobs has failed. Nothing where the ledger cannot be read.
fn budgets(config: &Config) -> Vec<Finding> {
    let standings = super::budgets::standings(config, Timestamp::now()).unwrap_or_default();
    let finding = |standing: &BudgetStanding| {
        let outcome = match standing.state() {
            BudgetState::Ok => Outcome::Ok,
            BudgetState::Warning => Outcome::Warning,
            BudgetState::Stopped => Outcome::Failed,
        };
        let name = format!("budget {}", standing.rules.name);
        let hint = (outcome != Outcome::Ok).then(|| budget::remedy(standing));
        Finding::new(&name, outcome, budget::sentence(standing)).hint(hint)
    };
    standings.iter().map(finding).collect()
}

/// What is held until somebody approves it. Nothing where nothing has to be approved, or the ledger cannot be read.
fn approval(config: &Config) -> Option<Finding> {
    let over = config.limits.approve_over.get()?;
    let burst = ledger::reader(config).and_then(|reader| reader.burst()).ok()?;
    let Some(held) = burst.held else {
        let detail = format!("up to {} without being asked; nothing is held", over.0);
        return Some(Finding::new("approval", Outcome::Ok, detail));
    };
    let detail = format!("{} for the whole fleet is held since {:.0}", held.price, held.since);
    let hint =
        format!("`spillway plan` says what for; to buy it: spillway approve {}", held.hash());
    Some(Finding::new("approval", Outcome::Warning, detail).hint(Some(hint)))
}

#[cfg(feature = "aws")]
async fn account(config: &Config) -> Vec<Finding> {
    let outcome = |outcome| match outcome {
        spillway_aws::doctor::Outcome::Ok => Outcome::Ok,
        spillway_aws::doctor::Outcome::Warning => Outcome::Warning,
        spillway_aws::doctor::Outcome::Failed => Outcome::Failed,
    };
    let found = Box::pin(crate::cloud::examine(config)).await.into_iter();
    let finding = |f: spillway_aws::doctor::Finding| {
        Finding::new(&f.name, outcome(f.outcome), f.detail).hint(f.hint)
    };
    let mut findings: Vec<Finding> = found.map(finding).collect();
    if findings.iter().any(|finding| finding.outcome == Outcome::Failed) {
        // The exit code is the one that `serve` would end with, if it would not start.
        let refusal = Box::pin(crate::cloud::connect(config)).await.err();
        let status = refusal.map_or(ExitStatus::Config, |e| crate::error::verdict(&e).status);
        for finding in &mut findings {
            finding.status = status;
        }
    }
    findings
}

#[cfg(not(feature = "aws"))]
async fn account(_: &Config) -> Vec<Finding> {
    let complaint = crate::cloudless::complaint("look at an account");
    let finding = Finding::new("aws", Outcome::Warning, complaint.message);
    std::future::ready(vec![finding.hint(complaint.hint)]).await
}
