//! How a child ended, and the lines that say so. The dispatcher looks for them anywhere in a line: a child may leave its last
//! line open.

use std::io::{self, Write};
use std::time::Duration;

use crate::plan::PlannedChild;

/// What begins every line of the report.
const MARK: &str = "::spillway";

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// Its exit code; that of a shell's if a signal ended it, 128 and the signal's number.
    pub(crate) code: u8,
    /// How long it ran.
    pub(crate) ran: Duration,
    /// Whether it was stopped because it ran for too long.
    pub(crate) timed_out: bool,
}

/// Says that a child starts.
pub(crate) fn tell_start(out: &mut impl Write, key: &str, child: PlannedChild) -> io::Result<()> {
    let PlannedChild { index, attempt, .. } = child;
    writeln!(out, "{MARK} {key} start {index} {attempt}")?;
    out.flush()
}

/// Says how a child ended. Once this has returned, it is told.
pub(crate) fn tell_end(
    out: &mut impl Write,
    key: &str,
    child: PlannedChild,
    end: End,
) -> io::Result<()> {
    let PlannedChild { index, attempt, .. } = child;
    let End { code, ran, timed_out } = end;
    let why = if timed_out { " timeout" } else { "" };
    let ms = ran.as_millis();
    writeln!(out, "{MARK} {key} end {index} {attempt} exit={code} ms={ms}{why}")?;
    out.flush()
}
