//! A job from flags, as the message that asks for it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use spillway_core::array::Indexes;
use spillway_core::{CpuUnits, DefinitionRef, MiB};

use super::SubmitArgs;
use super::values::{ArrayFlag, Consume, GrowthFlag, Parameter, SecretFrom, Variable};
use crate::error::Complaint;
use crate::outbox::Draft;

/// What a job without a definition gets that does not say.
const VCPUS_DEFAULT: CpuUnits = CpuUnits::from_vcpus(1);
const MEMORY_DEFAULT: MiB = MiB::from_gib(2);

/// What the job has to do with others.
fn relate(args: &SubmitArgs, message: &mut Value) {
    let mut depends_on: Vec<Value> = args.after.iter().map(|id| json!({"jobId": id})).collect();
    depends_on.extend(args.n_to_n.iter().map(|id| json!({"jobId": id, "type": "N_TO_N"})));
    depends_on.extend(args.sequential.then(|| json!({"type": "SEQUENTIAL"})));
    if !depends_on.is_empty() {
        message["dependsOn"] = json!(depends_on);
    }
    if let Some(ArrayFlag(indexes)) = args.array {
        message["arrayProperties"] = json!({"size": indexes.size});
    }
}

/// The draft that the flags describe.
pub(super) fn draft(args: &SubmitArgs) -> Result<Draft, Complaint> {
    check(args)?;
    let mut message = match &args.definition {
        Some(definition) => of_definition(args, definition),
        None => of_image(args),
    };
    if let Some(attempts) = args.attempts {
        message["retryStrategy"] = json!({"attempts": attempts});
    }
    if let Some(timeout) = args.timeout {
        message["timeout"] = json!({"attemptDurationSeconds": timeout.0.as_secs()});
    }
    if !args.tag.is_empty() {
        message["tags"] = args.tag.iter().map(|tag| (tag.0.clone(), json!(tag.1))).collect();
    }
    if args.propagate_tags {
        message["propagateTags"] = json!(true);
    }
    stand(args, &mut message);
    let own = own_keys(args);
    if own.as_object().is_some_and(|own| !own.is_empty()) {
        message["spillway"] = own;
    }
    relate(args, &mut message);
    if let Some(queue) = &args.queue {
        message["jobQueue"] = json!(queue);
    }
    Ok(Draft { place: String::new(), message })
}

/// Its place among others.
fn stand(args: &SubmitArgs, message: &mut Value) {
    if let Some(share) = &args.share {
        message["shareIdentifier"] = json!(share);
    }
    if let Some(priority) = args.priority {
        message["schedulingPriorityOverride"] = json!(priority);
    }
    if !args.consume.is_empty() {
        let one = |c: &Consume| json!({"consumableResource": c.0, "quantity": c.1});
        let list: Value = args.consume.iter().map(one).collect();
        message["consumableResourcePropertiesOverride"] = json!({"consumableResourceList": list});
    }
}

/// A job of its own.
fn of_image(args: &SubmitArgs) -> Value {
    let image = args.image.as_deref().unwrap_or_default();
    let vcpus = args.vcpus.unwrap_or(VCPUS_DEFAULT);
    let memory = args.memory.unwrap_or(MEMORY_DEFAULT);
    let mut container = json!({ "image": image });
    container["resourceRequirements"] = requirements(Some(vcpus), Some(memory), args.gpus);
    what_runs(args, &mut container);
    if let Some(user) = &args.user {
        container["user"] = json!(user);
    }
    if let Some(role) = &args.job_role {
        container["jobRoleArn"] = json!(role);
    }
    if let Some(role) = &args.execution_role {
        container["executionRoleArn"] = json!(role);
    }
    if !args.secret.is_empty() {
        let secret = |s: &SecretFrom| json!({"name": s.0, "valueFrom": s.1});
        container["secrets"] = args.secret.iter().map(secret).collect();
    }
    let name = args.name.as_ref().map_or_else(|| name_of(image), ToString::to_string);
    json!({
        "jobName": name,
        "jobDefinition": {"type": "container", "containerProperties": container},
    })
}

