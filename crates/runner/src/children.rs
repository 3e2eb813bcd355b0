//! Processes: started with a child's variables in a process group of their own, told to stop, and reaped.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpgid, kill_process_group, wait};

use crate::PLAN;
use crate::end::End;
use crate::plan::{Plan, PlannedChild};

/// A child that runs.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) child: PlannedChild,
    pid: Pid,
    since: Instant,
    /// Since when it has been told to stop.
    told: Option<Instant>,
    killed: bool,
    timed_out: bool,
}

impl Live {
    /// Starts a child.
    pub(crate) fn start(
        plan: &Plan,
        child: PlannedChild,
        program: &OsString,
        arguments: &[OsString],
    ) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(arguments).env_remove(PLAN).process_group(0);
        for (name, value) in variables(plan, child) {
            command.env(name, value);
        }
        let what = |error: &dyn std::fmt::Display| format!("{}: {error}", program.display());
        let started = command.spawn().map_err(|error| what(&error))?;
        let pid = i32::try_from(started.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| what(&"it has no process id"))?;
        Ok(Self { child, pid, since: Instant::now(), told: None, killed: false, timed_out: false })
    }

    /// Tells it to stop, once, and everything that it has started.
    pub(crate) fn tell_to_stop(&mut self) {
        if self.told.is_none() {
            self.told = Some(Instant::now());
            signal(self.pid, Signal::TERM);
        }
    }

    /// Stops it if it has run for too long, and kills it if it does not stop.
    pub(crate) fn hold_to_limits(&mut self, plan: &Plan) {
        let is_late = plan.timeout.is_some_and(|timeout| timeout <= self.since.elapsed());
        if is_late && self.told.is_none() {
            self.timed_out = true;
            self.tell_to_stop();
        }
        let is_deaf = self.told.is_some_and(|told| plan.stop <= told.elapsed());
        if is_deaf && !self.killed {
            self.killed = true;
            signal(self.pid, Signal::KILL);
        }
    }

    fn end(&self, status: WaitStatus) -> Option<End> {
        let code = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
            (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            // Stopped or continued: it has not ended.
            (None, None) => return None,
        };
        Some(End { code, ran: self.since.elapsed(), timed_out: self.timed_out })
    }
}

/// A child's variables: AWS Batch's names, and ours.
fn variables(plan: &Plan, child: PlannedChild) -> [(&'static str, String); 8] {
    let PlannedChild { index, attempt, counted } = child;
    let id = format!("{}:{index}", plan.job);
    [
        ("AWS_BATCH_JOB_ID", id.clone()),
        ("AWS_BATCH_JOB_ATTEMPT", counted.to_string()),
        ("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string()),
        ("AWS_BATCH_JOB_ARRAY_SIZE", plan.size.to_string()),
        ("SPILLWAY_JOB_ID", id),
        ("SPILLWAY_ATTEMPT", attempt.to_string()),
        ("SPILLWAY_ARRAY_INDEX", index.to_string()),
        ("SPILLWAY_ARRAY_SIZE", plan.size.to_string()),
    ]
}

/// Sends a signal to a process and to whatever it has started. One that has ended needs none.
fn signal(pid: Pid, signal: Signal) {
    // Without a group of its own the signal would reach the runner.
    if getpgid(Some(pid)) == Ok(pid) {
        let _ = kill_process_group(pid, signal);
    }
}

/// Takes what has ended out of the list, with how it ended. Reaps orphans too: in a container nobody else does.
pub(crate) fn reap(live: &mut Vec<Live>) -> Vec<(PlannedChild, End)> {
    let mut ended = Vec::new();
    loop {
        let (pid, status) = match wait(WaitOptions::NOHANG) {
            Ok(Some(found)) => found,
            Err(Errno::INTR) => continue,
            // Nothing has ended, or there is nothing to wait for.
            Ok(None) | Err(_) => return ended,
        };
        let Some(at) = live.iter().position(|one| one.pid == pid) else { continue };
        if let Some(end) = live.get(at).and_then(|one| one.end(status)) {
            let one = live.swap_remove(at);
            // What it left behind would take the next one's time and memory.
            let _ = kill_process_group(one.pid, Signal::KILL);
            ended.push((one.child, end));
        }
    }
}

/// How long to pause before looking again: short at first, for children of milliseconds.
pub(crate) const fn pause(n_idle: u32) -> Duration {
    Duration::from_millis(if n_idle < 20 { 1 } else { 10 })
}
