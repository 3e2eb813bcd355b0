//! LocalStack's place: a Python environment in `target/`, installed once per change of what goes into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::shell::Shell;

/// What is installed, in order: requirement files.
const REQUIREMENTS: [&str; 2] = ["localstack/requirements.txt", "infra/requirements.txt"];

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
        let requirements: Vec<PathBuf> =
            REQUIREMENTS.iter().map(|file| shell.root().join(file)).collect();
        venv.once("requirements", &hash(&requirements)?, || {
            let mut install = venv.pip(shell);
            for file in &requirements {
                install.arg("-r").arg(file);
            }
            shell.run("install LocalStack", install)
        })?;
        let package = shell.root().join(PACKAGE);
        venv.once("package", &hash(&files(&package)?)?, || {
            let mut install = venv.pip(shell);
            install.args(["--no-deps", "--force-reinstall"]).arg(&package);
            shell.run("install the plugin", install)
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

    /// Does `work` unless it was done for the same `hash`. The stamp is written last: what broke off is done again.
    fn once(&self, name: &str, hash: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let stamp = self.folder.join(format!("{name}.sha256"));
        if fs::read_to_string(&stamp).is_ok_and(|done| done == hash) {
            return Ok(());
        }
        work()?;
        fs::write(&stamp, hash).with_context(|| format!("cannot write {}", stamp.display()))
    }
}

/// The files that pip installs from a folder: sources and metadata, no tests, no caches.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_source =
                path.extension().is_some_and(|end| end == "py" || end == "toml" || end == "json");
            let is_made = name.starts_with('.') || name == "build" || name.ends_with(".egg-info");
            if path.is_dir() && !is_made && name != "__pycache__" {
                folders.push(path);
            } else if is_source {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
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
