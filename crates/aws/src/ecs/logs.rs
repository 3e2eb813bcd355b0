//! What the log of a shared task says of its children: the lines with the runner's mark, and no others. A log that is not there
//! (yet) says nothing, which is no error.

use spillway_core::coalesce::REPORT_MARK;
use spillway_core::effect::CallResult;
use spillway_core::task_spec::Part;
use spillway_core::{JobSpec, TaskArn};
use tracing::warn;

use crate::call;
use crate::codes::Kind;
use crate::limits;
use crate::logs::TaskLogs;

const ACTION: &str = "logs:GetLogEvents";

/// The log group of the installation.
#[derive(Debug)]
pub(super) struct Logs {
    logs: TaskLogs,
    group: Option<String>,
}

impl Logs {
    pub(super) const fn new(logs: TaskLogs, group: Option<String>) -> Self {
        Self { logs, group }
    }

    /// Reads the log of a task from its beginning, page by page, until a page leads nowhere else (CloudWatch Logs API
    /// reference, "GetLogEvents": the same token comes back at the end).
    pub(super) async fn report(&self, task: &TaskArn, spec: &JobSpec) -> CallResult<Vec<String>> {
        let Some(group) = &self.group else {
            let detail = "a report needs the setting log-group".to_owned();
            return Err(call::cloud_error(Kind::Misconfigured, ACTION, detail));
        };
        let part = Part { role: None, container: &spec.container, resources: spec.resources };
        let Some(stream) = part.log_stream(task) else { return Ok(Vec::new()) };
        let mut lines = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..limits::LOG_PAGES_MAX {
            let Some(page) = self.logs.page(group, &stream, token.as_deref()).await? else {
                return Ok(Vec::new());
            };
            let messages = page.events.iter().map(|event| event.message.as_str());
            lines.extend(messages.flat_map(of_runner).map(str::to_owned));
            let next = page.next;
            if next.is_none() || next == token {
                return Ok(lines);
            }
            token = next;
        }
        warn!(%task, "the log of a shared task is too long to be read to its end");
        Ok(lines)
    }
}

/// The runner's lines in one event. A driver that gathers lines puts several into one.
fn of_runner(message: &str) -> impl Iterator<Item = &str> {
    message.lines().filter(|line| line.contains(REPORT_MARK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_of_the_runner_are_kept() {
        let message =
            "hello\n::spillway 5f1d start 0 1\nopen line::spillway 5f1d end 0 1 exit=0 ms=2";

        let lines: Vec<&str> = of_runner(message).collect();

        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.contains(REPORT_MARK)), "{lines:?}");
    }
}
