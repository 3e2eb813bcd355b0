//! A line on stderr that follows what goes on: redrawn on a terminal, a new line for each change otherwise.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::to_stderr;

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// The line. It is gone when this is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    pub(super) fn new(is_live: bool) -> Self {
        let bar = is_live.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TURN);
            bar
        });
        Self { bar, last: String::new() }
    }

    /// Shows where it stands now.
    pub fn set(&mut self, text: &str) {
        if self.last == text {
            return;
        }
        text.clone_into(&mut self.last);
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => to_stderr(text),
        }
    }

    /// Says something that stays.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => to_stderr(text),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
