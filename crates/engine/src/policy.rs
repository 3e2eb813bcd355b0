//! What a job may ask for, by its queue and by whoever sent it. Whatever would hand out power over the account or over a host
//! is refused unless the operator lists it. Pure; a refusal says where in the message, and which key of the configuration.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use spillway_core::container::{LogDriver, VolumeSource};
use spillway_core::job::JobSpec;
use spillway_core::task_spec::{NamespaceMode, Part};
use spillway_core::{CpuUnits, MiB, QueueName};

/// What jobs may ask for, and who may ask for something else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPolicy {
    /// What holds for everyone else.
    pub rules: JobRules,
    /// Looked at in order; the first that is for the job decides alone.
    pub exceptions: Vec<JobException>,
}

/// Rules for some senders or queues.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobException {
    /// SQS's `SenderId` of those it is for; a trailing `*` matches the rest. Empty is for all.
    pub senders: Vec<String>,
    /// The queues it is for. Empty is for all.
    pub queues: Vec<QueueName>,
    /// What holds for them.
    pub rules: JobRules,
}

/// What a job may ask for. In every list a trailing `*` matches the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRules {
    /// Job and execution roles that may be named. Empty refuses all.
    pub roles: Vec<String>,
    /// Image references that may be run. Empty allows all.
    pub images: Vec<String>,
    /// Whether an image must be named by its digest.
    pub digest_required: bool,
    /// Secrets with which an image may be pulled. Empty refuses all.
    pub registry_credentials: Vec<String>,
    /// Secrets and parameters that may be read. Empty refuses all.
    pub secrets: Vec<String>,
    /// Paths of the host that may be mounted. Empty refuses all.
    pub host_paths: Vec<String>,
    /// EFS file systems that may be mounted. Empty refuses all.
    pub file_systems: Vec<String>,
    /// Devices of the host that may be used. Empty refuses all.
    pub devices: Vec<String>,
    /// Whether a container may have the powers of root on its host.
    pub privileged: bool,
    /// Whether a container may share its host's network, and with it the credentials of the host's role.
    pub host_network: bool,
    /// Log drivers that may be named.
    pub log_drivers: Vec<LogDriver>,
    /// Log groups that may be named. Empty allows all.
    pub log_groups: Vec<String>,
    /// The most CPU one job may ask for.
    pub cpu_max: Option<CpuUnits>,
    /// The most memory one job may ask for.
    pub memory_max: Option<MiB>,
    /// The most GPUs one job may ask for.
    pub gpus_max: Option<u32>,
    /// The most attempts one job may ask for.
    pub attempts_max: Option<u8>,
    /// The longest that an attempt may run; a job without such a limit of its own is refused.
    pub duration_max: Option<SignedDuration>,
}

impl Default for JobRules {
    fn default() -> Self {
        Self {
            roles: Vec::new(),
            images: Vec::new(),
            digest_required: false,
            registry_credentials: Vec::new(),
            secrets: Vec::new(),
            host_paths: Vec::new(),
            file_systems: Vec::new(),
            devices: Vec::new(),
            privileged: false,
            host_network: false,
            log_drivers: vec![LogDriver::Awslogs],
            log_groups: Vec::new(),
            cpu_max: None,
            memory_max: None,
            gpus_max: None,
            attempts_max: None,
            duration_max: None,
        }
    }
}

impl JobPolicy {
    /// Why a job is refused; none if it is not. `sender` is SQS's `SenderId`, where it says one.
    pub fn refusal(&self, spec: &JobSpec, sender: Option<&str>) -> Option<String> {
        let found = self.exceptions.iter().position(|exception| exception.is_for(spec, sender));
        let (rules, of) = match found.and_then(|at| Some((at, self.exceptions.get(at)?))) {
            Some((at, exception)) => (&exception.rules, format!("jobs.exceptions[{at}]")),
            None => (&self.rules, "jobs".to_owned()),
        };
        let refusal = rules.first_broken(spec)?;
        Some(refusal.text(&of))
    }

    /// Whether anybody may run a privileged container, so that hosts must be able to.
    pub fn allows_privileged(&self) -> bool {
        self.all_rules().any(|rules| rules.privileged)
    }

    /// The log drivers that anybody may use, so that hosts must offer them.
    pub fn log_drivers(&self) -> Vec<LogDriver> {
        let named = |driver: &LogDriver| self.all_rules().any(|r| r.log_drivers.contains(driver));
        LogDriver::ALL.into_iter().filter(named).collect()
    }

    fn all_rules(&self) -> impl Iterator<Item = &JobRules> {
        let exceptions = self.exceptions.iter().map(|exception| &exception.rules);
        std::iter::once(&self.rules).chain(exceptions)
    }
}

