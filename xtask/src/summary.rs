//! What was done, how long it took, and how it ended: the last lines of a run.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::shell::say;

/// The stages of a run, in order.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    lines: Vec<(String, Duration, Outcome)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
}

impl Summary {
    /// Does a stage and notes how it went. Its error is told at once, and the next stage still has its turn.
    pub(crate) fn stage(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        let start = Instant::now();
        let outcome = match work() {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                say(&format!("error: {name}: {error:#}"));
                Outcome::Failed
            }
        };
        self.lines.push((name.to_owned(), start.elapsed(), outcome));
    }

    /// Whether every stage passed.
    pub(crate) fn is_good(&self) -> bool {
        self.lines.iter().all(|(_, _, outcome)| *outcome == Outcome::Passed)
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        say(&self.text());
    }

    fn text(&self) -> String {
        let mut text = String::from("\n");
        let mut total = Duration::ZERO;
        for (name, took, outcome) in &self.lines {
            let verdict = match outcome {
                Outcome::Passed => "ok",
                Outcome::Failed => "FAILED",
            };
            let _ = writeln!(text, "  {name:<18}{verdict:<8}{}", span(*took));
            total += *took;
        }
        let verdict = if self.is_good() { "ok" } else { "FAILED" };
        let _ = write!(text, "  {:<18}{verdict:<8}{}", "all", span(total));
        text
    }
}

fn span(time: Duration) -> String {
    format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_stage_fails_the_run_and_the_next_still_has_its_turn() {
        let mut summary = Summary::default();

        summary.stage("first", || anyhow::bail!("on purpose"));
        summary.stage("second", || Ok(()));

        assert!(!summary.is_good());
        let text = summary.text();
        assert!(text.contains("first             FAILED  0 min 00 s"), "{text}");
        assert!(text.contains("second            ok      0 min 00 s"), "{text}");
        assert!(text.contains("all               FAILED"), "{text}");
    }
}
