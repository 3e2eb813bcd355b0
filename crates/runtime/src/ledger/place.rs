//! Where a ledger lies, and who may write to it: a lock that the kernel gives back when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use spillway_core::error::LedgerError;

use super::error::PlaceError;

/// The file's one name, whatever links lead to it: two names of one ledger must meet at one lock.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, PlaceError> {
    if path.is_dir() {
        return Err(PlaceError::IsFolder(path.to_owned()));
    }
    let open = |source| PlaceError::Open { path: path.to_owned(), source };
    if path.exists() {
        return path.canonicalize().map_err(open);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(PlaceError::NoFolder(folder.to_owned()));
    }
    let name = path.file_name().ok_or_else(|| PlaceError::IsFolder(path.to_owned()))?;
    Ok(folder.canonicalize().map_err(open)?.join(name))
}

/// Makes sure that there is a file, readable by its owner alone: jobs carry environment variables, and those carry
/// secrets. SQLite gives the files beside it the same mode. An operator who wants to share it can change the mode.
pub(super) fn create(ledger: &Path) -> Result<(), PlaceError> {
    open_private(ledger).map(drop)
}

fn open_private(path: &Path) -> Result<File, PlaceError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| PlaceError::Open { path: path.to_owned(), source })
}

/// The right to write to a ledger, for as long as this lives.
///
/// A lock on `<ledger>.lock`, beside it and never removed: removing it would let two holders lock two files of one name.
/// The kernel lets go of it when the process ends, however it ends, so none is ever stale.
#[derive(Debug)]
pub(super) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes it, or says at once that somebody else has it.
    pub(super) fn take(ledger: &Path) -> Result<Self, LedgerError> {
        let mut name = ledger.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let file = open_private(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(LedgerError::Locked { path: ledger.display().to_string() })
            }
            Err(TryLockError::Error(source)) => Err(PlaceError::Open { path, source }.into()),
        }
    }
}
