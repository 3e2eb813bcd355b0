//! A job in the words of Batch's API. What became of it is `core::job_detail`'s, what it asks for is the message that asks for the
//! same job; this only puts the two together, with the ARNs and log streams that clients follow. Pure.

use serde_json::{Map, Value, json};
use spillway_core::job::JobStatus;
use spillway_core::job_detail::job_detail;
use spillway_core::task_spec::{ContainerEnd, Part};
use spillway_core::{DefinitionRef, Job, JobState, TaskArn, message};

use super::names::Names;

/// Said of a job that the ledger does not have.
pub(super) const ON_ITS_WAY: &str = "sent; the dispatcher has not taken it yet";

/// The option of a job's log configuration that names its log group.
const LOG_GROUP_OPTION: &str = "awslogs-group";

/// What the words of a job depend on beside the job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) names: &'a Names,
    /// Whether the installation has a log group for jobs that name none.
    pub(super) has_logs: bool,
}

impl Words<'_> {
    /// `JobDetail`. `children` are how many of an array's are in which state.
    pub(super) fn detail(&self, job: &Job, children: &[(JobStatus, u32)]) -> Value {
        let mut fields = self.named(job);
        let mut asked = object(message::submit_again(&job.spec, None));
        let mut definition = asked.remove("jobDefinition").map(object).unwrap_or_default();
        for (ours, batchs) in [
            ("retryStrategy", "retryStrategy"),
            ("timeout", "timeout"),
            ("shareIdentifier", "shareIdentifier"),
            ("schedulingPriorityOverride", "schedulingPriority"),
            ("consumableResourcePropertiesOverride", "consumableResourceProperties"),
        ] {
            if let Some(value) = asked.remove(ours) {
                fields.insert(batchs.to_owned(), value);
            }
        }
        fields.insert("platformCapabilities".to_owned(), json!(["EC2"]));
        // They have been put into the command.
        fields.insert("parameters".to_owned(), json!({}));
        let is_terminated = job
            .attempts
            .last()
            .is_some_and(|last| last.failure == Some(spillway_core::FailureCategory::Terminated));
        fields.insert("isTerminated".to_owned(), json!(is_terminated));
        let mut container =
            definition.remove("containerProperties").map(object).unwrap_or_default();
        container.extend(fields.remove("container").map(object).unwrap_or_default());
        let (task, parts) = (task_of(job), job.spec.parts());
        let stream =
            task.filter(|_| job.spec.task.is_none()).and_then(|of| self.stream(&parts, of));
        if let Some(stream) = stream {
            container.insert("logStreamName".to_owned(), json!(stream));
        }
        fields.insert("container".to_owned(), Value::Object(container));
        if let Some(properties) = definition.remove("ecsProperties") {
            let ends = job.attempts.last().map(|last| &*last.containers).unwrap_or_default();
            fields.insert("ecsProperties".to_owned(), self.ecs(properties, &parts, task, ends));
        }
        if let Some(properties) = definition.remove("nodeProperties") {
            fields.insert("nodeProperties".to_owned(), properties);
        }
        self.attempts(&mut fields, job, &parts);
        if let (Some(array), None) = (&job.spec.array, job.id.index()) {
            let count = |status: JobStatus| {
                let n = children.iter().find(|(of, _)| *of == status).map_or(0, |(_, n)| *n);
                (status.to_string(), json!(n))
            };
            let summary: Map<String, Value> = JobStatus::ALL.into_iter().map(count).collect();
            let properties = json!({ "size": array.indexes.size, "statusSummary": summary });
            fields.insert("arrayProperties".to_owned(), properties);
        }
        Value::Object(fields)
    }

    /// `JobSummary`.
    pub(super) fn summary(&self, job: &Job) -> Value {
        let mut fields = self.named(job);
        let mut container = fields.remove("container").map(object).unwrap_or_default();
        container.retain(|key, _| matches!(key.as_str(), "exitCode" | "reason"));
        fields.retain(|key, _| {
            matches!(
                key.as_str(),
                "jobArn"
                    | "jobId"
                    | "jobName"
                    | "createdAt"
                    | "status"
                    | "statusReason"
                    | "startedAt"
                    | "stoppedAt"
                    | "arrayProperties"
                    | "jobDefinition"
            )
        });
        fields.insert("container".to_owned(), Value::Object(container));
        if let Some(gang) = &job.spec.gang {
            let node = job.id.node_index().unwrap_or(gang.main);
            let properties = json!({
                "numNodes": gang.n_nodes(), "nodeIndex": node, "isMainNode": node == gang.main,
            });
            fields.insert("nodeProperties".to_owned(), properties);
        }
        Value::Object(fields)
    }

    /// What became of it, with ARNs where Batch has them.
    fn named(&self, job: &Job) -> Map<String, Value> {
        let mut fields = object(job_detail(job));
        fields.insert("jobArn".to_owned(), json!(self.names.job(job.id)));
        fields.insert("jobQueue".to_owned(), json!(self.names.queue(&job.spec.queue)));
        if let Some(name) = &job.spec.definition {
            let revision = job.spec.definition_revision;
            let definition = DefinitionRef { name: name.clone(), revision };
            fields.insert("jobDefinition".to_owned(), json!(self.names.definition(&definition)));
        }
        if matches!(job.state, JobState::Submitted) {
            fields.insert("statusReason".to_owned(), json!(ON_ITS_WAY));
        }
        fields
    }

    /// The log stream of the first of these containers in a task.
    fn stream(&self, parts: &[Part<'_>], task: &TaskArn) -> Option<String> {
        let part = parts.first()?;
        let is_kept = self.has_logs || part.container.log_options.contains_key(LOG_GROUP_OPTION);
        part.log_stream(task).filter(|_| is_kept)
    }

    /// `EcsPropertiesDetail`: what was asked for, and how it ended.
    fn ecs(
        &self,
        mut properties: Value,
        parts: &[Part<'_>],
        task: Option<&TaskArn>,
        ends: &[ContainerEnd],
    ) -> Value {
        let tasks = properties.get_mut("taskProperties").and_then(Value::as_array_mut);
        if let Some(of_task) = tasks.and_then(|tasks| tasks.first_mut()) {
            if let Some(containers) = of_task.get_mut("containers").and_then(Value::as_array_mut) {
                for (container, part) in containers.iter_mut().zip(parts) {
                    let name = part.role.map(|role| role.name.as_str());
                    let end = ends.iter().find(|end| Some(end.name.as_str()) == name);
                    put_end(container, end);
                    let stream =
                        task.and_then(|task| self.stream(std::slice::from_ref(part), task));
                    put(container, "logStreamName", stream.map(Value::from));
                }
            }
            put(of_task, "taskArn", task.map(|task| json!(task)));
        }
        properties
    }

    /// What `AttemptDetail` has beside the facts: log streams, and the containers of those that had several.
    fn attempts(&self, fields: &mut Map<String, Value>, job: &Job, parts: &[Part<'_>]) {
        let Some(told) = fields.get_mut("attempts").and_then(Value::as_array_mut) else { return };
        for (told, attempt) in told.iter_mut().zip(&job.attempts) {
            let Some(task) = &attempt.task else { continue };
            if job.spec.task.is_none() {
                let stream = self.stream(parts, task).map(Value::from);
                if let Some(container) = told.get_mut("container") {
                    put(container, "logStreamName", stream);
                }
                continue;
            }
            let of = |end: &ContainerEnd| {
                let mut container = json!({ "name": end.name });
                put_end(&mut container, Some(end));
                let is_of = |part: &&Part<'_>| part.role.is_some_and(|role| role.name == end.name);
                let part = parts.iter().find(is_of);
                let stream = part.and_then(|part| self.stream(std::slice::from_ref(part), task));
                put(&mut container, "logStreamName", stream.map(Value::from));
                container
            };
            let containers: Vec<Value> = attempt.containers.iter().map(of).collect();
            let properties = json!([{ "taskArn": task, "containers": containers }]);
            put(told, "taskProperties", Some(properties));
        }
    }
}

/// The task of its live attempt, or of the last one.
fn task_of(job: &Job) -> Option<&TaskArn> {
    match job.state.live_attempt() {
        Some(live) => live.task.as_ref(),
        None => job.attempts.last()?.task.as_ref(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn put(object: &mut Value, key: &str, value: Option<Value>) {
    if let (Some(fields), Some(value)) = (object.as_object_mut(), value) {
        fields.insert(key.to_owned(), value);
    }
}

fn put_end(container: &mut Value, end: Option<&ContainerEnd>) {
    put(container, "exitCode", end.and_then(|end| end.exit_code).map(Value::from));
    put(container, "reason", end.and_then(|end| end.reason.clone()).map(Value::from));
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use spillway_core::job::{BodyHash, LiveAttempt};
    use spillway_core::message::Request;
    use spillway_core::{AttemptOrd, HostId, JobId};
    use uuid::Uuid;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    /// The job that a message asks for, just accepted.
    pub(in super::super) fn job_of(message: &Value) -> Job {
        let parsed = message::parse(&message.to_string()).unwrap();
        let Request::Submit { spec, .. } = parsed.request else { panic!("{message}") };
        Job {
            id: JobId::derive(&spec.queue, "t"),
            spec: Arc::from(spec),
            body_hash: BodyHash(1),
            created_at: at(0),
            seq: 1,
            state: JobState::Runnable { since: at(0) },
            attempts: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn message() -> Value {
        json!({
            "jobName": "align",
            "jobQueue": "default",
            "jobDefinition": {
                "jobDefinitionName": "align",
                "type": "container",
                "containerProperties": {
                    "image": "busybox",
                    "command": ["true"],
                    "environment": [{"name": "A", "value": "1"}],
                    "resourceRequirements": [
                        {"type": "VCPU", "value": "1"},
                        {"type": "MEMORY", "value": "512"},
                    ],
                },
            },
            "retryStrategy": {"attempts": 3, "evaluateOnExit": [{"onExitCode": "7", "action": "EXIT"}]},
            "schedulingPriorityOverride": 9,
            "shareIdentifier": "team",
            "tags": {"a": "b"},
        })
    }

    /// A job, for other tests.
    pub(in super::super) fn job() -> Job {
        job_of(&message())
    }

    fn names() -> Names {
        Names::new(Some("us-east-1"), None)
    }

    fn detail(job: &Job) -> Value {
        Words { names: &names(), has_logs: true }.detail(job, &[])
    }

    fn running(job: Job) -> Job {
        let attempt = LiveAttempt {
            awaits_main: false,
            variant: spillway_core::VariantOrd::BASE,
            ord: AttemptOrd::FIRST,
            host: HostId::from_uuid(Uuid::nil()),
            placed_at: at(10),
            task: Some("arn:aws:ecs:us-east-1:123456789012:task/spillway/0a1b".parse().unwrap()),
            task_version: 1,
            stop: None,
            expected: None,
            shared: None,
        };
        Job { state: JobState::Running { attempt, started_at: at(20) }, ..job }
    }

    #[test]
    fn a_job_is_told_with_what_it_asks_for_and_what_became_of_it() {
        let detail = detail(&running(job()));

        let arn = |rest: &str| json!(format!("arn:aws:batch:us-east-1:000000000000:{rest}"));
        assert_eq!(detail["jobQueue"], arn("job-queue/default"));
        assert_eq!(detail["jobDefinition"], arn("job-definition/align"));
        assert_eq!((&detail["status"], &detail["startedAt"]), (&json!("RUNNING"), &json!(20_000)));
        assert_eq!(detail["container"]["environment"], json!([{"name": "A", "value": "1"}]));
        assert_eq!(detail["container"]["resourceRequirements"][1]["value"], "512");
        assert_eq!(detail["container"]["logStreamName"], "spillway/job/0a1b");
        assert_eq!(detail["retryStrategy"]["evaluateOnExit"][0]["onExitCode"], "7");
        assert_eq!(
            (&detail["shareIdentifier"], &detail["schedulingPriority"]),
            (&json!("team"), &json!(9))
        );
        assert_eq!(detail["tags"], json!({"a": "b"}));
    }

    #[test]
    fn a_log_stream_is_named_only_where_there_is_one() {
        let without = Words { names: &names(), has_logs: false }.detail(&running(job()), &[]);
        let mut message = message();
        message["jobDefinition"]["containerProperties"]["logConfiguration"] = json!({
            "logDriver": "awslogs",
            "options": {"awslogs-group": "mine", "awslogs-stream-prefix": "p"},
        });
        let own =
            Words { names: &names(), has_logs: false }.detail(&running(job_of(&message)), &[]);

        assert_eq!(without["container"].get("logStreamName"), None);
        assert_eq!(own["container"]["logStreamName"], "p/job/0a1b");
    }

    #[test]
    fn a_multi_node_job_is_told_with_its_nodes_and_a_node_with_its_index() {
        let mut message = message();
        let container = message["jobDefinition"]["containerProperties"].take();
        message["jobDefinition"] = json!({"type": "multinode", "nodeProperties": {
            "numNodes": 3, "mainNode": 1,
            "nodeRangeProperties": [{"targetNodes": "0:", "container": container}],
        }});
        let job = job_of(&message);
        let node = spillway_core::gang::node_of(&job, 2, JobState::Pending).unwrap();
        let words = Words { names: &names(), has_logs: true };

        let (whole, of_node) = (words.detail(&job, &[]), words.detail(&node, &[]));
        let summary = words.summary(&node);

        let ranges = &whole["nodeProperties"]["nodeRangeProperties"];
        assert_eq!(
            (&whole["nodeProperties"]["mainNode"], &ranges[0]["targetNodes"]),
            (&json!(1), &json!("0:2"))
        );
        assert_eq!(whole.get("nodeDetails"), None);
        assert_eq!(of_node["nodeDetails"], json!({"nodeIndex": 2, "isMainNode": false}));
        let properties = json!({"numNodes": 3, "nodeIndex": 2, "isMainNode": false});
        assert_eq!(summary["nodeProperties"], properties);
    }

    #[test]
    fn an_array_is_told_with_the_states_of_its_children_and_a_child_with_its_index() {
        let mut message = message();
        message["arrayProperties"] = json!({"size": 5});
        let array = job_of(&message);
        let child = Job { id: array.id.child(3), ..array.clone() };
        let words = Words { names: &names(), has_logs: true };

        let whole = words.detail(&array, &[(JobStatus::Failed, 2), (JobStatus::Running, 3)]);
        let child = words.detail(&child, &[]);

        let properties = &whole["arrayProperties"];
        assert_eq!(
            (&properties["size"], &properties["statusSummary"]["FAILED"]),
            (&json!(5), &json!(2))
        );
        assert_eq!(properties["statusSummary"]["SUBMITTED"], 0);
        assert_eq!(child["arrayProperties"], json!({"index": 3}));
        assert!(child["jobId"].as_str().unwrap().ends_with(":3"));
    }

    #[test]
    fn several_containers_are_told_as_batchs_ecs_properties() {
        let container = |name: &str| {
            json!({"name": name, "image": "busybox", "resourceRequirements": [
                {"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}]})
        };
        let mut message = message();
        message["jobDefinition"] = json!({
            "type": "container",
            "ecsProperties": {"taskProperties": [{"containers": [container("main"), container("side")]}]},
        });

        let detail = detail(&running(job_of(&message)));

        let task = &detail["ecsProperties"]["taskProperties"][0];
        assert!(task["taskArn"].as_str().unwrap().ends_with("/0a1b"), "{detail}");
        assert_eq!(task["containers"][1]["logStreamName"], "spillway/side/0a1b");
    }

    #[test]
    fn a_summary_holds_no_more_than_batchs() {
        let summary = Words { names: &names(), has_logs: true }.summary(&running(job()));

        let keys: Vec<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "container",
                "createdAt",
                "jobArn",
                "jobDefinition",
                "jobId",
                "jobName",
                "startedAt",
                "status"
            ]
        );
    }
}
