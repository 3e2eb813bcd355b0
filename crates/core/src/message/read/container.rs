//! What becomes the ECS task definition and its overrides: image, command, variables and Linux options.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rejection, Warnings, check_chars, limits, overrides, secret, storage};
use crate::container::{ContainerSpec, Volume};
use crate::market::{Arch, ArchRule};
use crate::message::path::At;
use crate::message::shape::{
    ContainerOverrides, ContainerProperties, CpuArchitecture, NameValue, RuntimePlatform, Ulimit,
};
use crate::message::substitute::{Substituted, substitute};

/// Names that Docker and ECS know (ECS API reference, `Ulimit.name`).
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Where a container is in the message, and where what its job says otherwise.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) at: &'a At<'a>,
    pub(super) at_overrides: &'a At<'a>,
}

/// What a container may refer to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) parameters: &'a BTreeMap<String, String>,
    pub(super) volumes: &'a [Volume],
    /// Whether another container of the task routes logs.
    pub(super) has_router: bool,
}

/// The one container of a job.
pub(super) fn single(
    places: Places<'_>,
    mut properties: ContainerProperties,
    overrides: ContainerOverrides,
    parameters: &BTreeMap<String, String>,
    warnings: &mut Warnings,
) -> Result<ContainerSpec, Rejection> {
    let Places { at, at_overrides } = places;
    let volumes = storage::volumes(&at.key("volumes"), properties.volumes.take())?;
    let job_role = properties.job_role_arn.take();
    let execution_role = properties.execution_role_arn.take();
    let has_own_command = overrides.command.as_ref().is_some_and(|command| !command.is_empty());
    let known = Known { parameters, volumes: &volumes, has_router: false };
    let container = container(places, properties, overrides, known, warnings)?;

    let (n_command, n_environment) = overrides::chars(&container);
    if overrides::CHARS_MAX < n_command + n_environment {
        let at_environment = at_overrides.key("environment");
        let at_command = if has_own_command { at_overrides } else { at }.key("command");
        let at = if n_environment < n_command { &at_command } else { &at_environment };
        return Err(overrides::too_long(at, overrides::CHARS_MAX));
    }
    check_arn(&at.key("jobRoleArn"), job_role.as_deref())?;
    check_arn(&at.key("executionRoleArn"), execution_role.as_deref())?;
    let mounting = std::iter::once(&container);
    storage::warn_of_unused(&at.key("mountPoints"), &volumes, mounting, warnings);
    Ok(ContainerSpec {
        volumes,
        job_role_arn: job_role,
        execution_role_arn: execution_role,
        ..container
    })
}

/// A container without what is its task's: volumes and roles.
pub(super) fn container(
    Places { at, at_overrides }: Places<'_>,
    properties: ContainerProperties,
    overrides: ContainerOverrides,
    known: Known<'_>,
    warnings: &mut Warnings,
) -> Result<ContainerSpec, Rejection> {
    let image = image(&at.key("image"), properties.image)?;
    let own_command = overrides.command.filter(|command| !command.is_empty());
    let (command, at_command) = match own_command {
        Some(command) => (command, at_overrides.key("command")),
        None => (properties.command.unwrap_or_default(), at.key("command")),
    };
    let command = put_in(&at_command, &command, known.parameters, warnings)?;
    let environment = merged(
        variables(&at.key("environment"), properties.environment)?,
        variables(&at_overrides.key("environment"), overrides.environment)?,
    );
    if let Some(user) = &properties.user {
        check_chars(&at.key("user"), user, 1, limits::USER_CHARS_MAX)?;
    }
    let secrets = secret::variables(&at.key("secrets"), properties.secrets, &environment)?;
    let mounts = storage::mounts(&at.key("mountPoints"), properties.mount_points, known.volumes)?;
    let at_linux = at.key("linuxParameters");
    let linux = properties.linux_parameters.unwrap_or_default();
    let (max_swap_mib, swappiness) = storage::swap(&at_linux, &linux, warnings)?;
    let at_shared = at_linux.key("sharedMemorySize");
    let shared_memory = linux.shared_memory_size;
    let at_credentials = at.key("repositoryCredentials");
    let at_logs = at.key("logConfiguration");
    let logs = secret::logs(&at_logs, properties.log_configuration, known.has_router)?;
    Ok(ContainerSpec {
        image,
        command,
        environment,
        secrets,
        privileged: properties.privileged.unwrap_or(false),
        host_network: false,
        tmpfs: storage::tmpfs(&at_linux.key("tmpfs"), linux.tmpfs)?,
        max_swap_mib,
        swappiness,
        devices: storage::devices(&at_linux.key("devices"), linux.devices)?,
        volumes: Vec::new(),
        mounts,
        registry_credentials: secret::credentials(
            &at_credentials,
            properties.repository_credentials,
        )?,
        user: properties.user,
        readonly_root_filesystem: properties.readonly_root_filesystem.unwrap_or(false),
        init_process: linux.init_process_enabled.unwrap_or(false),
        shared_memory_mib: shared_memory
            .map(|size| storage::mib(&at_shared, size, 1))
            .transpose()?,
        ulimits: ulimits(&at.key("ulimits"), properties.ulimits)?,
        job_role_arn: None,
        execution_role_arn: None,
        log_driver: logs.driver,
        log_options: logs.options,
        log_secrets: logs.secrets,
    })
}

