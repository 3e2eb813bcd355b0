//! What others are told of jobs, through a topic and through a bus.

use serde_json::{Value, json};
use spillway_wire_tests::deployment::{Deployment, SOON, Shape, wait_until};

const OF_TOPIC: &str = "read-from-a-topic";
const OF_BUS: &str = "read-from-a-bus";
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:news-of-jobs";
const BUS: &str = "news-of-jobs";

fn shape(config: &'static str) -> Shape {
    Shape {
        instance_types: &["c6i.large", "c6i.xlarge", "m6i.large"],
        boot_seconds: 1,
        config,
        shares_ledger: false,
    }
}

/// Runs a job, and waits until `event` finds the news of its end in a message of the queue.
fn runs_and_tells(here: &Deployment, queue: &str, event: fn(&str) -> Option<Value>) -> Value {
    let _dispatcher = here.serve();
    let job = here.submit(&["--name", "told-of"], "exit 3");
    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(3));
    let told = wait_until("its end is told", SOON, || {
        let messages = here.wire().peek(queue);
        let events = messages.iter().filter_map(|message| event(message["Body"].as_str()?));
        let is_end = |event: &Value| {
            event["detail"]["jobId"] == *job && event["detail"]["status"] == "FAILED"
        };
        events.into_iter().find(is_end)
    });
    here.until_all_is_given_back();
    told
}

#[test]
fn who_has_subscribed_to_a_topic_is_told_of_jobs() {
    let config = "job-events.topic = \"arn:aws:sns:us-east-1:000000000000:news-of-jobs\"\n\
                  job-events.statuses = [\"FAILED\"]\n";
    let Some(here) = Deployment::new(shape(config)) else { return };
    let wire = here.wire();
    wire.sqs("CreateQueue", &json!({ "QueueName": OF_TOPIC }));
    let sns = |operation: &str, parameters: &[(&str, &str)]| {
        let (status, text) = wire.query("sns", "2010-03-31", operation, parameters);
        assert!(status < 300, "{operation}: {status} {text}");
    };
    sns("CreateTopic", &[("Name", "news-of-jobs")]);
    let reader = wire.queue_arn(OF_TOPIC);
    sns("Subscribe", &[("TopicArn", TOPIC), ("Protocol", "sqs"), ("Endpoint", &reader)]);

    let told = runs_and_tells(&here, OF_TOPIC, |body| {
        let envelope: Value = serde_json::from_str(body).ok()?;
        serde_json::from_str(envelope["Message"].as_str()?).ok()
    });

    assert_eq!(told["detail-type"], "Batch Job State Change");
    assert_eq!(told["detail"]["container"]["exitCode"], 3);
}

#[test]
fn a_rule_of_a_bus_matches_what_becomes_of_jobs() {
    let config = "job-events.bus = \"news-of-jobs\"\n";
    let Some(here) = Deployment::new(shape(config)) else { return };
    let wire = here.wire();
    wire.sqs("CreateQueue", &json!({ "QueueName": OF_BUS }));
    wire.events("CreateEventBus", &json!({ "Name": BUS }));
    let pattern = json!({
        "source": ["spillway"],
        "detail-type": ["Batch Job State Change"],
        "detail": { "status": ["FAILED"] },
    });
    let rule = json!({ "Name": "ends", "EventBusName": BUS, "EventPattern": pattern.to_string() });
    wire.events("PutRule", &rule);
    let targets = json!({
        "Rule": "ends",
        "EventBusName": BUS,
        "Targets": [{ "Id": "reader", "Arn": wire.queue_arn(OF_BUS) }],
    });
    wire.events("PutTargets", &targets);

    let told = runs_and_tells(&here, OF_BUS, |body| serde_json::from_str(body).ok());

    assert_eq!(told["source"], "spillway");
    assert_eq!(told["detail-type"], "Batch Job State Change");
    assert_eq!(told["detail"]["container"]["exitCode"], 3);
    let all = wire.peek(OF_BUS);
    let statuses: Vec<Value> = all
        .iter()
        .filter_map(|message| serde_json::from_str::<Value>(message["Body"].as_str()?).ok())
        .map(|event| event["detail"]["status"].clone())
        .collect();
    assert!(statuses.iter().all(|status| status == "FAILED"), "{statuses:?}");
}