impl JobException {
    fn is_for(&self, spec: &JobSpec, sender: Option<&str>) -> bool {
        // Whoever is not known is nobody's friend.
        let sent_by_one =
            sender.is_some_and(|sender| self.senders.iter().any(|p| matches(p, sender)));
        let is_sender = self.senders.is_empty() || sent_by_one;
        is_sender && (self.queues.is_empty() || self.queues.contains(&spec.queue))
    }
}

/// A rule that a job breaks.
struct Broken {
    /// Where in the message.
    path: String,
    /// What is there.
    what: String,
    /// The key of the configuration.
    rule: &'static str,
}

impl Broken {
    fn text(&self, of: &str) -> String {
        let Self { path, what, rule } = self;
        format!("{path}: {what} is refused by {of}.{rule}")
    }
}

/// What a job asks for: each of its containers, and where each is in the message.
struct Asked<'a> {
    spec: &'a JobSpec,
    parts: Vec<Part<'a>>,
}

impl<'a> Asked<'a> {
    fn of(spec: &'a JobSpec) -> Self {
        Self { spec, parts: spec.parts() }
    }

    /// A path below what is the task's: volumes and roles.
    fn below_task(&self, path: &str) -> String {
        let task =
            if self.spec.task.is_some() { "ecsProperties.taskProperties[0]" } else { SINGLE };
        format!("jobDefinition.{task}.{path}")
    }

    /// A path below a container's.
    fn below(&self, index: usize, path: &str) -> String {
        if self.spec.task.is_some() {
            self.below_task(&format!("containers[{index}].{path}"))
        } else {
            self.below_task(path)
        }
    }

    /// The first rule that any container breaks.
    fn first(&self, rule: impl Fn(usize, &Part<'a>) -> Option<Broken>) -> Option<Broken> {
        self.parts.iter().enumerate().find_map(|(index, part)| rule(index, part))
    }
}

/// Where the one container of a job is.
const SINGLE: &str = "containerProperties";

impl JobRules {
    /// The first rule that a job breaks.
    fn first_broken(&self, spec: &JobSpec) -> Option<Broken> {
        let asked = Asked::of(spec);
        self.images(&asked)
            .or_else(|| self.roles(&asked))
            .or_else(|| self.secrets(&asked))
            .or_else(|| self.host(&asked))
            .or_else(|| self.volumes(&asked))
            .or_else(|| self.logs(&asked))
            .or_else(|| self.amounts(spec))
    }

    fn images(&self, asked: &Asked<'_>) -> Option<Broken> {
        asked.first(|index, part| {
            let image = &part.container.image;
            let path = || asked.below(index, "image");
            if !self.images.is_empty() && !is_listed(&self.images, image) {
                let what = format!("the image {image}");
                return Some(Broken { path: path(), what, rule: "allowed-images" });
            }
            if self.digest_required && !image.contains("@sha256:") {
                let what = format!("the image {image}, which is not named by its digest,");
                return Some(Broken { path: path(), what, rule: "require-digest" });
            }
            let credentials = part.container.registry_credentials.as_ref()?;
            not_listed(
                &self.registry_credentials,
                credentials,
                "the secret",
                asked.below(index, "repositoryCredentials.credentialsParameter"),
                "allowed-registry-credentials",
            )
        })
    }

    fn roles(&self, asked: &Asked<'_>) -> Option<Broken> {
        let container = &asked.spec.container;
        let of_job = if asked.spec.task.is_some() { "taskRoleArn" } else { "jobRoleArn" };
        let roles = [
            (of_job, &container.job_role_arn),
            ("executionRoleArn", &container.execution_role_arn),
        ];
        roles.into_iter().find_map(|(field, role)| {
            let path = asked.below_task(field);
            not_listed(&self.roles, role.as_ref()?, "the role", path, "allowed-roles")
        })
    }

    fn secrets(&self, asked: &Asked<'_>) -> Option<Broken> {
        asked.first(|index, part| {
            let lists = [
                ("secrets", &part.container.secrets),
                ("logConfiguration.secretOptions", &part.container.log_secrets),
            ];
            lists.into_iter().find_map(|(field, secrets)| {
                secrets.iter().enumerate().find_map(|(nth, secret)| {
                    let path = asked.below(index, &format!("{field}[{nth}].valueFrom"));
                    let from = &secret.value_from;
                    not_listed(&self.secrets, from, "the secret", path, "allowed-secrets")
                })
            })
        })
    }

    fn host(&self, asked: &Asked<'_>) -> Option<Broken> {
        let privileged = |path: String, what: &str| {
            Some(Broken { path, what: what.to_owned(), rule: "allow-privileged" })
        };
        // Who sees the host's processes or writes to its shared memory has power over all of them.
        let task = asked.spec.task.as_ref();
        let modes = task.into_iter().flat_map(|t| [("ipcMode", t.ipc), ("pidMode", t.pid)]);
        for (field, mode) in modes {
            if mode == Some(NamespaceMode::Host) && !self.privileged {
                return privileged(asked.below_task(field), "the host's own namespace");
            }
        }
        if asked.spec.container.host_network && !self.host_network {
            let path = "jobDefinition.nodeProperties".to_owned();
            let what = "a node, which shares its host's network,".to_owned();
            return Some(Broken { path, what, rule: "allow-host-network" });
        }
        asked.first(|index, part| {
            if part.container.privileged && !self.privileged {
                return privileged(asked.below(index, "privileged"), "a privileged container");
            }
            part.container.devices.iter().enumerate().find_map(|(nth, device)| {
                let path = asked.below(index, &format!("linuxParameters.devices[{nth}].hostPath"));
                not_listed(&self.devices, &device.host_path, "the device", path, "allowed-devices")
            })
        })
    }

