//! Which exit code and which hint an error has. The texts are printed in one place only, `output`.

use spillway_core::CloudError;
use spillway_core::error::LedgerError;
use spillway_core::message::Rejection;
use spillway_core::table::TableError;

use crate::config::ConfigError;
use crate::exit::ExitStatus;

/// Something wrong that the CLI itself found, with its exit code and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Complaint {
    /// What failed, for which id.
    pub message: String,
    /// What to do, if anything helps.
    pub hint: Option<String>,
    /// How the command ends.
    pub status: ExitStatus,
}

impl Complaint {
    /// The command line or its input is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, status: ExitStatus::Usage }
    }

    /// The same with another exit code.
    #[must_use]
    pub const fn status(mut self, status: ExitStatus) -> Self {
        self.status = status;
        self
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What the end of a failed command says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The exit code.
    pub status: ExitStatus,
    /// What to do about it, a line that can be followed or pasted.
    pub hint: Option<String>,
}

/// Sorts an error by the first cause in its chain that is known.
pub fn verdict(error: &anyhow::Error) -> Verdict {
    let known = error.chain().find_map(verdict_of_cause);
    known.unwrap_or(Verdict { status: ExitStatus::Failure, hint: None })
}

fn verdict_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Verdict> {
    if let Some(complaint) = cause.downcast_ref::<Complaint>() {
        return Some(Verdict { status: complaint.status, hint: complaint.hint.clone() });
    }
    if let Some(config) = cause.downcast_ref::<ConfigError>() {
        return Some(Verdict { status: ExitStatus::Config, hint: config.hint() });
    }
    if let Some(rejection) = cause.downcast_ref::<Rejection>() {
        return Some(Verdict { status: ExitStatus::Usage, hint: rejection.hint.clone() });
    }
    if let Some(LedgerError::Unavailable { source }) = cause.downcast_ref::<LedgerError>()
        && let Some(verdict) = of_table(&**source)
    {
        return Some(verdict);
    }
    if let Some(ledger) = cause.downcast_ref::<LedgerError>() {
        return Some(Verdict { status: ExitStatus::Ledger, hint: Some(ledger_hint(ledger)) });
    }
    if let Some(cloud) = cause.downcast_ref::<CloudError>() {
        return Some(cloud_verdict(cloud));
    }
    #[cfg(feature = "aws")]
    if let Some(verdict) = crate::cloud::verdict(cause) {
        return Some(verdict);
    }
    None
}

/// What to do about a ledger that is out of reach because its table is.
fn of_table(source: &(dyn std::error::Error + 'static)) -> Option<Verdict> {
    if let Some(complaint) = source.downcast_ref::<Complaint>() {
        return Some(Verdict { status: complaint.status, hint: complaint.hint.clone() });
    }
    let cloud = match source.downcast_ref::<TableError>() {
        Some(TableError::Call(cloud)) => Some(cloud),
        Some(TableError::Refused) | None => source.downcast_ref::<CloudError>(),
    };
    cloud.map(cloud_verdict)
}

pub(crate) fn ledger_hint(error: &LedgerError) -> String {
    match error {
        LedgerError::Locked { .. } => {
            "one dispatcher owns a ledger; stop the other one, or give this one its own with --ledger FILE"
        }
        LedgerError::Fenced { .. } => {
            "nothing is lost: the other dispatcher goes on from what was written; start this one again and it stands by"
        }
        LedgerError::NotEmpty { .. } => "name a new one with --ledger: a file, or dynamodb:TABLE",
        LedgerError::TooNew { .. } => "use the Spillway that wrote it, or a newer one",
        LedgerError::Missing { .. } => {
            "`spillway serve` creates it; name the dispatcher's own ledger with --ledger FILE, or see `spillway demo`"
        }
        LedgerError::Corrupt { .. } => {
            "stop the dispatcher, keep a copy of the file, and restore the last good one"
        }
        LedgerError::Unavailable { .. } => {
            "check that the file is a ledger, and that its folder exists and may be written"
        }
    }
    .to_owned()
}

fn cloud_verdict(error: &CloudError) -> Verdict {
    let verdict = |status, hint: String| Verdict { status, hint: Some(hint) };
    match error {
        CloudError::Unsettled { .. } => verdict(
            ExitStatus::Unreachable,
            "check the network, --region and --endpoint-url; then try again: the call is safe to repeat".into(),
        ),
        CloudError::Throttled { .. } => {
            verdict(ExitStatus::Unreachable, "wait a little and try again".into())
        }
        CloudError::Denied { action, .. } => verdict(
            ExitStatus::Denied,
            format!(
                "allow {action} as docs/iam.md lists it, on its resources and under its conditions; or choose other \
                 credentials with --profile"
            ),
        ),
        CloudError::Quota { .. } => verdict(
            ExitStatus::Failure,
            "ask AWS for a higher limit in the Service Quotas console".into(),
        ),
        CloudError::Misconfigured { .. } => {
            verdict(ExitStatus::Config, "`spillway doctor` names what is missing".into())
        }
        CloudError::Invalid { .. } => verdict(
            ExitStatus::Failure,
            "the request was refused as it is; -v shows it".into(),
        ),
        CloudError::Conflict { .. } => verdict(
            ExitStatus::Failure,
            "the same token was used for something else; use another one".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_first_known_cause_decides_however_deep_it_is() {
        let locked = LedgerError::Locked { path: "a.db".into() };
        let error = Err::<(), _>(locked).context("cannot start").context("serve").unwrap_err();

        let verdict = verdict(&error);

        assert_eq!(verdict.status, ExitStatus::Ledger);
        assert!(verdict.hint.unwrap().contains("--ledger"));
    }

    #[test]
    fn a_denial_names_the_right_and_where_it_is_written_what_it_takes() {
        let denied = CloudError::Denied { action: "ec2:CreateFleet".into(), detail: "no".into() };

        let verdict = verdict(&denied.into());

        assert_eq!(verdict.status.code(), 7);
        assert!(verdict.hint.unwrap().starts_with("allow ec2:CreateFleet as docs/iam.md lists it"));
    }

    #[test]
    fn an_error_nobody_knows_is_our_failure() {
        let error = anyhow::anyhow!("something");

        assert_eq!(verdict(&error).status, ExitStatus::Failure);
    }

    #[test]
    fn a_cloud_that_does_not_answer_is_unreachable() {
        let error = CloudError::Unsettled { action: "sqs:SendMessage".into(), detail: "io".into() };

        assert_eq!(verdict(&error.into()).status, ExitStatus::Unreachable);
    }
}
