//! The loop: starts children while there is room, holds each to its limits, and tells each end before anything follows it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::children::{Live, pause, reap};
use crate::complain;
use crate::end::{End, tell_end, tell_start};
use crate::plan::{Plan, PlannedChild};

/// The exit code of a program that could not be started, as of a shell.
const NO_PROGRAM: u8 = 127;

/// The exit code if the runner was told to stop before all children had run.
const STOPPED: u8 = 143;

/// Runs the plan. The exit code is 0 if every child ended with 0, 1 if one did not, and 143 if they were stopped.
pub(crate) fn run(
    plan: &Plan,
    program: &OsString,
    arguments: &[OsString],
    out: &mut impl Write,
) -> Result<u8, String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // As the first process of a container it would not get a signal that it does not ask for.
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| error.to_string())?;
    }
    let told = |error: std::io::Error| format!("standard output: {error}");
    let mut waiting: VecDeque<PlannedChild> = plan.children.iter().copied().collect();
    let mut live: Vec<Live> = Vec::new();
    let mut has_failed = false;
    let mut n_idle = 0;
    loop {
        let is_stopping = stop.load(Ordering::Relaxed);
        while !is_stopping && live.len() < plan.parallel {
            let Some(child) = waiting.pop_front() else { break };
            tell_start(out, &plan.key, child).map_err(told)?;
            match Live::start(plan, child, program, arguments) {
                Ok(one) => live.push(one),
                Err(what) => {
                    complain(&what);
                    has_failed = true;
                    let end = End { code: NO_PROGRAM, ran: Duration::ZERO, timed_out: false };
                    tell_end(out, &plan.key, child, end).map_err(told)?;
                }
            }
            n_idle = 0;
        }
        for one in &mut live {
            if is_stopping {
                one.tell_to_stop();
            }
            one.hold_to_limits(plan);
        }
        for (child, end) in reap(&mut live) {
            // One that ends while all are being stopped was stopped, unless it was done.
            if !is_stopping || end.code == 0 {
                tell_end(out, &plan.key, child, end).map_err(told)?;
            }
            has_failed |= end.code != 0;
            n_idle = 0;
        }
        if live.is_empty() && (waiting.is_empty() || is_stopping) {
            break;
        }
        std::thread::sleep(pause(n_idle));
        n_idle = n_idle.saturating_add(1);
    }
    let was_cut_short = stop.load(Ordering::Relaxed) && (has_failed || !waiting.is_empty());
    Ok(if was_cut_short { STOPPED } else { u8::from(has_failed) })
}
