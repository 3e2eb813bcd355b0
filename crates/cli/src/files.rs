//! Reads and writes files that were named on the command line; `-` is stdin.

use std::io::{self, Read as _};
use std::path::Path;

use crate::error::Complaint;

/// The text of a file, or of stdin for `-`.
pub(crate) fn read(path: &Path) -> Result<String, Complaint> {
    let is_stdin = path == Path::new("-");
    let text = if is_stdin {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|error| {
        let name = if is_stdin { "stdin".to_owned() } else { path.display().to_string() };
        Complaint::usage(format!("cannot read {name}: {error}"))
    })
}

/// Puts a text into a file, in place of what was there.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Complaint> {
    std::fs::write(path, text)
        .map_err(|error| Complaint::usage(format!("cannot write {}: {error}", path.display())))
}
