//! What a job wrote.

use serde::Serialize;
use spillway_core::Job;

use crate::commands::logs::{Line, Place};
use crate::output::{Lines, Page, View};

/// A log, or its end.
#[derive(Debug, Serialize)]
pub(crate) struct LogView {
    job: String,
    attempt: u32,
    log_group: String,
    log_stream: String,
    events: Vec<Event>,
    #[serde(skip)]
    timestamps: bool,
}

/// What was written at once.
#[derive(Debug, Serialize)]
struct Event {
    time: String,
    message: String,
}

impl LogView {
    /// Of an attempt's log, still empty.
    pub(crate) fn new(job: &Job, place: &Place, timestamps: bool) -> Self {
        Self {
            job: job.id.to_string(),
            attempt: place.attempt.get(),
            log_group: place.group.clone(),
            log_stream: place.stream.clone(),
            events: Vec::new(),
            timestamps,
        }
    }

    /// Adds lines, and keeps the last `tail`.
    pub(crate) fn add(&mut self, lines: Vec<Line>, tail: Option<usize>) {
        let event = |line: Line| Event { time: line.at.to_string(), message: line.message };
        self.events.extend(lines.into_iter().map(event));
        if let Some(tail) = tail {
            let n_over = self.events.len().saturating_sub(tail);
            self.events.drain(..n_over);
        }
    }
}

impl View for LogView {
    fn page(&self, page: &mut Page) {
        for event in &self.events {
            page.line(text(&event.time, &event.message, self.timestamps));
        }
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        for event in &self.events {
            lines.item(event)?;
        }
        Ok(())
    }
}

fn text(time: &str, message: &str, timestamps: bool) -> String {
    let message = message.trim_end_matches(['\n', '\r']);
    if timestamps { format!("{time} {message}") } else { message.to_owned() }
}
