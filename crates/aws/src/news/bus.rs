//! News of jobs to an EventBridge bus: rules match `{"source": ["spillway"], "detail-type": ["Batch Job State Change"]}` and whatever of the
//! detail they like, as they do for AWS Batch's own.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use serde_json::Value;
use spillway_core::effect::CallResult;

use super::batches;
use crate::codes::Kind;
use crate::{call, codes, limits};

const ACTION: &str = "events:PutEvents";

/// Puts events onto a bus, ten in a call.
#[derive(Debug)]
pub struct BusNews {
    client: Client,
    bus: String,
}

impl BusNews {
    pub(crate) const fn new(client: Client, bus: String) -> Self {
        Self { client, bus }
    }

    pub(super) async fn publish(&self, events: &[String]) -> CallResult<()> {
        let sizes = (limits::EVENTBRIDGE_BATCH, limits::EVENTBRIDGE_BATCH_BYTES);
        for batch in batches(events, sizes.0, sizes.1, limits::EVENTBRIDGE_EVENT_EXTRA) {
            let entries: Vec<_> = batch.iter().map(|event| entry(event, &self.bus)).collect();
            let answer = self.client.put_events().set_entries(Some(entries)).send().await;
            let answer = answer.map_err(|error| call::sort(ACTION, &error))?;
            // EventBridge answers for each. What it has taken comes again with what it has not.
            let failed = answer.entries().iter().find_map(|entry| {
                let code = entry.error_code()?;
                Some((code, entry.error_message().unwrap_or_default()))
            });
            if let Some((code, message)) = failed {
                let detail = format!("{code}: {message}");
                return Err(call::cloud_error(codes::kind(code), ACTION, detail));
            }
            if 0 < answer.failed_entry_count() {
                let detail = "some events were not taken, and none says why".to_owned();
                return Err(call::cloud_error(Kind::Unsettled, ACTION, detail));
            }
        }
        Ok(())
    }
}

/// EventBridge makes the envelope itself, of the event's parts.
fn entry(event: &str, bus: &str) -> PutEventsRequestEntry {
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let resources = event.get("resources").and_then(Value::as_array).into_iter().flatten();
    let resources = resources.filter_map(Value::as_str).map(str::to_owned);
    let time: Option<Timestamp> = text("time").parse().ok();
    PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source(text("source"))
        .detail_type(text("detail-type"))
        .detail(event.get("detail").map(Value::to_string).unwrap_or_default())
        .set_resources(Some(resources.collect()))
        .set_time(time.map(|time| DateTime::from_millis(time.as_millisecond())))
        .build()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_of_the_bus_has_the_parts_of_the_news() {
        let news = json!({
            "detail-type": "Batch Job State Change",
            "source": "spillway",
            "time": "2026-01-05T00:00:01.5Z",
            "resources": ["a-job"],
            "detail": { "status": "SUCCEEDED" },
        });

        let made = entry(&news.to_string(), "others");

        assert_eq!(made.event_bus_name(), Some("others"));
        assert_eq!(made.source(), Some("spillway"));
        assert_eq!(made.detail_type(), Some("Batch Job State Change"));
        assert_eq!(made.detail(), Some(r#"{"status":"SUCCEEDED"}"#));
        assert_eq!(made.resources(), ["a-job"]);
        assert_eq!(made.time().map(DateTime::as_secs_f64), Some(1_767_571_201.5));
    }
}
