//! From an SDK error to what the caller does next.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use spillway_core::CloudError;
use spillway_core::error::chain;

use crate::codes::{self, Kind};

/// Any error of an SDK call.
pub(crate) type CallError<E> = SdkError<E, HttpResponse>;

/// AWS's error code, if AWS answered with one.
pub(crate) fn code_of<E: ProvideErrorMetadata>(error: &CallError<E>) -> Option<&str> {
    error.as_service_error()?.code()
}

/// AWS's own words, if AWS answered with any.
pub(crate) fn message_of<E: ProvideErrorMetadata>(error: &CallError<E>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default()
}

/// Sorts an error of `action` (an IAM action, `ec2:CreateFleet`).
pub(crate) fn sort<E>(action: &'static str, error: &CallError<E>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(code) = code_of(error) {
        let is_server_fault = error.raw_response().is_some_and(|r| 500 <= r.status().as_u16());
        let kind = codes::kind(code);
        // A 5xx with a code that is not about load says nothing about what happened.
        let is_clear = !is_server_fault || kind == Kind::Throttled;
        let kind = if is_clear { kind } else { Kind::Unsettled };
        return cloud_error(kind, action, format!("{code}: {}", message_of(error)));
    }
    if let Some(credentials) = credentials_error(error) {
        return cloud_error(Kind::Denied, action, chain(credentials));
    }
    let kind = match error.raw_response().map(|r| r.status().as_u16()) {
        Some(401 | 403) => Kind::Denied,
        Some(429) => Kind::Throttled,
        // An answer that is not AWS's: a proxy, or a server that does not know the call.
        Some(400..=499) => Kind::Misconfigured,
        Some(_) | None => Kind::Unsettled,
    };
    let kind = if matches!(error, SdkError::ConstructionFailure(_)) { Kind::Invalid } else { kind };
    cloud_error(kind, action, chain(error))
}

/// An error of this kind.
pub(crate) fn cloud_error(kind: Kind, action: &str, detail: String) -> CloudError {
    let action = action.to_owned();
    match kind {
        Kind::Unsettled => CloudError::Unsettled { action, detail },
        Kind::Throttled => CloudError::Throttled { action, detail },
        Kind::Denied => CloudError::Denied { action, detail },
        Kind::Quota => CloudError::Quota { action, detail },
        Kind::Misconfigured => CloudError::Misconfigured { action, detail },
        Kind::Invalid => CloudError::Invalid { action, detail },
        Kind::Conflict => CloudError::Conflict { action, detail },
    }
}

/// The credentials error that stopped the call before it was sent.
pub(crate) fn credentials_error<'a>(
    error: &'a (dyn Error + 'static),
) -> Option<&'a (dyn Error + 'static)> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.is::<CredentialsError>() {
            return Some(cause);
        }
        next = cause.source();
    }
    None
}

#[cfg(test)]
mod tests;