/// The architecture: `spillway.architecture` and `runtimePlatform` may both say it, if they say the same.
pub(super) fn arch(
    at: &At<'_>,
    platform: Option<&RuntimePlatform>,
    rule: Option<ArchRule>,
) -> Result<Option<Arch>, Rejection> {
    let of_platform = platform_arch(&at.key("runtimePlatform"), platform)?;
    let at_spillway = At::Root.key("spillway");
    arch_of(&at_spillway.key("architecture"), of_platform, rule)
}

/// The architecture that a platform says.
pub(super) fn platform_arch(
    at: &At<'_>,
    platform: Option<&RuntimePlatform>,
) -> Result<Option<Arch>, Rejection> {
    let system = platform.and_then(|platform| platform.operating_system_family.as_deref());
    if let Some(system) = system.filter(|system| *system != "LINUX") {
        let at = at.key("operatingSystemFamily");
        return Err(Rejection::unsupported(&at, &format!("{system:?} is not supported"))
            .hint("Spillway runs Linux containers: say \"LINUX\", or leave it out"));
    }
    let arch = platform.and_then(|platform| platform.cpu_architecture).map(|arch| match arch {
        CpuArchitecture::X86_64 => Arch::X86_64,
        CpuArchitecture::Arm64 => Arch::Arm64,
    });
    Ok(arch)
}

/// The architecture of what a platform and, at this place, a rule say.
pub(super) fn arch_of(
    at: &At<'_>,
    of_platform: Option<Arch>,
    rule: Option<ArchRule>,
) -> Result<Option<Arch>, Rejection> {
    match (of_platform, rule) {
        (Some(arch), Some(rule)) if rule.only() != Some(arch) => {
            let what =
                format!("{rule} contradicts runtimePlatform.cpuArchitecture, which says {arch}");
            Err(Rejection::invalid(at, &what).hint("say it in one place only"))
        }
        (Some(arch), _) => Ok(Some(arch)),
        (None, rule) => Ok(rule.unwrap_or_default().only()),
    }
}

pub(super) fn image(at: &At<'_>, image: Option<String>) -> Result<String, Rejection> {
    let image =
        image.ok_or_else(|| Rejection::missing(at).hint("name the image, such as \"busybox\""))?;
    check_chars(at, &image, 1, limits::IMAGE_CHARS_MAX)?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_:./#@".contains(c);
    if let Some(found) = image.chars().find(|c| !is_allowed(*c)) {
        let what = format!("{image:?} is not an image reference: it holds {found:?}");
        return Err(Rejection::invalid(at, &what).hint("letters, digits and -_:./#@ are allowed"));
    }
    Ok(image)
}

pub(super) fn put_in(
    at: &At<'_>,
    command: &[String],
    parameters: &BTreeMap<String, String>,
    warnings: &mut Warnings,
) -> Result<Vec<String>, Rejection> {
    let done = substitute(command, parameters, overrides::CHARS_MAX)
        .ok_or_else(|| overrides::too_long(at, overrides::CHARS_MAX))?;
    let Substituted { command, unknown } = done;
    for name in unknown {
        warnings
            .add(&at.to_string(), &format!("Ref::{name} names no parameter and is left as it is"));
    }
    Ok(command)
}

