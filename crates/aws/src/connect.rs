//! From settings to working ports. Looks that everything named exists; makes nothing.

use std::error::Error;
use std::sync::Arc;

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use spillway_core::CloudError;
use spillway_core::error::chain;

use crate::call::{self, CallError};
use crate::ec2::Ec2Compute;
use crate::ecs::EcsCluster;
use crate::error::ConnectError;
use crate::limits;
use crate::logs::TaskLogs;
use crate::news::{BusNews, News, NewsPlace, QueueNews, TopicNews};
use crate::prices::{AwsPrices, Source};
use crate::settings::Settings;
use crate::sqs::{SqsEvents, SqsJobs, SqsSender};

/// The ports over one account and region.
#[derive(Debug, Clone)]
pub struct Cloud {
    jobs: Arc<SqsJobs>,
    sender: Arc<SqsSender>,
    events: Arc<SqsEvents>,
    compute: Arc<Ec2Compute>,
    cluster: Arc<EcsCluster>,
    prices: Arc<AwsPrices>,
    place: String,
}

impl Cloud {
    /// Everything a dispatcher needs. Finds the queues by name, and looks that the cluster is ACTIVE.
    pub async fn connect(settings: &Settings) -> Result<Self, ConnectError> {
        let account = Account::open(settings).await?;
        let sqs = aws_sdk_sqs::Client::new(&account.sdk);
        let dead_letter_queue =
            account.queue_url(&sqs, &settings.dead_letter_queue, "dead-letter-queue").await?;
        let event_queue = account.queue_url(&sqs, &settings.event_queue, "event-queue").await?;
        let job_queue = account.job_queue_url(&sqs, settings).await?;
        let ecs = aws_sdk_ecs::Client::new(&account.sdk);
        account.look_at_cluster(&ecs, &settings.cluster).await?;

        let logs = TaskLogs::new(aws_sdk_cloudwatchlogs::Client::new(&account.sdk));
        let ec2 = aws_sdk_ec2::Client::new(&account.sdk);
        let ssm = aws_sdk_ssm::Client::new(&account.sdk);
        let compute = Ec2Compute::new(ec2.clone(), ssm, settings);
        let prices = account.prices(ec2, settings)?;
        Ok(Self {
            jobs: Arc::new(SqsJobs::new(sqs.clone(), job_queue.clone(), dead_letter_queue)),
            sender: Arc::new(SqsSender::new(sqs.clone(), job_queue)),
            events: Arc::new(SqsEvents::new(sqs, event_queue, settings.cluster.clone())),
            compute: Arc::new(compute),
            cluster: Arc::new(EcsCluster::new(ecs, logs, settings, account.region())),
            prices: Arc::new(prices),
            place: account.place,
        })
    }

    /// What a producer needs: the job queue, and nothing else of the account.
    pub async fn connect_sender(settings: &Settings) -> Result<SqsSender, ConnectError> {
        let account = Account::open(settings).await?;
        let sqs = aws_sdk_sqs::Client::new(&account.sdk);
        let url = account.job_queue_url(&sqs, settings).await?;
        Ok(SqsSender::new(sqs, url))
    }

    /// Where others read news of jobs. A queue is found by its name now; whether there is a topic or a bus is seen when it is first told.
    pub async fn connect_news(settings: &Settings, place: NewsPlace) -> Result<News, ConnectError> {
        let account = Account::open(settings).await?;
        Ok(match place {
            NewsPlace::Queue(queue) => {
                let sqs = aws_sdk_sqs::Client::new(&account.sdk);
                let url = account.queue_url(&sqs, &queue, "job-events.queue").await?;
                News::Queue(QueueNews::new(sqs, url))
            }
            NewsPlace::Topic(arn) => {
                News::Topic(TopicNews::new(aws_sdk_sns::Client::new(&account.sdk), arn))
            }
            NewsPlace::Bus(bus) => {
                News::Bus(BusNews::new(aws_sdk_eventbridge::Client::new(&account.sdk), bus))
            }
        })
    }

    /// Reads logs of jobs.
    pub async fn connect_logs(settings: &Settings) -> Result<TaskLogs, ConnectError> {
        let account = Account::open(settings).await?;
        Ok(TaskLogs::new(aws_sdk_cloudwatchlogs::Client::new(&account.sdk)))
    }

    /// What a planner needs: offerings and prices. Also where they come from, for people.
    pub async fn connect_prices(settings: &Settings) -> Result<(AwsPrices, String), ConnectError> {
        let account = Account::open(settings).await?;
        let prices = account.prices(aws_sdk_ec2::Client::new(&account.sdk), settings)?;
        let source = prices.source();
        Ok((prices, format!("{} ({source})", account.place)))
    }

    /// Where this is, for people: `AWS in us-east-1`, or the endpoint.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The queue that jobs come from.
    pub fn jobs(&self) -> Arc<SqsJobs> {
        Arc::clone(&self.jobs)
    }

    /// The same queue, for sending.
    pub fn sender(&self) -> Arc<SqsSender> {
        Arc::clone(&self.sender)
    }

    /// The queue that news comes from.
    pub fn events(&self) -> Arc<SqsEvents> {
        Arc::clone(&self.events)
    }

    /// EC2.
    pub fn compute(&self) -> Arc<Ec2Compute> {
        Arc::clone(&self.compute)
    }

    /// ECS.
    pub fn cluster(&self) -> Arc<EcsCluster> {
        Arc::clone(&self.cluster)
    }

