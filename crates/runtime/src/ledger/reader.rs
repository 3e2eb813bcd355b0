//! The ledger as the command line reads it: with the dispatcher up, down, or killed. Writes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use spillway_core::change::LedgerState;
use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;
use spillway_core::port::{JobFilter, LedgerReader};
use spillway_core::{
    AuditEvent, AuditFilter, Breaker, BreakerId, Burst, DefinitionRecord, Gate, Host, HostId, Job,
    JobId, Launch, Pausable, QueueName, ScheduleRecord,
};

use super::error::Outcome;
use super::schema::{FORMAT, Found};
use super::{query, schema};

/// A reader of the ledger. Every answer is of one moment; the dispatcher is not held up by it.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
    path: PathBuf,
}

impl SqliteReader {
    /// Opens the ledger at `path` for reading. The folder must be writable unless a dispatcher is up: readers of a
    /// write-ahead log share a file beside it.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] if there is no file, or one in which no dispatcher has written yet; otherwise as
    /// [`super::SqliteLedger::open`], except that it is never [`LedgerError::Locked`].
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let missing = || LedgerError::Missing { path: path.display().to_string() };
        if !path.is_file() {
            return Err(missing());
        }
        let connection = connect(path).map_err(|failure| failure.at(path))?;
        match schema::examine(&connection, path)? {
            Found::Empty => Err(missing()),
            Found::Ledger(FORMAT) => Ok(Self { connection, path: path.to_owned() }),
            Found::Ledger(older) => {
                let detail = format!("format {older} is older than {FORMAT}: start the dispatcher");
                Err(LedgerError::Corrupt { detail })
            }
        }
    }

    /// Runs `read` on one moment of the ledger.
    fn at_once<T>(&self, read: impl FnOnce(&Connection) -> Outcome<T>) -> Result<T, LedgerError> {
        let run = || -> Outcome<T> {
            let tx = self.connection.unchecked_transaction()?;
            read(&tx)
        };
        run().map_err(|failure| failure.at(&self.path))
    }
}

impl SqliteReader {
    /// What has happened, as far as the filter says: the newest, or where it says so the first behind an event. In order.
    ///
    /// # Errors
    /// As [`LedgerReader::job`].
    pub fn events(&self, filter: &AuditFilter) -> Result<Vec<AuditEvent>, LedgerError> {
        self.at_once(|tx| query::audit::events(tx, filter))
    }
}

/// A connection that can only read.
pub(super) fn connect(path: &Path) -> Outcome<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    super::prepare(&connection)?;
    Ok(connection)
}

impl LedgerReader for SqliteReader {
    fn job(&self, id: JobId) -> Result<Option<Job>, LedgerError> {
        self.at_once(|tx| query::one(tx, id))
    }

    fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, LedgerError> {
        self.at_once(|tx| query::list::jobs(tx, filter))
    }

    fn job_counts(&self) -> Result<Vec<(JobStatus, u64)>, LedgerError> {
        self.at_once(|tx| {
            let sql = "SELECT count(*) FROM jobs WHERE status = ?1";
            let mut statement = tx.prepare_cached(sql)?;
            let mut counts = Vec::with_capacity(JobStatus::ALL.len());
            let mut of_arrays: BTreeMap<JobStatus, i64> = BTreeMap::new();
            for ((_, status), n) in query::children::counts(tx)? {
                *of_arrays.entry(status).or_default() += n;
            }
            for status in JobStatus::ALL {
                let n: i64 = statement.query_row([status.as_str()], |row| row.get(0))?;
                let n = n + of_arrays.get(&status).copied().unwrap_or(0);
                counts.push((status, u64::try_from(n).unwrap_or(0)));
            }
            Ok(counts)
        })
    }

    fn queue_counts(&self) -> Result<BTreeMap<(QueueName, JobStatus), u64>, LedgerError> {
        self.at_once(query::overview::queue_counts)
    }

    fn child_counts(&self, array: JobId) -> Result<Vec<(JobStatus, u32)>, LedgerError> {
        self.at_once(|tx| {
            let Some(parent) = query::one(tx, array.whole())? else { return Ok(Vec::new()) };
            let counts = query::children::counts_of(tx, &parent)?;
            Ok(counts.into_iter().filter(|(_, n)| 0 < *n).collect())
        })
    }

    fn last_ended(&self, limit: usize) -> Result<Vec<Job>, LedgerError> {
        self.at_once(|tx| query::overview::last_ended(tx, limit))
    }

    fn span(&self) -> Result<Option<(Timestamp, Timestamp)>, LedgerError> {
        self.at_once(query::overview::span)
    }

    fn host(&self, id: HostId) -> Result<Option<Host>, LedgerError> {
        self.at_once(|tx| query::host(tx, id))
    }

    fn hosts(&self, with_gone: bool) -> Result<Vec<Host>, LedgerError> {
        self.at_once(|tx| query::hosts(tx, with_gone))
    }

    fn hosts_since(&self, at: Timestamp) -> Result<Vec<Host>, LedgerError> {
        self.at_once(|tx| query::overview::hosts_since(tx, at))
    }

    fn launches(&self, limit: usize) -> Result<Vec<Launch>, LedgerError> {
        self.at_once(|tx| query::launches(tx, limit))
    }

    fn definitions(&self) -> Result<Vec<DefinitionRecord>, LedgerError> {
        self.at_once(query::definitions)
    }

    fn schedules(&self) -> Result<Vec<ScheduleRecord>, LedgerError> {
        self.at_once(query::schedules)
    }

    fn breakers(&self) -> Result<BTreeMap<BreakerId, Breaker>, LedgerError> {
        self.at_once(query::breakers)
    }

    fn burst(&self) -> Result<Burst, LedgerError> {
        self.at_once(query::burst)
    }

    fn gates(&self) -> Result<BTreeMap<Pausable, Gate>, LedgerError> {
        self.at_once(query::gates)
    }

    fn state(&self) -> Result<LedgerState, LedgerError> {
        self.at_once(query::state)
    }
}
