//! A ledger in a table of DynamoDB: from the configuration to the journal, and the copy that readers on this machine read. The only
//! file of the CLI that names the table's adapter.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use spillway_core::CloudError;
use spillway_core::error::LedgerError;
use spillway_dynamodb::{DynamoTable, Place, connect};
use spillway_runtime::journal::{Journal, follow, found};
use spillway_runtime::ledger::{Mark, Replica, copied};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::config::Config;

/// A journal in DynamoDB.
pub(crate) type SharedJournal = Arc<Journal<DynamoTable>>;

/// How long a reader waits for whoever else on this machine keeps the copy. A dispatcher takes in what is new every second.
const KEPT_WITHIN: Duration = Duration::from_secs(10);

/// How often it looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The journal in a table.
pub(crate) async fn journal(table: &str, config: &Config) -> Result<SharedJournal, CloudError> {
    let place = Place {
        table: table.to_owned(),
        region: config.region.clone(),
        profile: config.profile.clone(),
        endpoint_url: config.endpoint_url.clone(),
    };
    let table = Box::pin(connect(&place)).await?;
    Ok(Arc::new(Journal::new(table, config.ledger.to_string())))
}

async fn opened(table: &str, config: &Config) -> Result<SharedJournal, LedgerError> {
    let journal = Box::pin(journal(table, config)).await;
    journal.map_err(|source| LedgerError::Unavailable { source: Box::new(source) })
}

/// Puts an export into a table in which no dispatcher has led yet. Returns how many rows.
pub(crate) async fn import(
    table: &str,
    config: &Config,
    source: BufReader<File>,
) -> Result<u64, LedgerError> {
    let journal = opened(table, config).await?;
    if journal.head().await?.is_some() {
        return Err(LedgerError::NotEmpty { path: config.ledger.to_string() });
    }
    let unwritten = |source| LedgerError::Unavailable { source: Box::new(source) };
    let folder = tempfile::tempdir().map_err(unwritten)?;
    let copy = Replica::open(&folder.path().join("ledger.db"))?;
    let n_rows = copy.import(source).await?;
    found(&journal, &copy).await?;
    Ok(n_rows)
}

/// Makes a copy at this place, or brings it up to date.
pub(crate) async fn read_again(
    table: &str,
    config: &Config,
    path: &Path,
) -> Result<(), LedgerError> {
    let journal = opened(table, config).await?;
    let missing = || LedgerError::Missing { path: config.ledger.to_string() };
    follow(&journal, &Replica::open(path)?).await?.ok_or_else(missing).map(drop)
}

/// Brings the copy on this machine up to date.
pub(crate) fn bring_up_to_date(table: &str, config: &Config) -> Result<(), LedgerError> {
    // Commands read as if the ledger were a file; here is where it is not.
    tokio::task::block_in_place(|| Handle::current().block_on(brought(table, config)))
}

async fn brought(table: &str, config: &Config) -> Result<(), LedgerError> {
    let journal = opened(table, config).await?;
    let Some(head) = journal.head().await? else {
        return Err(LedgerError::Missing { path: config.ledger.to_string() });
    };
    match Replica::open(&config.ledger_copy) {
        Ok(copy) => follow(&journal, &copy).await.map(drop),
        Err(LedgerError::Locked { .. }) => kept(&config.ledger_copy, &head.last).await,
        Err(error) => Err(error),
    }
}

/// Waits until whoever keeps the copy has taken in what was there when we asked.
async fn kept(path: &Path, until: &Mark) -> Result<(), LedgerError> {
    let give_up = Instant::now() + KEPT_WITHIN;
    loop {
        let found = copied(path).map(|(_, at)| at.seq);
        if found.as_ref().is_ok_and(|seq| until.seq <= *seq) {
            return Ok(());
        }
        if give_up < Instant::now() {
            let seq = found?;
            let (path, until) = (path.display(), until.seq);
            let behind = format!(
                "the copy {path} is kept by another process, and has {seq} of {until} entries"
            );
            return Err(LedgerError::Unavailable { source: behind.into() });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
