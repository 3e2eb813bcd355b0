//! The script with which a host starts. Built from typed, checked settings only; nothing of any job, and no secret: it
//! can be read through the metadata service and `DescribeInstanceAttribute`.

use spillway_core::container::LogDriver;

use crate::limits;

/// The agent's configuration ("Amazon ECS container agent configuration").
#[derive(Debug, Clone, Copy)]
pub(super) struct UserData<'a> {
    /// The cluster to register into. Its name was checked with the settings.
    pub(super) cluster: &'a str,
    /// Whether the host has NVIDIA GPUs.
    pub(super) gpu: bool,
    /// Whether it runs privileged containers.
    pub(super) privileged: bool,
    /// The log drivers it offers beside files and `awslogs`.
    pub(super) log_drivers: &'a [LogDriver],
}

impl UserData<'_> {
    /// The script, before EC2's base64.
    pub(super) fn script(&self) -> String {
        let mut lines = vec![
            format!("ECS_CLUSTER={}", self.cluster),
            // On a Spot notice ECS places nothing more here; stopping the tasks is the dispatcher's work.
            "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true".to_owned(),
            format!("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION={}m", limits::TASK_CLEANUP_MINUTES),
            format!("ECS_RESERVED_MEMORY={}", limits::HOST_RESERVED_MIB),
            "ECS_ENABLE_TASK_IAM_ROLE=true".to_owned(),
            format!("ECS_AVAILABLE_LOGGING_DRIVERS=[{}]", self.offered_log_drivers()),
            format!("ECS_DISABLE_PRIVILEGED={}", !self.privileged),
            "ECS_AWSVPC_BLOCK_IMDS=true".to_owned(),
        ];
        if self.gpu {
            lines.push("ECS_ENABLE_GPU_SUPPORT=true".to_owned());
        }
        format!("#!/bin/bash\ncat >> /etc/ecs/ecs.config <<'EOF'\n{}\nEOF\n", lines.join("\n"))
    }
}

impl UserData<'_> {
    /// The log drivers as a JSON list's items.
    fn offered_log_drivers(&self) -> String {
        let mut offered = vec![LogDriver::JsonFile, LogDriver::Awslogs];
        let others = self.log_drivers.iter().filter(|driver| !offered.contains(driver));
        let others: Vec<LogDriver> = others.copied().collect();
        offered.extend(others);
        let quoted: Vec<String> = offered.iter().map(|driver| format!("\"{driver}\"")).collect();
        quoted.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(cluster: &str, gpu: bool) -> UserData<'_> {
        UserData { cluster, gpu, privileged: false, log_drivers: &[] }
    }

    #[test]
    fn what_the_operator_allows_jobs_is_what_a_host_offers() {
        let drivers = [LogDriver::Awslogs, LogDriver::Splunk];
        let script =
            UserData { privileged: true, log_drivers: &drivers, ..plain("c", false) }.script();

        assert!(script.contains("\nECS_DISABLE_PRIVILEGED=false\n"), "{script}");
        let offered = "ECS_AVAILABLE_LOGGING_DRIVERS=[\"json-file\",\"awslogs\",\"splunk\"]";
        assert!(script.contains(offered), "{script}");
    }

    #[test]
    fn a_host_is_told_its_cluster_and_how_to_behave() {
        let script = plain("spillway", false).script();

        let expected = "#!/bin/bash
cat >> /etc/ecs/ecs.config <<'EOF'
ECS_CLUSTER=spillway
ECS_ENABLE_SPOT_INSTANCE_DRAINING=true
ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION=10m
ECS_RESERVED_MEMORY=32
ECS_ENABLE_TASK_IAM_ROLE=true
ECS_AVAILABLE_LOGGING_DRIVERS=[\"json-file\",\"awslogs\"]
ECS_DISABLE_PRIVILEGED=true
ECS_AWSVPC_BLOCK_IMDS=true
EOF
";
        assert_eq!(script, expected);
    }

    #[test]
    fn only_gpu_hosts_look_for_gpus_and_the_longest_script_fits() {
        let cluster = "c".repeat(255);
        let script = plain(&cluster, true).script();

        assert!(script.contains("\nECS_ENABLE_GPU_SUPPORT=true\n"));
        assert!(script.len() < limits::USER_DATA_BYTES_MAX);
    }
}
