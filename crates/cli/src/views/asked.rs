//! What a job asks for that few jobs do, for people: its definition, when it is tried again, its time limits, and what its
//! container gets. Programs read the message, which holds all of it.

use jiff::SignedDuration;
use spillway_core::container::{LogDriver, VolumeSource};
use spillway_core::job::{ContainerSpec, TimeLimits};
use spillway_core::{JobSpec, RetryAction, RetryRule};

use super::span_text;

/// Names and texts, in the order they are shown.
type Fields = Vec<(&'static str, String)>;

/// The registered definition it was made from, or the name that its own has.
pub(super) fn definition(spec: &JobSpec) -> Option<String> {
    let name = spec.definition.as_ref()?;
    Some(spec.definition_revision.map_or_else(|| name.to_string(), |n| format!("{name}:{n}")))
}

/// All that it asks for and that is not usual.
pub(super) fn fields(spec: &JobSpec) -> Fields {
    let mut fields = Fields::new();
    fields.extend(definition(spec).map(|text| ("Definition", text)));
    fields.extend(spec.retry_rules.iter().map(|rule| ("Retry rule", rule_text(rule))));
    if let Some(growth) = &spec.memory_growth {
        let text =
            format!("{} % more after each time it runs out, up to {}", growth.percent, growth.max);
        fields.push(("Memory", text));
    }
    of_time(&spec.time_limits, &mut fields);
    of_container(&spec.container, &mut fields);
    if spec.propagate_tags {
        fields.push(("Tags", "on the ECS task too".to_owned()));
    }
    fields
}

fn rule_text(rule: &RetryRule) -> String {
    let RetryRule { on_exit_code, on_reason, on_status_reason, on_failure, action } = rule;
    let failures: Vec<String> = on_failure.iter().map(ToString::to_string).collect();
    let failures = (!failures.is_empty()).then(|| failures.join(" or "));
    let conditions = [
        ("failure", failures),
        ("exit code", on_exit_code.as_ref().map(ToString::to_string)),
        ("reason", on_reason.as_ref().map(ToString::to_string)),
        ("status reason", on_status_reason.as_ref().map(ToString::to_string)),
    ];
    let conditions: Vec<String> = conditions
        .into_iter()
        .filter_map(|(what, wanted)| Some(format!("{what} {}", wanted?)))
        .collect();
    let action = match action {
        RetryAction::Retry => "retry",
        RetryAction::Exit => "fail",
    };
    format!("{action} on {}", conditions.join(", "))
}

fn of_time(limits: &TimeLimits, fields: &mut Fields) {
    let TimeLimits { job, queue, start, stop } = limits;
    let all = [
        (job, "from its acceptance to its end"),
        (queue, "in line at a time"),
        (start, "from a machine to running"),
        (stop, "from SIGTERM to SIGKILL"),
    ];
    for (limit, what) in all {
        let text = |span: &SignedDuration| ("Time limit", format!("{} {what}", span_text(*span)));
        fields.extend(limit.as_ref().map(text));
    }
}

fn of_container(container: &ContainerSpec, fields: &mut Fields) {
    let mut add = |name, text: String| fields.push((name, text));
    for (name, value) in &container.environment {
        add("Variable", format!("{name}={value}"));
    }
    for secret in &container.secrets {
        add("Secret", format!("{} from {}", secret.name, secret.value_from));
    }
    if let Some(user) = &container.user {
        add("User", user.clone());
    }
    let switches = [
        (container.privileged, "privileged"),
        (container.readonly_root_filesystem, "read-only root file system"),
        (container.init_process, "init process"),
    ];
    for (_, what) in switches.iter().filter(|(is_on, _)| *is_on) {
        add("Container", (*what).to_owned());
    }
    if let Some(mib) = container.shared_memory_mib {
        add("Shared memory", format!("{mib} MiB"));
    }
    for tmpfs in &container.tmpfs {
        add("In memory", format!("{} ({} MiB)", tmpfs.path, tmpfs.size_mib));
    }
    if let Some(mib) = container.max_swap_mib {
        let swappiness = container.swappiness.map(|n| format!(", swappiness {n}"));
        add("Swap", format!("at most {mib} MiB{}", swappiness.unwrap_or_default()));
    }
    for device in &container.devices {
        add("Device", device.host_path.clone());
    }
    for (name, soft, hard) in &container.ulimits {
        add("Ulimit", format!("{name} {soft}, hard {hard}"));
    }
    for mount in &container.mounts {
        let source = container.volumes.iter().find(|volume| volume.name == mount.volume);
        let of = source.map_or_else(String::new, |volume| match &volume.source {
            VolumeSource::Scratch => "a folder of its own".to_owned(),
            VolumeSource::Host { path } => format!("{path} of the host"),
            VolumeSource::Efs(efs) => efs.file_system.clone(),
        });
        let how = if mount.read_only { ", read-only" } else { "" };
        add("Volume", format!("{} is {of}{how}", mount.path));
    }
    let arns = [
        ("Registry", &container.registry_credentials),
        ("Job role", &container.job_role_arn),
        ("Execution role", &container.execution_role_arn),
    ];
    for (name, arn) in arns {
        if let Some(arn) = arn {
            add(name, arn.clone());
        }
    }
    let options: Vec<String> =
        container.log_options.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    if container.log_driver != LogDriver::Awslogs || !options.is_empty() {
        add("Logs", format!("{}{}", container.log_driver, options.concat()));
    }
}

#[cfg(test)]
mod tests {
    use spillway_core::message::{self, Request};

    use super::*;

    #[test]
    fn what_few_jobs_ask_for_is_told_and_what_all_do_is_not() {
        let body = r#"{"jobName":"a","jobQueue":"q","jobDefinition":{"jobDefinitionName":"align","type":"container",
            "containerProperties":{"image":"busybox","resourceRequirements":[
            {"type":"VCPU","value":"1"},{"type":"MEMORY","value":"512"}]}}}"#;
        let rich = body.replace(
            r#""type":"container","#,
            r#""type":"container","retryStrategy":{"attempts":3,"evaluateOnExit":[
                {"onStatusReason":"Host EC2*","action":"RETRY"},{"onReason":"*","action":"EXIT"}]},
                "spillway":{"stopTimeoutSeconds":120,"queueTimeoutSeconds":3600,
                "evaluateOnExit":[{"onFailure":["oom","spot"],"action":"RETRY"}],
                "growMemory":{"percent":50,"maxMemory":"2048"}},"#,
        );
        let told = |body: &str| {
            let Request::Submit { spec, .. } = message::parse(body).unwrap().request else {
                panic!("it is a job")
            };
            fields(&spec).into_iter().map(|(name, text)| format!("{name}: {text}")).collect()
        };
        let (plain, rich): (Vec<String>, Vec<String>) = (told(body), told(&rich));

        assert_eq!(plain, ["Definition: align"]);
        assert_eq!(
            rich[1..],
            [
                "Retry rule: retry on failure oom or spot",
                "Retry rule: retry on status reason Host EC2*",
                "Retry rule: fail on reason *",
                "Memory: 50 % more after each time it runs out, up to 2 GiB",
                "Time limit: 1h in line at a time",
                "Time limit: 2m from SIGTERM to SIGKILL",
            ]
        );
    }
}
