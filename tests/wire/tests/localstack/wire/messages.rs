//! What is on the queue: duplicates, what can never be a job, and what other services wrap.

use serde_json::{Value, json};
use spillway_wire_tests::deployment::{Deployment, SOON, Shape, wait_until};

fn message(name: &str, token: &str, script: &str) -> Value {
    json!({
        "jobName": name,
        "jobQueue": "default",
        "jobDefinition": {
            "type": "container",
            "containerProperties": {
                "image": "busybox",
                "command": ["sh", "-c", script],
                "resourceRequirements": [
                    { "type": "VCPU", "value": "0.25" },
                    { "type": "MEMORY", "value": "128" },
                ],
            },
        },
        "spillway": { "clientToken": token },
    })
}

fn listed(here: &Deployment) -> Vec<Value> {
    here.json(&["jobs", "list"])["jobs"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_message_that_comes_twice_is_one_job() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let body = message("twice", "token-1", "sleep 1").to_string();
    here.wire().send(&here.job_queue(), &body);
    here.wire().send(&here.job_queue(), &body);
    let _dispatcher = here.serve();
    here.until_the_ledger_is_there();
    let job = wait_until("the job", SOON, || listed(&here).pop());
    let id = job["id"].as_str().unwrap().to_owned();
    assert_eq!(here.wait(std::slice::from_ref(&id), SOON), Some(0));

    // And once more, after it has ended.
    here.wire().send(&here.job_queue(), &body);
    wait_until("an empty queue", SOON, || {
        (here.wire().depth(&here.job_queue()) == 0).then_some(())
    });

    assert_eq!(listed(&here).len(), 1);
    assert_eq!(here.n_tasks_ever(), 1);
    assert_eq!(here.wire().depth(&here.dead_letter_queue()), 0);
}

#[test]
fn a_message_that_is_no_job_goes_to_the_dead_letter_queue_as_it_came() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let body = "{\"jobName\": \"broken\", → not JSON";
    let wrong = json!({ "jobName": "no-definition", "jobQueue": "default" }).to_string();
    let message_id = here.wire().send(&here.job_queue(), body);
    here.wire().send(&here.job_queue(), &wrong);
    let _dispatcher = here.serve();

    let letters = wait_until("both letters", SOON, || {
        let letters = here.wire().peek(&here.dead_letter_queue());
        (letters.len() == 2).then_some(letters)
    });

    let find = |body: &str| {
        letters.iter().find(|letter| letter["Body"] == body).expect("its body is intact")
    };
    let said =
        |letter: &Value, name: &str| letter["MessageAttributes"][name]["StringValue"].clone();
    let broken = find(body);
    assert_eq!(said(broken, "SpillwayCode"), "INVALID_JSON");
    assert_eq!(said(broken, "SpillwaySourceMessageId"), message_id.as_str());
    assert!(said(broken, "SpillwayReason").as_str().is_some_and(|reason| reason.contains("JSON")));
    let wrong = find(&wrong);
    assert_eq!(said(wrong, "SpillwayCode"), "MISSING_FIELD");
    let reason = said(wrong, "SpillwayReason");
    assert!(reason.as_str().is_some_and(|reason| reason.contains("jobDefinition")), "{reason}");
    wait_until("an empty job queue", SOON, || {
        (here.wire().depth(&here.job_queue()) == 0).then_some(())
    });
    assert_eq!(listed(&here), [] as [Value; 0]);
}

#[test]
fn a_message_that_sns_wrapped_is_the_job_inside() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let wrapped = json!({
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:jobs",
        "Message": message("wrapped", "token-2", "true").to_string(),
        "Timestamp": "2026-01-01T00:00:00.000Z",
        "SignatureVersion": "1",
    });
    here.wire().send(&here.job_queue(), &wrapped.to_string());
    let _dispatcher = here.serve();

    here.until_the_ledger_is_there();
    let job = wait_until("the job", SOON, || listed(&here).pop());

    assert_eq!(job["name"], "wrapped");
    assert_eq!(here.wait(&[job["id"].as_str().unwrap().to_owned()], SOON), Some(0));
}
