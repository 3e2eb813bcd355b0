//! ARNs, which Batch's clients send and expect. Those of Spillway's queues, jobs and definitions are made up from their names: no
//! other service knows them. Pure.

use spillway_core::{DefinitionRef, JobId, QueueName};

use super::refusal::Refusal;

/// The account where none is known.
const NO_ACCOUNT: &str = "000000000000";

/// The region where none is known.
const REGION_DEFAULT: &str = "us-east-1";

const QUEUE: &str = "job-queue/";
const JOB: &str = "job/";
const DEFINITION: &str = "job-definition/";
const ENVIRONMENT: &str = "compute-environment/";

/// The beginning of ARNs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    partition: &'static str,
    region: String,
    account: String,
}

/// What an ARN is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    Queue(QueueName),
    Job(JobId),
    Definition(DefinitionRef),
    Environment(String),
}

impl Names {
    /// `queue_url` is where jobs are sent; one of AWS has the account in it.
    pub(super) fn new(region: Option<&str>, queue_url: Option<&str>) -> Self {
        let region = region.unwrap_or(REGION_DEFAULT).to_owned();
        let partition = match &region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let is_account = |part: &&str| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit());
        let account = queue_url.and_then(|url| url.rsplit('/').nth(1)).filter(is_account);
        Self { partition, region, account: account.unwrap_or(NO_ACCOUNT).to_owned() }
    }

    fn arn(&self, service: &str, rest: impl std::fmt::Display) -> String {
        let Self { partition, region, account } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{rest}")
    }

    pub(super) fn queue(&self, queue: &QueueName) -> String {
        self.arn("batch", format_args!("{QUEUE}{queue}"))
    }

    pub(super) fn job(&self, job: JobId) -> String {
        self.arn("batch", format_args!("{JOB}{job}"))
    }

    pub(super) fn definition(&self, definition: &DefinitionRef) -> String {
        self.arn("batch", format_args!("{DEFINITION}{definition}"))
    }

    pub(super) fn environment(&self, pool: &str) -> String {
        self.arn("batch", format_args!("{ENVIRONMENT}{pool}"))
    }

    /// That one is real, where the account is.
    pub(super) fn cluster(&self, cluster: &str) -> String {
        self.arn("ecs", format_args!("cluster/{cluster}"))
    }
}

/// The name in the ARN of such a thing; a text that is no ARN is a name.
fn name_in<'a>(text: &'a str, kind: &str) -> Result<&'a str, Refusal> {
    if !text.starts_with("arn:") {
        return Ok(text);
    }
    let resource = text.splitn(6, ':').nth(5).and_then(|resource| resource.strip_prefix(kind));
    resource.ok_or_else(|| {
        let kind = kind.trim_end_matches('/');
        Refusal::client(format!("{text:?} is neither the name nor the ARN of a {kind}"))
    })
}

fn wrong(error: impl std::fmt::Display) -> Refusal {
    Refusal::client(error.to_string())
}

/// A queue, by its name or ARN.
pub(super) fn queue(text: &str) -> Result<QueueName, Refusal> {
    name_in(text, QUEUE)?.parse().map_err(wrong)
}

/// A job, by its id or ARN.
pub(super) fn job(text: &str) -> Result<JobId, Refusal> {
    name_in(text, JOB)?.parse().map_err(wrong)
}

/// A job definition, by its name, its name and revision, or the ARN of either.
pub(super) fn definition(text: &str) -> Result<DefinitionRef, Refusal> {
    name_in(text, DEFINITION)?.parse().map_err(wrong)
}

/// A compute environment, by its name or ARN.
pub(super) fn environment(text: &str) -> Result<&str, Refusal> {
    name_in(text, ENVIRONMENT)
}

/// What an ARN is of.
pub(super) fn resource(arn: &str) -> Result<Resource, Refusal> {
    let kind = arn.splitn(6, ':').nth(5).filter(|_| arn.starts_with("arn:"));
    match kind.and_then(|resource| resource.split_once('/')).map(|(kind, _)| kind) {
        Some("job-queue") => queue(arn).map(Resource::Queue),
        Some("job") => job(arn).map(Resource::Job),
        Some("job-definition") => definition(arn).map(Resource::Definition),
        Some("compute-environment") => environment(arn).map(|of| Resource::Environment(of.into())),
        _ => Err(Refusal::client(format!("{arn:?} is not the ARN of anything here"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_arn_mean_the_same() {
        let names = Names::new(Some("eu-west-1"), None);
        let (nightly, id) = ("nightly".parse().unwrap(), JobId::derive(&"q".parse().unwrap(), "t"));
        let align: DefinitionRef = "align:3".parse().unwrap();

        assert_eq!(queue(&names.queue(&nightly)), Ok(nightly.clone()));
        assert_eq!(queue("nightly"), Ok(nightly));
        assert_eq!(job(&names.job(id.child(7))), Ok(id.child(7)));
        assert_eq!(definition(&names.definition(&align)), Ok(align.clone()));
        assert_eq!(resource(&names.definition(&align)), Ok(Resource::Definition(align)));
        assert!(queue(&names.job(id)).is_err(), "a job is no queue");
        assert!(resource("nightly").is_err() && job("x").is_err());
    }

    #[test]
    fn account_and_partition_are_told_where_they_are_known() {
        let url = "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/spillway-jobs";
        let known = Names::new(Some("cn-north-1"), Some(url));
        let unknown = Names::new(None, Some("file:jobs"));

        let queue = "q".parse().unwrap();
        assert_eq!(known.queue(&queue), "arn:aws-cn:batch:cn-north-1:123456789012:job-queue/q");
        assert_eq!(unknown.queue(&queue), "arn:aws:batch:us-east-1:000000000000:job-queue/q");
    }
}
