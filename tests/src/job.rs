//! Jobs for tests: small, quick, and named after what they do.

use std::collections::BTreeMap;

use spillway_core::job::ContainerSpec;
use spillway_core::{CpuUnits, JobSpec, MarketRule, MiB, Resources};

/// The image that the emulator's agent has, in Docker or as a name for local processes.
pub const IMAGE: &str = "busybox";

/// A job with a quarter of a vCPU and 128 MiB that runs `sh -c <script>`.
pub fn spec(name: &str, script: &str) -> JobSpec {
    JobSpec {
        name: name.parse().expect("it is a job name"),
        queue: "default".parse().expect("it is a queue name"),
        definition: None,
        container: ContainerSpec {
            image: IMAGE.to_owned(),
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            environment: Vec::new(),
            user: None,
            readonly_root_filesystem: false,
            init_process: false,
            shared_memory_mib: None,
            ulimits: Vec::new(),
            job_role_arn: None,
            execution_role_arn: None,
            awslogs_options: BTreeMap::new(),
        },
        resources: Resources::new(CpuUnits::new(256), MiB::new(128), 0),
        arch: None,
        market: MarketRule::Any,
        attempts: 1,
        retry_rules: Vec::new(),
        memory_growth: None,
        attempt_timeout: None,
        expected_duration: None,
        patience: None,
        deadline: None,
        tags: BTreeMap::new(),
        propagate_tags: false,
    }
}
