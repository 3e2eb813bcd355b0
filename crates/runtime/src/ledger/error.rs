//! Sorts what SQLite says by what the caller does next.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use spillway_core::JobId;
use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;

/// A change that a ledger must refuse. It means that the control loop is wrong, so it is told as
/// [`LedgerError::Corrupt`]: the dispatcher stops, and what is written stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadChange {
    /// The job is there already.
    #[error("job {0} is added twice")]
    AddedTwice(JobId),
    /// The job is not there.
    #[error("job {0} is moved but was never added")]
    NeverAdded(JobId),
    /// The job has ended.
    #[error("job {0} is moved to {1} after its end")]
    MovedAfterEnd(JobId, JobStatus),
    /// The attempt that ended is not newer than the last that did.
    #[error("attempt {1} of job {0} ends twice")]
    AttemptTwice(JobId, u32),
}

/// What is wrong around the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error("the folder {0} does not exist (hint: create it, or name another ledger)")]
    NoFolder(PathBuf),
    #[error("{0} is a folder (hint: name a file in it)")]
    IsFolder(PathBuf),
    #[error("cannot open {path}")]
    Open {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl From<PlaceError> for LedgerError {
    fn from(error: PlaceError) -> Self {
        Self::Unavailable { source: Box::new(error) }
    }
}

/// Why a call to the database failed: SQLite's error, or a record that is not what it should be.
#[derive(Debug)]
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Record(String),
    Bad(BadChange),
    /// What was done beside the database failed.
    Other(LedgerError),
}

pub(super) type Outcome<T> = Result<T, Failure>;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<BadChange> for Failure {
    fn from(bad: BadChange) -> Self {
        Self::Bad(bad)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Other(error)
    }
}

impl Failure {
    /// A record that cannot be read.
    pub(super) fn record(what: &str, error: &dyn std::fmt::Display) -> Self {
        Self::Record(format!("{what}: {error}"))
    }

    pub(super) fn at(self, path: &Path) -> LedgerError {
        match self {
            Self::Other(error) => error,
            Self::Bad(bad) => LedgerError::Corrupt { detail: bad.to_string() },
            Self::Record(detail) => {
                LedgerError::Corrupt { detail: format!("{}: {detail}", path.display()) }
            }
            Self::Sqlite(error) if is_damage(&error) => {
                LedgerError::Corrupt { detail: format!("{}: {error}", path.display()) }
            }
            Self::Sqlite(error) => LedgerError::Unavailable { source: Box::new(error) },
        }
    }
}

/// Whether the file is not what it should be, as opposed to not within reach now: the same call later cannot help.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(
            code,
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::Unknown
        ),
        // Not from SQLite but from reading its answer: a column of another type, a table without its row.
        None => true,
    }
}
