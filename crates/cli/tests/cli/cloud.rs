//! What a build with AWS says when there is no way to it. Nothing here leaves the machine.

use crate::rig::Home;

/// Nobody listens there: a port of the machine itself that no service has.
const NOWHERE: &str = "http://127.0.0.1:9";

const CREDENTIALS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];

/// No credentials anywhere, and no questions to the instance about its role.
const NOBODY: [(&str, &str); 2] =
    [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_REGION", "us-east-1")];

#[test]
fn an_endpoint_that_is_down_is_exit_code_eight_with_a_hint() {
    let home = Home::new();
    for verb in ["serve", "doctor"] {
        let args = [verb, "--endpoint-url", NOWHERE, "--ledger", "l.db"];

        let ran = home.run_with(&args, &CREDENTIALS, "");

        assert_eq!(ran.code, Some(8), "{ran}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("127.0.0.1:9") && said.contains("hint:"), "{ran}");
    }
}

#[test]
fn a_job_for_an_endpoint_that_is_down_is_not_sent() {
    let args = ["submit", "--image", "busybox", "--endpoint-url", NOWHERE];

    let ran = Home::new().run_with(&args, &CREDENTIALS, "");

    assert_eq!(ran.code, Some(8), "{ran}");
    assert!(ran.stdout.is_empty(), "{ran}");
}

#[test]
fn no_credentials_are_exit_code_seven_with_a_hint() {
    let args = ["submit", "--image", "busybox", "--endpoint-url", NOWHERE];

    let ran = Home::new().run_with(&args, &NOBODY, "");

    assert_eq!(ran.code, Some(7), "{ran}");
    assert!(ran.stderr.contains("hint:"), "{ran}");
}

#[test]
fn a_job_that_is_wrong_is_told_before_anybody_is_called() {
    let args = ["submit", "--image", "busybox", "--queue", "noon", "--endpoint-url", NOWHERE];

    let ran = Home::new().run_with(&args, &CREDENTIALS, "");

    assert_eq!(ran.code, Some(2), "{ran}");
}
