//! What is refused: each with its code, its place, and words that help.

mod containers;

use serde_json::{Value, json};
use spillway_core::message::{self, code, limits};

use crate::sample::{least, parse, with};

const CONTAINER: &str = "/jobDefinition/containerProperties";
const INVALID: &str = code::INVALID_FIELD;
const MISSING: &str = code::MISSING_FIELD;
const UNSUPPORTED: &str = code::UNSUPPORTED_FIELD;

/// Puts a value into the least message and expects it refused at a path, with words in the reason.
fn refused(pointer: &str, value: Value, code: &str, path: &str, words: &str) {
    let message = with(least(), pointer, value);
    let rejection = parse(&message).expect_err(pointer);
    assert_eq!((rejection.code, rejection.path.as_deref()), (code, Some(path)), "{rejection:?}");
    assert!(rejection.reason.starts_with(path), "{rejection:?}");
    assert!(rejection.reason.contains(words), "{words:?} is not in {rejection:?}");
}

/// The same below `jobDefinition.containerProperties`.
fn container(key: &str, value: Value, code: &str, path: &str, words: &str) {
    let path = format!("jobDefinition.containerProperties.{path}");
    refused(&format!("{CONTAINER}/{key}"), value, code, &path, words);
}

#[test]
fn what_is_no_json_is_told_where_it_breaks() {
    let bodies = [
        "",
        " ",
        "{",
        "{not json",
        "[1,",
        "\"\\ud800\"",
        "nul",
        "{\"a\":1}x",
        "{\"a\":1,}",
        "1e999",
        "\u{FEFF}{}",
        "{\"jobName\":'x'}",
    ];
    for body in bodies {
        let rejection = message::parse(body).expect_err(body);
        assert_eq!((rejection.code, rejection.path), (code::INVALID_JSON, None), "{body}");
        assert!(rejection.reason.contains("line 1"), "{}", rejection.reason);
        assert!(rejection.hint.is_some());
    }
}

#[test]
fn a_body_that_is_no_object_is_named_by_its_kind() {
    for (body, kind) in
        [("null", "null"), ("[]", "a list"), ("3", "a number"), ("\"x\"", "a string")]
    {
        let rejection = message::parse(body).unwrap_err();
        assert_eq!(rejection.code, INVALID);
        assert!(rejection.reason.ends_with(kind), "{}", rejection.reason);
    }
}

#[test]
fn what_is_needed_is_missed_by_name() {
    let c = CONTAINER;
    let needed = [
        ("/jobName", "jobName"),
        ("/jobQueue", "jobQueue"),
        ("/jobDefinition", "jobDefinition"),
        (c, "jobDefinition.containerProperties"),
        (&format!("{c}/image"), "jobDefinition.containerProperties.image"),
        (
            &format!("{c}/resourceRequirements"),
            "jobDefinition.containerProperties.resourceRequirements",
        ),
        (
            &format!("{c}/resourceRequirements/0/value"),
            "jobDefinition.containerProperties.resourceRequirements[0].value",
        ),
        (
            &format!("{c}/resourceRequirements/1/type"),
            "jobDefinition.containerProperties.resourceRequirements[1].type",
        ),
    ];
    for (pointer, path) in needed {
        let rejection = parse(&with(least(), pointer, Value::Null)).expect_err(pointer);
        assert_eq!((rejection.code, rejection.path.as_deref()), (MISSING, Some(path)));
    }
    let rejection = message::parse("{}").unwrap_err();
    assert_eq!((rejection.code, rejection.path.as_deref()), (MISSING, Some("jobName")));
}

#[test]
fn names_follow_the_rules_of_batch() {
    for name in ["", "-x", "a b", "a/b", &"x".repeat(129), "\u{e9}"] {
        refused("/jobName", json!(name), INVALID, "jobName", "is not a job name");
        refused("/jobQueue", json!(name), INVALID, "jobQueue", "is not a queue name");
    }
    refused("/jobName", json!(17), INVALID, "jobName", "expected a string");
    refused("/jobQueue", json!("arn:aws:batch:r:1:job-queue/"), INVALID, "jobQueue", "queue name");
}

