//! What a job may ask for: `[jobs]`, and `[[jobs.exceptions]]` for some senders or queues.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillway_core::QueueName;
use spillway_core::container::LogDriver;
use spillway_engine::{JobException, JobPolicy, JobRules};

use super::values::{Cap, Count, Flag, Memory, Span, Vcpus};

/// What a job may ask for. Whatever would hand out power over the account or over a host is refused unless it is listed; in
/// every list a trailing `*` matches the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct JobsConfig {
    /// Roles a job may name; a trailing `*` matches the rest. Empty refuses all.
    pub allowed_roles: Vec<String>,
    /// Images a job may run; a trailing `*` matches the rest. Empty allows all.
    pub allowed_images: Vec<String>,
    /// Whether an image must be named by its digest (`repo/tool@sha256:...`).
    pub require_digest: Flag,
    /// Secrets with which an image may be pulled (`repositoryCredentials`). Empty refuses all.
    pub allowed_registry_credentials: Vec<String>,
    /// Secrets and parameters a job may read (`secrets`, `secretOptions`), as their `valueFrom` names them. Empty refuses all.
    pub allowed_secrets: Vec<String>,
    /// Paths of the host a job may mount. Empty refuses all.
    pub allowed_host_paths: Vec<String>,
    /// EFS file systems a job may mount, by id. Empty refuses all.
    pub allowed_file_systems: Vec<String>,
    /// Devices of the host a job may use. Empty refuses all.
    pub allowed_devices: Vec<String>,
    /// Whether a container may have the powers of root on its host. Hosts bought before it is set cannot run one.
    pub allow_privileged: Flag,
    /// Whether the nodes of a multi-node job may share their hosts' networks, as they must to reach each other. They can then
    /// reach what the host can, its instance role's credentials included; so such jobs are refused until this is set.
    pub allow_host_network: Flag,
    /// Log drivers a job may name. Hosts bought before one is added do not offer it.
    #[schemars(with = "Vec<String>")]
    pub allowed_log_drivers: Vec<LogDriver>,
    /// Log groups a job may name. Empty allows all.
    pub allowed_log_groups: Vec<String>,
    /// The most vCPUs one job may ask for.
    pub max_vcpus: Cap<Vcpus>,
    /// The most memory one job may ask for, or let itself grow to.
    pub max_memory: Cap<Memory>,
    /// The most GPUs one job may ask for.
    pub max_gpus: Cap<Count>,
    /// The most attempts one job may ask for.
    pub max_attempts: Cap<Count>,
    /// The longest that an attempt may run. A job must then say how long (`timeout.attemptDurationSeconds`).
    pub max_duration: Cap<Span>,
    /// Other rules for some senders or queues, as `[[jobs.exceptions]]`; the first that is for a job decides. What one does not
    /// say is as in `[jobs]`.
    pub exceptions: Vec<JobsException>,
}

/// Other rules for some senders or queues.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct JobsException {
    /// SQS's `SenderId` of those it is for (`AROAEXAMPLE:*` for a role); a trailing `*` matches the rest. Empty is for all.
    pub senders: Vec<String>,
    /// The job queues it is for. Empty is for all.
    #[schemars(with = "Vec<String>")]
    pub queues: Vec<QueueName>,
    /// See `jobs.allowed-roles`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_roles: Option<Vec<String>>,
    /// See `jobs.allowed-images`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_images: Option<Vec<String>>,
    /// See `jobs.require-digest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_digest: Option<Flag>,
    /// See `jobs.allowed-registry-credentials`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_registry_credentials: Option<Vec<String>>,
    /// See `jobs.allowed-secrets`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_secrets: Option<Vec<String>>,
    /// See `jobs.allowed-host-paths`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_host_paths: Option<Vec<String>>,
    /// See `jobs.allowed-file-systems`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_file_systems: Option<Vec<String>>,
    /// See `jobs.allowed-devices`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_devices: Option<Vec<String>>,
    /// See `jobs.allow-privileged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_privileged: Option<Flag>,
    /// See `jobs.allow-host-network`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_host_network: Option<Flag>,
    /// See `jobs.allowed-log-drivers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub allowed_log_drivers: Option<Vec<LogDriver>>,
    /// See `jobs.allowed-log-groups`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_log_groups: Option<Vec<String>>,
    /// See `jobs.max-vcpus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_vcpus: Option<Cap<Vcpus>>,
    /// See `jobs.max-memory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<Cap<Memory>>,
    /// See `jobs.max-gpus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_gpus: Option<Cap<Count>>,
    /// See `jobs.max-attempts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<Cap<Count>>,
    /// See `jobs.max-duration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Cap<Span>>,
}

