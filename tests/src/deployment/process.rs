//! The program in processes of its own: how they are signalled, and that they end with their owner.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{LOOK_EVERY, SOON, wait_until};

/// How long a process may take to end by itself when its owner goes.
const END_GRACE: Duration = Duration::from_secs(10);

/// A running dispatcher.
#[derive(Debug)]
pub struct Dispatcher {
    process: Process,
}

impl Dispatcher {
    pub(super) fn start(command: Command, log: PathBuf) -> Self {
        Self { process: Process::start(command, log) }
    }

    /// SIGKILL: as a machine that loses power.
    pub fn kill(mut self) {
        self.process.end(Signal::KILL);
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// SIGSTOP: as a machine that is paused, or a disk that hangs.
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    /// SIGCONT: it goes on where it was.
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// SIGTERM, and its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.process.end(Signal::TERM)
    }
}

/// A process that ends with its owner.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(super) fn start(mut command: Command, log: PathBuf) -> Self {
        let child = command.stdin(Stdio::null()).spawn().expect("the program can be started");
        Self { child, log }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("it has an id"), signal).expect("a child of ours can be signalled");
    }

    /// Sends a signal and waits; the exit code, if it ended by itself.
    fn end(&mut self, signal: Signal) -> Option<i32> {
        let has_ended = matches!(self.child.try_wait(), Ok(Some(_)));
        if !has_ended {
            self.signal(signal);
        }
        let log = self.log.display();
        let child = &mut self.child;
        let what = format!("the end of the process that writes {log}");
        wait_until(&what, SOON, || child.try_wait().expect("it can be waited for")).code()
    }
}

impl Drop for Process {
    /// In order first: the agent ends the tasks it runs.
    fn drop(&mut self) {
        let until = Instant::now() + END_GRACE;
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let mut has_ended = matches!(self.child.try_wait(), Ok(Some(_)));
        if let Some(pid) = pid.filter(|_| !has_ended) {
            let _ = kill_process(pid, Signal::TERM);
            // One that is paused hears nothing else.
            let _ = kill_process(pid, Signal::CONT);
        }
        while !has_ended && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
            has_ended = matches!(self.child.try_wait(), Ok(Some(_)));
        }
        if !has_ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
