//! Why a request is refused, in the shape of AWS Batch's errors (restJson1): what its clients show to people, and go by when they
//! decide whether to try again.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use spillway_core::CloudError;
use spillway_core::error::LedgerError;
use spillway_core::message::Rejection;

use crate::error;

/// The header in which clients look for the name of an error.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// Batch's name for it, or that of AWS as a whole.
    pub(super) name: &'static str,
    pub(super) message: String,
}

impl Refusal {
    /// The request is wrong, and will be wrong again.
    pub(super) fn client(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, name: "ClientException", message: message.into() }
    }

    /// It may go well another time: clients try again by themselves.
    pub(super) fn server(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            name: "ServerException",
            message: message.into(),
        }
    }

    /// Whoever asks may not.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            name: "AccessDeniedException",
            message: message.into(),
        }
    }
}

/// A text with what to do about it.
pub(super) fn hinted(message: &str, hint: Option<&str>) -> String {
    hint.map_or_else(|| message.to_owned(), |hint| format!("{message} (hint: {hint})"))
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::client(hinted(&rejection.reason, rejection.hint.as_deref()))
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self::server(hinted(&error.to_string(), Some(&error::ledger_hint(&error))))
    }
}

impl From<CloudError> for Refusal {
    fn from(error: CloudError) -> Self {
        let message = error.to_string();
        match error {
            CloudError::Denied { .. } => Self::denied(message),
            CloudError::Throttled { .. } => Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                name: "TooManyRequestsException",
                message,
            },
            CloudError::Invalid { .. } | CloudError::Conflict { .. } => Self::client(message),
            CloudError::Unsettled { .. }
            | CloudError::Quota { .. }
            | CloudError::Misconfigured { .. } => Self::server(message),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, name, message } = self;
        (status, [(ERROR_TYPE, name)], Json(json!({ "message": message }))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_go_well_another_time_is_told_apart_from_what_never_will() {
        let detail = || "no".to_owned();
        let action = || "sqs:SendMessage".to_owned();
        let table = [
            (CloudError::Denied { action: action(), detail: detail() }, 403),
            (CloudError::Throttled { action: action(), detail: detail() }, 429),
            (CloudError::Unsettled { action: action(), detail: detail() }, 500),
        ];

        for (error, status) in table {
            assert_eq!(Refusal::from(error).status.as_u16(), status);
        }
        assert_eq!(Refusal::client("x").name, "ClientException");
    }

    #[test]
    fn an_error_is_where_clients_look_for_it() {
        let response = Refusal::client("no such thing").into_response();

        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["x-amzn-errortype"], "ClientException");
    }
}