impl Default for JobsConfig {
    fn default() -> Self {
        let JobRules { log_drivers, .. } = JobRules::default();
        Self {
            allowed_roles: Vec::new(),
            allowed_images: Vec::new(),
            require_digest: Flag(false),
            allowed_registry_credentials: Vec::new(),
            allowed_secrets: Vec::new(),
            allowed_host_paths: Vec::new(),
            allowed_file_systems: Vec::new(),
            allowed_devices: Vec::new(),
            allow_privileged: Flag(false),
            allow_host_network: Flag(false),
            allowed_log_drivers: log_drivers,
            allowed_log_groups: Vec::new(),
            max_vcpus: Cap::None,
            max_memory: Cap::None,
            max_gpus: Cap::None,
            max_attempts: Cap::None,
            max_duration: Cap::None,
            exceptions: Vec::new(),
        }
    }
}

impl JobsConfig {
    /// What the control loop is told.
    pub(super) fn policy(&self) -> JobPolicy {
        let exception = |exception: &JobsException| JobException {
            senders: exception.senders.clone(),
            queues: exception.queues.clone(),
            rules: exception.over(self).rules(),
        };
        JobPolicy {
            rules: self.rules(),
            exceptions: self.exceptions.iter().map(exception).collect(),
        }
    }

    fn rules(&self) -> JobRules {
        JobRules {
            roles: self.allowed_roles.clone(),
            images: self.allowed_images.clone(),
            digest_required: self.require_digest.0,
            registry_credentials: self.allowed_registry_credentials.clone(),
            secrets: self.allowed_secrets.clone(),
            host_paths: self.allowed_host_paths.clone(),
            file_systems: self.allowed_file_systems.clone(),
            devices: self.allowed_devices.clone(),
            privileged: self.allow_privileged.0,
            host_network: self.allow_host_network.0,
            log_drivers: self.allowed_log_drivers.clone(),
            log_groups: self.allowed_log_groups.clone(),
            cpu_max: self.max_vcpus.get().map(|n| n.0),
            memory_max: self.max_memory.get().map(|n| n.0),
            gpus_max: self.max_gpus.get().map(|n| n.0),
            attempts_max: self.max_attempts.get().map(|n| u8::try_from(n.0).unwrap_or(u8::MAX)),
            duration_max: self.max_duration.get().map(|n| n.0),
        }
    }
}

impl JobsException {
    /// The rules of `[jobs]`, with what this one says in their place.
    fn over(&self, jobs: &JobsConfig) -> JobsConfig {
        let list = |own: &Option<Vec<String>>, usual: &[String]| {
            own.clone().unwrap_or_else(|| usual.to_vec())
        };
        JobsConfig {
            allowed_roles: list(&self.allowed_roles, &jobs.allowed_roles),
            allowed_images: list(&self.allowed_images, &jobs.allowed_images),
            require_digest: self.require_digest.unwrap_or(jobs.require_digest),
            allowed_registry_credentials: list(
                &self.allowed_registry_credentials,
                &jobs.allowed_registry_credentials,
            ),
            allowed_secrets: list(&self.allowed_secrets, &jobs.allowed_secrets),
            allowed_host_paths: list(&self.allowed_host_paths, &jobs.allowed_host_paths),
            allowed_file_systems: list(&self.allowed_file_systems, &jobs.allowed_file_systems),
            allowed_devices: list(&self.allowed_devices, &jobs.allowed_devices),
            allow_privileged: self.allow_privileged.unwrap_or(jobs.allow_privileged),
            allow_host_network: self.allow_host_network.unwrap_or(jobs.allow_host_network),
            allowed_log_drivers: self
                .allowed_log_drivers
                .clone()
                .unwrap_or_else(|| jobs.allowed_log_drivers.clone()),
            allowed_log_groups: list(&self.allowed_log_groups, &jobs.allowed_log_groups),
            max_vcpus: self.max_vcpus.unwrap_or(jobs.max_vcpus),
            max_memory: self.max_memory.unwrap_or(jobs.max_memory),
            max_gpus: self.max_gpus.unwrap_or(jobs.max_gpus),
            max_attempts: self.max_attempts.unwrap_or(jobs.max_attempts),
            max_duration: self.max_duration.unwrap_or(jobs.max_duration),
            exceptions: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_says_only_what_is_otherwise() {
        let config: JobsConfig = toml::from_str(
            r#"
            allowed-roles = ["arn:aws:iam::1:role/job-*"]
            require-digest = true
            max-attempts = 3

            [[exceptions]]
            senders = ["AROATRUSTED:*"]
            allow-privileged = true
            max-attempts = "none"
            "#,
        )
        .unwrap();

        let policy = config.policy();

        let [exception] = policy.exceptions.as_slice() else { panic!("{policy:?}") };
        assert!(exception.rules.privileged && !policy.rules.privileged);
        assert_eq!(exception.rules.roles, policy.rules.roles);
        assert!(exception.rules.digest_required);
        assert_eq!((exception.rules.attempts_max, policy.rules.attempts_max), (None, Some(3)));
    }
}
