//! From settings to the table. Calls nothing but, at most, the instance metadata service.

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region};
use spillway_core::CloudError;

use crate::limits;
use crate::table::DynamoTable;

/// Where the table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub table: String,
    /// The AWS region; none asks `AWS_REGION`, the profile, then the instance metadata service.
    pub region: Option<String>,
    /// The profile of the AWS configuration; none takes `AWS_PROFILE`, or `default`.
    pub profile: Option<String>,
    /// Where all calls go; none takes `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL`, or AWS itself.
    pub endpoint_url: Option<String>,
}

/// The table. Whether it exists is seen at its first use.
///
/// # Errors
/// [`CloudError::Misconfigured`] if nobody says which region.
pub async fn connect(place: &Place) -> Result<DynamoTable, CloudError> {
    let region = region(place).await.ok_or_else(|| CloudError::Misconfigured {
        action: "dynamodb:GetItem".to_owned(),
        detail: "no AWS region is configured".to_owned(),
    })?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(limits::CONNECT_TIMEOUT)
        .operation_attempt_timeout(limits::ATTEMPT_TIMEOUT)
        .operation_timeout(limits::CALL_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(region)
        .retry_config(RetryConfig::standard().with_max_attempts(limits::ATTEMPTS_MAX))
        .timeout_config(timeouts)
        .identity_cache(IdentityCache::lazy().load_timeout(limits::IDENTITY_TIMEOUT).build());
    if let Ok(name) = AppName::new("spillway") {
        loader = loader.app_name(name);
    }
    if let Some(profile) = &place.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &place.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let sdk = Box::pin(loader.load()).await;
    Ok(DynamoTable::new(aws_sdk_dynamodb::Client::new(&sdk), place.table.clone()))
}

/// The region, by AWS's own rules. The instance metadata service is asked last, and not for long.
async fn region(place: &Place) -> Option<Region> {
    if let Some(region) = &place.region {
        return Some(Region::new(region.clone()));
    }
    let mut chain = DefaultRegionChain::builder();
    if let Some(profile) = &place.profile {
        chain = chain.profile_name(profile);
    }
    let chain = chain.build();
    tokio::time::timeout(limits::IDENTITY_TIMEOUT, Box::pin(chain.region())).await.ok().flatten()
}