/// A job of a registered definition, and what it does otherwise.
fn of_definition(args: &SubmitArgs, definition: &DefinitionRef) -> Value {
    let mut overrides = json!({});
    if args.vcpus.is_some() || args.memory.is_some() || args.gpus.is_some() {
        overrides["resourceRequirements"] = requirements(args.vcpus, args.memory, args.gpus);
    }
    what_runs(args, &mut overrides);
    let name = args.name.as_ref().unwrap_or(&definition.name);
    let mut message = json!({ "jobName": name, "jobDefinition": definition.to_string() });
    if overrides.as_object().is_some_and(|overrides| !overrides.is_empty()) {
        message["containerOverrides"] = overrides;
    }
    if !args.parameter.is_empty() {
        let parameter = |p: &Parameter| (p.0.clone(), json!(p.1));
        message["parameters"] = args.parameter.iter().map(parameter).collect();
    }
    message
}

fn requirements(vcpus: Option<CpuUnits>, memory: Option<MiB>, gpus: Option<u32>) -> Value {
    let all = [
        ("VCPU", vcpus.map(|vcpus| vcpus.to_string())),
        ("MEMORY", memory.map(|memory| memory.get().to_string())),
        ("GPU", gpus.filter(|gpus| 0 < *gpus).map(|gpus| gpus.to_string())),
    ];
    let requirement = |(kind, value): (&str, Option<String>)| {
        value.map(|value| json!({"type": kind, "value": value}))
    };
    all.into_iter().filter_map(requirement).collect()
}

fn what_runs(args: &SubmitArgs, container: &mut Value) {
    if !args.command.is_empty() {
        container["command"] = json!(args.command);
    }
    if !args.env.is_empty() {
        let variable = |v: &Variable| json!({"name": v.0, "value": v.1});
        container["environment"] = args.env.iter().map(variable).collect();
    }
}

fn own_keys(args: &SubmitArgs) -> Value {
    let mut own = json!({});
    if let Some(token) = &args.token {
        own["clientToken"] = json!(token);
    }
    if let Some(market) = args.market {
        own["market"] = json!(market);
    }
    if let Some(arch) = args.arch {
        own["architecture"] = json!(arch);
    }
    if !args.gpu_kind.is_empty() {
        own["gpuKinds"] = json!(args.gpu_kind);
    }
    if !args.retry_rule.is_empty() {
        own["evaluateOnExit"] = args.retry_rule.iter().map(|rule| rule.0.clone()).collect();
    }
    if let Some(GrowthFlag { percent, max }) = args.grow_memory {
        own["growMemory"] = json!({"percent": percent, "maxMemory": max.get().to_string()});
    }
    let spans = [
        ("expectedDurationSeconds", args.expected_duration, 1),
        ("patienceSeconds", args.patience, 0),
        ("jobTimeoutSeconds", args.job_timeout, 0),
        ("queueTimeoutSeconds", args.queue_timeout, 0),
        ("startTimeoutSeconds", args.start_timeout, 0),
        ("stopTimeoutSeconds", args.stop_timeout, 0),
    ];
    for (key, span, min) in spans {
        if let Some(span) = span {
            own[key] = json!(span.0.as_secs().max(min));
        }
    }
    if let Some(at) = args.deadline {
        own["deadline"] = json!(at);
    }
    if let Some(ArrayFlag(indexes)) = args.array {
        let Indexes { first, step, .. } = indexes;
        let mut array = json!({});
        if first != 0 {
            array["first"] = json!(first);
        }
        if step.get() != 1 {
            array["step"] = json!(step);
        }
        if let Some(max) = args.max_concurrency {
            array["maxConcurrency"] = json!(max);
        }
        if array.as_object().is_some_and(|array| !array.is_empty()) {
            own["array"] = array;
        }
    }
    for (key, ids) in [("afterAny", &args.after_any), ("afterNotOk", &args.after_not_ok)] {
        if !ids.is_empty() {
            own[key] = json!(ids);
        }
    }
    own
}

