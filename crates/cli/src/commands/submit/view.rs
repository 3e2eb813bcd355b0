//! What `submit` answers.

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;
use spillway_core::JobId;

use crate::outbox::Letter;
use crate::output::{Lines, Page, View};
use crate::send::Sent;

/// A job that was sent, or would be.
#[derive(Debug, Serialize)]
pub(super) struct SubmittedJob {
    pub(super) id: JobId,
    name: String,
    queue: String,
    /// The message, if it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Value>,
}

/// The answer of `submit`.
#[derive(Debug, Serialize)]
pub(super) struct SubmitView {
    sent: bool,
    pub(super) jobs: Vec<SubmittedJob>,
}

impl SubmittedJob {
    fn new(letter: &Letter, message: Option<Value>) -> Self {
        Self { id: letter.id, name: letter.name.clone(), queue: letter.queue.to_string(), message }
    }
}

impl SubmitView {
    /// Those that were sent.
    pub(super) fn sent(letters: &[Letter], sent: &Sent) -> Self {
        let letters = sent.ords.iter().filter_map(|ord| letters.get(*ord));
        Self { sent: true, jobs: letters.map(|letter| SubmittedJob::new(letter, None)).collect() }
    }

    /// Those that would be, with their messages.
    pub(super) fn dry_run(letters: &[Letter]) -> Result<Self> {
        let mut jobs = Vec::with_capacity(letters.len());
        for letter in letters {
            jobs.push(SubmittedJob::new(letter, Some(serde_json::from_str(&letter.body)?)));
        }
        Ok(Self { sent: false, jobs })
    }
}

impl View for SubmitView {
    /// Ids alone, or messages alone: what the next command of a pipe takes.
    fn page(&self, page: &mut Page) {
        for job in &self.jobs {
            match &job.message {
                Some(message) => page.line(message.to_string()),
                None => page.line(job.id.to_string()),
            }
        }
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.jobs.iter().try_for_each(|job| lines.item(job))
    }
}