pub(super) fn variables(
    at: &At<'_>,
    list: Option<Vec<NameValue>>,
) -> Result<Vec<(String, String)>, Rejection> {
    let mut names = BTreeSet::new();
    let mut variables = Vec::new();
    for (index, NameValue { name, value }) in list.unwrap_or_default().into_iter().enumerate() {
        let at = at.index(index);
        let at = at.key("name");
        let name = name.ok_or_else(|| Rejection::missing(&at))?;
        variable_name(&at, &name)?;
        if !names.insert(name.clone()) {
            return Err(Rejection::invalid(&at, &format!("{name:?} is set twice"))
                .hint("keep one of the two"));
        }
        variables.push((name, value.unwrap_or_default()));
    }
    Ok(variables)
}

/// Whether a job may set a variable of this name.
pub(super) fn variable_name(at: &At<'_>, name: &str) -> Result<(), Rejection> {
    if name.is_empty() || name.contains('=') {
        return Err(Rejection::invalid(at, &format!("{name:?} is not a variable's name")));
    }
    if name.starts_with("AWS_BATCH") || name.starts_with("SPILLWAY_") {
        let what = format!("{name:?} is reserved");
        return Err(Rejection::invalid(at, &what)
            .hint("names beginning with AWS_BATCH or SPILLWAY_ are set by the dispatcher"));
    }
    Ok(())
}

/// The definition's variables in their order, with the job's values where it sets them, then the job's own.
pub(super) fn merged(
    of_definition: Vec<(String, String)>,
    of_job: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let mut set: indexmap::IndexMap<String, String> = of_definition.into_iter().collect();
    set.extend(of_job);
    set.into_iter().collect()
}

pub(super) fn check_arn(at: &At<'_>, arn: Option<&str>) -> Result<(), Rejection> {
    let Some(arn) = arn else { return Ok(()) };
    let is_role = arn.starts_with("arn:") && arn.contains(":role/");
    let is_sane = arn.len() <= limits::ARN_CHARS_MAX && arn.bytes().all(|b| b.is_ascii_graphic());
    if is_role && is_sane {
        return Ok(());
    }
    Err(Rejection::invalid(at, &format!("{arn:?} is not the ARN of an IAM role"))
        .hint("an ARN looks like arn:aws:iam::123456789012:role/name"))
}

fn ulimits(at: &At<'_>, list: Option<Vec<Ulimit>>) -> Result<Vec<(String, u32, u32)>, Rejection> {
    let mut limits = Vec::new();
    let mut names = BTreeSet::new();
    for (index, ulimit) in list.unwrap_or_default().into_iter().enumerate() {
        let at = at.index(index);
        let name = ulimit.name.ok_or_else(|| Rejection::missing(&at.key("name")))?;
        if !ULIMITS.contains(&name.as_str()) {
            return Err(Rejection::invalid(&at.key("name"), &format!("{name:?} is not a ulimit"))
                .hint(format!("one of {}", ULIMITS.join(", "))));
        }
        if !names.insert(name.clone()) {
            return Err(Rejection::invalid(&at.key("name"), &format!("{name:?} is set twice")));
        }
        let soft = ulimit_value(&at.key("softLimit"), ulimit.soft_limit)?;
        let hard = ulimit_value(&at.key("hardLimit"), ulimit.hard_limit)?;
        if hard < soft {
            let what = format!("{soft} is above the hard limit, {hard}");
            return Err(Rejection::invalid(&at.key("softLimit"), &what));
        }
        limits.push((name, soft, hard));
    }
    Ok(limits)
}

fn ulimit_value(at: &At<'_>, value: Option<i64>) -> Result<u32, Rejection> {
    let max = limits::ULIMIT_MAX;
    let value = value.ok_or_else(|| Rejection::missing(at))?;
    u32::try_from(value).ok().filter(|value| *value <= max).ok_or_else(|| {
        Rejection::invalid(at, &format!("must be 0 to {max}, not {value}"))
            .hint(format!("for \"unlimited\" write {max}"))
    })
}