/// What is better said of a flag than of the message that it makes.
fn check(args: &SubmitArgs) -> Result<(), Complaint> {
    if args.vcpus == Some(CpuUnits::ZERO) {
        return Err(Complaint::usage("--vcpus 0: a job needs some CPU")
            .hint("give at least 0.001, such as --vcpus 0.25"));
    }
    if args.memory == Some(MiB::ZERO) {
        return Err(Complaint::usage("--memory 0: a job needs some memory")
            .hint("give at least 4MiB, such as --memory 512MiB"));
    }
    let is_short = args.timeout.is_some_and(|span| span.0.as_secs() < 60);
    if is_short {
        return Err(Complaint::usage("--timeout: an attempt's limit is at least 60s")
            .hint("for a shorter one, let the command do it: `timeout 10 ./work`"));
    }
    let mut names = BTreeSet::new();
    for Variable(name, _) in &args.env {
        if !names.insert(name) {
            return Err(Complaint::usage(format!("--env {name} is given twice")));
        }
    }
    Ok(())
}

/// A job name from an image: the last part of its path without tag and digest, as far as Batch's rule allows.
fn name_of(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or_default();
    let stem = last.split(['@', ':']).next().unwrap_or_default();
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = stem.chars().map(allowed).take(128).collect();
    let name = name.trim_start_matches(['-', '_']);
    if name.is_empty() { "job".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn args(line: &[&str]) -> SubmitArgs {
        let words = ["spillway", "submit"].iter().chain(line);
        let Command::Submit(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("it is another verb")
        };
        *args
    }

    #[test]
    fn flags_become_the_message_they_describe() {
        let args = args(&[
            "--image=busybox",
            "--vcpus=0.5",
            "--memory=2GiB",
            "--gpus=1",
            "--env=A=b=c",
            "--market=spot",
            "--arch=arm64",
            "--attempts=3",
            "--timeout=1h",
            "--tag=team=x",
            "--expected-duration=10m",
            "--patience=1h",
            "--deadline=2026-01-31T18:00:00Z",
            "--token=t1",
            "--name=n",
            "--",
            "sh",
            "-c",
            "exit 3",
        ]);

        let draft = draft(&args).unwrap();

        insta::assert_json_snapshot!(draft.message, @r#"
        {
          "jobDefinition": {
            "containerProperties": {
              "command": [
                "sh",
                "-c",
                "exit 3"
              ],
              "environment": [
                {
                  "name": "A",
                  "value": "b=c"
                }
              ],
              "image": "busybox",
              "resourceRequirements": [
                {
                  "type": "VCPU",
                  "value": "0.5"
                },
                {
                  "type": "MEMORY",
                  "value": "2048"
                },
                {
                  "type": "GPU",
                  "value": "1"
                }
              ]
            },
            "type": "container"
          },
          "jobName": "n",
          "retryStrategy": {
            "attempts": 3
          },
          "spillway": {
            "architecture": "arm64",
            "clientToken": "t1",
            "deadline": "2026-01-31T18:00:00Z",
            "expectedDurationSeconds": 600,
            "market": "spot",
            "patienceSeconds": 3600
          },
          "tags": {
            "team": "x"
          },
          "timeout": {
            "attemptDurationSeconds": 3600
          }
        }
        "#);
    }

    #[test]
    fn rules_limits_and_rights_become_their_keys() {
        let args = args(&[
            "--image=busybox",
            "--retry-rule=retry:exit-code=137",
            "--retry-rule=exit:reason=*",
            "--grow-memory=50:8GiB",
            "--queue-timeout=1h",
            "--stop-timeout=2m",
            "--user=nobody",
            "--job-role=arn:aws:iam::123456789012:role/job",
            "--secret=TOKEN=hub",
            "--propagate-tags",
        ]);

        let message = draft(&args).unwrap().message;

        insta::assert_json_snapshot!(message["spillway"], @r#"
        {
          "evaluateOnExit": [
            {
              "action": "RETRY",
              "onExitCode": "137"
            },
            {
              "action": "EXIT",
              "onReason": "*"
            }
          ],
          "growMemory": {
            "maxMemory": "8192",
            "percent": 50
          },
          "queueTimeoutSeconds": 3600,
          "stopTimeoutSeconds": 120
        }
        "#);
        let container = &message["jobDefinition"]["containerProperties"];
        assert_eq!(
            (&container["user"], &message["propagateTags"]),
            (&json!("nobody"), &json!(true))
        );
        assert_eq!(container["secrets"], json!([{"name": "TOKEN", "valueFrom": "hub"}]));
    }

    #[test]
    fn a_place_among_others_becomes_batchs_keys() {
        let args = args(&[
            "--image=busybox",
            "--share=blue",
            "--priority=7",
            "--consume=licences=2",
            "--consume=tokens=1",
        ]);

        let message = draft(&args).unwrap().message;

        assert_eq!(message["shareIdentifier"], "blue");
        assert_eq!(message["schedulingPriorityOverride"], 7);
        let list = json!([
            {"consumableResource": "licences", "quantity": 2},
            {"consumableResource": "tokens", "quantity": 1},
        ]);
        let taken = &message["consumableResourcePropertiesOverride"];
        assert_eq!(taken, &json!({"consumableResourceList": list}));
        for wrong in ["--priority=10000", "--consume=licences", "--consume=licences=0"] {
            let line = ["spillway", "submit", "--image=busybox", wrong];
            assert!(Cli::try_parse_from(line).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_job_of_a_definition_says_only_what_it_does_otherwise() {
        let plain = draft(&args(&["--definition=align:3"])).unwrap().message;
        let other = args(&[
            "--definition=align",
            "--parameter=input=s3://b/k=1",
            "--memory=4GiB",
            "--env=A=1",
            "--name=n",
            "--",
            "run",
        ]);

        let other = draft(&other).unwrap().message;

        assert_eq!(plain, json!({"jobName": "align", "jobDefinition": "align:3"}));
        let overrides = json!({
            "resourceRequirements": [{"type": "MEMORY", "value": "4096"}],
            "environment": [{"name": "A", "value": "1"}],
            "command": ["run"],
        });
        assert_eq!(other["containerOverrides"], overrides);
        assert_eq!(other["parameters"], json!({"input": "s3://b/k=1"}));
        assert_eq!((&other["jobName"], &other["jobDefinition"]), (&json!("n"), &json!("align")));
        let both = ["spillway", "submit", "--definition=a", "--image=b"];
        assert!(Cli::try_parse_from(both).is_err());
    }

    #[test]
    fn what_is_not_asked_for_is_not_in_the_message() {
        let draft = draft(&args(&["--image=busybox"])).unwrap();

        let keys: Vec<&String> = draft.message.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["jobDefinition", "jobName"]);
    }

    #[test]
    fn a_job_of_no_cpu_is_refused_by_its_flag() {
        let complaint = draft(&args(&["--image=busybox", "--vcpus=0"])).unwrap_err();

        assert!(complaint.message.starts_with("--vcpus 0"), "{complaint:?}");
        assert!(complaint.hint.is_some());
    }

    #[test]
    fn the_smallest_cpu_survives_its_way_into_the_message() {
        let draft = draft(&args(&["--image=busybox", "--vcpus=0.001"])).unwrap();

        let vcpus =
            &draft.message["jobDefinition"]["containerProperties"]["resourceRequirements"][0];
        let asked: CpuUnits = vcpus["value"].as_str().unwrap().parse().unwrap();
        assert!(CpuUnits::ZERO < asked, "{vcpus}");
    }

    #[test]
    fn a_name_is_made_from_the_image() {
        assert_eq!(name_of("public.ecr.aws/docker/library/busybox:1.36"), "busybox");
        assert_eq!(name_of("host:5000/a/my.tool@sha256:abc"), "my-tool");
        assert_eq!(name_of("__"), "job");
    }

    #[test]
    fn a_file_and_flags_of_a_job_do_not_go_together() {
        let line = ["spillway", "submit", "--file", "j.json", "--vcpus", "2"];

        assert!(Cli::try_parse_from(line).is_err());
        assert!(Cli::try_parse_from(["spillway", "submit"]).is_err());
        assert!(Cli::try_parse_from(["spillway", "submit", "--file", "-"]).is_ok());
    }
}
