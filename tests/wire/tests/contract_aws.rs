//! The port contract over the AWS adapters, against an emulator: the same words as over the simulated cloud.
#![expect(clippy::expect_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use spillway_aws::{
    AmiSettings, AwsPrices, Cloud, Ec2Compute, EcsCluster, Settings, SqsEvents, SqsJobs, SqsSender,
};
use spillway_core::JobId;
use spillway_core::id::LedgerId;
use spillway_tests::contract::{Letter, World};
use spillway_wire_tests::deployment::{Deployment, Shape};

/// The adapters of one installation.
struct AwsWorld {
    deployment: Deployment,
    jobs: Arc<SqsJobs>,
    sender: Arc<SqsSender>,
    events: Arc<SqsEvents>,
    compute: Arc<Ec2Compute>,
    cluster: Arc<EcsCluster>,
    prices: Arc<AwsPrices>,
}

impl AwsWorld {
    /// None without an emulator.
    async fn new() -> Option<Self> {
        let deployment = Deployment::new(Shape::default())?;
        let cloud =
            Cloud::connect(&settings(&deployment)).await.expect("the installation is whole");
        Some(Self {
            jobs: cloud.jobs(),
            sender: cloud.sender(),
            events: cloud.events(),
            compute: cloud.compute(),
            cluster: cloud.cluster(),
            prices: cloud.prices(),
            deployment,
        })
    }
}

/// Credentials come from the environment: `cargo xtask` sets what the emulator takes for all of these tests.
fn settings(deployment: &Deployment) -> Settings {
    let name = deployment.name();
    Settings {
        region: Some("us-east-1".to_owned()),
        profile: None,
        endpoint_url: Some(deployment.wire().endpoint().to_owned()),
        deployment: name.parse().expect("it is a deployment's name"),
        job_queue_name: deployment.job_queue(),
        job_queue_url: None,
        dead_letter_queue: deployment.dead_letter_queue(),
        event_queue: format!("{name}-events"),
        cluster: name.to_owned(),
        subnets: Vec::new(),
        security_groups: Vec::new(),
        instance_profile: format!("{name}-host"),
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
        instance_types: Shape::default()
            .instance_types
            .iter()
            .map(|&name| name.to_owned())
            .collect(),
        zones: Vec::new(),
    }
}

impl World for AwsWorld {
    type Jobs = SqsJobs;
    type Sender = SqsSender;
    type Events = SqsEvents;
    type Compute = Ec2Compute;
    type Cluster = EcsCluster;
    type Prices = AwsPrices;

    fn jobs(&self) -> &SqsJobs {
        &self.jobs
    }
    fn sender(&self) -> &SqsSender {
        &self.sender
    }
    fn events(&self) -> &SqsEvents {
        &self.events
    }
    fn compute(&self) -> &Ec2Compute {
        &self.compute
    }
    fn cluster(&self) -> &EcsCluster {
        &self.cluster
    }
    fn prices(&self) -> &AwsPrices {
        &self.prices
    }

    fn ledger(&self) -> LedgerId {
        let queue = "contract".parse().expect("it is a queue's name");
        LedgerId::from_uuid(JobId::derive(&queue, self.deployment.name()).uuid())
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn dead_letters(&self) -> Vec<Letter> {
        let messages = self.deployment.wire().peek(&self.deployment.dead_letter_queue());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let letter = |message: &Value| Letter {
            body: text(&message["Body"]),
            code: text(&message["MessageAttributes"]["SpillwayCode"]["StringValue"]),
            reason: text(&message["MessageAttributes"]["SpillwayReason"]["StringValue"]),
        };
        messages.iter().map(letter).collect()
    }
}

/// One test for each room of the contract: an installation takes seconds to make, so its parts share one.
macro_rules! hold {
    ($($room:ident: $($part:ident),+;)+) => {
        // By this name the runner limits how many run at once.
        mod wire {
            $(#[tokio::test]
            async fn $room() {
                let Some(world) = super::AwsWorld::new().await else { return };
                $(spillway_tests::contract::$room::$part(&world).await;)+
            })+
        }
    };
}

hold! {
    queues: an_empty_queue_gives_nothing, a_message_comes_with_its_body_and_its_id,
        a_deleted_message_does_not_come_again, a_burst_comes_in_batches,
        a_dead_letter_keeps_its_body_and_says_why;
    prices: every_offering_has_a_price_and_room, both_markets_are_on_offer_in_several_zones;
    fleet: what_was_bought_is_seen_with_its_launch, a_token_buys_once, an_ended_instance_stays_ended;
    tasks: a_host_registers_with_what_tasks_can_use, a_task_is_told_to_its_exit_code,
        a_token_starts_once, a_refusal_says_why, a_stopped_task_stays_stopped,
        unknown_tasks_are_told_apart, a_draining_host_takes_no_task, the_end_of_a_task_is_an_event;
}
