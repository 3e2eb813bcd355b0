//! How tasks run commands: where the workspace is, what is printed, and what Ctrl-C does.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::process::Group;

/// How long a command may take to end after Ctrl-C before it is killed. nextest gives tests 10 s itself.
const INTERRUPT_GRACE: Duration = Duration::from_secs(20);

/// The cargo-nextest that is installed where there is none.
const NEXTEST: &str = "cargo-nextest@0.9.143";

/// The surroundings of a task.
#[derive(Debug)]
pub(crate) struct Shell {
    root: PathBuf,
    target: PathBuf,
    interrupted: Arc<AtomicBool>,
}

/// What runs tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `cargo nextest run`.
    Nextest,
    /// `cargo test`, where nextest cannot be installed.
    CargoTest,
}

impl Shell {
    /// Finds the workspace, and takes Ctrl-C and SIGTERM over from the system.
    pub(crate) fn new() -> Result<Self> {
        let here = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
        let root = Path::new(&here).parent().context("xtask is not in a workspace")?.to_owned();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(named) => root.join(named),
            None => root.join("target"),
        };
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))
                .context("cannot take over Ctrl-C")?;
        }
        Ok(Self { root, target, interrupted })
    }

    /// The folder of the workspace.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where everything is built and installed.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Whether Ctrl-C or SIGTERM has come.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// A command in the workspace's folder.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", self.path());
        command
    }

    /// `cargo`, the one that runs us. What it told us about ourselves is none of its children's business.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(cargo);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_") {
                command.env_remove(name);
            }
        }
        command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH").args(args);
        command
    }

    /// Runs a command to its end with its output passed through. An error if it fails or we are interrupted.
    pub(crate) fn run(&self, title: &str, mut command: Command) -> Result<()> {
        if self.is_interrupted() {
            bail!("interrupted");
        }
        say(&format!("==> {title}"));
        let mut group = Group::spawn(command.stdin(Stdio::null()))?;
        let status = loop {
            if let Some(status) = group.wait_for(Duration::from_millis(50))? {
                break status;
            }
            if self.is_interrupted() {
                group.end(rustix::process::Signal::INT, INTERRUPT_GRACE)?;
                bail!("interrupted");
            }
        };
        if !status.success() {
            bail!("{title} failed ({status})");
        }
        Ok(())
    }

    /// What runs tests here. Installs cargo-nextest into `target/tools` where it is missing.
    pub(crate) fn runner(&self) -> Runner {
        let mut version = self.cargo(&["nextest", "--version"]);
        version.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if version.status().is_ok_and(|status| status.success()) {
            return Runner::Nextest;
        }
        let root = self.tools().to_string_lossy().into_owned();
        let mut install = self.cargo(&["install", NEXTEST, "--locked", "--root", &root]);
        // It is built to run a few times, not to be fast.
        install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1").env("CARGO_PROFILE_RELEASE_LTO", "off");
        match self.run("install cargo-nextest into target/tools", install) {
            Ok(()) => Runner::Nextest,
            Err(error) => {
                say(&format!(
                    "note: {error:#}; `cargo test` takes its place, one test binary after the other"
                ));
                Runner::CargoTest
            }
        }
    }

    fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    fn path(&self) -> std::ffi::OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let tools = std::iter::once(self.tools().join("bin"));
        std::env::join_paths(tools.chain(std::env::split_paths(&path))).unwrap_or(path)
    }
}

/// Tells people something. Not data: it goes to stderr, in order with what cargo says.
pub(crate) fn say(text: &str) {
    // Nobody is left to be told that nobody is listening.
    let _ = writeln!(std::io::stderr(), "{text}");
}
