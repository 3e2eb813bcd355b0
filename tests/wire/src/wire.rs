//! Calls to the emulator as plain HTTP, for what tests arrange and look at beside the program under test. Loopback only.

use std::time::Duration;

use serde_json::{Value, json};

/// How long one call may take.
const CALL_WITHIN: Duration = Duration::from_secs(30);

/// The region of everything in tests.
pub const REGION: &str = "us-east-1";

/// A way to one emulator.
#[derive(Debug, Clone)]
pub struct Wire {
    endpoint: String,
    agent: ureq::Agent,
}

impl Wire {
    /// To the emulator at this address.
    pub fn new(endpoint: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(CALL_WITHIN))
            .http_status_as_error(false)
            .build();
        Self { endpoint: endpoint.trim_end_matches('/').to_owned(), agent: config.into() }
    }

    /// Its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A call to SQS.
    pub fn sqs(&self, operation: &str, input: &Value) -> Value {
        self.json("sqs", "1.0", &format!("AmazonSQS.{operation}"), input)
    }

    /// A call to ECS.
    pub fn ecs(&self, operation: &str, input: &Value) -> Value {
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        self.json("ecs", "1.1", &target, input)
    }

    /// A call to Systems Manager's Parameter Store.
    pub fn ssm(&self, operation: &str, input: &Value) -> Value {
        self.json("ssm", "1.1", &format!("AmazonSSM.{operation}"), input)
    }

    /// A call to the Secrets Manager.
    pub fn secrets(&self, operation: &str, input: &Value) -> Value {
        self.json("secretsmanager", "1.1", &format!("secretsmanager.{operation}"), input)
    }

    /// A call to EventBridge.
    pub fn events(&self, operation: &str, input: &Value) -> Value {
        self.json("events", "1.1", &format!("AWSEvents.{operation}"), input)
    }

    /// A call to DynamoDB.
    pub fn dynamodb(&self, operation: &str, input: &Value) -> Value {
        self.json("dynamodb", "1.0", &format!("DynamoDB_20120810.{operation}"), input)
    }

    /// A call in AWS's JSON protocol, with the operation in a header.
    fn json(&self, service: &str, version: &str, operation: &str, input: &Value) -> Value {
        let request = self
            .agent
            .post(&self.endpoint)
            .header("authorization", authorization(service))
            .header("content-type", format!("application/x-amz-json-{version}"))
            .header("x-amz-target", operation);
        let (status, text) = read(request.send(input.to_string()));
        assert!(status < 300, "{operation}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A call in the protocol of EC2 and CloudFormation: a form, answered in XML. The status, and the answer as it is.
    pub fn query(
        &self,
        service: &str,
        version: &str,
        operation: &str,
        parameters: &[(&str, &str)],
    ) -> (u16, String) {
        let form = [("Action", operation), ("Version", version)];
        let request =
            self.agent.post(&self.endpoint).header("authorization", authorization(service));
        read(request.send_form(form.into_iter().chain(parameters.iter().copied())))
    }

    /// The URL of a queue.
    pub fn queue_url(&self, name: &str) -> String {
        let answer = self.sqs("GetQueueUrl", &json!({ "QueueName": name }));
        answer["QueueUrl"].as_str().expect("the queue exists").to_owned()
    }

    /// The ARN of a queue.
    pub fn queue_arn(&self, name: &str) -> String {
        let url = self.queue_url(name);
        let input = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
        let answer = self.sqs("GetQueueAttributes", &input);
        answer["Attributes"]["QueueArn"].as_str().expect("a queue has an ARN").to_owned()
    }

    /// Whether there is a queue of that name.
    pub fn has_queue(&self, name: &str) -> bool {
        let answer = self.sqs("ListQueues", &json!({ "QueueNamePrefix": name }));
        let urls = answer["QueueUrls"].as_array().into_iter().flatten();
        urls.filter_map(Value::as_str).any(|url| url.ends_with(&format!("/{name}")))
    }

    /// Sends a message as it is, whatever is in it; its id.
    pub fn send(&self, queue: &str, body: &str) -> String {
        let url = self.queue_url(queue);
        let answer = self.sqs("SendMessage", &json!({ "QueueUrl": url, "MessageBody": body }));
        answer["MessageId"].as_str().expect("a message has an id").to_owned()
    }

    /// Up to ten messages with their attributes. They are not deleted.
    pub fn peek(&self, queue: &str) -> Vec<Value> {
        let url = self.queue_url(queue);
        let input = json!({
            "QueueUrl": url,
            "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"],
            "VisibilityTimeout": 0,
            "WaitTimeSeconds": 0,
        });
        let answer = self.sqs("ReceiveMessage", &input);
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }

    /// How many messages are in a queue, those that somebody holds included.
    pub fn depth(&self, queue: &str) -> u64 {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let url = self.queue_url(queue);
        let input = json!({ "QueueUrl": url, "AttributeNames": names });
        let answer = self.sqs("GetQueueAttributes", &input);
        let count = |name: &str| -> u64 {
            let text = answer["Attributes"][name].as_str().expect("the attribute was asked for");
            text.parse().expect("it is a number")
        };
        names.into_iter().map(count).sum()
    }

    /// One of the emulator's own endpoints, such as `/_spillway/state`.
    pub fn get(&self, path: &str) -> Value {
        let (status, text) = read(self.agent.get(format!("{}{path}", self.endpoint)).call());
        assert!(status < 300, "{path}: {status} {text}");
        serde_json::from_str(&text).expect("it answers in JSON")
    }

    /// The same with something to say.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.agent.post(format!("{}{path}", self.endpoint));
        let request = request.header("content-type", "application/json");
        let (status, text) = read(request.send(body.to_string()));
        assert!(status < 300, "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

/// The emulator reads the service from it, and checks no signature.
fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, String) {
    let mut answer = answer.expect("the emulator answers");
    let text = answer.body_mut().read_to_string().expect("the answer can be read");
    (answer.status().as_u16(), text)
}

/// The texts of every `<name>...</name>` of an XML answer.
pub fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let of = |part: &'a str| part.split_once(close.as_str()).map(|(text, _)| text);
    xml.split(open.as_str()).skip(1).filter_map(of).collect()
}
