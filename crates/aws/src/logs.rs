//! Logs of tasks in `CloudWatch` Logs, page by page. A log that is not there (yet) is no error: it has no page.

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::get_log_events::GetLogEventsError;
use jiff::Timestamp;
use spillway_core::effect::CallResult;

use crate::call;

const ACTION: &str = "logs:GetLogEvents";

/// What a task wrote at once. A log driver that gathers lines makes one event of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// When, by the host's clock, to the millisecond.
    pub at: Timestamp,
    /// What, without a line feed at its end.
    pub message: String,
}

/// A part of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogPage {
    /// In order.
    pub events: Vec<LogEvent>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// Reads logs of tasks.
#[derive(Debug, Clone)]
pub struct TaskLogs {
    client: Client,
}

impl TaskLogs {
    pub(crate) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The page of a log at `from`, or its first; none if there is no such log. At the end of the log the page is empty and leads to
    /// itself (`CloudWatch` Logs API reference, "`GetLogEvents`"), until more has been written.
    ///
    /// # Errors
    /// [`spillway_core::CloudError`], of `logs:GetLogEvents`.
    pub async fn page(
        &self,
        group: &str,
        stream: &str,
        from: Option<&str>,
    ) -> CallResult<Option<LogPage>> {
        let page = self.client.get_log_events().log_group_name(group).log_stream_name(stream);
        let page = page.start_from_head(true).set_next_token(from.map(str::to_owned)).send().await;
        let page = match page {
            Ok(page) => page,
            Err(error) if is_not_there(&error) => return Ok(None),
            Err(error) => return Err(call::sort(ACTION, &error)),
        };
        let event = |event: &aws_sdk_cloudwatchlogs::types::OutputLogEvent| {
            let at = Timestamp::from_millisecond(event.timestamp()?).ok()?;
            Some(LogEvent { at, message: event.message()?.to_owned() })
        };
        let events = page.events().iter().filter_map(event).collect();
        Ok(Some(LogPage { events, next: page.next_forward_token }))
    }
}

fn is_not_there(error: &call::CallError<GetLogEventsError>) -> bool {
    error.as_service_error().is_some_and(GetLogEventsError::is_resource_not_found_exception)
}
