//! The documents: every command of the program in them is one that it understands, and those of the tour and the how-tos are run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Parser as _;
use spillway_cli::args::Cli;

use crate::cost::SCENARIO;
use crate::rig::Home;

/// A page is done by then: its longest wait is a simulated night.
const PAGE_SECS: &str = "300";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What is between fences, and what the opening one says.
pub(crate) struct Block {
    info: String,
    lines: Vec<String>,
}

impl Block {
    fn lang(&self) -> &str {
        self.info.split_whitespace().next().unwrap_or_default()
    }

    /// What it says under a name, such as `file=spillway.toml`.
    fn says(&self, name: &str) -> Option<&str> {
        self.info.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// The commands, those over several lines as one.
    pub(crate) fn commands(&self) -> Vec<String> {
        let mut commands: Vec<String> = Vec::new();
        let mut goes_on = false;
        for line in &self.lines {
            match line.strip_prefix("$ ") {
                Some(first) => commands.push(first.to_owned()),
                None if goes_on => {
                    let last = commands.last_mut().unwrap();
                    last.truncate(last.len() - 1);
                    last.push_str(line.trim_start());
                }
                None => continue,
            }
            goes_on = commands.last().is_some_and(|command| command.ends_with('\\'));
        }
        commands
    }
}

pub(crate) fn blocks(page: &Path) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_inside = false;
    for line in fs::read_to_string(page).unwrap().lines() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            is_inside = !is_inside;
            if is_inside {
                blocks.push(Block { info: info.to_owned(), lines: Vec::new() });
            }
        } else if is_inside {
            blocks.last_mut().unwrap().lines.push(line.to_owned());
        }
    }
    assert!(!is_inside, "{}: a fence is not closed", page.display());
    blocks
}

/// All pages that people read, generated ones left out.
pub(crate) fn pages() -> Vec<PathBuf> {
    let markdown = |folder: &str| {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|of| of == "md")).collect::<Vec<_>>()
    };
    let folders =
        [".", "docs", "docs/how-to", "infra", "localstack", "crates/sim", "crates/planner"];
    let mut pages: Vec<PathBuf> = folders.into_iter().flat_map(markdown).collect();
    pages.retain(|page| page.file_name().is_some_and(|name| name != "cli.md"));
    pages.sort();
    pages
}

/// The words of a command line, as a shell takes it apart; each program of it by itself.
pub(crate) fn programs(command: &str) -> Vec<Vec<String>> {
    let mut programs = vec![Vec::new()];
    let (mut word, mut quote, mut is_word) = (String::new(), None, false);
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        let ends = quote.is_none() && (c.is_whitespace() || "|;&()<>".contains(c));
        if ends {
            if is_word {
                programs.last_mut().unwrap().push(std::mem::take(&mut word));
            }
            is_word = false;
            match c {
                '|' | ';' | '&' | '(' | ')' => programs.push(Vec::new()),
                // What follows is a file and no word of the program.
                '<' | '>' => programs.push(vec!["redirected".to_owned()]),
                _ => {}
            }
            continue;
        }
        match (quote, c) {
            (None, '#') if !is_word => break,
            (None, '\'' | '"') => (quote, is_word) = (Some(c), true),
            (Some(open), c) if open == c => quote = None,
            (Some('\''), c) => word.push(c),
            (_, '\\') => word.extend(chars.next()),
            (_, c) => {
                word.push(c);
                is_word = true;
            }
        }
    }
    if is_word {
        programs.last_mut().unwrap().push(word);
    }
    programs
}

/// The arguments for the program, of a command that runs it.
fn arguments(words: &[String]) -> Option<Vec<String>> {
    let is_variable = |word: &&String| {
        word.split_once('=').is_some_and(|(name, _)| {
            name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        })
    };
    let mut words: Vec<&str> = words.iter().skip_while(is_variable).map(String::as_str).collect();
    for before in [&["sudo", "-u", "spillway"][..], &["timeout", "60"], &["until"], &["run:"]] {
        if words.starts_with(before) {
            words.drain(..before.len());
        }
    }
    if let ["cargo", "run", "--release", "--", ..] = words.as_slice() {
        words.splice(..4, ["spillway"]);
    }
    // The standard error goes elsewhere: its number is no argument.
    let words = words.strip_suffix(&["2"]).unwrap_or(&words);
    let (first, rest) = words.split_first()?;
    (*first == "spillway").then(|| rest.iter().map(|word| (*word).to_owned()).collect())
}

