//! LocalStack's place: a Python environment in `target/`, installed once per change of what goes into it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::shell::Shell;

/// What is installed, in order: requirement files.
const REQUIREMENTS: [&str; 2] = ["localstack/requirements-dev.txt", "infra/requirements.txt"];

/// Files that those include.
const INCLUDED: [&str; 1] = ["localstack/requirements.txt"];

/// The plugin and the agent.
const PACKAGE: &str = "localstack";

/// A Python environment that is ready.
#[derive(Debug)]
pub(crate) struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// Makes it, or brings it up to date.
    pub(crate) fn ready(shell: &Shell) -> Result<Self> {
        let venv = Self { folder: shell.target().join("localstack-venv") };
        if !venv.program("python").exists() {
            let mut make = shell.command("python3");
            make.args(["-m", "venv"]).arg(&venv.folder);
            shell.run("make a Python environment in target/", make)?;
        }
        let in_root = |files: &[&str]| -> Vec<PathBuf> {
            files.iter().map(|file| shell.root().join(file)).collect()
        };
        let requirements = in_root(&REQUIREMENTS);
        venv.once("requirements", &[&requirements[..], &in_root(&INCLUDED)].concat(), || {
            let mut install = venv.pip(shell);
            for file in &requirements {
                install.arg("-r").arg(file);
            }
            shell.run("install LocalStack into target/", install)
        })?;
        // Editable: its code is used where it is. Only what LocalStack finds by name goes into the environment.
        let package = shell.root().join(PACKAGE);
        venv.once("package", &[package.join("pyproject.toml")], || {
            let mut install = venv.pip(shell);
            install.args(["--no-deps", "--editable"]).arg(&package);
            shell.run("install the plugin into target/", install)
        })?;
        Ok(venv)
    }

    /// A program of it.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    fn pip(&self, shell: &Shell) -> Command {
        let mut pip = shell.command(self.program("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip
    }

    /// Does `work` unless it was done for the same `files`. The stamp is written last: what broke off is done again.
    fn once(&self, name: &str, files: &[PathBuf], work: impl FnOnce() -> Result<()>) -> Result<()> {
        let stamp = self.folder.join(format!("{name}.sha256"));
        let hash = hash(files)?;
        if fs::read_to_string(&stamp).is_ok_and(|done| done == hash) {
            return Ok(());
        }
        work()?;
        fs::write(&stamp, hash).with_context(|| format!("cannot write {}", stamp.display()))
    }
}

fn hash(files: &[PathBuf]) -> Result<String> {
    let mut hasher = Sha256::new();
    for file in files {
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        hasher.update(file.to_string_lossy().as_bytes());
        hasher.update(content.len().to_le_bytes());
        hasher.update(content);
    }
    let hex: Vec<String> = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(hex.concat())
}
