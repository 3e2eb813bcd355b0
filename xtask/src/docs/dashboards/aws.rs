//! What AWS measures of a deployment by itself. A metric that is not here is on no dashboard.

/// One metric of CloudWatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AwsMetric {
    /// Its namespace.
    pub(crate) namespace: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// The names of its dimensions, in order.
    pub(crate) dimensions: &'static [&'static str],
    /// The statistic that makes sense of it.
    pub(crate) statistic: &'static str,
    /// What it says.
    pub(crate) says: &'static str,
}

const fn sqs(name: &'static str, statistic: &'static str, says: &'static str) -> AwsMetric {
    AwsMetric { namespace: "AWS/SQS", name, dimensions: &["QueueName"], statistic, says }
}

const fn ecs(name: &'static str, says: &'static str) -> AwsMetric {
    AwsMetric {
        namespace: "AWS/ECS",
        name,
        dimensions: &["ClusterName"],
        statistic: "Average",
        says,
    }
}

const fn events(name: &'static str, says: &'static str) -> AwsMetric {
    AwsMetric { namespace: "AWS/Events", name, dimensions: &["RuleName"], statistic: "Sum", says }
}

// Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS".

/// Messages that wait.
pub(crate) const VISIBLE: AwsMetric =
    sqs("ApproximateNumberOfMessagesVisible", "Maximum", "Messages that wait to be received.");
/// Messages between receipt and delete.
pub(crate) const IN_FLIGHT: AwsMetric = sqs(
    "ApproximateNumberOfMessagesNotVisible",
    "Maximum",
    "Messages that were received and not deleted yet.",
);
/// How long the oldest has waited.
pub(crate) const AGE: AwsMetric = sqs(
    "ApproximateAgeOfOldestMessage",
    "Maximum",
    "How long the oldest message has waited, in seconds; one that was received three times without being deleted is left out.",
);
/// Messages sent.
pub(crate) const SENT: AwsMetric =
    sqs("NumberOfMessagesSent", "Sum", "Messages sent; not those that SQS itself moved.");
/// Messages received.
pub(crate) const RECEIVED: AwsMetric =
    sqs("NumberOfMessagesReceived", "Sum", "Messages received, repeats included.");
/// Messages deleted.
pub(crate) const DELETED: AwsMetric = sqs("NumberOfMessagesDeleted", "Sum", "Messages deleted.");
/// Polls that found nothing.
pub(crate) const EMPTY_RECEIVES: AwsMetric = sqs(
    "NumberOfEmptyReceives",
    "Sum",
    "Receives that found nothing: the sign that somebody asks.",
);

// Amazon ECS Developer Guide, "Amazon ECS CloudWatch metrics".

/// CPU that tasks reserve.
pub(crate) const CPU_RESERVED: AwsMetric =
    ecs("CPUReservation", "CPU that tasks reserve, in percent of what hosts registered.");
/// Memory that tasks reserve.
pub(crate) const MEMORY_RESERVED: AwsMetric =
    ecs("MemoryReservation", "Memory that tasks reserve, in percent of what hosts registered.");
/// GPUs that tasks reserve.
pub(crate) const GPU_RESERVED: AwsMetric =
    ecs("GPUReservation", "GPUs that tasks reserve, in percent of what hosts registered.");
/// CPU in use.
pub(crate) const CPU_USED: AwsMetric =
    ecs("CPUUtilization", "CPU that tasks use, in percent of what hosts registered.");
/// Memory in use.
pub(crate) const MEMORY_USED: AwsMetric =
    ecs("MemoryUtilization", "Memory that tasks use, in percent of what hosts registered.");

// Amazon EventBridge User Guide, "Monitoring Amazon EventBridge".

/// Events passed on.
pub(crate) const INVOCATIONS: AwsMetric =
    events("Invocations", "Events that a rule passed on to the event queue.");
/// Events lost.
pub(crate) const FAILED_INVOCATIONS: AwsMetric =
    events("FailedInvocations", "Events that a rule could not pass on, for good.");

// Amazon EC2 User Guide, "Amazon EC2 usage metrics".

/// vCPUs in use, of the whole account.
pub(crate) const VCPUS: AwsMetric = AwsMetric {
    namespace: "AWS/Usage",
    name: "ResourceCount",
    dimensions: &["Service", "Type", "Resource", "Class"],
    statistic: "Maximum",
    says: "vCPUs that run in the account and region, Spillway's and all others, by the class that EC2's quotas count.",
};

// Amazon CloudWatch Logs User Guide, "Monitoring with CloudWatch metrics".

/// Output of jobs.
pub(crate) const LOG_BYTES: AwsMetric = AwsMetric {
    namespace: "AWS/Logs",
    name: "IncomingBytes",
    dimensions: &["LogGroupName"],
    statistic: "Sum",
    says: "Output of jobs, in bytes before compression.",
};

/// All of them.
pub(crate) const ALL: [AwsMetric; 16] = [
    VISIBLE,
    IN_FLIGHT,
    AGE,
    SENT,
    RECEIVED,
    DELETED,
    EMPTY_RECEIVES,
    CPU_RESERVED,
    MEMORY_RESERVED,
    GPU_RESERVED,
    CPU_USED,
    MEMORY_USED,
    INVOCATIONS,
    FAILED_INVOCATIONS,
    VCPUS,
    LOG_BYTES,
];