    fn volumes(&self, asked: &Asked<'_>) -> Option<Broken> {
        let volumes = &asked.spec.container.volumes;
        volumes.iter().enumerate().find_map(|(index, volume)| match &volume.source {
            VolumeSource::Scratch => None,
            VolumeSource::Host { path } => {
                let at = asked.below_task(&format!("volumes[{index}].host.sourcePath"));
                not_listed(&self.host_paths, path, "the path", at, "allowed-host-paths")
            }
            VolumeSource::Efs(efs) => {
                let field = format!("volumes[{index}].efsVolumeConfiguration.fileSystemId");
                not_listed(
                    &self.file_systems,
                    &efs.file_system,
                    "the file system",
                    asked.below_task(&field),
                    "allowed-file-systems",
                )
            }
        })
    }

    fn logs(&self, asked: &Asked<'_>) -> Option<Broken> {
        let allows = |driver| self.log_drivers.contains(&driver);
        asked.first(|index, Part { role, container, .. }| {
            let routes = role.is_some_and(|role| role.firelens.is_some());
            if routes && !allows(LogDriver::Awsfirelens) {
                let path = asked.below(index, "firelensConfiguration");
                let what = "a router of logs".to_owned();
                return Some(Broken { path, what, rule: "allowed-log-drivers" });
            }
            // One that says nothing of its output has the dispatcher's own log group.
            let driver = container.log_driver;
            let says_nothing = driver == LogDriver::Awslogs && container.log_options.is_empty();
            if !says_nothing && !allows(driver) {
                let path = asked.below(index, "logConfiguration.logDriver");
                let what = format!("the log driver {driver}");
                return Some(Broken { path, what, rule: "allowed-log-drivers" });
            }
            let group = container.log_options.get("awslogs-group")?;
            if self.log_groups.is_empty() || is_listed(&self.log_groups, group) {
                return None;
            }
            let path = asked.below(index, "logConfiguration.options.awslogs-group");
            let what = format!("the log group {group}");
            Some(Broken { path, what, rule: "allowed-log-groups" })
        })
    }

    fn amounts(&self, spec: &JobSpec) -> Option<Broken> {
        let need = &spec.resources;
        let path = match &spec.task {
            Some(_) => "jobDefinition.ecsProperties.taskProperties[0].containers",
            None => "jobDefinition.containerProperties.resourceRequirements",
        };
        let needs = |what: String, rule| Some(Broken { path: path.to_owned(), what, rule });
        if self.cpu_max.is_some_and(|max| max < need.cpu) {
            return needs(format!("{} vCPU", need.cpu), "max-vcpus");
        }
        if self.memory_max.is_some_and(|max| max < need.memory) {
            return needs(need.memory.to_string(), "max-memory");
        }
        if self.gpus_max.is_some_and(|max| max < need.gpus) {
            return needs(format!("{} GPUs", need.gpus), "max-gpus");
        }
        if let (Some(max), Some(growth)) = (self.memory_max, spec.memory_growth)
            && max < growth.max
        {
            let (path, what) = ("spillway.growMemory.maxMemory".to_owned(), growth.max.to_string());
            return Some(Broken { path, what, rule: "max-memory" });
        }
        if self.attempts_max.is_some_and(|max| max < spec.attempts) {
            let (path, what) = ("retryStrategy.attempts".to_owned(), spec.attempts.to_string());
            return Some(Broken { path, what, rule: "max-attempts" });
        }
        let max = self.duration_max?;
        let what = match spec.attempt_timeout {
            Some(timeout) if timeout <= max => return None,
            Some(timeout) => format!("{} s", timeout.as_secs()),
            None => "an attempt that may run for ever".to_owned(),
        };
        let path = "timeout.attemptDurationSeconds".to_owned();
        Some(Broken { path, what, rule: "max-duration" })
    }
}

/// A value that is not on its list.
fn not_listed(
    list: &[String],
    value: &str,
    kind: &str,
    path: String,
    rule: &'static str,
) -> Option<Broken> {
    (!is_listed(list, value)).then(|| Broken { path, what: format!("{kind} {value}"), rule })
}

fn is_listed(list: &[String], value: &str) -> bool {
    list.iter().any(|pattern| matches(pattern, value))
}

/// Whether `text` is `pattern`, or begins with what stands before its trailing `*`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests;
