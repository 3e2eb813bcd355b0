//! `spillway ledger`: takes a ledger out of its place, puts one in, and looks whether one holds together.

mod view;

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use spillway_runtime::ledger::verify::Flaw;
use spillway_runtime::ledger::{archive, copied, verify};

use crate::config::{Config, LedgerPlace};
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::{ledger, shared};
use view::{MovedView, VerifiedView};

/// How often it is tried to catch two copies at one moment.
const COMPARED_TRIES: u32 = 20;

const EXPORT: &str = "\
Writes all that the ledger holds into a file, as lines of JSON: one that says what it is, one for every row, and one that says \
how many there were. It is of one moment, and the dispatcher is not held up.

Examples:
  spillway ledger export ledger.jsonl
  spillway ledger export /dev/stdout | jq -r 'select(.table == \"jobs\") | .row.name'";

const IMPORT: &str = "\
Puts an export into a ledger in which nothing is, file or table. No dispatcher may have started on it. Of the one that was \
exported none may go on: two dispatchers with one ledger's past would draw the same tokens.

Examples:
  spillway ledger import ledger.jsonl --ledger /var/lib/spillway/ledger.db
  spillway ledger import ledger.jsonl --ledger dynamodb:spillway-ledger";

const VERIFY: &str = "\
Looks whether the ledger holds together: whether its file is whole, whether what its records name is there, and whether every \
record can be read and says what is looked for by. Of a ledger in a table it reads the whole journal again, which must be \
continuous, and compares what comes of it with the copy on this machine. It changes nothing; exit code 4 if something is wrong.

Examples:
  spillway ledger verify
  spillway ledger verify --ledger dynamodb:spillway-ledger --format json";

/// Verbs of `ledger`.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Write all that it holds into a file
    #[command(long_about = EXPORT)]
    Export(ExportArgs),
    /// Put an export into an empty ledger
    #[command(long_about = IMPORT)]
    Import(ImportArgs),
    /// Look whether it holds together
    #[command(long_about = VERIFY)]
    Verify,
}

/// Flags of `ledger export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The file, which must not be there yet
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Flags of `ledger import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What `ledger export` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Runs one of them.
pub async fn run(command: &LedgerCommand, context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    match command {
        LedgerCommand::Export(args) => {
            let path = up_to_date(config)?;
            let n_lines = export(&path, &args.file)?;
            let view = MovedView::exported(config, &args.file, n_lines.saturating_sub(2));
            if !is_stdout(&args.file) {
                context.output.show(&view)?;
            }
            Ok(ExitStatus::Ok)
        }
        LedgerCommand::Import(args) => {
            let n_rows = import(config, &args.file).await?;
            context.output.show(&MovedView::imported(config, &args.file, n_rows))?;
            Ok(ExitStatus::Ok)
        }
        LedgerCommand::Verify => {
            let view = verified(config).await?;
            let is_well = view.is_well();
            context.output.show(&view)?;
            Ok(if is_well { ExitStatus::Ok } else { ExitStatus::Infeasible })
        }
    }
}

/// The file that holds the ledger, or its copy as it is now.
fn up_to_date(config: &Config) -> Result<PathBuf> {
    Ok(match &config.ledger {
        LedgerPlace::File(path) => path.clone(),
        LedgerPlace::Table(table) => {
            ledger::make_folder(&config.ledger_copy)?;
            shared::bring_up_to_date(table, config)?;
            config.ledger_copy.clone()
        }
    })
}

fn is_stdout(file: &Path) -> bool {
    file == Path::new("/dev/stdout")
}

fn export(path: &Path, file: &Path) -> Result<u64> {
    let told = || format!("cannot write {}", file.display());
    if is_stdout(file) {
        let mut to = BufWriter::new(File::options().write(true).open(file).with_context(told)?);
        let n_lines = archive::export(path, &mut to)?;
        to.flush().with_context(told)?;
        return Ok(n_lines);
    }
    if file.exists() {
        return Err(Complaint::usage(format!("{} is there already", file.display()))
            .hint("name a file that is not there yet")
            .into());
    }
    // Under its name it is whole or not there.
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let mut to = BufWriter::new(tempfile::NamedTempFile::new_in(folder).with_context(told)?);
    let n_lines = archive::export(path, &mut to)?;
    let written =
        to.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(told)?;
    written.as_file().sync_all().with_context(told)?;
    written.persist_noclobber(file).map_err(|error| error.error).with_context(told)?;
    Ok(n_lines)
}

async fn import(config: &Config, file: &Path) -> Result<u64> {
    let source = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut source = BufReader::new(source);
    match &config.ledger {
        LedgerPlace::File(path) => {
            ledger::make_folder(path)?;
            Ok(archive::import(path, &mut source)?)
        }
        LedgerPlace::Table(table) => Ok(Box::pin(shared::import(table, config, source)).await?),
    }
}

async fn verified(config: &Config) -> Result<VerifiedView> {
    match &config.ledger {
        LedgerPlace::File(path) => Ok(VerifiedView::of(config, verify::verify(path)?)),
        LedgerPlace::Table(table) => {
            let folder = tempfile::tempdir().context("cannot make a folder for a copy")?;
            let again = folder.path().join("ledger.db");
            Box::pin(shared::read_again(table, config, &again)).await?;
            let mut view = VerifiedView::of(config, verify::verify(&again)?);
            if let Some(difference) = Box::pin(difference(table, config, &again)).await? {
                view.add(difference);
            }
            Ok(view)
        }
    }
}

/// What the copy on this machine says otherwise than one that was made again.
async fn difference(table: &str, config: &Config, again: &Path) -> Result<Option<Flaw>> {
    // Both must be of one moment; a dispatcher may write on.
    for _ in 0..COMPARED_TRIES {
        Box::pin(shared::read_again(table, config, again)).await?;
        let kept = up_to_date(config)?;
        if copied(again)? != copied(&kept)? {
            continue;
        }
        let found = verify::difference(again, &kept)?;
        // Unless it was written to while it was read.
        if copied(again)? == copied(&kept)? {
            let flaw = found.map(|(again, kept)| Flaw {
                what: "the copy on this machine is not what the journal says".to_owned(),
                examples: vec![format!("journal: {again}"), format!("copy: {kept}")],
            });
            return Ok(flaw);
        }
    }
    tracing::warn!("the copy was not compared: the dispatcher writes faster than it is read");
    Ok(None)
}
