//! From an SDK error to what the caller does next.

use std::error::Error;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use spillway_core::CloudError;
use spillway_core::error::chain;
use spillway_core::table::TableError;

/// Any error of an SDK call.
pub(crate) type CallError<E> = SdkError<E, HttpResponse>;

/// Sorts the error of a call that has no conditions, or one.
pub(crate) fn sort<E>(action: &'static str, error: &CallError<E>) -> TableError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let Some(service) = error.as_service_error() else {
        return unanswered(action, error).into();
    };
    let code = service.code().unwrap_or_default();
    let detail = format!("{code}: {}", service.message().unwrap_or_default());
    if code == "ConditionalCheckFailedException" {
        return TableError::Refused;
    }
    let is_server_fault = error.raw_response().is_some_and(|r| 500 <= r.status().as_u16());
    by_code(action, code, is_server_fault, detail).into()
}

/// Sorts the error of a transaction: what is said of its writes counts.
pub(crate) fn sort_transaction(
    action: &'static str,
    error: &CallError<TransactWriteItemsError>,
) -> TableError {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return sort(action, error);
    };
    by_reasons(action, cancelled.cancellation_reasons())
}

/// A condition that does not hold is an answer whatever else there is; a conflict with another transaction is none.
fn by_reasons(action: &str, reasons: &[CancellationReason]) -> TableError {
    let codes = || reasons.iter().filter_map(CancellationReason::code);
    if codes().any(|code| code == "ConditionalCheckFailed") {
        return TableError::Refused;
    }
    let said = reasons.iter().filter(|reason| reason.code().is_some_and(|code| code != "None"));
    let detail: Vec<String> = said
        .map(|reason| {
            let code = reason.code().unwrap_or_default();
            format!("{code}: {}", reason.message().unwrap_or_default())
        })
        .collect();
    let code = codes().find(|code| *code != "None").unwrap_or_default();
    by_code(action, code, false, detail.join("; ")).into()
}

fn by_code(action: &str, code: &str, is_server_fault: bool, detail: String) -> CloudError {
    let action = action.to_owned();
    match code {
        // Nothing was written, and the same call will be.
        "ProvisionedThroughputExceededException"
        | "ProvisionedThroughputExceeded"
        | "ThrottlingException"
        | "ThrottlingError"
        | "RequestLimitExceeded"
        | "TransactionConflict"
        | "TransactionConflictException"
        | "TransactionInProgressException" => CloudError::Throttled { action, detail },
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "ExpiredTokenException"
        | "InvalidSignatureException"
        | "IncompleteSignatureException"
        | "MissingAuthenticationTokenException" => CloudError::Denied { action, detail },
        "ResourceNotFoundException" => CloudError::Misconfigured { action, detail },
        "ValidationException"
        | "ValidationError"
        | "ItemCollectionSizeLimitExceeded"
        | "ItemCollectionSizeLimitExceededException"
            if !is_server_fault =>
        {
            CloudError::Invalid { action, detail }
        }
        _ => CloudError::Unsettled { action, detail },
    }
}

/// Sorts an error that is not DynamoDB's.
fn unanswered<E: Error + 'static>(action: &str, error: &CallError<E>) -> CloudError {
    let (action, detail) = (action.to_owned(), chain(error));
    match error {
        SdkError::ConstructionFailure(_) => CloudError::Invalid { action, detail },
        SdkError::DispatchFailure(failure) if !failure.is_io() && !failure.is_timeout() => {
            // Nobody could be asked, for want of credentials among others.
            if detail.contains("credentials") {
                CloudError::Denied { action, detail }
            } else {
                CloudError::Unsettled { action, detail }
            }
        }
        SdkError::TimeoutError(_)
        | SdkError::DispatchFailure(_)
        | SdkError::ResponseError(_)
        | SdkError::ServiceError(_)
        | _ => CloudError::Unsettled { action, detail },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: &str) -> CancellationReason {
        CancellationReason::builder().code(code).message("m").build()
    }

    fn sorted(codes: &[&str]) -> TableError {
        let reasons: Vec<CancellationReason> = codes.iter().map(|code| reason(code)).collect();
        by_reasons("dynamodb:TransactWriteItems", &reasons)
    }

    #[test]
    fn a_condition_that_does_not_hold_is_told_from_a_conflict() {
        assert_eq!(sorted(&["None", "ConditionalCheckFailed"]), TableError::Refused);
        assert_eq!(sorted(&["TransactionConflict", "ConditionalCheckFailed"]), TableError::Refused);
        let conflict = sorted(&["TransactionConflict", "None"]);
        assert!(matches!(conflict, TableError::Call(CloudError::Throttled { .. })), "{conflict}");
        let unknown = sorted(&[]);
        assert!(matches!(unknown, TableError::Call(CloudError::Unsettled { .. })), "{unknown}");
    }

    #[test]
    fn each_code_says_what_is_done_next() {
        let sort = |code: &str| by_code("a", code, false, String::new());

        assert!(matches!(sort("ThrottlingException"), CloudError::Throttled { .. }));
        assert!(matches!(sort("AccessDeniedException"), CloudError::Denied { .. }));
        assert!(matches!(sort("ResourceNotFoundException"), CloudError::Misconfigured { .. }));
        assert!(matches!(sort("ValidationException"), CloudError::Invalid { .. }));
        assert!(matches!(sort("InternalServerError"), CloudError::Unsettled { .. }));
    }
}
