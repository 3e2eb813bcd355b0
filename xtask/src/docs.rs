//! `cargo xtask docs`: documents that are made from the code. Committed ones are checked to be what the code makes.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use crate::shell::{Shell, say};

mod dashboards;
mod iam;
mod metrics;

/// Writes the documents, or with `check` looks whether they are as they should be.
pub(crate) fn run(shell: &Shell, check: bool) -> Result<bool> {
    let documents = committed(shell.root())?;
    let mut is_good = true;
    for (name, text) in &documents {
        let path = shell.root().join(name);
        let is_same = fs::read_to_string(&path).is_ok_and(|found| found == *text);
        if is_same {
            continue;
        }
        if check {
            say(&format!("{name} is not what the code makes; run `cargo xtask docs`"));
            is_good = false;
        } else {
            write(&path, text.as_bytes())?;
            say(&format!("wrote {name}"));
        }
    }
    for name in left_over(shell.root(), &documents)? {
        if check {
            say(&format!("{name} is made by nothing any more; run `cargo xtask docs`"));
            is_good = false;
        } else {
            fs::remove_file(shell.root().join(&name))
                .with_context(|| format!("cannot remove {name}"))?;
            say(&format!("removed {name}"));
        }
    }
    packaged(&shell.target().join("dist"))?;
    Ok(is_good)
}

/// Documents in the repository, by their path below its root.
fn committed(root: &Path) -> Result<Vec<(String, String)>> {
    let rights = iam::Rights::read(root)?;
    let mut documents = vec![
        ("docs/job.schema.json".to_owned(), json(&spillway_core::message::schema())?),
        ("docs/config.schema.json".to_owned(), json(&spillway_cli::config::schema())?),
        ("docs/cli.md".to_owned(), spillway_cli::docs::cli_markdown()),
        ("docs/metrics.md".to_owned(), metrics::markdown()?),
        ("docs/iam.md".to_owned(), rights.markdown()?),
        ("infra/dashboards/grafana.json".to_owned(), json(&dashboards::grafana())?),
        ("infra/dashboards/cloudwatch.json".to_owned(), json(&dashboards::cloudwatch())?),
    ];
    for (name, policy) in rights.policies() {
        documents.push((format!("{POLICIES}/{name}.json"), json(&policy)?));
    }
    Ok(documents)
}

/// The folder in which every file is made from the table of rights.
const POLICIES: &str = "infra/policies";

/// Policies on disk that the table does not make: a policy that was taken out must not go on granting.
fn left_over(root: &Path, documents: &[(String, String)]) -> Result<Vec<String>> {
    let folder = root.join(POLICIES);
    let mut found = Vec::new();
    let entries = if folder.exists() { Some(fs::read_dir(&folder)?) } else { None };
    for entry in entries.into_iter().flatten() {
        let name = format!("{POLICIES}/{}", entry?.file_name().to_string_lossy());
        if !documents.iter().any(|(made, _)| *made == name) {
            found.push(name);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn json(value: &impl serde::Serialize) -> Result<String> {
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
