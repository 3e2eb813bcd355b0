//! Every limit of a job message, with its reason.

/// The largest message SQS delivers, in bytes of UTF-8 (SQS quotas, "Message size").
pub const BODY_BYTES_MAX: usize = 1_048_576;

/// The largest job definition, in bytes of JSON (AWS Batch user guide, "AWS Batch service quotas").
pub const DEFINITION_BYTES_MAX: usize = 24 * 1024;

/// How deep values may nest. A real message needs eight levels; a deeper one is an attack on the parser's stack.
pub const DEPTH_MAX: usize = 64;

/// How many envelopes may lie around a message: EventBridge to SNS to SQS is two.
pub const ENVELOPES_MAX: usize = 4;

/// ECS refuses a RunTask call whose `overrides` are longer, in characters of JSON (ECS API reference, `TaskOverride`).
pub const OVERRIDES_CHARS_MAX: usize = 8_192;

/// What Spillway's own variables, the resources and the keys of the overrides take of [`OVERRIDES_CHARS_MAX`]: about 1,150
/// with the longest names, of a child of an array.
pub const OVERRIDES_CHARS_OURS: usize = 1_280;

/// What those of a node take beyond that: eight variables instead of the four of a child.
pub const OVERRIDES_CHARS_OF_NODE: usize = 256;

/// What Spillway's own variables and the keys of the overrides take for each container of a job that has several, without the
/// names of the job and of its queue: about 620, of a child of an array.
pub const OVERRIDES_CHARS_OF_EACH: usize = 680;

/// The most containers of a job (AWS Batch API reference, `EcsProperties.taskProperties`).
pub const CONTAINERS_MAX: usize = 10;

/// The longest name of a container (ECS API reference, `ContainerDefinition.name`).
pub const CONTAINER_NAME_CHARS_MAX: usize = 255;

/// How long a container may wait for others, in seconds. AWS says no longest time for EC2; who needs more than a day is waiting
/// for something else.
pub const START_TIMEOUT_SECS: std::ops::RangeInclusive<i64> = 2..=86_400;

/// The longest image reference (AWS Batch API reference, `ContainerProperties.image`).
pub const IMAGE_CHARS_MAX: usize = 255;

/// The most attempts (AWS Batch API reference, `RetryStrategy.attempts`).
pub const ATTEMPTS_MAX: u8 = 10;

/// The most rules of a retry strategy (AWS Batch API reference, `RetryStrategy.evaluateOnExit`).
pub const RETRY_RULES_MAX: usize = 5;

/// The most rules under `spillway`: each failed attempt is held against each of them.
pub const OWN_RETRY_RULES_MAX: usize = 20;

/// The longest pattern of a rule (AWS Batch API reference, `EvaluateOnExit`).
pub const RETRY_PATTERN_CHARS_MAX: usize = 512;

/// The most that memory grows by at once, in percent: more is a slip of units.
pub const MEMORY_GROWTH_PERCENT_MAX: u32 = 1_000;

/// The shortest attempt time limit (AWS Batch API reference, `JobTimeout`).
pub const TIMEOUT_SECS_MIN: i64 = 60;

/// The longest time limit or expected duration, ten years: more is a slip of units.
pub const DURATION_SECS_MAX: i64 = 10 * 365 * 24 * 3600;

/// The shortest and the longest time between SIGTERM and SIGKILL. ECS takes no less than 2 s (ECS API reference,
/// `ContainerDefinition.stopTimeout`); who needs more than an hour should not wait for SIGTERM.
pub const STOP_TIMEOUT_SECS: std::ops::RangeInclusive<i64> = 2..=3_600;

/// The same where nobody says it: ECS's own (ECS API reference, `ContainerDefinition.stopTimeout`).
pub const STOP_TIMEOUT_USUAL_SECS: u32 = 30;

/// The least memory a container may have, in MiB (AWS Batch API reference, `ResourceRequirement`).
pub const MEMORY_MIB_MIN: u32 = 4;

/// The most tags on a job, those of its definition included (AWS Batch API reference, `SubmitJob.tags`).
pub const TAGS_MAX: usize = 50;

/// The longest key of a tag (AWS General Reference, "Tagging AWS resources").
pub const TAG_KEY_CHARS_MAX: usize = 128;

/// The longest value of a tag (AWS General Reference, "Tagging AWS resources").
pub const TAG_VALUE_CHARS_MAX: usize = 256;

/// The longest reason for ending a job (AWS Batch API reference, `TerminateJob`).
pub const REASON_CHARS_MAX: usize = 1_024;

/// The longest client token. It is only hashed, so this guards the ledger and the logs.
pub const TOKEN_CHARS_MAX: usize = 128;

/// The longest ARN of a role (IAM quotas leave more room than any real one needs).
pub const ARN_CHARS_MAX: usize = 2_048;

/// The longest `user`; Linux allows 32 characters for each of user and group, numbers fit too.
pub const USER_CHARS_MAX: usize = 255;

/// The longest name of a volume (AWS Batch API reference, `Volume.name`).
pub const VOLUME_NAME_CHARS_MAX: usize = 255;

/// The longest path; Linux takes no longer one (`PATH_MAX`), nor does EFS (AWS Batch API reference,
/// `EFSVolumeConfiguration.rootDirectory`).
pub const PATH_CHARS_MAX: usize = 4_096;

/// ECS takes ulimits as 32-bit signed integers.
pub const ULIMIT_MAX: u32 = 2_147_483_647;

/// How many warnings a job keeps: they are stored with it.
pub const WARNINGS_MAX: usize = 20;

/// The longest reason or warning, in characters: it becomes a message attribute or a line of the ledger.
pub const TEXT_CHARS_MAX: usize = 500;

/// The most parameters: each placeholder is compared with each of them.
pub const PARAMETERS_MAX: usize = 1_000;

/// The fewest children of an array (AWS Batch API reference, `ArrayProperties.size`).
pub const ARRAY_SIZE_MIN: u32 = 2;

/// The most children of an array. AWS Batch stops at 10,000; a child costs a few bits until it runs, so this only guards
/// against a slip.
pub const ARRAY_SIZE_MAX: u32 = 1_000_000;

/// The most children that share a task: what is told of them must fit beside the job's variables into the 8,192 characters that
/// ECS takes as overrides (ECS API reference, `TaskOverride`), even where no two of them are neighbours.
pub const COALESCE_MAX: u32 = 500;

/// The largest index of a child.
pub const ARRAY_INDEX_MAX: u32 = crate::id::ARRAY_INDEX_MAX;

/// AWS Batch's most nodes of one multi-node job.
pub const NODES_MAX: u32 = 1000;
