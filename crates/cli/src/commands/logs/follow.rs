//! A log that grows: prints what comes until its job has ended. Looks at the ledger and at the log by turns, and decides nothing.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use spillway_core::Job;
use spillway_core::error::LedgerError;

use super::place::{self, Place, Wish};
use crate::exit::ExitStatus;
use crate::output::Output;
use crate::views::log::LogView;

/// Between two looks. `CloudWatch` Logs answers `GetLogEvents` 10 to 25 times a second in an account, and there may be others.
pub(super) const PAUSE: Duration = Duration::from_secs(2);

/// So many looks find nothing new before an ended attempt's log is over: Docker's driver sends every five seconds.
const LOOKS_AFTER_END: u32 = 4;

/// A line, or several that were written at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    pub(crate) message: String,
}

/// A part of a log, and where the next begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) lines: Vec<Line>,
    pub(super) next: Option<String>,
}

/// Where logs are.
pub(super) trait Source {
    /// The page at `from`, or the first; none if there is no log yet.
    async fn page(&self, place: &Place, from: Option<&str>) -> Result<Option<Page>>;
}

/// How to follow.
#[derive(Debug)]
pub(super) struct Follow<'a> {
    pub(super) wish: Wish<'a>,
    pub(super) timestamps: bool,
    pub(super) output: &'a Output,
}

impl Follow<'_> {
    /// Until the job has ended and its log with it.
    pub(super) async fn run(
        &self,
        source: &impl Source,
        look: &impl Fn() -> Result<Option<Job>, LedgerError>,
        pause: Duration,
    ) -> Result<ExitStatus> {
        let mut at: Option<Place> = None;
        let mut from: Option<String> = None;
        let mut n_silent = 0;
        let mut has_waited = false;
        let mut progress = Some(self.output.progress());
        loop {
            let Some(job) = look()? else {
                if let Some(progress) = &mut progress {
                    progress.set("the job is not accepted yet (is a dispatcher running?)");
                }
                has_waited = true;
                tokio::time::sleep(pause).await;
                continue;
            };
            // What is wrong with the wish is said before anybody waits.
            place::check(&job, &self.wish)?;
            let is_over = job.state.status().is_terminal();
            let newest = place::of(&job, &self.wish).ok();
            if at.is_none() {
                // Who has waited for the job wants all that came meanwhile.
                let first = has_waited.then(|| place::after(&job, &self.wish, None)).flatten();
                at = first.or_else(|| newest.clone());
                if let Some(note) = at.as_ref().and_then(|place| place.note.as_ref()) {
                    self.output.note(note);
                }
            }
            let Some(place) = &at else {
                if is_over {
                    return Err(place::of(&job, &self.wish).err().map_or_else(
                        || anyhow::anyhow!("the job has ended without a task"),
                        Into::into,
                    ));
                }
                if let Some(progress) = &mut progress {
                    progress.set(&format!("the job is {}", job.state.status()));
                }
                has_waited = true;
                tokio::time::sleep(pause).await;
                continue;
            };
            // Its line must not stand among the log's.
            progress = None;
            let n_printed = self.print(source, (&job, place), &mut from).await?;
            n_silent = if n_printed == 0 { n_silent + 1 } else { 0 };
            let is_newer = newest.as_ref().is_some_and(|newest| newest.attempt != place.attempt);
            let has_ended =
                is_newer || is_over || newest.as_ref().is_some_and(|newest| newest.has_ended);
            if has_ended && LOOKS_AFTER_END <= n_silent {
                match place::after(&job, &self.wish, Some(place.attempt)) {
                    Some(next) => {
                        self.output.note(&format!("attempt {}", next.attempt));
                        (at, from, n_silent) = (Some(next), None, 0);
                        continue;
                    }
                    None if is_over || self.wish.attempt.is_some() => return Ok(ExitStatus::Ok),
                    // It is tried again: the next attempt's log is waited for.
                    None => {}
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Prints what there is behind `from`.
    async fn print(
        &self,
        source: &impl Source,
        (job, place): (&Job, &Place),
        from: &mut Option<String>,
    ) -> Result<usize> {
        let mut n_printed = 0;
        while let Some(Page { lines, next }) = source.page(place, from.as_deref()).await? {
            n_printed += lines.len();
            if !lines.is_empty() {
                let mut view = LogView::new(job, place, self.timestamps);
                view.add(lines, None);
                self.output.show(&view)?;
            }
            let is_end = next.is_none() || next == *from;
            if next.is_some() {
                *from = next;
            }
            if is_end {
                break;
            }
        }
        Ok(n_printed)
    }
}

#[cfg(test)]
mod tests;