    /// Offerings and prices.
    pub fn prices(&self) -> Arc<AwsPrices> {
        Arc::clone(&self.prices)
    }
}

/// How calls are made, before it is known what for.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) sdk: SdkConfig,
    /// Where calls go, for people.
    pub(crate) place: String,
}

impl Account {
    /// Reads AWS's own configuration under the settings. Calls nothing but, at most, the instance metadata service.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, ConnectError> {
        settings.check().map_err(ConnectError::Setting)?;
        let region = region(settings).await.ok_or(ConnectError::NoRegion)?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(limits::CONNECT_TIMEOUT)
            .operation_attempt_timeout(limits::ATTEMPT_TIMEOUT)
            .operation_timeout(limits::CALL_TIMEOUT)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(region.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(limits::ATTEMPTS_MAX))
            .timeout_config(timeouts)
            .identity_cache(IdentityCache::lazy().load_timeout(limits::IDENTITY_TIMEOUT).build());
        if let Ok(name) = AppName::new("spillway") {
            loader = loader.app_name(name);
        }
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &settings.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let sdk = loader.load().await;
        let place = sdk.endpoint_url().map_or_else(|| format!("AWS in {region}"), str::to_owned);
        Ok(Self { sdk, place })
    }

    pub(crate) fn region(&self) -> String {
        self.sdk.region().map(Region::to_string).unwrap_or_default()
    }

    /// Sorts an error into what the operator does about it.
    pub(crate) fn failed<E>(&self, action: &'static str, error: &CallError<E>) -> ConnectError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(credentials) = call::credentials_error(error) {
            return ConnectError::NoCredentials { detail: chain(credentials) };
        }
        let is_bad_identity = call::code_of(error).is_some_and(is_about_identity);
        match call::sort(action, error) {
            CloudError::Denied { detail, .. } if is_bad_identity => {
                ConnectError::NoCredentials { detail }
            }
            CloudError::Denied { action, detail } => ConnectError::Denied { action, detail },
            CloudError::Unsettled { detail, .. } => {
                ConnectError::Unreachable { endpoint: self.place.clone(), detail }
            }
            other @ (CloudError::Throttled { .. }
            | CloudError::Quota { .. }
            | CloudError::Misconfigured { .. }
            | CloudError::Invalid { .. }
            | CloudError::Conflict { .. }) => ConnectError::Call(other),
        }
    }

    async fn job_queue_url(
        &self,
        sqs: &aws_sdk_sqs::Client,
        settings: &Settings,
    ) -> Result<String, ConnectError> {
        match &settings.job_queue_url {
            Some(url) => Ok(url.clone()),
            None => self.queue_url(sqs, &settings.job_queue_name, "job-queue-name").await,
        }
    }

    pub(crate) async fn queue_url(
        &self,
        sqs: &aws_sdk_sqs::Client,
        name: &str,
        key: &'static str,
    ) -> Result<String, ConnectError> {
        let no_queue =
            || ConnectError::NoQueue { name: name.to_owned(), key, place: self.place.clone() };
        match sqs.get_queue_url().queue_name(name).send().await {
            Ok(found) => found.queue_url.ok_or_else(no_queue),
            Err(error) => {
                let does_not_exist =
                    error.as_service_error().is_some_and(GetQueueUrlError::is_queue_does_not_exist)
                        || call::code_of(&error).is_some_and(|c| c.ends_with("NonExistentQueue"));
                Err(if does_not_exist {
                    no_queue()
                } else {
                    self.failed("sqs:GetQueueUrl", &error)
                })
            }
        }
    }

    pub(crate) async fn look_at_cluster(
        &self,
        ecs: &aws_sdk_ecs::Client,
        name: &str,
    ) -> Result<(), ConnectError> {
        let answer = ecs.describe_clusters().clusters(name).send().await;
        let answer = answer.map_err(|error| self.failed("ecs:DescribeClusters", &error))?;
        // A deleted cluster is shown as INACTIVE for a while.
        let is_active = answer.clusters().iter().any(|c| c.status() == Some("ACTIVE"));
        if is_active {
            Ok(())
        } else {
            Err(ConnectError::NoCluster { name: name.to_owned(), place: self.place.clone() })
        }
    }

    pub(crate) fn prices(
        &self,
        ec2: aws_sdk_ec2::Client,
        settings: &Settings,
    ) -> Result<AwsPrices, ConnectError> {
        let source = match &settings.prices_file {
            Some(path) => {
                Source::file(path.clone(), &self.region()).map_err(ConnectError::PricesFile)?
            }
            None => Source::price_list(&self.sdk),
        };
        Ok(AwsPrices::new(ec2, source, settings, self.region()))
    }
}

/// Codes that speak of who we are, not of what we may.
fn is_about_identity(code: &str) -> bool {
    ["InvalidClientTokenId", "UnrecognizedClient", "Expired", "Signature", "InvalidAccessKeyId"]
        .iter()
        .any(|prefix| code.starts_with(prefix))
}

/// The region, by AWS's own rules. The instance metadata service is asked last, and not for long.
async fn region(settings: &Settings) -> Option<Region> {
    if let Some(region) = &settings.region {
        return Some(Region::new(region.clone()));
    }
    let mut chain = DefaultRegionChain::builder();
    if let Some(profile) = &settings.profile {
        chain = chain.profile_name(profile);
    }
    let chain = chain.build();
    tokio::time::timeout(limits::IDENTITY_TIMEOUT, chain.region()).await.ok().flatten()
}