#[test]
fn counts_and_times_have_limits() {
    for attempts in [0, 11, -1, i64::MAX] {
        let path = "retryStrategy.attempts";
        refused("/retryStrategy/attempts", json!(attempts), INVALID, path, "1 to 10");
    }
    refused(
        "/retryStrategy/attempts",
        json!("3"),
        INVALID,
        "retryStrategy.attempts",
        "expected a whole number",
    );
    refused(
        "/retryStrategy/attempts",
        json!(u64::MAX),
        INVALID,
        "retryStrategy.attempts",
        "whole number",
    );
    let path = "timeout.attemptDurationSeconds";
    for secs in [59, 0, -1, i64::MAX] {
        refused("/timeout/attemptDurationSeconds", json!(secs), INVALID, path, "60 to");
    }
    let path = "jobDefinition.timeout.attemptDurationSeconds";
    refused("/jobDefinition/timeout/attemptDurationSeconds", json!(1), INVALID, path, "60 to");
    let path = "spillway.expectedDurationSeconds";
    refused("/spillway/expectedDurationSeconds", json!(0), INVALID, path, "1 to");
    let path = "spillway.patienceSeconds";
    refused("/spillway/patienceSeconds", json!(-1), INVALID, path, "0 to");
    let path = "spillway.deadline";
    refused("/spillway/deadline", json!("tomorrow"), INVALID, path, "is not a time");
}

#[test]
fn tags_keep_the_limits_of_aws() {
    let many: serde_json::Map<_, _> = (0..51).map(|n| (format!("k{n}"), json!(""))).collect();
    refused("/tags", json!(many), INVALID, "tags", "more than 50");
    refused("/tags", json!({"aws:x": ""}), INVALID, "tags[\"aws:x\"]", "reserved");
    refused("/tags", json!({"": "x"}), INVALID, "tags[\"\"]", "1 to 128");
    refused("/tags", json!({"k": "x".repeat(257)}), INVALID, "tags.k", "256");
    refused("/tags", json!({"k": 1}), INVALID, "tags.k", "expected a string");
}

#[test]
fn what_batch_knows_and_we_do_not_is_refused_by_name() {
    let root = [("eksPropertiesOverride", json!({"podProperties": {"x": 1}}))];
    for (key, value) in root {
        refused(&format!("/{key}"), value, UNSUPPORTED, key, "does not honour");
    }
    let (at, path) = ("/jobDefinition/eksProperties", "jobDefinition.eksProperties");
    refused(at, json!({"x": 1}), UNSUPPORTED, path, "honour");
    let volume = json!([{"name": "a"}, {"s3filesVolumeConfiguration": {"fileSystemArn": "x"}}]);
    let path = "volumes[1].s3filesVolumeConfiguration";
    container("volumes", volume, UNSUPPORTED, path, "does not honour");
    let fargate = ["networkConfiguration", "fargatePlatformConfiguration", "ephemeralStorage"];
    for key in fargate {
        container(key, json!({"x": 1}), UNSUPPORTED, key, "does not honour");
    }
    container("enableExecuteCommand", json!(true), UNSUPPORTED, "enableExecuteCommand", "honour");
    let of_task = [
        ("networkMode", json!("awsvpc")),
        ("platformVersion", json!("LATEST")),
        ("ephemeralStorage", json!({"sizeInGiB": 21})),
        ("enableExecuteCommand", json!(true)),
        ("volumes", json!([{"name": "v", "s3filesVolumeConfiguration": {"fileSystemArn": "x"}}])),
    ];
    for (key, value) in of_task {
        let task = json!({"taskProperties": [{key: value}]});
        let path = format!("jobDefinition.ecsProperties.taskProperties[0].{key}");
        let path =
            if key == "volumes" { format!("{path}[0].s3filesVolumeConfiguration") } else { path };
        refused("/jobDefinition/ecsProperties", task, UNSUPPORTED, &path, "does not honour");
    }
}

