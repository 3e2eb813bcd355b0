//! Jobs for tests: small, quick, and named after what they do.

use spillway_core::job::ContainerSpec;
use spillway_core::{CpuUnits, JobSpec, MiB, Resources};

/// The image that the emulator's agent has, in Docker or as a name for local processes.
pub const IMAGE: &str = "busybox";

/// A job with a quarter of a vCPU and 128 MiB that runs `sh -c <script>`.
pub fn spec(name: &str, script: &str) -> JobSpec {
    let container = ContainerSpec {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        ..ContainerSpec::new(IMAGE)
    };
    let name = name.parse().expect("it is a job name");
    let queue = "default".parse().expect("it is a queue name");
    let resources = Resources::new(CpuUnits::new(256), MiB::new(128), 0);
    JobSpec::new(name, queue, container, resources)
}
