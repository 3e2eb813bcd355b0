//! Puts the runner where another container finds it: its own image holds nothing else, not even a `cp`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Copies this program to `path`. There is never half of it: another container may start it at once.
pub(crate) fn install(path: &Path) -> Result<(), String> {
    let what = |error: std::io::Error| format!("{}: {error}", path.display());
    let own = std::env::current_exe().map_err(what)?;
    let whole = path.with_extension("new");
    fs::copy(&own, &whole).map_err(what)?;
    // Any user of any image may run it.
    fs::set_permissions(&whole, fs::Permissions::from_mode(0o755)).map_err(what)?;
    fs::rename(&whole, path).map_err(what)
}
