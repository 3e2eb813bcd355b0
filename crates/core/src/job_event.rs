//! News of a job for others, in the shape of AWS Batch's event `Batch Job State Change` (user guide, "AWS Batch events for Amazon
//! EventBridge"). Pure: who is told, and when, is said elsewhere. Variables and secrets of a job are in no event.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::job::Job;
use crate::job_detail::job_detail;

/// Fixed for ever: it makes the ids of events.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c1f_5a52_9b0e_5f0c_8a53_2d3e_7f41_90b7);

/// What the event says its source is.
pub const SOURCE: &str = "spillway";

/// The event that a job has come to its state. `version` grows with every change of a job: a reader drops what is older than
/// what it knows. The same version is the same event, with the same id.
pub fn job_event(job: &Job, version: u64, at: Timestamp) -> Value {
    let id = Uuid::new_v5(&NAMESPACE, format!("{}\n{version}", job.id).as_bytes());
    let mut detail = job_detail(job);
    if let Some(own) = detail.get_mut("spillway").and_then(Value::as_object_mut) {
        own.insert("version".to_owned(), json!(version));
    }
    json!({
        "version": "0",
        "id": id.to_string(),
        "detail-type": "Batch Job State Change",
        "source": SOURCE,
        "account": "",
        "time": at.to_string(),
        "region": "",
        "resources": [job.id],
        "detail": detail,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::id::JobId;
    use crate::job::{BodyHash, ContainerSpec, JobSpec, JobState};
    use crate::quantity::{CpuUnits, MiB, Resources};

    fn job(state: JobState) -> Job {
        let container = ContainerSpec {
            environment: vec![("SECRET".into(), "hidden".into())],
            ..ContainerSpec::new("busybox")
        };
        let resources = Resources::new(CpuUnits::from_vcpus(1), MiB::new(512), 0);
        let (name, queue) = ("align".parse().unwrap(), "q".parse().unwrap());
        let spec = JobSpec::new(name, queue, container, resources);
        Job {
            id: JobId::derive(&spec.queue, "t"),
            spec: Arc::new(spec),
            body_hash: BodyHash(1),
            created_at: Timestamp::UNIX_EPOCH,
            seq: 1,
            state,
            attempts: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn an_event_has_the_shape_that_readers_of_batchs_know() {
        let event = job_event(
            &job(JobState::Failed {
                at: at(90),
                reason: "Host EC2 (instance i-1) terminated.".into(),
            }),
            7,
            at(91),
        );

        assert_eq!(event["detail-type"], "Batch Job State Change");
        assert_eq!(
            (&event["source"], &event["time"]),
            (&json!("spillway"), &json!("1970-01-01T00:01:31Z"))
        );
        let detail = &event["detail"];
        assert_eq!((&detail["jobName"], &detail["jobQueue"]), (&json!("align"), &json!("q")));
        assert_eq!(detail["status"], "FAILED");
        assert_eq!(detail["statusReason"], "Host EC2 (instance i-1) terminated.");
        assert_eq!((&detail["createdAt"], &detail["stoppedAt"]), (&json!(0), &json!(90_000)));
        assert_eq!(detail["spillway"]["version"], 7);
        assert_eq!(detail["container"]["resourceRequirements"][1]["value"], "512");
    }

    #[test]
    fn the_same_version_is_the_same_event_and_variables_are_in_none() {
        let runnable = job(JobState::Runnable { since: at(0) });
        let event = |version| job_event(&runnable, version, at(1));

        assert_eq!(event(1)["id"], event(1)["id"]);
        assert_ne!(event(1)["id"], event(2)["id"]);
        assert!(!event(1).to_string().contains("hidden"));
        assert_eq!(event(1)["detail"].get("stoppedAt"), None);
    }
}
