//! Real errors of the real SDK, made by a server on loopback that gives one answer.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use aws_credential_types::Credentials;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError;
use aws_smithy_types::retry::RetryConfig;

use super::*;

/// A server that answers one request with `status` and `body`, and where it is.
fn answering(status: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0_u8; 8192];
        let _ = stream.read(&mut head).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    format!("http://{address}")
}

async fn call(endpoint: &str, credentials: bool) -> CallError<GetQueueUrlError> {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(endpoint);
    let config = if credentials {
        config.credentials_provider(Credentials::new("test", "test", None, None, "test"))
    } else {
        config.credentials_provider(NoCredentials)
    };
    let client = aws_sdk_sqs::Client::from_conf(config.build());
    client.get_queue_url().queue_name("jobs").send().await.unwrap_err()
}

async fn sorted(status: &str, body: &str) -> CloudError {
    sort("sqs:GetQueueUrl", &call(&answering(status, body), true).await)
}

#[derive(Debug)]
struct NoCredentials;

impl aws_sdk_sqs::config::ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(
        &'a self,
    ) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = CredentialsError::not_loaded("nobody logged in");
        aws_credential_types::provider::future::ProvideCredentials::ready(Err(error))
    }
}

#[tokio::test]
async fn an_error_code_says_what_to_do() {
    let denied = sorted(
        "400 Bad Request",
        r#"{"__type": "com.amazonaws.sqs#AccessDenied", "message": "no"}"#,
    );
    let throttled = sorted(
        "400 Bad Request",
        r#"{"__type": "com.amazon.coral.availability#ThrottlingException"}"#,
    );

    let detail = "AccessDenied: no".to_owned();
    assert_eq!(denied.await, CloudError::Denied { action: "sqs:GetQueueUrl".into(), detail });
    assert!(matches!(throttled.await, CloudError::Throttled { .. }));
}

#[tokio::test]
async fn a_server_fault_settles_nothing_unless_it_is_about_load() {
    let fault = sorted("500 Oops", r#"{"__type": "com.amazonaws.sqs#InvalidAddress"}"#).await;
    let load = sorted("503 Slow Down", r#"{"__type": "x#RequestThrottled"}"#).await;

    assert!(matches!(fault, CloudError::Unsettled { .. }), "{fault}");
    assert!(matches!(load, CloudError::Throttled { .. }), "{load}");
}

#[tokio::test]
async fn an_answer_that_is_not_from_aws_is_judged_by_its_status() {
    let proxy = sorted("403 Forbidden", "<html>blocked</html>").await;
    let wrong_server = sorted("404 Not Found", "nothing here").await;

    assert!(matches!(proxy, CloudError::Denied { .. }), "{proxy}");
    assert!(matches!(wrong_server, CloudError::Misconfigured { .. }), "{wrong_server}");
}

#[tokio::test]
async fn a_port_nobody_listens_on_settles_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);

    let error = sort("sqs:GetQueueUrl", &call(&endpoint, true).await);

    let CloudError::Unsettled { detail, .. } = error else { panic!("{error}") };
    assert!(detail.contains("refused"), "{detail}");
}

#[tokio::test]
async fn without_credentials_nothing_is_sent_and_the_reason_is_told() {
    let error = call("http://127.0.0.1:9", false).await;

    assert!(credentials_error(&error).is_some());
    let sorted = sort("sqs:GetQueueUrl", &error);
    let CloudError::Denied { detail, .. } = sorted else { panic!("{sorted}") };
    assert!(detail.contains("nobody logged in"), "{detail}");
}
