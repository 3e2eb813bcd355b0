//! The adapters over real HTTP, against an emulator at `SPILLWAY_TEST_ENDPOINT` with the resources of
//! `infra/spillway.yaml` and an agent that registers hosts. Without the variable nothing is tested, and that is said.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do, and a test that tests nothing says so"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use spillway_aws::doctor::{self, Finding, Outcome, Wanted};
use spillway_aws::{AmiSettings, Cloud, ConnectError, Settings};
use spillway_core::effect::{
    DeadLetter, LaunchRequest, PoolFault, Refusal, TaskRequest, TaskStart,
};
use spillway_core::job::ContainerSpec;
use spillway_core::launch::PoolChoice;
use spillway_core::port::{Cluster, Compute, EventQueue, JobQueue, JobSender, PriceFeed};
use spillway_core::quantity::Dimension;
use spillway_core::task::{
    CloudEvent, ContainerInstanceReport, InstanceStatus, TaskReport, TaskStatus,
};
use spillway_core::{
    Arch, AttemptOrd, Catalog, ClientToken, CpuUnits, InstanceId, JobId, JobSpec, LaunchId, Market,
    MiB, MicroUsdPerHour, Offering, Resources,
};
use uuid::Uuid;

/// How long the emulator may take for a step. Boot and task take it a second or two.
const PATIENCE: Duration = Duration::from_mins(1);

/// Settings of a deployment with queues of its own, so that tests and dispatchers beside it take nothing from it.
async fn settings(deployment: &str) -> Option<Settings> {
    let Ok(endpoint) = std::env::var("SPILLWAY_TEST_ENDPOINT") else {
        eprintln!("skipped: SPILLWAY_TEST_ENDPOINT names no emulator");
        return None;
    };
    let settings = Settings {
        region: Some("us-east-1".into()),
        profile: None,
        endpoint_url: Some(endpoint),
        deployment: deployment.parse().unwrap(),
        job_queue_name: format!("{deployment}-jobs"),
        job_queue_url: None,
        dead_letter_queue: format!("{deployment}-jobs-dlq"),
        event_queue: format!("{deployment}-events"),
        cluster: "spillway".into(),
        subnets: Vec::new(),
        security_groups: Vec::new(),
        instance_profile: "spillway-host".into(),
        ami: AmiSettings::default(),
        log_group: None,
        execution_role: None,
        runner_image: None,
        privileged: false,
        log_drivers: Vec::new(),
        root_volume_gib: None,
        volume_price: None,
        public_address_price: spillway_core::cost::PUBLIC_ADDRESS_PRICE,
        prices_file: None,
        instance_types: vec!["c5*".into(), "m5.large".into()],
        zones: Vec::new(),
    };
    let sqs = sqs(&settings).await;
    for queue in [&settings.job_queue_name, &settings.dead_letter_queue, &settings.event_queue] {
        sqs.create_queue().queue_name(queue).send().await.unwrap();
    }
    Some(settings)
}

async fn sqs(settings: &Settings) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&sdk(settings).await)
}

async fn sdk(settings: &Settings) -> aws_config::SdkConfig {
    aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new("us-east-1"))
        .endpoint_url(settings.endpoint_url.as_deref().unwrap())
        .load()
        .await
}

/// An id that no earlier run has used.
fn fresh_id(salt: &str) -> Uuid {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{salt} {now:?} {}", std::process::id()).as_bytes())
}

