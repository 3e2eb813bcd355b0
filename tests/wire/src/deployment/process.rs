//! The program in processes of its own: how they are signalled, and that they end with their owner.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{LOOK_EVERY, SOON, wait_until};

/// How long a process may take to end by itself when its owner goes.
const END_GRACE: Duration = Duration::from_secs(10);

/// What a process can be told, as `kill` names it.
#[derive(Debug, Clone, Copy)]
enum Signal {
    Kill,
    Stop,
    Cont,
    Term,
}

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
        self.process.end(Signal::Kill);
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// SIGSTOP: as a machine that is paused, or a disk that hangs.
    pub fn pause(&self) {
        self.process.signal(Signal::Stop);
    }

    /// SIGCONT: it goes on where it was.
    pub fn resume(&self) {
        self.process.signal(Signal::Cont);
    }

    /// SIGTERM, and its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.process.end(Signal::Term)
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

    /// By the shell: the crates that can would turn on what the program is built without, and it would be built twice.
    fn try_signal(&self, signal: Signal) -> bool {
        let name = match signal {
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Cont => "CONT",
            Signal::Term => "TERM",
        };
        let kill = format!("kill -s {name} {}", self.child.id());
        Command::new("sh").args(["-c", &kill]).status().is_ok_and(|status| status.success())
    }

    fn signal(&self, signal: Signal) {
        assert!(self.try_signal(signal), "a child of ours hears {signal:?}");
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
        let mut has_ended = matches!(self.child.try_wait(), Ok(Some(_)));
        if !has_ended {
            self.try_signal(Signal::Term);
            // One that is paused hears nothing else.
            self.try_signal(Signal::Cont);
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
