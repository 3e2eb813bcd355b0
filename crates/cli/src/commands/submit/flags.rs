//! A job from flags, as the message that asks for it.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::{Value, json};
use spillway_core::{ArchRule, CpuUnits, MarketRule, MiB};

use super::SubmitArgs;
use crate::error::Complaint;
use crate::outbox::Draft;

/// `NAME=VALUE`, split at the first `=`.
fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

/// An environment variable, `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable(String, String);

impl FromStr for Variable {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = pair(text).ok_or("give NAME=VALUE, such as EPOCHS=30")?;
        Ok(Self(name, value))
    }
}

/// A tag, `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String, String);

impl FromStr for Tag {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = pair(text).ok_or("give KEY=VALUE, such as team=genomics")?;
        Ok(Self(key, value))
    }
}

/// The draft that the flags describe.
pub(super) fn draft(args: &SubmitArgs) -> Result<Draft, Complaint> {
    check(args)?;
    let image = args.image.as_deref().unwrap_or_default();
    let mut requirements = vec![
        json!({"type": "VCPU", "value": args.vcpus.to_string()}),
        json!({"type": "MEMORY", "value": args.memory.get().to_string()}),
    ];
    if 0 < args.gpus {
        requirements.push(json!({"type": "GPU", "value": args.gpus.to_string()}));
    }
    let mut container = json!({ "image": image, "resourceRequirements": requirements });
    if !args.command.is_empty() {
        container["command"] = json!(args.command);
    }
    if !args.env.is_empty() {
        let variable = |v: &Variable| json!({"name": v.0, "value": v.1});
        container["environment"] = args.env.iter().map(variable).collect();
    }
    let name = args.name.as_ref().map_or_else(|| name_of(image), ToString::to_string);
    let mut message = json!({
        "jobName": name,
        "jobDefinition": {"type": "container", "containerProperties": container},
    });
    if 1 < args.attempts {
        message["retryStrategy"] = json!({"attempts": args.attempts});
    }
    if let Some(timeout) = args.timeout {
        message["timeout"] = json!({"attemptDurationSeconds": timeout.0.as_secs()});
    }
    if !args.tag.is_empty() {
        message["tags"] = args.tag.iter().map(|tag| (tag.0.clone(), json!(tag.1))).collect();
    }
    let own = own_keys(args);
    if own.as_object().is_some_and(|own| !own.is_empty()) {
        message["spillway"] = own;
    }
    if let Some(queue) = &args.queue {
        message["jobQueue"] = json!(queue);
    }
    Ok(Draft { place: String::new(), message })
}

fn own_keys(args: &SubmitArgs) -> Value {
    let mut own = json!({});
    if let Some(token) = &args.token {
        own["clientToken"] = json!(token);
    }
    if args.market != MarketRule::Any {
        own["market"] = json!(args.market);
    }
    if args.arch != ArchRule::default() {
        own["architecture"] = json!(args.arch);
    }
    if !args.gpu_kind.is_empty() {
        own["gpuKinds"] = json!(args.gpu_kind);
    }
    if let Some(span) = args.expected_duration {
        own["expectedDurationSeconds"] = json!(span.0.as_secs().max(1));
    }
    if let Some(span) = args.patience {
        own["patienceSeconds"] = json!(span.0.as_secs());
    }
    if let Some(at) = args.deadline {
        own["deadline"] = json!(at);
    }
    own
}

/// What is better said of a flag than of the message that it makes.
fn check(args: &SubmitArgs) -> Result<(), Complaint> {
    if args.vcpus == CpuUnits::ZERO {
        return Err(Complaint::usage("--vcpus 0: a job needs some CPU")
            .hint("give at least 0.001, such as --vcpus 0.25"));
    }
    if args.memory == MiB::ZERO {
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
