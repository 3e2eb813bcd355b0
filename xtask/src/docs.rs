//! `cargo xtask docs`: documents that are made from the code. A test holds that the committed ones are what the code makes.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use crate::shell::{Shell, say};

mod dashboards;
mod iam;
mod metrics;

/// Writes the documents.
pub(crate) fn run(shell: &Shell) -> Result<bool> {
    let documents = committed(shell.root())?;
    for (name, text) in differing(shell.root(), &documents) {
        write(&shell.root().join(name), text.as_bytes())?;
        say(&format!("wrote {name}"));
    }
    for name in left_over(shell.root(), &documents)? {
        fs::remove_file(shell.root().join(&name))
            .with_context(|| format!("cannot remove {name}"))?;
        say(&format!("removed {name}"));
    }
    packaged(&shell.target().join("dist"))?;
    Ok(true)
}

/// Those that are not on disk as the code makes them.
fn differing<'d>(
    root: &Path,
    documents: &'d [(String, String)],
) -> impl Iterator<Item = &'d (String, String)> {
    let is_same = |name: &str, text: &str| {
        fs::read_to_string(root.join(name)).is_ok_and(|found| found == text)
    };
    documents.iter().filter(move |(name, text)| !is_same(name, text))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_documents_are_what_the_code_makes() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let documents = committed(root).unwrap();

        let stale: Vec<&String> = differing(root, &documents).map(|(name, _)| name).collect();
        let left_over = left_over(root, &documents).unwrap();

        assert!(stale.is_empty(), "run `cargo xtask docs`: {stale:?}");
        assert!(left_over.is_empty(), "made by nothing any more: {left_over:?}");
    }

    #[test]
    fn a_policy_that_is_no_longer_made_and_one_that_was_changed_are_found() {
        let root = tempfile::tempdir().unwrap();
        let name = |name: &str| format!("{POLICIES}/{name}.json");
        let made = [(name("a"), "{}".to_owned()), (name("b"), "{}".to_owned())];
        for (name, text) in [(name("a"), "{}"), (name("b"), "{ }"), (name("c"), "{}")] {
            write(&root.path().join(name), text.as_bytes()).unwrap();
        }

        let stale: Vec<&String> = differing(root.path(), &made).map(|(name, _)| name).collect();

        assert_eq!(stale, [&name("b")]);
        assert_eq!(left_over(root.path(), &made).unwrap(), [name("c")]);
    }

    #[test]
    fn packages_get_a_page_for_each_verb_and_completions_for_each_shell() {
        let folder = tempfile::tempdir().unwrap();

        packaged(folder.path()).unwrap();

        let names = |of: &str| fs::read_dir(folder.path().join(of)).unwrap().count();
        assert!(folder.path().join("man/spillway-serve.1").is_file());
        assert_eq!(names("completions"), clap_complete::Shell::value_variants().len());
    }
}
