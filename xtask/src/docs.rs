//! `cargo xtask docs`: documents that are made from the code. Committed ones are checked to be what the code makes.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use crate::shell::{Shell, say};

/// Writes the documents, or with `check` looks whether they are as they should be.
pub(crate) fn run(shell: &Shell, check: bool) -> Result<bool> {
    let docs = shell.root().join("docs");
    let mut is_good = true;
    for (name, text) in committed()? {
        let path = docs.join(name);
        let is_same = fs::read_to_string(&path).is_ok_and(|found| found == text);
        if is_same {
            continue;
        }
        if check {
            say(&format!("docs/{name} is not what the code makes; run `cargo xtask docs`"));
            is_good = false;
        } else {
            write(&path, text.as_bytes())?;
            say(&format!("wrote docs/{name}"));
        }
    }
    packaged(&shell.target().join("dist"))?;
    Ok(is_good)
}

/// Documents in the repository.
fn committed() -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("job.schema.json", json(&spillway_core::message::schema())?),
        ("config.schema.json", json(&spillway_cli::config::schema())?),
        ("cli.md", spillway_cli::docs::cli_markdown()),
    ])
}

fn json(value: &serde_json::Value) -> Result<String> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

/// What goes into packages and not into the repository: man pages and completions.
fn packaged(folder: &Path) -> Result<()> {
    let man = folder.join("man");
    fs::create_dir_all(&man).with_context(|| format!("cannot make {}", man.display()))?;
    clap_mangen::generate_to(spillway_cli::command(), &man)?;
    for shell in clap_complete::Shell::value_variants() {
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut spillway_cli::command(), "spillway", &mut script);
        write(&folder.join("completions").join(format!("spillway.{shell}")), &script)?;
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
