//! Definitions that are registered, and jobs that name them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use spillway_core::Definitions;
use spillway_core::message::{self, Parsed, Rejection, Request, StandIn, code};

use crate::sample::{full, job, with};

/// The sample's definition, as a message that registers it.
fn definition() -> Value {
    full()["jobDefinition"].clone()
}

/// The sample with its definition named.
fn naming(text: &str) -> Value {
    with(full(), "/jobDefinition", json!(text))
}

fn registered(contents: &[Value]) -> Definitions {
    let mut definitions = Definitions::default();
    for (ord, content) in contents.iter().enumerate() {
        let name = "align".parse().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        definitions.register(name, ord.to_string(), content.clone(), now).unwrap();
    }
    definitions
}

fn parse(message: &Value, definitions: &Definitions) -> Result<Parsed, Rejection> {
    message::parse_with(&message.to_string(), definitions)
}

fn content_of(message: &Value) -> Result<(String, Value, Option<String>, Vec<String>), Rejection> {
    let parsed = message::parse(&message.to_string())?;
    let Request::Register { name, content, client_token } = parsed.request else {
        panic!("it registers: {message:#}")
    };
    Ok((name.to_string(), *content, client_token, parsed.warnings))
}

#[test]
fn a_job_that_names_its_definition_is_the_job_with_the_definition_in_it() {
    let definitions = registered(&[definition()]);
    let (inline, _) = job(&full());

    for text in ["align", "align:1", "arn:aws:batch:us-east-1:1:job-definition/align:1"] {
        let parsed = parse(&naming(text), &definitions).unwrap();
        let Request::Submit { spec, .. } = parsed.request else { panic!("it is a job") };

        assert_eq!(spec.definition_revision, Some(1));
        assert_eq!(spec.definition.as_ref().unwrap().as_str(), "align");
        assert_eq!(spec.container, inline.container);
        assert_eq!(spec.tags, inline.tags);
        assert_eq!(spec.container.command[2], "echo s17 4", "defaults and the job's parameters");
    }
}

#[test]
fn a_job_is_told_from_another_by_what_was_sent_and_not_by_what_it_meant() {
    let first = registered(&[definition()]);
    let second =
        registered(&[definition(), with(definition(), "/containerProperties/user", json!("x"))]);
    let message = naming("align");

    let (before, after) = (parse(&message, &first).unwrap(), parse(&message, &second).unwrap());

    assert_eq!(before.body_hash, after.body_hash);
    let identity = message::identity(&message.to_string()).unwrap();
    assert_eq!(identity.2, before.body_hash);
    assert_eq!((identity.0.as_str(), identity.1.as_deref()), ("default", Some("align-0017")));
}

#[test]
fn a_definition_that_is_not_there_is_named() {
    let definitions = registered(&[definition()]);
    let refused = |text: &str| parse(&naming(text), &definitions).unwrap_err();

    for text in ["other", "align:2"] {
        let rejection = refused(text);
        assert_eq!(rejection.code, code::UNKNOWN_DEFINITION);
        assert!(rejection.reason.contains(&format!("no active job definition {text}")));
    }
    assert_eq!(refused("a b").code, code::INVALID_FIELD);
    assert_eq!(
        message::parse(&naming("align").to_string()).unwrap_err().code,
        code::UNKNOWN_DEFINITION
    );
}

#[test]
fn who_does_not_know_what_is_registered_can_check_the_rest() {
    let check = |message: &Value| message::parse_with(&message.to_string(), &StandIn);

    assert!(check(&naming("align:7")).is_ok());
    let wrong =
        with(naming("align"), "/containerOverrides/resourceRequirements/0/value", json!("x"));
    assert!(check(&wrong).unwrap_err().reason.starts_with("containerOverrides."));
}

#[test]
fn what_is_registered_is_the_message_without_what_is_spillways_alone() {
    let own = json!({"action": "RegisterJobDefinition", "clientToken": "t", "patienceSeconds": 60});
    let message = with(definition(), "/spillway", own);

    let (name, content, token, warnings) = content_of(&message).unwrap();

    assert_eq!((name.as_str(), token.as_deref(), warnings), ("align", Some("t"), Vec::new()));
    assert_eq!(content, with(definition(), "/spillway", json!({"patienceSeconds": 60})));
    let (_, bare, token, _) = content_of(&definition()).unwrap();
    assert_eq!((bare, token), (definition(), None), "its keys say what it is");
}

