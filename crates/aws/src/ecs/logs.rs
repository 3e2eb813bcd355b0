//! What the log of a shared task says of its children: the lines with the runner's mark, and no others. A log that is not there
//! (yet) says nothing, which is no error.

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::get_log_events::GetLogEventsError;
use spillway_core::coalesce::REPORT_MARK;
use spillway_core::effect::CallResult;
use spillway_core::task_spec::Part;
use spillway_core::{JobSpec, TaskArn};
use tracing::warn;

use crate::call;
use crate::codes::Kind;
use crate::limits;

const ACTION: &str = "logs:GetLogEvents";

/// The log group of the installation.
#[derive(Debug)]
pub(super) struct Logs {
    client: Client,
    group: Option<String>,
}

impl Logs {
    pub(super) const fn new(client: Client, group: Option<String>) -> Self {
        Self { client, group }
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
            let page = self.client.get_log_events().log_group_name(group).log_stream_name(&stream);
            let page = page.start_from_head(true).set_next_token(token.clone()).send().await;
            let page = match page {
                Ok(page) => page,
                Err(error) if is_not_there(&error) => return Ok(Vec::new()),
                Err(error) => return Err(call::sort(ACTION, &error)),
            };
            let messages = page.events().iter().filter_map(|event| event.message());
            lines.extend(messages.flat_map(of_runner).map(str::to_owned));
            let next = page.next_forward_token;
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

fn is_not_there(error: &call::CallError<GetLogEventsError>) -> bool {
    error.as_service_error().is_some_and(GetLogEventsError::is_resource_not_found_exception)
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