/// Asks until there is an answer.
async fn wait_for<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let since = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(since.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn launch_request(offering: &Offering, count: u32) -> LaunchRequest {
    let launch = LaunchId::from_uuid(fresh_id("launch"));
    LaunchRequest {
        launch,
        token: ClientToken::of_launch(launch),
        market: offering.pool.market,
        arch: offering.arch,
        choices: vec![PoolChoice { pool: offering.pool.clone(), price: offering.price }],
        count,
    }
}

fn task_request(instance: &InstanceId, command: &[&str], memory: MiB) -> TaskRequest {
    let job = JobId::from_uuid(fresh_id("job"));
    let container = ContainerSpec {
        command: command.iter().map(|&word| word.to_owned()).collect(),
        environment: vec![("ANSWER".into(), "42".into())],
        ..ContainerSpec::new("busybox")
    };
    let resources = Resources::new(CpuUnits::new(256), memory, 0);
    let (name, queue) = ("wire".parse().unwrap(), "default".parse().unwrap());
    TaskRequest {
        job,
        attempt: AttemptOrd::FIRST,
        token: ClientToken::of_attempt(job, AttemptOrd::FIRST),
        instance: instance.clone(),
        spec: Arc::new(JobSpec::new(name, queue, container, resources)),
        environment: BTreeMap::from([("SPILLWAY_JOB_ID".to_owned(), job.to_string())]),
        runner: None,
    }
}

async fn offering(cloud: &Cloud, market: Market) -> Offering {
    let catalog = cloud.prices().catalog().await.unwrap();
    let fits = |o: &&Offering| o.pool.market == market && o.pool.instance_type == "m5.large";
    catalog.offerings().iter().find(fits).unwrap().clone()
}

async fn registered(cloud: &Cloud, instance: &InstanceId) -> ContainerInstanceReport {
    wait_for("the host in the cluster", || async {
        let hosts = cloud.cluster().container_instances().await.unwrap();
        hosts.into_iter().find(|host| host.instance == *instance && host.active)
    })
    .await
}

async fn stopped(cloud: &Cloud, task: &TaskReport) -> TaskReport {
    let arns = [task.arn.clone()];
    wait_for("the end of the task", || async {
        let (reports, missing) = cloud.cluster().tasks(&arns).await.unwrap();
        assert!(missing.is_empty());
        reports.into_iter().find(|report| report.status == TaskStatus::Stopped)
    })
    .await
}

async fn started(cloud: &Cloud, request: &TaskRequest) -> TaskReport {
    match cloud.cluster().run_task(request).await.unwrap() {
        TaskStart::Started(report) => report,
        TaskStart::Refused(refusal) => panic!("{refusal:?}"),
    }
}

#[tokio::test]
async fn a_host_is_bought_runs_a_task_to_its_exit_code_and_is_given_back() {
    let Some(settings) = settings("wire-life").await else { return };
    let cloud = Cloud::connect(&settings).await.unwrap();
    let offering = offering(&cloud, Market::Spot).await;
    let launch = launch_request(&offering, 1);

    let bought = cloud.compute().launch(&launch).await.unwrap();
    let again = cloud.compute().launch(&launch).await.unwrap();

    assert_eq!(bought.errors, []);
    let ids = |answer: &spillway_core::effect::LaunchAnswer| -> Vec<InstanceId> {
        answer.instances.iter().map(|i| i.id.clone()).collect()
    };
    assert_eq!(ids(&bought).len(), 1);
    assert_eq!(ids(&again), ids(&bought), "the same token is the same purchase");
    assert_eq!(bought.instances[0].pool, offering.pool);
    let instance = bought.instances[0].id.clone();
    let shown = cloud.compute().instances().await.unwrap();
    let shown = shown.into_iter().find(|report| report.id == instance).unwrap();
    assert_eq!((shown.launch, &shown.pool), (Some(launch.launch), &offering.pool));

    let host = registered(&cloud, &instance).await;
    assert_eq!(host.registered.cpu, offering.capacity.cpu);
    assert!(MiB::new(6 * 1024) < host.registered.memory);

    let request = task_request(&instance, &["sh", "-c", "exit $((ANSWER - 39))"], MiB::new(64));
    let task = started(&cloud, &request).await;
    let twice = started(&cloud, &request).await;
    assert_eq!(twice.arn, task.arn, "the same token is the same task");
    assert_eq!(task.started_by.as_deref(), Some(request.token.as_str()));
    let end = stopped(&cloud, &task).await;
    assert_eq!(end.exit_code, Some(3));
    assert_eq!(end.stop_code.as_deref(), Some("EssentialContainerExited"));

    let long = started(&cloud, &task_request(&instance, &["sleep", "600"], MiB::new(64))).await;
    cloud.cluster().stop_task(&long.arn, "enough").await.unwrap();
    let end = stopped(&cloud, &long).await;
    assert_eq!(end.stopped_reason.as_deref(), Some("enough"));
    assert_ne!(end.exit_code, Some(0));

    cloud.cluster().drain(&host.arn).await.unwrap();
    cloud.cluster().drain(&host.arn).await.unwrap();
    cloud.compute().terminate(std::slice::from_ref(&instance)).await.unwrap();
    wait_for("the end of the host", || async {
        let shown = cloud.compute().instances().await.unwrap();
        let of_ours = shown.iter().filter(|report| report.id == instance);
        of_ours.clone().all(|report| report.status == InstanceStatus::Terminated).then_some(())
    })
    .await;
    cloud.cluster().deregister(&host.arn).await.unwrap();
    cloud.cluster().deregister(&host.arn).await.unwrap();
}

#[tokio::test]
async fn a_task_that_does_not_fit_is_refused_by_its_host() {
    let Some(settings) = settings("wire-fit").await else { return };
    let cloud = Cloud::connect(&settings).await.unwrap();
    let offering = offering(&cloud, Market::OnDemand).await;
    let bought = cloud.compute().launch(&launch_request(&offering, 1)).await.unwrap();
    let instance = bought.instances[0].id.clone();
    registered(&cloud, &instance).await;

    let start = cloud
        .cluster()
        .run_task(&task_request(&instance, &["true"], MiB::from_gib(100)))
        .await
        .unwrap();
    let elsewhere: InstanceId = "i-0123456789abcdef0".parse().unwrap();
    let nowhere =
        cloud.cluster().run_task(&task_request(&elsewhere, &["true"], MiB::new(64))).await;
    cloud.compute().terminate(&[instance]).await.unwrap();

    let dimension = Some(Dimension::Memory);
    assert_eq!(start, TaskStart::Refused(Refusal::NoRoom { dimension }));
    assert_eq!(nowhere, Ok(TaskStart::Refused(Refusal::HostGone)));
}

#[tokio::test]
async fn a_bad_id_does_not_keep_the_others_alive() {
    let Some(settings) = settings("wire-bad-id").await else { return };
    let cloud = Cloud::connect(&settings).await.unwrap();
    let offering = offering(&cloud, Market::OnDemand).await;
    let bought = cloud.compute().launch(&launch_request(&offering, 2)).await.unwrap();
    let mut ids: Vec<InstanceId> = bought.instances.iter().map(|i| i.id.clone()).collect();
    assert_eq!(ids.len(), 2);
    ids.insert(1, "i-0123456789abcdef0".parse().unwrap());

    cloud.compute().terminate(&ids).await.unwrap();

    wait_for("the end of both", || async {
        let shown = cloud.compute().instances().await.unwrap();
        let ours = shown.iter().filter(|report| ids.contains(&report.id));
        ours.clone().all(|r| r.status != InstanceStatus::Running).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_zone_without_a_subnet_is_told_and_buys_nothing() {
    let Some(settings) = settings("wire-zone").await else { return };
    let cloud = Cloud::connect(&settings).await.unwrap();
    let mut offering = offering(&cloud, Market::OnDemand).await;
    offering.pool.zone = "us-east-1z".parse().unwrap();

    let answer = cloud.compute().launch(&launch_request(&offering, 1)).await.unwrap();

    assert_eq!(answer.instances, []);
    assert_eq!(answer.errors[0].fault, PoolFault::Unsupported);
}

#[tokio::test]
async fn a_message_goes_in_comes_out_and_a_bad_one_ends_on_the_dead_letter_queue() {
    let Some(settings) = settings("wire-queue").await else { return };
    let cloud = Cloud::connect(&settings).await.unwrap();
    let body = format!("{{\"wire\": \"{}\"}}", fresh_id("message"));

    let id = cloud.sender().send(&body).await.unwrap();
    let delivery = wait_for("the message", || async {
        let deliveries = cloud.jobs().receive(Duration::from_secs(1)).await.unwrap();
        deliveries.into_iter().find(|delivery| delivery.message_id == id)
    })
    .await;
    assert_eq!(delivery.body, body);
    assert!(delivery.sent_at.is_some());
    let letter = DeadLetter {
        receipt: delivery.receipt,
        message_id: id.clone(),
        body: body.clone(),
        code: "INVALID_FIELD".into(),
        reason: "a \u{1} reason".into(),
    };
    cloud.jobs().dead_letter(&letter).await.unwrap();

    let sqs = sqs(&settings).await;
    let url = sqs.get_queue_url().queue_name(&settings.dead_letter_queue).send().await.unwrap();
    let url = url.queue_url.unwrap();
    let dead = wait_for("the letter", || async {
        let receive = sqs.receive_message().queue_url(&url).message_attribute_names("All");
        let messages = receive.send().await.unwrap().messages.unwrap_or_default();
        messages.into_iter().find(|message| message.body.as_ref() == Some(&body))
    })
    .await;
    let attributes = dead.message_attributes.unwrap();
    let text = |name: &str| attributes[name].string_value().unwrap().to_owned();
    assert_eq!(text("SpillwayCode"), "INVALID_FIELD");
    assert_eq!(text("SpillwayReason"), "a \u{FFFD} reason");
    assert_eq!(text("SpillwaySourceMessageId"), id);
}

#[tokio::test]
async fn news_is_read_and_deleted_and_what_is_not_news_too() {
    let Some(settings) = settings("wire-events").await else { return };
    let cloud = Cloud::connect(&settings).await.unwrap();
    let sqs = sqs(&settings).await;
    let url = sqs.get_queue_url().queue_name(&settings.event_queue).send().await.unwrap();
    let url = url.queue_url.unwrap();
    let notice = r#"{"detail-type": "EC2 Spot Instance Interruption Warning", "source": "aws.ec2",
        "detail": {"instance-id": "i-0123456789abcdef0", "instance-action": "terminate"}}"#;
    for body in ["no news", notice] {
        sqs.send_message().queue_url(&url).message_body(body).send().await.unwrap();
    }

    let mut events = Vec::new();
    while events.len() < 2 {
        let news = cloud.events().receive(Duration::from_secs(5)).await.unwrap();
        assert!(!news.is_empty(), "the queue has two messages");
        let receipts: Vec<_> = news.iter().map(|delivery| delivery.receipt.clone()).collect();
        cloud.events().delete(&receipts).await.unwrap();
        events.extend(news.into_iter().map(|delivery| delivery.event));
    }

    let id = "i-0123456789abcdef0".parse().unwrap();
    assert!(events.contains(&None));
    assert!(events.contains(&Some(CloudEvent::SpotInterruption { id })));
    assert_eq!(cloud.events().receive(Duration::ZERO).await, Ok(Vec::new()));
}

#[tokio::test]
async fn prices_cover_both_markets_and_only_what_was_asked_for() {
    let Some(settings) = settings("wire-prices").await else { return };
    let large = Settings { root_volume_gib: Some(730), ..settings.clone() };
    let (prices, source) = Cloud::connect_prices(&settings).await.unwrap();
    let (of_large, _) = Cloud::connect_prices(&large).await.unwrap();

    let catalog = prices.catalog().await.unwrap();
    let of_large = of_large.catalog().await.unwrap();

    assert!(source.contains("price list"), "{source}");
    let offerings = catalog.offerings();
    for market in [Market::OnDemand, Market::Spot] {
        assert!(offerings.iter().any(|o| o.pool.market == market), "{market}");
    }
    let asked =
        |o: &Offering| o.pool.instance_type.starts_with("c5") || o.pool.instance_type == "m5.large";
    assert!(offerings.iter().all(asked));
    assert!(offerings.iter().all(|o| !o.pool.instance_type.contains("metal")));
    assert!(offerings.iter().all(|o| o.arch == Arch::X86_64));
    // The default VPC gives public addresses; $0.08 for a GiB and a month of 730 h.
    let zone = &offerings[0].pool.zone;
    assert_eq!(catalog.extras().of(zone), MicroUsdPerHour::new(5_000 + 3_288));
    assert_eq!(of_large.extras().of(zone), MicroUsdPerHour::new(5_000 + 80_000));
    let price = |catalog: &Catalog| catalog.on_demand_price("m5.large");
    assert_eq!(price(&catalog), Some(MicroUsdPerHour::new(96_000 + 8_288)));
    assert_eq!(price(&of_large), Some(MicroUsdPerHour::new(96_000 + 85_000)));
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let Some(good) = settings("wire-names").await else { return };
    let no_queue = Settings { event_queue: "nowhere".into(), ..good.clone() };
    let no_cluster = Settings { cluster: "nowhere".into(), ..good.clone() };
    let nobody = Settings { endpoint_url: Some("http://127.0.0.1:9".into()), ..good };

    let no_queue = Cloud::connect(&no_queue).await.unwrap_err();
    let no_cluster = Cloud::connect(&no_cluster).await.unwrap_err();
    let nobody = Cloud::connect(&nobody).await.unwrap_err();

    assert!(matches!(no_queue, ConnectError::NoQueue { key: "event-queue", .. }), "{no_queue}");
    assert!(matches!(no_cluster, ConnectError::NoCluster { .. }), "{no_cluster}");
    assert!(matches!(nobody, ConnectError::Unreachable { .. }), "{nobody}");
}

#[tokio::test]
async fn the_doctor_finds_a_whole_installation_well() {
    let Some(settings) = settings("wire-doctor").await else { return };

    let wanted = Wanted { hosts: Some(u32::MAX), ..Wanted::default() };
    let findings = doctor::examine(&settings, &wanted).await;

    let failed: Vec<_> = findings.iter().filter(|f| f.outcome == Outcome::Failed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(findings.iter().any(|f| f.name == "prices" && f.detail.contains("Spot")));
    assert_eq!(finding(&findings, "clock").outcome, Outcome::Ok, "{findings:#?}");
    let addresses = finding(&findings, "addresses");
    assert!(addresses.detail.contains("limits.max-hosts is 4294967295"), "{addresses:?}");
    assert!(finding(&findings, "event rules").detail.contains("no rule"), "{findings:#?}");
    assert!(finding(&findings, "event queue").detail.contains("does not let EventBridge send"));
}

#[tokio::test]
async fn the_doctor_sees_whether_news_is_sent_to_the_event_queue_and_letters_lie_on_the_other() {
    const KINDS: &str = r#"{"source": ["aws.ecs", "aws.ec2"], "detail-type": ["ECS Task State Change",
        "ECS Container Instance State Change", "EC2 Instance State-change Notification",
        "EC2 Spot Instance Interruption Warning"]}"#;
    let Some(settings) = settings("wire-doctor-news").await else { return };
    let (sqs, events) =
        (sqs(&settings).await, aws_sdk_eventbridge::Client::new(&sdk(&settings).await));
    let url = |queue: String| {
        let request = sqs.get_queue_url().queue_name(queue);
        async move { request.send().await.unwrap().queue_url.unwrap() }
    };
    let (of_events, of_letters) =
        (url(settings.event_queue.clone()).await, url(settings.dead_letter_queue.clone()).await);
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{}", settings.event_queue);
    let policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "sqs:SendMessage",
            "Principal": {{"Service": "events.amazonaws.com"}}, "Resource": "{arn}"}}}}"#
    );
    let change = sqs.set_queue_attributes().queue_url(of_events);
    change.attributes(QueueAttributeName::Policy, policy).send().await.unwrap();
    let rule = settings.event_queue.as_str();
    events.put_rule().name(rule).event_pattern(KINDS).send().await.unwrap();
    let target = Target::builder().id("events").arn(&arn).build().unwrap();
    events.put_targets().rule(rule).targets(target).send().await.unwrap();

    let well = doctor::examine(&settings, &Wanted::default()).await;
    events.disable_rule().name(rule).send().await.unwrap();
    sqs.send_message().queue_url(of_letters).message_body("{}").send().await.unwrap();
    let ill = doctor::examine(&settings, &Wanted::default()).await;

    for name in ["event queue", "event rules", "dead-letter queue"] {
        assert_eq!(finding(&well, name).outcome, Outcome::Ok, "{well:#?}");
    }
    let disabled = format!("the rule {rule} is disabled");
    assert!(finding(&ill, "event rules").detail.contains(&disabled), "{ill:#?}");
    assert!(finding(&ill, "dead-letter queue").detail.contains("messages lie on it"), "{ill:#?}");
}

fn finding<'a>(findings: &'a [Finding], name: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.name == name).unwrap()
}
