//! Runs several children of an array job inside one container, each with its own variables, time limit and exit code, and says
//! on standard output how each ended. Needs nothing from the container's image: linked statically, it is copied into it.
//!
//! It must never lose a child's end: what it has printed is what happened, and what it has not printed has not ended.

mod children;
mod end;
mod install;
mod plan;
mod run;

use std::env;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use plan::Plan;

/// The variable that says what to run.
const PLAN: &str = "SPILLWAY_COALESCED";

/// The exit code for a plan or a command that nobody could run, as of `docker run` itself.
const NOT_RUN: u8 = 125;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let verb = arguments.next();
    let rest: Vec<OsString> = arguments.collect();
    let done = match (verb.as_ref().and_then(|verb| verb.to_str()), rest.as_slice()) {
        (Some("install"), [path]) => install::install(Path::new(path)).map(|()| 0),
        (Some("run"), [program, arguments @ ..]) => plan()
            .and_then(|plan| run::run(&plan, program, arguments, &mut std::io::stdout().lock())),
        _ => Err(format!(
            "usage: spillway-runner install PATH | spillway-runner run COMMAND [ARGUMENT]...\n\
             `run` reads {PLAN}"
        )),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(what) => {
            complain(&what);
            ExitCode::from(NOT_RUN)
        }
    }
}

/// Says what went wrong, in the log of the container: there is nowhere else.
fn complain(what: &str) {
    // Who cannot be told cannot be told that either.
    let _ = writeln!(std::io::stderr(), "spillway-runner: {what}");
}

fn plan() -> Result<Plan, String> {
    let text = env::var(PLAN).map_err(|error| format!("{PLAN}: {error}"))?;
    text.parse().map_err(|what| format!("{PLAN}: {what}: {text:?}"))
}