#[test]
fn a_definitions_own_additions_are_defaults_of_its_jobs() {
    let own = json!({"growMemory": {"percent": 50, "maxMemory": "9000"}, "patienceSeconds": 1});
    let definition = with(definition(), "/spillway", own);
    let definitions = registered(std::slice::from_ref(&definition));

    let parsed = parse(&naming("align"), &definitions).unwrap();
    let Request::Submit { spec, client_token } = parsed.request else { panic!("it is a job") };
    let (inline, _) = job(&with(full(), "/jobDefinition", definition));

    assert_eq!(spec.memory_growth.unwrap().percent, 50);
    assert_eq!(spec.patience.unwrap().as_secs(), 3600, "the job's own wins");
    assert_eq!(client_token.as_deref(), Some("align-0017"));
    assert_eq!(inline.memory_growth, spec.memory_growth);
}

#[test]
fn a_definition_that_no_job_could_be_made_of_is_refused_with_its_own_paths() {
    let refused = |message: Value, code: &str, path: &str| {
        let rejection = content_of(&message).unwrap_err();
        assert_eq!(
            (rejection.code, rejection.path.as_deref()),
            (code, Some(path)),
            "{rejection:?}"
        );
        assert!(rejection.reason.starts_with(path), "{rejection:?}");
    };
    let c = "/containerProperties";
    let none = Value::Null;
    refused(with(definition(), "/type", none.clone()), code::MISSING_FIELD, "type");
    let image = "containerProperties.image";
    refused(with(definition(), &format!("{c}/image"), none), code::MISSING_FIELD, image);
    let nodes = with(definition(), "/nodeProperties", json!({"numNodes": 2}));
    refused(nodes, code::INVALID_FIELD, "type");
    let shell = with(definition(), &format!("{c}/enableExecuteCommand"), json!(true));
    refused(shell, code::UNSUPPORTED_FIELD, "containerProperties.enableExecuteCommand");
    let name = with(definition(), "/jobDefinitionName", json!("a b"));
    refused(name, code::INVALID_FIELD, "jobDefinitionName");
    let token = with(definition(), "/spillway/clientToken", json!(7));
    refused(token, code::INVALID_FIELD, "spillway.clientToken");
    let growth = json!({"percent": 0, "maxMemory": "9000"});
    let growth = with(definition(), "/spillway/growMemory", growth);
    refused(growth, code::INVALID_FIELD, "spillway.growMemory.percent");

    let large = with(definition(), "/parameters/x", json!("x".repeat(24 * 1024)));
    assert_eq!(content_of(&large).unwrap_err().code, code::TOO_LARGE);
    let (_, _, _, warnings) =
        content_of(&with(definition(), &format!("{c}/imagee"), json!("x"))).unwrap();
    assert!(warnings[0].starts_with("containerProperties.imagee: is not known"), "{warnings:?}");
}

#[test]
fn an_order_to_deregister_names_one_revision() {
    let order = |text: &str| {
        let message = json!({
            "jobDefinition": text, "spillway": {"action": "DeregisterJobDefinition"}
        });
        message::parse(&message.to_string())
    };

    let parsed = order("arn:aws:batch:us-east-1:1:job-definition/align:3").unwrap();

    let name = "align".parse().unwrap();
    assert_eq!(parsed.request, Request::Deregister { name, revision: 3 });
    assert!(order("align").unwrap_err().reason.contains("which revision"));
    assert_eq!(order("align:x").unwrap_err().path.as_deref(), Some("jobDefinition"));
}

#[test]
fn a_record_is_shared_and_not_copied_for_each_job() {
    use spillway_core::definition::DefinitionSource as _;
    let definitions = registered(&[definition()]);
    let reference = "align".parse().unwrap();

    let (one, other) =
        (definitions.find(&reference).unwrap(), definitions.find(&reference).unwrap());

    assert!(Arc::ptr_eq(&one.1, &other.1));
}