#[test]
fn what_batch_knows_of_nodes_and_we_do_not_is_refused_by_name() {
    let of_range = [
        ("instanceTypes", json!(["c5.large"])),
        ("ecsProperties", json!({"taskProperties": [{"x": 1}]})),
        ("eksProperties", json!({"podProperties": {"x": 1}})),
        ("consumableResourceProperties", json!({"consumableResourceList": [1]})),
    ];
    for (key, value) in of_range {
        let nodes = json!({"nodeRangeProperties": [{"targetNodes": "0:"}, {key: value}]});
        let path = format!("jobDefinition.nodeProperties.nodeRangeProperties[1].{key}");
        refused("/jobDefinition/nodeProperties", nodes, UNSUPPORTED, &path, "does not honour");
    }
    let of_override = [
        ("instanceTypes", json!(["c5.large"])),
        ("ecsPropertiesOverride", json!({"taskProperties": [{"x": 1}]})),
        ("eksPropertiesOverride", json!({"podProperties": {"x": 1}})),
        ("consumableResourcePropertiesOverride", json!({"consumableResourceList": [1]})),
    ];
    for (key, value) in of_override {
        let nodes = json!({"nodePropertyOverrides": [{key: value}]});
        let path = format!("nodeOverrides.nodePropertyOverrides[0].{key}");
        refused("/nodeOverrides", nodes, UNSUPPORTED, &path, "does not honour");
    }
}

#[test]
fn a_wrong_place_among_others_is_refused_at_its_place() {
    let share = "shareIdentifier";
    refused("/shareIdentifier", json!("team*"), INVALID, share, "not a share identifier");
    let priority = "schedulingPriorityOverride";
    refused(&format!("/{priority}"), json!(10_000), INVALID, priority, "must be 0 to 9999");
    let of_definition = "jobDefinition.schedulingPriority";
    refused("/jobDefinition/schedulingPriority", json!(-1), INVALID, of_definition, "0 to 9999");
    let takes = |items: Value| json!({ "consumableResourceList": items });
    let at = "consumableResourcePropertiesOverride.consumableResourceList";
    let own = |items: Value, path: &str, what: &str, code: &'static str| {
        let place = "/consumableResourcePropertiesOverride";
        refused(place, takes(items), code, &format!("{at}{path}"), what);
    };
    let item = |name: &str, n: i64| json!({"consumableResource": name, "quantity": n});
    own(json!([item("a", 0)]), "[0].quantity", "must be at least 1", INVALID);
    own(json!([item("a b", 1)]), "[0].consumableResource", "not the name", INVALID);
    own(json!([item("a", 1), item("a", 2)]), "[1].consumableResource", "twice", INVALID);
    own(json!([{"quantity": 1}]), "[0].consumableResource", "missing", MISSING);
}

#[test]
fn values_that_batch_knows_and_we_do_not_are_refused_by_name() {
    let platforms = "jobDefinition.platformCapabilities";
    refused(
        "/jobDefinition/platformCapabilities",
        json!(["FARGATE"]),
        UNSUPPORTED,
        platforms,
        "Fargate",
    );
    let managed = json!(["MANAGED_INSTANCES"]);
    refused("/jobDefinition/platformCapabilities", managed, UNSUPPORTED, platforms, "Managed");
    let driver = json!({"logDriver": "awsfirelens"});
    container(
        "logConfiguration",
        driver,
        INVALID,
        "logConfiguration.logDriver",
        "no other container",
    );
    let windows = json!({"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"});
    let path = "runtimePlatform.operatingSystemFamily";
    container("runtimePlatform", windows, UNSUPPORTED, path, "not supported");
}

