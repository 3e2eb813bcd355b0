//! A child in a process group of its own, so that it and all it started can be ended, and nothing else.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process_group};

/// How often an end is looked for.
const POLL: Duration = Duration::from_millis(20);

/// A running child and its descendants. Dropping it kills them.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Group {
    /// Starts a command.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, ended: None })
    }

    /// Waits at most so long for its end.
    pub(crate) fn wait_for(&mut self, time: Duration) -> io::Result<Option<ExitStatus>> {
        let until = Instant::now() + time;
        loop {
            if self.ended.is_none() {
                self.ended = self.child.try_wait()?;
            }
            if self.ended.is_some() || until <= Instant::now() {
                return Ok(self.ended);
            }
            sleep(POLL);
        }
    }

    /// Sends a signal, waits for the end, and kills whatever of the group is left.
    pub(crate) fn end(&mut self, signal: Signal, grace: Duration) -> Result<()> {
        self.signal(signal);
        self.wait_for(grace)?;
        // Grandchildren may have outlived the child; the group's number is not reused while one of them lives.
        self.signal(Signal::KILL);
        if self.ended.is_none() {
            self.ended = Some(self.child.wait()?);
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // An empty group is what we want.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = self.end(Signal::KILL, Duration::ZERO);
        }
    }
}
