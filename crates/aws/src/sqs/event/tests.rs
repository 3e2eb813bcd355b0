//! Events as AWS documents them, with what does not matter left in.

use super::*;

const CLUSTER: &str = "spillway";

fn event(detail_type: &str, detail: &str) -> String {
    format!(
        r#"{{"version":"0","id":"9bcdac79-b31f-4d3d-9410-fbd727c29fab","detail-type":"{detail_type}","source":"aws.x",
        "account":"111122223333","time":"2026-12-06T16:41:06Z","region":"us-east-1","resources":[],"detail":{detail}}}"#
    )
}

#[test]
fn a_stopped_task_brings_its_exit_code_and_the_tasks_of_other_clusters_nothing() {
    let detail = r#"{
        "clusterArn": "arn:aws:ecs:us-east-1:111122223333:cluster/spillway",
        "containerInstanceArn": "arn:aws:ecs:us-east-1:111122223333:container-instance/spillway/a1",
        "containers": [
            {"containerArn": "arn:x", "name": "sidecar", "exitCode": 9},
            {"containerArn": "arn:y", "name": "job", "exitCode": 3, "lastStatus": "STOPPED", "reason": "why"}
        ],
        "desiredStatus": "STOPPED", "lastStatus": "STOPPED", "startedAt": "2026-12-06T16:41:04.5Z",
        "stoppedAt": "2026-12-06T16:41:05Z", "startedBy": "token-1", "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited", "version": 4,
        "taskArn": "arn:aws:ecs:us-east-1:111122223333:task/spillway/t1"
    }"#;
    let body = event("ECS Task State Change", detail);

    let Some(CloudEvent::Task { report }) = parse(&body, CLUSTER) else { panic!("no task") };

    assert_eq!(report.status, TaskStatus::Stopped);
    assert_eq!(report.exit_code, Some(3));
    assert_eq!(report.container_reason.as_deref(), Some("why"));
    let ends: Vec<_> = report.containers.iter().map(|c| (c.name.as_str(), c.exit_code)).collect();
    assert_eq!(ends, [("sidecar", Some(9)), ("job", Some(3))]);
    assert_eq!(report.version, 4);
    assert_eq!(report.started_by.as_deref(), Some("token-1"));
    assert_eq!(report.started_at.unwrap().to_string(), "2026-12-06T16:41:04.5Z");
    assert_eq!(parse(&body, "other"), None);
}

#[test]
fn a_host_brings_what_it_registered() {
    let detail = r#"{
        "agentConnected": true, "attributes": [{"name": "ecs.os-type", "value": "linux"}],
        "clusterArn": "arn:aws:ecs:us-east-1:111122223333:cluster/spillway",
        "containerInstanceArn": "arn:aws:ecs:us-east-1:111122223333:container-instance/spillway/a1",
        "ec2InstanceId": "i-0123456789abcdef0", "status": "ACTIVE", "version": 14,
        "registeredResources": [
            {"name": "CPU", "type": "INTEGER", "integerValue": 4096},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": 15724},
            {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22", "2376"]},
            {"name": "GPU", "type": "STRINGSET", "stringSetValue": ["GPU-1", "GPU-2"]}
        ]
    }"#;
    let body = event("ECS Container Instance State Change", detail);

    let Some(CloudEvent::ContainerInstance { report }) = parse(&body, CLUSTER) else {
        panic!("no host")
    };

    assert!(report.active && report.agent_connected);
    assert_eq!(report.instance.as_str(), "i-0123456789abcdef0");
    assert_eq!(report.registered, Resources::new(CpuUnits::new(4096), MiB::new(15_724), 2));
}

#[test]
fn the_three_kinds_of_news_of_instances_are_told_apart() {
    let id: InstanceId = "i-0123456789abcdef0".parse().unwrap();
    let notice = r#"{"instance-id": "i-0123456789abcdef0", "instance-action": "terminate"}"#;
    let change = r#"{"instance-id": "i-0123456789abcdef0", "state": "shutting-down"}"#;

    assert_eq!(
        parse(&event("EC2 Spot Instance Interruption Warning", notice), CLUSTER),
        Some(CloudEvent::SpotInterruption { id: id.clone() })
    );
    assert_eq!(
        parse(&event("EC2 Instance Rebalance Recommendation", notice), CLUSTER),
        Some(CloudEvent::RebalanceRecommendation { id: id.clone() })
    );
    assert_eq!(
        parse(&event("EC2 Instance State-change Notification", change), CLUSTER),
        Some(CloudEvent::Instance { id, status: InstanceStatus::ShuttingDown })
    );
}

#[test]
fn what_is_not_understood_is_no_news() {
    for body in ["", "{", "[]", "null", r#"{"detail-type": 1}"#] {
        assert_eq!(parse(body, CLUSTER), None, "{body}");
    }
    assert_eq!(parse(&event("AWS Health Event", "{}"), CLUSTER), None);
    assert_eq!(parse(&event("ECS Task State Change", "{}"), CLUSTER), None);
    let odd = r#"{"instance-id": "not-an-id", "state": "running"}"#;
    assert_eq!(parse(&event("EC2 Instance State-change Notification", odd), CLUSTER), None);
}