#[test]
fn closed_lists_name_their_values() {
    refused("/spillway/market", json!("cheap"), INVALID, "spillway.market", "on-demand");
    refused("/spillway/architecture", json!("mips"), INVALID, "spillway.architecture", "arm64");
    refused("/spillway/action", json!("Run"), INVALID, "spillway.action", "not known");
    refused("/jobDefinition/type", json!("pod"), INVALID, "jobDefinition.type", "container");
    let arch = json!({"cpuArchitecture": "arm64"});
    container("runtimePlatform", arch, INVALID, "runtimePlatform.cpuArchitecture", "ARM64");
    container(
        "logConfiguration",
        json!({"logDriver": "x"}),
        INVALID,
        "logConfiguration.logDriver",
        "awslogs",
    );
}

#[test]
fn a_newer_version_is_refused_whatever_else_is_in_it() {
    let rejection = message::parse(r#"{"spillway":{"version":2},"jobs":[1]}"#).unwrap_err();

    assert_eq!(rejection.code, code::UNSUPPORTED_VERSION);
    assert!(rejection.reason.contains("version 2") && rejection.reason.contains("version 1"));
    for wrong in [json!(0), json!(-1), json!("1"), json!(1.5)] {
        refused("/spillway/version", wrong, INVALID, "spillway.version", "must be 1");
    }
}

#[test]
fn a_token_has_a_length() {
    for token in [String::new(), "x".repeat(129)] {
        refused("/spillway/clientToken", json!(token), INVALID, "spillway.clientToken", "1 to 128");
    }
}

#[test]
fn a_key_that_is_there_twice_has_no_meaning() {
    let body = least().to_string().replacen("\"image\":", "\"image\":\"evil\",\"image\":", 1);

    let rejection = message::parse(&body).unwrap_err();

    assert_eq!(rejection.code, code::DUPLICATE_KEY);
    assert_eq!(rejection.path.as_deref(), Some("jobDefinition.containerProperties.image"));
}

#[test]
fn a_character_that_sqs_cannot_carry_is_refused_where_it_is() {
    for bad in ["\u{0}", "\u{1b}", "\u{FFFE}", "\u{FFFF}"] {
        container("command", json!(["ok", format!("a{bad}b")]), INVALID, "command[1]", "U+");
    }
    let rejection = parse(&with(least(), "/tags", json!({"a\u{0}": "x"}))).unwrap_err();
    assert_eq!(rejection.code, INVALID);
    assert!(!rejection.reason.contains('\u{0}'));
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    for n in [limits::DEPTH_MAX + 1, 127, 128, 100_000] {
        let body = format!("{{\"x\":{}{}}}", "[".repeat(n), "]".repeat(n));
        let rejection = message::parse(&body).unwrap_err();
        assert_eq!(rejection.code, code::TOO_LARGE, "{n}");
    }
    let deep = json!({"a": {"b": {"c": [[[[]]]]}}});
    assert!(parse(&with(least(), "/note", deep)).is_ok());
}

#[test]
fn a_body_that_sqs_could_not_have_delivered_is_too_large() {
    let body = with(least(), "/note", json!("x".repeat(limits::BODY_BYTES_MAX))).to_string();

    assert_eq!(message::parse(&body).unwrap_err().code, code::TOO_LARGE);
}

#[test]
fn what_is_wrong_inside_an_envelope_is_found_there() {
    let notification = |text: &str| {
        json!({"Type": "Notification", "TopicArn": "arn:aws:sns:r:1:t", "Message": text})
            .to_string()
    };

    let broken = message::parse(&notification("{")).unwrap_err();
    let empty = message::parse(&notification("{}")).unwrap_err();
    let no_object = message::parse(r#"{"detail-type":"Job","detail":"x"}"#).unwrap_err();
    let mut endless = least().to_string();
    for _ in 0..=limits::ENVELOPES_MAX {
        endless = notification(&endless);
    }

    assert_eq!((broken.code, broken.path.as_deref()), (code::INVALID_JSON, Some("Message")));
    assert_eq!((empty.code, empty.path.as_deref()), (MISSING, Some("jobName")));
    assert_eq!((no_object.code, no_object.path.as_deref()), (INVALID, Some("detail")));
    assert_eq!(message::parse(&endless).unwrap_err().code, code::TOO_LARGE);
}

#[test]
fn a_list_is_no_object_whatever_its_length() {
    for key in ["retryStrategy", "timeout", "spillway", "containerOverrides", "jobDefinition"] {
        for list in [json!([]), json!([3])] {
            refused(&format!("/{key}"), list, INVALID, key, "expected an object");
        }
    }
    let path = "environment[0]";
    container("environment", json!([["A", "1"]]), INVALID, path, "expected an object");
    container("linuxParameters", json!([true]), INVALID, "linuxParameters", "expected an object");
    container("command", json!("true"), INVALID, "command", "expected a list");
}

#[test]
fn retry_rules_follow_batch_to_the_letter() {
    let at = "retryStrategy.evaluateOnExit";
    let rules = |rules: Value| json!({"attempts": 3, "evaluateOnExit": rules});
    let one = |rule: Value, path: &str, words: &str| {
        let code = if words == "is missing" { MISSING } else { INVALID };
        refused("/retryStrategy", rules(json!([rule])), code, &format!("{at}[0]{path}"), words);
    };

    one(json!({"action": "RETRY"}), "", "no condition");
    one(json!({"onReason": "", "onExitCode": "", "action": "RETRY"}), "", "no condition");
    one(json!({"onReason": "*"}), ".action", "is missing");
    one(json!({"onReason": "*", "action": "STOP"}), ".action", "no action");
    one(json!({"onReason": "a*b", "action": "EXIT"}), ".onReason", "holds '*'");
    one(json!({"onStatusReason": "Host (x", "action": "EXIT"}), ".onStatusReason", "holds '('");
    one(json!({"onExitCode": "-1", "action": "EXIT"}), ".onExitCode", "holds '-'");
    one(json!({"onReason": "x".repeat(513), "action": "EXIT"}), ".onReason", "1 to 512");
    let six = vec![json!({"onExitCode": "1", "action": "RETRY"}); 6];
    refused("/retryStrategy", rules(json!(six)), INVALID, at, "more than 5");
    let alone = json!({"evaluateOnExit": [{"onExitCode": "1", "action": "RETRY"}]});
    refused("/retryStrategy", alone.clone(), MISSING, "retryStrategy.attempts", "is missing");
    let path = "jobDefinition.retryStrategy.attempts";
    refused("/jobDefinition/retryStrategy", alone, MISSING, path, "is missing");
}

#[test]
fn time_limits_are_looked_at() {
    for (key, least) in [
        ("jobTimeoutSeconds", 60),
        ("queueTimeoutSeconds", 1),
        ("startTimeoutSeconds", 60),
        ("stopTimeoutSeconds", 2),
    ] {
        let path = format!("spillway.{key}");
        let words = format!("must be {least} to");
        for wrong in [least - 1, i64::MAX] {
            refused(&format!("/spillway/{key}"), json!(wrong), INVALID, &path, &words);
        }
    }
}

#[test]
fn what_spillway_adds_to_retries_is_looked_at() {
    let rule = |key: &str, value: Value| json!([{key: value, "action": "RETRY"}]);
    let rules = "/spillway/evaluateOnExit";
    let path = "spillway.evaluateOnExit[0]";
    refused(rules, rule("onFailure", json!([])), INVALID, path, "no condition");
    let path = "spillway.evaluateOnExit[0].onFailure[0]";
    refused(rules, rule("onFailure", json!(["bad-luck"])), INVALID, path, "spot");
    let many = vec![json!({"onExitCode": "1", "action": "RETRY"}); 21];
    refused(rules, json!(many), INVALID, "spillway.evaluateOnExit", "more than 20");

    let growth = "/spillway/growMemory";
    let less = json!({"percent": 50, "maxMemory": "256"});
    refused(growth, less, INVALID, "spillway.growMemory.maxMemory", "less than the job asks");
    let none = json!({"percent": 0, "maxMemory": "1024"});
    refused(growth, none, INVALID, "spillway.growMemory.percent", "1 to 1000");
    let unbounded = json!({"percent": 50});
    refused(growth, unbounded, MISSING, "spillway.growMemory.maxMemory", "is missing");
}