#[test]
fn every_command_in_the_documents_is_understood() {
    let mut verbs = BTreeSet::new();
    let mut wrong: Vec<String> = Vec::new();
    for page in pages() {
        for block in blocks(&page) {
            let mut commands = block.commands();
            if block.lang() == "yaml" {
                let runs = block.lines.iter().filter_map(|line| line.split_once("run: "));
                commands.extend(runs.map(|(_, command)| command.to_owned()));
            }
            for words in commands.iter().flat_map(|command| programs(command)) {
                let Some(arguments) = arguments(&words) else { continue };
                verbs.extend(arguments.first().cloned());
                // What a variable holds is not known here: a job's id does for most.
                let id = "3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11";
                let filled = arguments.iter().map(|word| {
                    if word.starts_with('$') || word == "JOB" { id } else { word.as_str() }
                });
                let parsed = Cli::try_parse_from(std::iter::once("spillway").chain(filled));
                if let Err(error) = parsed {
                    let name = page.file_name().unwrap().display().to_string();
                    wrong.push(format!("{name}: {}: {error}", arguments.join(" ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(20 < verbs.len(), "commands were found: {verbs:?}");
}

const CONFIG: &str = r#"
ledger = "run.db"
queues = ["default", "nightly"]
[limits]
approve-over = "$50"
[[budget]]
name = "month"
amount = "$500"
per = "month"
"#;

/// Whether a command only looks at the ledger and the configuration, and ends.
fn only_looks(words: &[&str]) -> bool {
    let has = |flag: &str| words.contains(&flag);
    match words {
        ["top", ..] => has("--once") || has("json"),
        ["events", ..] => !has("--follow"),
        ["plan", ..] => has("--builtin-prices") && !has("--problem"),
        ["doctor", ..] => has("--local"),
        ["approve"] => true,
        ["jobs" | "hosts" | "breakers" | "queues" | "pools", "list" | "show", ..]
        | ["cost" | "budgets" | "report" | "calibration", ..]
        | ["config", "show" | "check", ..]
        | ["ledger", "verify", ..] => !has("--ledger"),
        _ => false,
    }
}

#[test]
fn whatever_the_pages_look_at_is_there_to_be_seen() {
    let (home, _) = Home::with_run(SCENARIO);
    let home = home.with("spillway.toml", CONFIG);
    let jobs = home.run(&["jobs", "list", "--format", "json"]).json();
    let job = jobs["jobs"][0]["id"].as_str().unwrap().to_owned();
    let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
    for block in pages().iter().flat_map(|page| blocks(page)) {
        let commands = block.commands();
        let programs = commands.iter().flat_map(|command| programs(command));
        seen.extend(programs.filter_map(|words| arguments(&words)));
    }
    let mut n_run = 0;
    for words in &seen {
        let is_id = |word: &str| word.starts_with('$') || word.parse::<uuid::Uuid>().is_ok();
        let words: Vec<&str> = words
            .iter()
            .map(|word| if is_id(word) { job.as_str() } else { word.as_str() })
            .collect();
        if only_looks(&words) {
            let ran = home.run(&words);
            assert_eq!(ran.code, Some(0), "spillway {}\n{ran}", words.join(" "));
            n_run += 1;
        }
    }
    assert!(15 < n_run, "{n_run}");
}

/// Writes a page's files, then gives all its commands to one shell, which ends at the first that fails.
fn run(page: &str) {
    let home = Home::new();
    let mut script =
        String::from("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    for block in blocks(&root().join("docs").join(page)) {
        if let Some(file) = block.says("file") {
            fs::write(home.file(file), block.lines.join("\n") + "\n").unwrap();
        }
        if block.lang() == "console" && block.says("needs").is_none() {
            for command in block.commands() {
                script.push_str(&command);
                script.push('\n');
            }
        }
    }
    let program = PathBuf::from(env!("CARGO_BIN_EXE_spillway"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let mut shell = Command::new("timeout");
    shell.args([PAGE_SECS, "bash", "-c", &script]).current_dir(home.path());
    shell.env_clear().env("PATH", path).env("HOME", home.path()).stdin(Stdio::null());

    let output = shell.output().unwrap();

    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{script}\n{said}\n{errors}", output.status);
}

#[test]
fn the_tour_is_what_happens() {
    run("tour.md");
}

#[test]
fn how_to_move_from_aws_batch_is_what_happens() {
    run("how-to/move-from-aws-batch.md");
}

#[test]
fn how_to_burst_from_github_actions_is_what_happens() {
    run("how-to/github-actions.md");
}

#[test]
fn how_to_run_jobs_by_the_clock_is_what_happens() {
    run("how-to/scheduled-jobs.md");
}

#[test]
fn how_to_keep_checkpoints_is_what_happens() {
    run("how-to/checkpoints-on-spot.md");
}
