//! A judge that is no part of this repository, asked as anybody would ask it: with two files.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::files::{Fault, Files};

/// The judge, if there is one.
pub(crate) struct Outside {
    checker: Option<PathBuf>,
    /// What files of this thread are named by.
    place: PathBuf,
}

/// Numbers for the files of threads.
static NEXT: AtomicU32 = AtomicU32::new(0);

impl Outside {
    pub(crate) fn new(checker: Option<PathBuf>) -> Self {
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("spillway-random-{}-{nth}", std::process::id());
        Self { checker, place: std::env::temp_dir().join(name) }
    }

    /// Whether there is a judge, and it accepted the plan.
    pub(crate) fn judge(&self, files: &Files) -> Result<bool, Fault> {
        let Some(checker) = &self.checker else { return Ok(false) };
        let [problem, plan] =
            ["problem.json", "plan.json"].map(|name| self.place.with_extension(name));
        std::fs::write(&problem, files.problem.to_string())?;
        std::fs::write(&plan, files.plan.to_string())?;
        let mut command = Command::new("python3");
        command.arg(checker).args([&problem, &plan]).stdin(Stdio::null());
        let output = command.output();
        std::fs::remove_file(&problem)?;
        std::fs::remove_file(&plan)?;
        let output = output?;
        if output.status.success() {
            return Ok(true);
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        Err(format!("{} refuses the plan: {}", checker.display(), said.trim()).into())
    }
}
