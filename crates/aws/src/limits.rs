//! Every limit of the adapters, with its reason.

use std::time::Duration;

/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one try of a call may take. An instant fleet answers when its instances are chosen, which takes seconds;
/// a long poll of SQS takes up to 20 s.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(35);

/// How long a call may take, retries included. Shorter than the runtime's own limit of 90 s, so that the SDK's error
/// is seen.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(75);

/// Tries of one call within the SDK. All calls are safe to repeat: they read, or carry a token, or are idempotent.
pub const ATTEMPTS_MAX: u32 = 3;

/// How long the search for credentials and for a region may take. Where there is no instance metadata service its
/// address does not answer, and the default is to wait for it through several tries.
pub const IDENTITY_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages in one receive or delete (SQS API reference, `ReceiveMessage`, `DeleteMessageBatch`).
pub const SQS_BATCH: usize = 10;

/// Bytes of all messages in one send (SQS API reference, `SendMessageBatch`: 262,144 in every region).
pub const SQS_BATCH_BYTES: usize = 262_144;

/// Messages in one `PublishBatch` (SNS API reference).
pub const SNS_BATCH: usize = 10;

/// Bytes of all messages in one `PublishBatch` (SNS API reference: 262,144).
pub const SNS_BATCH_BYTES: usize = 262_144;

/// Events in one `PutEvents` (EventBridge API reference).
pub const EVENTBRIDGE_BATCH: usize = 10;

/// Bytes of all events in one `PutEvents`. EventBridge's user guide, "Calculating `PutEvents` event entry size", says under 256 KB in all.
pub const EVENTBRIDGE_BATCH_BYTES: usize = 255_000;

/// Bytes that an event of a bus counts beside our text of it: 14 for its time (the same place).
pub const EVENTBRIDGE_EVENT_EXTRA: usize = 14;

/// SQS's longest poll (SQS API reference, `WaitTimeSeconds`).
pub const SQS_WAIT_MAX: Duration = Duration::from_secs(20);

/// The largest message, attributes included (Amazon SQS message quotas, "Message size": 1 MiB).
pub const SQS_MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// A dead letter's reason is cut to this: longer ones help nobody.
pub const REASON_CHARS_MAX: usize = 1024;

/// Overrides in one fleet request (EC2 service quotas for fleets: "launch specifications ... 300" over all templates).
pub const FLEET_OVERRIDES_MAX: usize = 300;

/// Ids in one TerminateInstances. EC2 takes 1,000; smaller batches fail in smaller parts.
pub const TERMINATE_BATCH: usize = 100;

/// A page of DescribeInstances and of `DescribeInstanceTypeOfferings` (EC2 API reference, `MaxResults`).
pub const EC2_PAGE: i32 = 1000;

/// A page of DescribeInstanceTypes (EC2 API reference, `MaxResults`: 5 to 100).
pub const INSTANCE_TYPES_PAGE: i32 = 100;

/// A page of GetProducts (Price List API reference, `MaxResults`: 1 to 100).
pub const PRODUCTS_PAGE: i32 = 100;

/// Values of one EC2 filter ("Filtering": a request takes up to 200 filter values).
pub const FILTER_VALUES_MAX: usize = 200;

/// How long the id of an AMI is believed. Amazon publishes a new ECS-optimized AMI about once a week.
pub const IMAGE_LIFETIME: Duration = Duration::from_hours(1);

/// How long a list of subnets is believed.
pub const SUBNETS_LIFETIME: Duration = Duration::from_mins(5);

/// How long the list of instance types, and of the zones that have them, is believed.
pub const TYPES_LIFETIME: Duration = Duration::from_hours(6);

/// User data, before it is encoded (EC2 user guide, "User data is limited to 16 KB, in raw form").
pub const USER_DATA_BYTES_MAX: usize = 16 * 1024;

/// How many network hops an answer of the instance metadata service may take. One reaches the host and its agent, but
/// no container behind the bridge, so that a job cannot take the host's role.
pub const METADATA_HOPS: i32 = 1;

/// How long a stopped container stays on its host (`ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION`). The agent's three hours
/// fill the disk under many short jobs.
pub const TASK_CLEANUP_MINUTES: u32 = 10;

/// Memory that the agent keeps back for the system (`ECS_RESERVED_MEMORY`), as AWS Batch does.
pub const HOST_RESERVED_MIB: u32 = 32;

/// Ids in one DescribeTasks or `DescribeContainerInstances` (ECS API reference).
pub const ECS_DESCRIBE_BATCH: usize = 100;

/// Task definitions that are registered at once, and how long it takes until one more may be (ECS API throttling: 20, refilled by one a
/// second, for `RegisterTaskDefinition` and `DeregisterTaskDefinition` together).
pub const REGISTER_BURST: u32 = 20;

/// See [`REGISTER_BURST`].
pub const REGISTER_EVERY: Duration = Duration::from_secs(1);

/// How long a start waits for its task definition's turn. After that it is for the control loop to try again.
pub const REGISTER_WAIT_MAX: Duration = Duration::from_secs(10);

/// All overrides of a RunTask together (ECS API reference, `overrides`: "up to 8192 characters").
pub const OVERRIDE_CHARS_MAX: usize = 8192;

/// What is kept free of it, for the JSON around names and values that ECS counts in its own way.
pub const OVERRIDE_CHARS_SPARE: usize = 512;

/// How long a container has between SIGTERM and SIGKILL; ECS's own default (task definition parameters,
/// `stopTimeout`).
pub const STOP_TIMEOUT_SECONDS: i32 = 30;

/// ECS keeps this much of a stop's reason (ECS API reference, `StopTask`: up to 1,024 characters on EC2).
pub const STOP_REASON_CHARS_MAX: usize = 1024;

/// Docker's smallest hard limit, in MiB (task definition parameters, `memory`: "minimum of 6 MiB").
pub const CONTAINER_MEMORY_MIN: i32 = 6;

/// Tags on one task (ECS service quotas, "Tags per resource").
pub const TASK_TAGS_MAX: usize = 50;

/// Pages of one log that are read for a report, each of up to 1 MB or 10,000 events (`CloudWatch` Logs API reference,
/// `GetLogEvents`). Children that end behind that are not known to have ended.
pub const LOG_PAGES_MAX: usize = 100;

/// What the runner of a shared task has beyond its children's time between SIGTERM and SIGKILL.
pub const RUNNER_STOP_SECONDS: i32 = 5;
